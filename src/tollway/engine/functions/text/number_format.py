"""Numbers as Excel's number formats write them: the section that applies, General, and digits in their places.

Numbers are written with the 15 significant digits that Excel sees, and rounded in decimal, halves away from zero.
Source: Microsoft, "Number format codes"; what happens to signs and to zero, as the corpus shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Context, Decimal

from tollway.engine.functions.text.number_format_code import (
    SYSTEM_LONG_DATES,
    SYSTEM_TIMES,
    FormatError,
    Kind,
    Section,
    Token,
    sections_of,
)
from tollway.engine.functions.text.number_format_dates import written_date
from tollway.engine.functions.text.number_format_digits import whole_digits
from tollway.engine.functions.text.number_format_fractions import written_fraction
from tollway.engine.values import decimal_text, number_text

# What a cell shows when no section takes its number.
_NO_SECTION = "#" * 255
# General writes at most this many characters, the sign aside, and then goes over to 1.23457E+11.
_GENERAL_WIDTH = 11
_GENERAL_DIGITS = 10
# Enough for every digit of the largest number, in percent of percent, and as many decimals as a format may ask for.
_CONTEXT = Context(prec=2_000)


def format_number(number: float, code: str, *, is_1904: bool = False) -> str:
    """A number as a format writes it.

    Raises: FormatError for a format that cannot be read, or a date outside Excel's calendar.
    """
    sections = sections_of(code)
    if len(sections) > 1 and sections[-1].has(Kind.TEXT):
        sections = sections[:-1]
    sections = sections[:3]
    section, is_unsigned = _section_for(number, sections)
    if section is None:
        return _general(number) if len(sections) == 1 else _NO_SECTION
    section = _system_form(section)
    if not section.tokens:
        return ""
    if section.is_date:
        return written_date(number, section, is_1904=is_1904)
    shown, is_zero = _written(abs(number), section)
    return f"-{shown}" if number < 0 and not is_unsigned and not is_zero else shown


def format_text(text: str, code: str) -> str:
    """A text as a format writes it: by its section with @, or as it is. Raises: FormatError."""
    sections = sections_of(code)
    chosen = sections[3] if len(sections) == 4 else sections[-1]
    if len(sections) < 4 and not chosen.has(Kind.TEXT):
        return text
    return "".join(text if token.kind is Kind.TEXT else token.text for token in chosen.tokens)


def _section_for(number: float, sections: Sequence[Section]) -> tuple[Section | None, bool]:
    """The section that takes a number, and whether it writes the number without its sign."""
    first = sections[0]
    if len(sections) == 1:
        return (first if first.condition is None or first.takes(number) else None), False
    second = sections[1]
    if len(sections) == 2:
        if first.takes(number) if first.condition else number >= 0:
            return first, False
        if second.condition is not None and not second.takes(number):
            return None, False
        return second, first.condition is None and second.condition is None
    if first.takes(number) if first.condition else number > 0:
        return first, False
    if second.takes(number) if second.condition else number < 0:
        return second, second.condition is None
    return sections[2], False


def _system_form(section: Section) -> Section:
    """The long date or the time of the system instead of what is written; those of an English (US) one."""
    if section.locale in SYSTEM_LONG_DATES:
        return sections_of("dddd, mmmm dd, yyyy")[0]
    return sections_of("h:mm:ss AM/PM")[0] if section.locale in SYSTEM_TIMES else section


def _written(number: float, section: Section) -> tuple[str, bool]:
    """A number from 0 on in a section, and whether what is shown of it is zero."""
    if section.has(Kind.GENERAL, Kind.TEXT):
        if section.has(Kind.DIGIT):
            raise FormatError
        return "".join(_general_part(number, token) for token in section.tokens), number == 0
    tokens = list(section.tokens)
    value = Decimal(decimal_text(number)) * 100 ** sum(token.kind is Kind.PERCENT for token in tokens)
    if any(token.kind is Kind.EXPONENT for token in tokens):
        return _scientific(value, tokens)
    fraction = written_fraction(value, tokens)
    if fraction is not None:
        return fraction
    if not section.has(Kind.DIGIT):
        # Nothing of the number is shown, but its sign is.
        return "".join(token.text for token in tokens), number == 0
    tokens, is_grouped, thousands = _without_commas(tokens)
    return _fixed(value.scaleb(-3 * thousands), tokens, is_grouped=is_grouped)


def _general_part(number: float, token: Token) -> str:
    if token.kind is Kind.GENERAL:
        return _general(number)
    return number_text(number) if token.kind is Kind.TEXT else token.text


def _general(number: float) -> str:
    """The General format in a cell that is wide enough."""
    if number == 0:
        return "0"
    sign, size = ("-" if number < 0 else ""), Decimal(decimal_text(abs(number)))
    exponent = size.adjusted()
    if -5 < exponent < _GENERAL_WIDTH:
        places = max(0, _GENERAL_DIGITS - 1 - max(exponent, 0))
        rounded = _rounded(size, places)
        if rounded.adjusted() < _GENERAL_WIDTH:
            return sign + _trimmed(rounded)
    elif exponent <= -5 and len(plain := _trimmed(size)) <= _GENERAL_WIDTH:
        return sign + plain
    mantissa = _rounded(size.scaleb(-exponent), 5)
    if mantissa >= 10:
        mantissa, exponent = mantissa / 10, exponent + 1
    return f"{sign}{_trimmed(mantissa)}E{'-' if exponent < 0 else '+'}{abs(exponent):02d}"


def _rounded(value: Decimal, places: int) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP, context=_CONTEXT)


def _trimmed(value: Decimal) -> str:
    written = f"{value:f}"
    return written.rstrip("0").rstrip(".") if "." in written else written


def _without_commas(tokens: Sequence[Token]) -> tuple[list[Token], bool, int]:
    """Tokens without the commas that group digits or divide by 1,000; whether they group, and how many divide."""
    digits = [place for place, token in enumerate(tokens) if token.kind is Kind.DIGIT]
    point = next((place for place, token in enumerate(tokens) if token.kind is Kind.POINT), len(tokens))
    before_point = [place for place in digits if place < point]
    last = before_point[-1] if before_point else -1
    kept: list[Token] = []
    is_grouped, thousands = False, 0
    for place, token in enumerate(tokens):
        if token.kind is not Kind.COMMA:
            kept.append(token)
        elif before_point and before_point[0] < place < last:
            is_grouped = True
        elif _follows_digit(tokens, place):
            thousands += 1
        elif not digits or place < digits[0]:
            kept.append(Token(Kind.LITERAL, ","))
    return kept, is_grouped, thousands


def _follows_digit(tokens: Sequence[Token], place: int) -> bool:
    while place > 0 and tokens[place].kind is Kind.COMMA:
        place -= 1
    return tokens[place].kind is Kind.DIGIT


def _fixed(value: Decimal, tokens: Sequence[Token], *, is_grouped: bool) -> tuple[str, bool]:
    point = next((place for place, token in enumerate(tokens) if token.kind is Kind.POINT), len(tokens))
    before, after = tokens[:point], tokens[point + 1 :]
    places = sum(token.kind is Kind.DIGIT for token in after)
    rounded = _rounded(value, places)
    whole, _, decimals = f"{rounded:f}".partition(".")
    shown = whole_digits(whole.lstrip("0"), before, is_grouped=is_grouped)
    if point < len(tokens):
        shown += "." + _decimal_digits(decimals, after)
    return shown, rounded == 0


def _decimal_digits(digits: str, tokens: Sequence[Token]) -> str:
    holders = [token.text for token in tokens if token.kind is Kind.DIGIT]
    items = list(digits.ljust(len(holders), "0"))
    for place in range(len(holders) - 1, -1, -1):
        if items[place] != "0" or holders[place] == "0":
            break
        items[place] = " " if holders[place] == "?" else ""
    written = iter(items)
    return "".join(next(written) if token.kind is Kind.DIGIT else token.text for token in tokens)


def _scientific(value: Decimal, tokens: Sequence[Token]) -> tuple[str, bool]:
    place = next(place for place, token in enumerate(tokens) if token.kind is Kind.EXPONENT)
    mantissa_tokens, _, _ = _without_commas(tokens[:place])
    tail = tokens[place + 1 :]
    last = max((at for at, token in enumerate(tail) if token.kind is Kind.DIGIT), default=-1)
    if last < 0 or any(token.kind is Kind.EXPONENT for token in tail):
        raise FormatError
    point = next((at for at, t in enumerate(mantissa_tokens) if t.kind is Kind.POINT), len(mantissa_tokens))
    width = sum(token.kind is Kind.DIGIT for token in mantissa_tokens[:point])
    places = sum(token.kind is Kind.DIGIT for token in mantissa_tokens[point:])
    exponent = _exponent_for(value, width, places)
    mantissa, is_zero = _fixed(value.scaleb(-exponent), mantissa_tokens, is_grouped=False)
    sign = "-" if exponent < 0 else ("+" if tokens[place].text[1] == "+" else "")
    digits = whole_digits(str(abs(exponent)).lstrip("0"), tail[: last + 1])
    rest = "".join(token.text for token in tail[last + 1 :])
    return f"{mantissa}E{sign}{digits}{rest}", is_zero


def _exponent_for(value: Decimal, width: int, places: int) -> int:
    """The power of ten for a mantissa of so many digits before the point: a multiple of that number."""
    if value == 0:
        return 0
    exponent = value.adjusted() + 1 if width == 0 else value.adjusted() // width * width
    rounded = _rounded(value.scaleb(-exponent), places)
    return exponent + max(width, 1) if rounded >= Decimal(10) ** width else exponent
