"""What a regular expression is compiled to: small instructions with relative jumps, joined piece by piece."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto

# A pattern such as (a{900}){900} would be copied out without end.
PROGRAM_LENGTH_MAX = 20_000

Test = Callable[[str], bool]
Extent = tuple[int, int | None]


class Op(Enum):
    """What an instruction does; its operands are `first` and `second`."""

    ONE = auto()  # one character that passes the test `first`
    RUN = auto()  # as many as `second` allows that pass the test `first`; `mode` says in which order tried
    SPLIT = auto()  # go on at +first, or at +second when that fails
    JUMP = auto()  # go on at +first
    SAVE = auto()  # remember the position in slot `first`
    ADVANCED = auto()  # go on at +second where the position is still that in slot `first`
    ASSERT = auto()  # the condition `first` holds at this position
    BACK = auto()  # the text of group `first` again; `second` is whether case does not matter
    LOOK = auto()  # what `first` (a Look) demands before or after this position
    ATOMIC = auto()  # the program `first`, with its first way of fitting only
    GIVEN = auto()  # go on at +second unless group `first` took part
    DONE = auto()  # the whole expression fits


class Mode(Enum):
    """In which order a repeated item takes more or fewer."""

    GREEDY = auto()
    LAZY = auto()
    POSSESSIVE = auto()


@dataclass(frozen=True, slots=True)
class Instruction:
    """One step; jumps count from this instruction."""

    op: Op
    first: object = None
    second: object = None
    mode: Mode = Mode.GREEDY


Code = tuple[Instruction, ...]


@dataclass(frozen=True, slots=True)
class Look:
    """A look ahead (`lengths` None) or behind, over any of these lengths."""

    code: Code
    is_negative: bool
    lengths: range | None


class PatternError(Exception):
    """The expression does not follow the grammar."""


class PatternRefused(Exception):
    """The expression uses something that is not computed; `construct` names it."""

    def __init__(self, construct: str) -> None:
        super().__init__(construct)
        self.construct = construct


@dataclass(frozen=True, slots=True)
class Piece:
    """Part of a program, with how many characters it takes; `test` where it is one character."""

    code: Code
    least: int = 0
    most: int | None = 0
    test: Test | None = None


def one(test: Test) -> Piece:
    """One character."""
    return Piece((Instruction(Op.ONE, test),), 1, 1, test)


def step(op: Op, first: object = None, second: object = None) -> Piece:
    """One instruction that takes no character."""
    return Piece((Instruction(op, first, second),))


def joined(pieces: Sequence[Piece]) -> Piece:
    """One after another."""
    if len(pieces) == 1:
        return pieces[0]
    code = _bounded([instruction for piece in pieces for instruction in piece.code])
    least = 0
    most: int | None = 0
    for piece in pieces:
        least += piece.least
        if most is not None:
            most = None if piece.most is None else most + piece.most
    return Piece(code, least, most)


def either(pieces: Sequence[Piece]) -> Piece:
    """The first that fits, then the next."""
    result = pieces[-1]
    for piece in reversed(pieces[:-1]):
        code = [
            Instruction(Op.SPLIT, 1, len(piece.code) + 2),
            *piece.code,
            Instruction(Op.JUMP, len(result.code) + 1),
            *result.code,
        ]
        most = None if piece.most is None or result.most is None else max(piece.most, result.most)
        result = Piece(_bounded(code), min(piece.least, result.least), most)
    return result


def repeated(piece: Piece, least: int, most: int | None, mode: Mode, slot: int) -> Piece:
    """A piece several times over; `slot` remembers where a turn began, so that empty turns end."""
    if most is not None and most < least:
        raise PatternError
    extent: Extent = (
        piece.least * least,
        None if most is None or piece.most is None else piece.most * most,
    )
    if piece.test is not None:
        return Piece((Instruction(Op.RUN, piece.test, (least, most), mode),), *extent)
    if mode is Mode.POSSESSIVE:
        return atomic(repeated(piece, least, most, Mode.GREEDY, slot))
    code: list[Instruction] = []
    for _ in range(least):
        code.extend(piece.code)
        _bounded(code)
    size = len(piece.code)
    if most is None:
        turn = (Instruction(Op.SAVE, slot), *piece.code, Instruction(Op.ADVANCED, slot, 2))
        code.append(_fork(1, size + 4, mode))
        code.extend(turn)
        code.append(Instruction(Op.JUMP, -(size + 3)))
    else:
        extra = most - least
        if extra * (size + 1) > PROGRAM_LENGTH_MAX:
            raise PatternRefused("a repetition that is too long")
        for turn_number in range(extra):
            code.append(_fork(1, (extra - turn_number) * (size + 1), mode))
            code.extend(piece.code)
    return Piece(_bounded(code), *extent)


def _fork(inner: int, outer: int, mode: Mode) -> Instruction:
    ways = (outer, inner) if mode is Mode.LAZY else (inner, outer)
    return Instruction(Op.SPLIT, *ways)


def atomic(piece: Piece) -> Piece:
    """A piece that is not tried another way once it fits."""
    return Piece((Instruction(Op.ATOMIC, finished(piece)),), piece.least, piece.most)


def finished(piece: Piece) -> Code:
    """A program of its own."""
    return (*piece.code, Instruction(Op.DONE))


def _bounded(code: Sequence[Instruction]) -> Code:
    if len(code) > PROGRAM_LENGTH_MAX:
        raise PatternRefused("a repetition that is too long")
    return tuple(code)
