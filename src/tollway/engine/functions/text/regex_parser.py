r"""Reads a regular expression in PCRE2's grammar and compiles it.

Refused by name: recursion and calls of groups, callouts, verbs such as (*SKIP), branch reset (?|, conditions that are
looks, \X, \C, scripts in \p{...}. Source: the manual page pcre2pattern.
"""

from __future__ import annotations

import re
from dataclasses import replace

from tollway.engine.functions.text import regex_characters as characters
from tollway.engine.functions.text.regex_elements import ElementReader, Flags
from tollway.engine.functions.text.regex_matcher import Pattern
from tollway.engine.functions.text.regex_program import (
    Instruction,
    Look,
    Mode,
    Op,
    PatternError,
    PatternRefused,
    Piece,
    atomic,
    either,
    finished,
    joined,
    one,
    repeated,
    step,
)

NESTING_MAX = 50
LOOK_BEHIND_MAX = 255
_QUANTIFIER = re.compile(r"\{ *(\d{1,5}) *\}|\{ *(\d{1,5}) *, *(\d{0,5}) *\}|\{ *(), *(\d{1,5}) *\}")
_NAME = re.compile(r"[A-Za-z_]\w{0,127}", re.ASCII)
_FLAG_LETTERS = {
    "i": "ignores_case",
    "m": "is_by_line",
    "s": "dot_is_all",
    "x": "skips_spaces",
    "n": "is_uncaptured",
    "U": "is_lazy_first",
}


def parse_pattern(text: str, *, ignores_case: bool) -> Pattern:
    """The compiled form of an expression.

    Raises: PatternError when it does not follow the grammar, PatternRefused when it uses what is not computed.
    """
    reader = _Parser(text, Flags(ignores_case))
    piece = reader.alternatives(reader.flags, 0)
    if reader.position < len(text):
        raise PatternError
    if reader.highest_reference > reader.group_count:
        raise PatternError
    return Pattern(finished(piece), reader.group_count, reader.names, reader.loop_count)


