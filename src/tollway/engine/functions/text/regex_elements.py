r"""What stands for one character in a regular expression: escapes such as \x41, sets such as [a-z\d] and \p{L}."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tollway.engine.functions.text import regex_characters as characters
from tollway.engine.functions.text.regex_program import PatternError, Test

_POSIX = re.compile(r"\[:(\^?[a-z]{1,10}):\]")
_CASES = ("lower", "upper")
_CONTROLS = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "e": "\x1b", "a": "\a"}


@dataclass(frozen=True, slots=True)
class Flags:
    """What (?imsxnU) switch on."""

    ignores_case: bool
    is_by_line: bool = False
    dot_is_all: bool = False
    skips_spaces: bool = False
    is_uncaptured: bool = False
    is_lazy_first: bool = False


class ElementReader:
    """Reads an expression from left to right; `flags` are those in force where it stands."""

    def __init__(self, text: str, flags: Flags) -> None:
        self.text = text
        self.position = 0
        self.flags = flags

    def peek(self, expected: str) -> bool:
        """Whether a text comes next."""
        return self.text.startswith(expected, self.position)

    def take(self, expected: str) -> bool:
        """Pass a text by, if it comes next."""
        if not self.peek(expected):
            return False
        self.position += len(expected)
        return True

    def next(self) -> str:
        """The next character; the expression may not end here."""
        if self.position >= len(self.text):
            raise PatternError
        self.position += 1
        return self.text[self.position - 1]

    def until(self, end: str) -> str:
        """What stands before an end mark, which is passed by too."""
        stop = self.text.find(end, self.position)
        if stop < 0:
            raise PatternError
        found = self.text[self.position : stop]
        self.position = stop + len(end)
        return found

    def character_class(self) -> Test:
        """What stands between square brackets."""
        is_negative = self.take("^")
        ignores_case = self.flags.ignores_case
        tests: list[Test] = []
        is_first = True
        while is_first or not self.peek("]"):
            is_first = False
            if self.peek("[:") and (found := _POSIX.match(self.text, self.position)):
                self.position = found.end()
                tests.append(
                    characters.named_set("alpha" if ignores_case and found[1] in _CASES else found[1])
                )
                continue
            start = self.class_item()
            if not isinstance(start, str):
                tests.append(start)
            elif self.peek("-") and not self.peek("-]"):
                self.position += 1
                end = self.class_item()
                if isinstance(end, str):
                    tests.append(characters.between(start, end, ignores_case=ignores_case))
                else:
                    tests += [characters.literal(item, ignores_case=ignores_case) for item in (start, "-")]
                    tests.append(end)
            elif start:
                tests.append(characters.literal(start, ignores_case=ignores_case))
        self.position += 1
        return characters.any_of(tests, is_negative=is_negative)

    def class_item(self) -> str | Test:
        r"""One character, or a set such as \d; nothing for \E."""
        character = self.next()
        if character != "\\":
            return character
        letter = self.next()
        if letter == "b":
            return "\b"
        if letter in "pP":
            return self.property(letter)
        if letter in "EQ":
            return ""
        return characters.escaped_set(letter) or self.escaped_character(letter)

    def digits(self, allowed: str, count: int) -> str:
        """At most so many of the allowed characters."""
        found = ""
        while len(found) < count and self.position < len(self.text) and self.text[self.position] in allowed:
            found += self.next()
        return found

    def escaped_character(self, letter: str) -> str:
        """The single character that an escape stands for."""
        if letter in _CONTROLS:
            return _CONTROLS[letter]
        if letter == "x":
            digits = self.until("}") if self.take("{") else self.digits("0123456789abcdefABCDEF", 2)
            return _character(digits or "0", 16)
        if letter == "o" and self.take("{"):
            return _character(self.until("}"), 8)
        if letter in "01234567":
            return _character(letter + self.digits("01234567", 2), 8)
        if letter == "c":
            return chr(ord(self.next().upper()) ^ 64)
        if letter.isascii() and letter.isalnum():
            raise PatternError
        return letter

    def property(self, letter: str) -> Test:
        r"""After \p or \P: {Lu}, or one letter."""
        name = self.until("}") if self.take("{") else self.next()
        return characters.property_set(name, is_negative=letter == "P")


def _character(digits: str, base: int) -> str:
    try:
        return chr(int(digits, base))
    except (ValueError, OverflowError) as error:
        raise PatternError from error
