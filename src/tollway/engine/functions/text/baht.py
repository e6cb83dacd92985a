"""Amounts of money in Thai words. Source: Microsoft's BAHTTEXT page."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from tollway.engine.functions.registry import FailedError, function
from tollway.engine.values import ErrorValue, decimal_text

_DIGITS = ("ศูนย์", "หนึ่ง", "สอง", "สาม", "สี่", "ห้า", "หก", "เจ็ด", "แปด", "เก้า")
_POWERS = ("", "สิบ", "ร้อย", "พัน", "หมื่น", "แสน")
_MILLION = "ล้าน"
_ONE_AT_THE_END = "เอ็ด"
_TWENTY = "ยี่"
_AMOUNT_MAX = 1e15


@function("BAHTTEXT", "number", returns="text")
def baht_text(number: float) -> str:
    """A number in Thai words, with the words for baht and satang.

    Errors: #VALUE! for an amount of a thousand billion and more, whose satang are no longer known.
    """
    if abs(number) >= _AMOUNT_MAX:
        raise FailedError(ErrorValue.VALUE)
    amount = Decimal(decimal_text(abs(number))).quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)
    baht, satang = divmod(int(amount * 100), 100)
    words = "ลบ" if number < 0 and amount else ""
    if baht or not satang:
        words += _in_words(baht) + "บาท"
    return words + (_in_words(satang) + "สตางค์" if satang else "ถ้วน")


def _in_words(number: int) -> str:
    if number == 0:
        return _DIGITS[0]
    millions, rest = divmod(number, 1_000_000)
    words = _in_words(millions) + _MILLION if millions else ""
    digits = str(rest)
    for place, digit in enumerate(map(int, digits)):
        power = len(digits) - 1 - place
        if digit == 0:
            continue
        if power == 0 and digit == 1 and (len(digits) > 1 or millions):
            words += _ONE_AT_THE_END
        elif power == 1 and digit == 1:
            words += _POWERS[1]
        elif power == 1 and digit == 2:
            words += _TWENTY + _POWERS[1]
        else:
            words += _DIGITS[digit] + _POWERS[power]
    return words