class _Parser(ElementReader):
    def __init__(self, text: str, flags: Flags) -> None:
        super().__init__(text, flags)
        self.group_count = 0
        self.loop_count = 0
        self.names: dict[str, int] = {}
        self.highest_reference = 0
        self.is_quoting = False

    def alternatives(self, flags: Flags, depth: int) -> Piece:
        """What stands between brackets, or the whole."""
        return either(self._ways(flags, depth))

    def _ways(self, flags: Flags, depth: int) -> list[Piece]:
        """The ways separated by |."""
        if depth > NESTING_MAX:
            raise PatternRefused(
                f"more than {NESTING_MAX} brackets inside each other in a regular expression"
            )
        self.flags = flags
        ways: list[Piece] = []
        pieces: list[Piece] = []
        while self.position < len(self.text) and (self.is_quoting or not self.peek(")")):
            if not self.is_quoting and self.take("|"):
                ways.append(joined(pieces) if pieces else Piece(()))
                pieces = []
                continue
            piece = self._item(depth)
            if piece is not None:
                pieces.append(piece if self.is_quoting else self._with_quantifier(piece))
        ways.append(joined(pieces) if pieces else Piece(()))
        return ways

    def _item(self, depth: int) -> Piece | None:
        """The next thing that may be repeated; None for a comment, a space or a change of flags."""
        if self.is_quoting:
            return self._quoted()
        character = self.next()
        if self.flags.skips_spaces and character in " \t\n\r\v\f#":
            if character == "#":
                end = self.text.find("\n", self.position)
                self.position = len(self.text) if end < 0 else end + 1
            return None
        match character:
            case "(":
                return self._group(depth)
            case "[":
                return one(self.character_class())
            case ".":
                return one(characters.anything if self.flags.dot_is_all else characters.no_line_end)
            case "^":
                by_line = self.flags.is_by_line
                return step(Op.ASSERT, characters.at_line_start if by_line else characters.at_start)
            case "$":
                return step(Op.ASSERT, characters.at_line_end if self.flags.is_by_line else characters.at_end)
            case "\\":
                return self._escape()
            case "*" | "+" | "?":
                raise PatternError
            case _:
                return self._literal(character)

    def _quoted(self) -> Piece | None:
        r"""The next character between \Q and \E; what follows the last one may repeat it."""
        if self.take("\\E"):
            self.is_quoting = False
            return None
        character = self._literal(self.next())
        if self.take("\\E"):
            self.is_quoting = False
        return character

    def _literal(self, character: str) -> Piece:
        return one(characters.literal(character, ignores_case=self.flags.ignores_case))

    def _with_quantifier(self, piece: Piece) -> Piece:
        if self.flags.skips_spaces:
            while self.position < len(self.text) and self.text[self.position] in " \t\n\r\v\f":
                self.position += 1
        least: int
        most: int | None
        if self.take("*"):
            least, most = 0, None
        elif self.take("+"):
            least, most = 1, None
        elif self.take("?"):
            least, most = 0, 1
        elif found := _QUANTIFIER.match(self.text, self.position):
            self.position = found.end()
            exact, low, high, _, only_high = found.groups()
            least = int(exact or low or 0)
            most = int(exact) if exact else (int(only_high or high) if only_high or high else None)
            if max(least, most or 0) > 65_535:
                raise PatternError
        else:
            return piece
        mode = Mode.LAZY if self.flags.is_lazy_first else Mode.GREEDY
        if self.take("?"):
            mode = Mode.GREEDY if self.flags.is_lazy_first else Mode.LAZY
        elif self.take("+"):
            mode = Mode.POSSESSIVE
        self.loop_count += 1
        again = repeated(piece, least, most, mode, -self.loop_count)
        if self.position < len(self.text) and self.text[self.position] in "*+?":
            raise PatternError
        return again

    # --- brackets --------------------------------------------------------------------------------------

    def _group(self, depth: int) -> Piece | None:
        flags = self.flags
        if self.take("*"):
            raise PatternRefused("a verb such as (*SKIP) in a regular expression")
        if not self.take("?"):
            return (
                self._captured(flags, depth, None) if not flags.is_uncaptured else self._plain(flags, depth)
            )
        if self.take("#"):
            self.until(")")
            return None
        if self.take(":"):
            return self._plain(flags, depth)
        if self.take(">"):
            return atomic(self._plain(flags, depth))
        for mark, is_behind, is_negative in (
            ("=", False, False), ("!", False, True), ("<=", True, False), ("<!", True, True)
        ):  # fmt: skip
            if self.take(mark):
                return self._looked(flags, depth, is_behind=is_behind, is_negative=is_negative)
        for mark, end in (("P<", ">"), ("<", ">"), ("'", "'")):
            if self.take(mark):
                return self._captured(flags, depth, self._name(end))
        if self.take("P="):
            return self._to_name(self.until(")"))
        if self.take("("):
            return self._conditional(flags, depth)
        self._refuse_calls()
        return self._flag_change(flags, depth)

    def _refuse_calls(self) -> None:
        following = self.text[self.position : self.position + 2]
        if following[:1] in ("R", "&", "C", "+", *"0123456789") or following.startswith("P>"):
            raise PatternRefused("recursion, a call of a group or a callout in a regular expression")
        if following[:1] == "-" and following[1:].isdigit():
            raise PatternRefused("a call of a group in a regular expression")
        if following[:1] == "|":
            raise PatternRefused("a branch reset (?| in a regular expression")

    def _plain(self, flags: Flags, depth: int) -> Piece:
        piece = self.alternatives(flags, depth + 1)
        if not self.take(")"):
            raise PatternError
        self.flags = flags
        return Piece(piece.code, piece.least, piece.most)

    def _captured(self, flags: Flags, depth: int, name: str | None) -> Piece:
        self.group_count += 1
        group = self.group_count
        if name is not None:
            if name in self.names:
                raise PatternError
            self.names[name] = group
        return joined([step(Op.SAVE, 2 * group), self._plain(flags, depth), step(Op.SAVE, 2 * group + 1)])

    def _name(self, end: str) -> str:
        name = self.until(end)
        if not _NAME.fullmatch(name):
            raise PatternError
        return name

    def _looked(self, flags: Flags, depth: int, *, is_behind: bool, is_negative: bool) -> Piece:
        piece = self._plain(flags, depth)
        lengths: range | None = None
        if is_behind:
            if piece.most is None or piece.most > LOOK_BEHIND_MAX:
                raise PatternError
            lengths = range(piece.least, piece.most + 1)
        return step(Op.LOOK, Look(finished(piece), is_negative, lengths))

    def _conditional(self, flags: Flags, depth: int) -> Piece:
        condition = self.until(")").strip("<>'")
        if condition.isdigit():
            group = int(condition)
        elif condition in self.names:
            group = self.names[condition]
        else:
            raise PatternRefused("a condition other than a group's number or name in a regular expression")
        self._refer(group)
        ways = self._ways(flags, depth + 1)
        if not self.take(")") or len(ways) > 2:
            raise PatternError
        self.flags = flags
        yes, no = (*ways, Piece(()))[:2]
        code = (
            Instruction(Op.GIVEN, group, len(yes.code) + 2),
            *yes.code,
            Instruction(Op.JUMP, len(no.code) + 1),
            *no.code,
        )
        most = None if yes.most is None or no.most is None else max(yes.most, no.most)
        return Piece(code, min(yes.least, no.least), most)

    def _flag_change(self, flags: Flags, depth: int) -> Piece | None:
        changed = Flags(False) if self.take("^") else flags
        is_on = True
        while True:
            letter = self.next()
            if letter == "-":
                is_on = False
            elif letter in _FLAG_LETTERS:
                changed = replace(changed, **{_FLAG_LETTERS[letter]: is_on})
            elif letter == ")":
                self.flags = changed
                return None
            elif letter == ":":
                piece = self._plain(changed, depth)
                self.flags = flags
                return piece
            else:
                raise PatternError

    # --- after a backslash -----------------------------------------------------------------------------

    def _escape(self) -> Piece | None:
        letter = self.next()
        test = characters.escaped_set(letter)
        if test is not None:
            return one(test)
        if letter in characters.POSITIONS:
            return step(Op.ASSERT, characters.POSITIONS[letter])
        match letter:
            case "Q":
                self.is_quoting = True
                return None
            case "E":
                return None
            case "K":
                return step(Op.SAVE, 0)
            case "N":
                return one(characters.no_line_end)
            case "R":
                pair = joined([self._literal("\r"), self._literal("\n")])
                down = characters.escaped_set("v")
                assert down is not None
                return atomic(either([pair, one(down)]))
            case "p" | "P":
                return one(self.property(letter))
            case "g" | "k":
                return self._reference(letter)
            case "X" | "C":
                raise PatternRefused(f"\\{letter} in a regular expression")
        if letter in "123456789":
            digits = letter + self.digits("0123456789", 4)
            if len(digits) == 1 or int(digits) <= self.group_count:
                return self._numbered(int(digits))
            self.position -= len(digits) - 1
        return self._literal(self.escaped_character(letter))

    def _reference(self, letter: str) -> Piece:
        for start, end in (("{", "}"), ("<", ">"), ("'", "'")):
            if self.take(start):
                if letter == "g" and start != "{":
                    raise PatternRefused("a call of a group in a regular expression")
                written = self.until(end).strip()
                break
        else:
            written = ("-" if self.take("-") else "") + self.digits("0123456789", 3)
        if written.lstrip("+-").isdigit():
            number = int(written)
            return self._numbered(self.group_count + 1 + number if number < 0 else number)
        return self._to_name(written)

    def _to_name(self, name: str) -> Piece:
        if name not in self.names:
            raise PatternError
        return self._numbered(self.names[name])

    def _numbered(self, group: int) -> Piece:
        self._refer(group)
        # How long it will be is known only when it is met.
        return Piece((Instruction(Op.BACK, group, self.flags.ignores_case),), 0, None)

    def _refer(self, group: int) -> None:
        if group < 1:
            raise PatternError
        self.highest_reference = max(self.highest_reference, group)
