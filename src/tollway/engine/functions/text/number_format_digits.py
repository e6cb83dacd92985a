"""Digits of an integer in the places that a number format has for them."""

from __future__ import annotations

from collections.abc import Sequence

from tollway.engine.functions.text.number_format_code import Kind, Token


def whole_digits(digits: str, tokens: Sequence[Token], *, is_grouped: bool = False) -> str:
    """Digits in the places for them, filled from the right; what is too many goes before the first place."""
    holders = [token.text for token in tokens if token.kind is Kind.DIGIT]
    if not holders:
        return digits + "".join(token.text for token in tokens)
    missing = len(holders) - len(digits)
    fill = {"0": "0", "?": " ", "#": ""}
    items = [fill[holder] for holder in holders[:missing]] if missing > 0 else []
    items += list(digits[max(0, -missing) :])
    if missing < 0:
        items[0] = digits[: 1 - missing]
    if is_grouped:
        items = _grouped(items)
    written = iter(items)
    return "".join(next(written) if token.kind is Kind.DIGIT else token.text for token in tokens)


def _grouped(items: Sequence[str]) -> list[str]:
    """Items with a comma after each digit that has a multiple of three digits to its right."""
    result: list[str] = []
    right = 0
    for item in reversed(items):
        grouped = ""
        for character in reversed(item):
            if right and right % 3 == 0:
                grouped = (" " if character == " " else ",") + grouped
            grouped = character + grouped
            right += 1
        result.append(grouped)
    return result[::-1]
