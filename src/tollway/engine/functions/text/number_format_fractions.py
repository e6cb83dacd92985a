"""Numbers as fractions: `# ?/?` and `# ??/16`."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

from tollway.engine.functions.text.number_format_code import FormatError, Kind, Token
from tollway.engine.functions.text.number_format_digits import whole_digits

# Excel writes no longer denominator.
_DENOMINATOR_DIGITS_MAX = 7


def written_fraction(value: Decimal, tokens: Sequence[Token]) -> tuple[str, bool] | None:
    """A number from 0 on as a fraction, and whether what is shown is zero; None for a format that is none.

    Raises: FormatError for a format that has two fractions, or decimals beside one.
    """
    slashes = [place for place, token in enumerate(tokens) if token.kind is Kind.SLASH]
    if not slashes or not any(token.kind is Kind.DIGIT for token in tokens[: slashes[0]]):
        return None
    if len(slashes) > 1 or any(token.kind is Kind.POINT for token in tokens):
        raise FormatError
    slash = slashes[0]
    start, end = _ends(tokens, slash)
    above, below = tokens[start:slash], tokens[slash + 1 : end]
    fixed = "".join(token.text for token in below)
    has_whole = any(token.kind is Kind.DIGIT for token in tokens[:start])
    whole = int(value) if has_whole else 0
    part = Fraction(value) - whole
    if fixed[0] in "123456789":
        ratio_top, ratio_bottom = _rounded(part * int(fixed)), int(fixed)
        if has_whole and ratio_top == ratio_bottom:
            whole, ratio_top = whole + 1, 0
    else:
        nearest = part.limit_denominator(10 ** min(len(below), _DENOMINATOR_DIGITS_MAX) - 1)
        ratio_top, ratio_bottom = nearest.numerator, nearest.denominator
        if has_whole and ratio_bottom == 1 and ratio_top:
            whole, ratio_top = whole + ratio_top, 0
    is_zero = whole == 0 and ratio_top == 0
    lead = whole_digits(str(whole) if whole or ratio_top == 0 else "", tokens[:start]) if has_whole else ""
    lead = lead if has_whole else "".join(token.text for token in tokens[:start])
    if has_whole and ratio_top == 0 and not any(token.text == "0" for token in above):
        middle = " " * (len(above) + 1 + len(fixed))
    else:
        middle = whole_digits(str(ratio_top), above) + "/" + _below(str(ratio_bottom), below)
    return lead + middle + "".join(token.text for token in tokens[end:]), is_zero


def _ends(tokens: Sequence[Token], slash: int) -> tuple[int, int]:
    """Where the numerator begins, and where the denominator is over."""
    start = slash
    while start > 0 and tokens[start - 1].kind is Kind.DIGIT:
        start -= 1
    end = slash + 1
    while end < len(tokens) and (tokens[end].kind is Kind.DIGIT or _is_number(tokens[end])):
        end += 1
    if start == slash or end == slash + 1:
        raise FormatError
    return start, end


def _is_number(token: Token) -> bool:
    return token.kind is Kind.LITERAL and token.text.isdigit()


def _rounded(value: Fraction) -> int:
    return int(
        (Decimal(value.numerator) / Decimal(value.denominator)).quantize(Decimal(1), rounding=ROUND_HALF_UP)
    )


def _below(digits: str, tokens: Sequence[Token]) -> str:
    """A denominator, filled in from the left."""
    if tokens[0].text[0] in "123456789":
        return digits
    missing = len(tokens) - len(digits)
    return digits + " " * sum(token.text == "?" for token in tokens[len(tokens) - max(missing, 0) :])
