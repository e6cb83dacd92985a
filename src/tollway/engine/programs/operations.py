"""The typed program's alphabet: kinds of values, operations, and the builder that shares equal ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from tollway.engine.values import Value


class Kind(Enum):
    """What a value is in every iteration, when it is no error value."""

    NUMBER = "number"  # float64
    LOGICAL = "logical"  # bool
    TEXT = "text"  # int32, a place in Program.texts
    ANY = "any"  # Python values


@dataclass(frozen=True, slots=True)
class Constant:
    """A value that is the same in every iteration."""

    value: Value


@dataclass(frozen=True, slots=True)
class Slot:
    """A value that varies: the draws of an input, or the result of an operation."""

    index: int
    kind: Kind


Operand = Constant | Slot


@dataclass(frozen=True, slots=True)
class Operation:
    """One step: `name` is a key of evaluate.OPERATIONS, `detail` what it needs beside its operands."""

    name: str
    operands: tuple[int, ...]
    target: int
    detail: Any = None


@dataclass
class Builder:
    """Collects operations in order, each only once for the same operands.

    Slots are numbered: first the inputs, then constants and results as they are met. `made_by` names the
    operation behind each result.
    """

    input_count: int
    operations: list[Operation] = field(default_factory=list)
    constants: dict[int, Value] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)
    slot_count: int = 0
    made_by: dict[int, str] = field(default_factory=dict)
    _known: dict[tuple[object, ...], Slot] = field(default_factory=dict)
    _constant_slots: dict[tuple[type, Value], int] = field(default_factory=dict)
    _text_places: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.slot_count = self.input_count

    def emit(
        self, name: str, operands: tuple[Operand, ...], kind: Kind, detail: Any = None, key: object = None
    ) -> Slot:
        """The result of an operation. `key` stands for a detail that cannot be compared cheaply."""
        indices = tuple(self.index_of(operand) for operand in operands)
        identity = (name, indices, detail if key is None else key)
        known = self._known.get(identity)
        if known is None:
            known = Slot(self._new_slot(), kind)
            self._known[identity] = known
            self.made_by[known.index] = name
            self.operations.append(Operation(name, indices, known.index, detail))
        return known

    def index_of(self, operand: Operand) -> int:
        """The slot that holds an operand; constants get one when first used."""
        if isinstance(operand, Slot):
            return operand.index
        identity = (type(operand.value), operand.value)
        index = self._constant_slots.get(identity)
        if index is None:
            index = self._constant_slots[identity] = self._new_slot()
            self.constants[index] = operand.value
            if isinstance(operand.value, str):
                self.place_of_text(operand.value)
        return index

    def place_of_text(self, text: str) -> int:
        """The number that stands for a text."""
        place = self._text_places.get(text)
        if place is None:
            place = self._text_places[text] = len(self.texts)
            self.texts.append(text)
        return place

    def _new_slot(self) -> int:
        self.slot_count += 1
        return self.slot_count - 1
