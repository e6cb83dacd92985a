"""Reads Excel's number formats, such as `#,##0.00;[Red]-#,##0.00`, into sections of tokens.

Source: Microsoft, "Number format codes", and ECMA-376 part 1, 18.8.31.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache

# Excel's own bound for a format.
FORMAT_LENGTH_MAX = 255
SECTIONS_MAX = 4
_CONDITION = re.compile(r"(<=|>=|<>|<|>|=)\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)")
_COLOUR = re.compile(r"black|blue|cyan|green|magenta|red|white|yellow|color *\d{1,2}|dbnum\d", re.IGNORECASE)
_ELAPSED = re.compile(r"h+|m+|s+", re.IGNORECASE)
_CURRENCY_OR_LOCALE = re.compile(r"\$([^\]-]*)(?:-([\w-]{1,32}))?(?:,\d+)?", re.ASCII)
_HALF_DAY = re.compile(r"AM/PM|A/P", re.IGNORECASE)
_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "<": lambda left, right: left < right,
    ">": lambda left, right: left > right,
    "=": lambda left, right: left == right,
    "<=": lambda left, right: left <= right,
    ">=": lambda left, right: left >= right,
    "<>": lambda left, right: left != right,
}
# English, in whatever country: by name, or by a number whose low ten bits are 9.
_ENGLISH_NAME = re.compile(r"en(?:-\w+)*", re.IGNORECASE | re.ASCII)
_HEXADECIMAL = re.compile(r"[0-9a-f]{1,8}", re.IGNORECASE)
_ENGLISH_NUMBER = 0x09
# These say "as the system writes it".
SYSTEM_LONG_DATES = frozenset({"f800", "x-sysdate"})
SYSTEM_TIMES = frozenset({"f400", "x-systime"})


class FormatError(Exception):
    """The format does not follow the grammar, or does not suit the number."""


class Kind(Enum):
    """What a token stands for."""

    LITERAL = auto()
    DIGIT = auto()  # 0, # or ?
    POINT = auto()
    COMMA = auto()
    PERCENT = auto()
    EXPONENT = auto()  # E+ or E-
    SLASH = auto()
    GENERAL = auto()
    TEXT = auto()  # @
    DATE = auto()  # a run of one of y m d h s e b g
    ELAPSED = auto()  # [h], [mm], ...
    HALF_DAY = auto()  # AM/PM or A/P


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a section as written; literals without their quotes."""

    kind: Kind
    text: str


@dataclass(frozen=True, slots=True)
class Section:
    """One of the parts between semicolons. `locale` is what stands after [$-, in small letters."""

    tokens: tuple[Token, ...]
    condition: tuple[str, float] | None
    locale: str

    def has(self, *kinds: Kind) -> bool:
        """Whether a token of any of these kinds stands in it."""
        return any(token.kind in kinds for token in self.tokens)

    @property
    def is_date(self) -> bool:
        """A date or a time is written, not a number."""
        return self.has(Kind.DATE, Kind.ELAPSED, Kind.HALF_DAY)

    @property
    def is_english(self) -> bool:
        """Names of days and months are English ones."""
        if not self.locale or self.locale in SYSTEM_LONG_DATES | SYSTEM_TIMES:
            return True
        if _HEXADECIMAL.fullmatch(self.locale):
            return int(self.locale, 16) & 0x3FF in (0, _ENGLISH_NUMBER)
        return _ENGLISH_NAME.fullmatch(self.locale) is not None

    def takes(self, number: float) -> bool:
        """Whether its own condition holds."""
        assert self.condition is not None
        operator, bound = self.condition
        return _COMPARISONS[operator](number, bound)


@lru_cache(maxsize=512)
def sections_of(code: str) -> tuple[Section, ...]:
    """The sections of a format. Raises: FormatError."""
    if len(code) > FORMAT_LENGTH_MAX:
        raise FormatError
    reader = _Reader(code)
    sections = [reader.section()]
    while reader.position < len(code):
        reader.position += 1  # the semicolon
        sections.append(reader.section())
    if len(sections) > SECTIONS_MAX:
        raise FormatError
    return tuple(sections)


class _Reader:
    def __init__(self, code: str) -> None:
        self.code = code
        self.position = 0
        self.tokens: list[Token] = []
        self.condition: tuple[str, float] | None = None
        self.locale = ""

    def section(self) -> Section:
        self.tokens, self.condition, self.locale = [], None, ""
        while self.position < len(self.code) and self.code[self.position] != ";":
            self._token()
        return Section(tuple(self.tokens), self.condition, self.locale)

    def _add(self, kind: Kind, text: str) -> None:
        self.tokens.append(Token(kind, text))

    def _after(self, length: int) -> str:
        """Pass some characters by."""
        found = self.code[self.position : self.position + length]
        self.position += length
        return found

    def _token(self) -> None:
        character = self.code[self.position]
        rest = self.code[self.position :]
        if character == '"':
            end = self.code.find('"', self.position + 1)
            if end < 0:
                raise FormatError
            self._add(Kind.LITERAL, self.code[self.position + 1 : end])
            self.position = end + 1
        elif character in "\\_*":
            if len(rest) < 2:
                raise FormatError
            # _x is a space as wide as x; what *x fills is the width of a column, and there is none here.
            shown = {"\\": rest[1], "_": " ", "*": ""}[character]
            self._add(Kind.LITERAL, shown)
            self.position += 2
        elif character == "[":
            self._bracket()
        elif rest[:7].lower() == "general":
            self._add(Kind.GENERAL, self._after(7))
        elif found := _HALF_DAY.match(rest):
            self._add(Kind.HALF_DAY, self._after(len(found[0])))
        elif character in "Ee" and rest[1:2] in ("+", "-"):
            self._add(Kind.EXPONENT, self._after(2))
        elif character.lower() in "ymdhsebg":
            run = len(rest) - len(rest.lstrip(character.lower() + character.upper()))
            self._add(Kind.DATE, self._after(run).lower())
        else:
            self._single(character)

    def _single(self, character: str) -> None:
        self.position += 1
        kinds = {".": Kind.POINT, ",": Kind.COMMA, "%": Kind.PERCENT, "/": Kind.SLASH, "@": Kind.TEXT}
        if character in "0#?":
            self._add(Kind.DIGIT, character)
        elif character in kinds:
            self._add(kinds[character], character)
        else:
            self._add(Kind.LITERAL, character)

    def _bracket(self) -> None:
        end = self.code.find("]", self.position)
        if end < 0:
            raise FormatError
        inside = self.code[self.position + 1 : end]
        self.position = end + 1
        if _ELAPSED.fullmatch(inside):
            self._add(Kind.ELAPSED, inside.lower())
        elif found := _CONDITION.fullmatch(inside):
            self.condition = (found[1], float(found[2]))
        elif found := _CURRENCY_OR_LOCALE.fullmatch(inside):
            self._add(Kind.LITERAL, found[1])
            self.locale = (found[2] or "").lower()
        elif not _COLOUR.fullmatch(inside):
            raise FormatError
