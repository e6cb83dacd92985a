"""The order of texts, as an English Excel sorts them.

Signs come before digits, digits before letters; case does not matter, and accents only between words that are the
same without them. Hyphens and apostrophes are passed over: of two texts that differ in nothing else the one with
fewer of them comes first. Source: Microsoft, "Sort data in a range or table", and the order of Windows for English.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

_SIGNS = ' !"#$%&()*,./:;?@[\\]^_`{|}~+<=>'
_PASSED_OVER = "'-\u00ad"
# Signs move to codes below that of the digit 0, in their order; what cannot be printed comes before them.
_PRIMARY = str.maketrans(
    {
        **dict.fromkeys(map(chr, range(32)), "\0"),
        **{sign: chr(place) for place, sign in enumerate(_SIGNS, start=1)},
        **dict.fromkeys(_PASSED_OVER, None),
    }
)
# Letters that Unicode does not take apart, but dictionaries do.
_TAKEN_APART = str.maketrans(
    {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o\u0338", "đ": "d\u0335", "ł": "l\u0335"}
)

Order = tuple[str, str, int, str]


@lru_cache(maxsize=8_192)
def text_order(text: str) -> Order:
    """What two texts are compared by, one after the other; it is equal for texts that differ in case alone."""
    lowered = text.lower()
    passed_over = sum(map(lowered.count, _PASSED_OVER))
    if lowered.isascii():
        return lowered.translate(_PRIMARY), "", passed_over, lowered
    letters: list[str] = []
    accents: list[str] = []
    for character in unicodedata.normalize("NFD", lowered.translate(_TAKEN_APART)):
        if not unicodedata.combining(character):
            letters.append(character)
            accents.append("\0")
        elif accents:
            accents[-1] += character
    marks = "".join(accents).rstrip("\0")
    return "".join(letters).translate(_PRIMARY), marks, passed_over, lowered
