"""Stress: inputs that are held in a part of their range, as people and clients write it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from numbers import Real
from typing import Any

from tollway.engine.distributions.held import Held
from tollway.engine.exact.graph import FormulaBook
from tollway.engine.programs.program import Input, Program, find_address
from tollway.engine.values import EngineError
from tollway.engine.workbooks.workbook import Workbook

ENTRIES_MAX = 1_000
WIDTH_MIN = 1e-4
"""The least part of a range, in percent, that an input may be held in; below it a uniform has too few digits."""

_HOW = 'Write {"cell": "Sheet1!B5", "percentiles": [90, 100]}.'


class BadStress(EngineError):
    """A part of a range is empty or lies beyond 0 to 100 percent, or a cell is no input."""

    code = "bad-stress"


def read_stress(given: Sequence[object], workbook: Workbook, program: Program) -> list[dict[str, Any]]:
    """Check which inputs are held where; return {cell, percentiles} of each, with cells as the program names them.

    An entry is {"cell": ..., "percentiles": [low, high]}, in percent, 0 to 100, low below high.

    Raises: BadStress naming the entry, such as `stress.0.percentiles.1`.
    """
    if len(given) > ENTRIES_MAX:
        raise BadStress(
            f"{len(given):,} inputs are to be held; {ENTRIES_MAX:,} are possible.", field="stress"
        )
    book = FormulaBook(workbook)
    cells = [source.cell for source in program.inputs]
    held: dict[str, list[float]] = {}
    for position, entry in enumerate(given):
        field = f"stress.{position}"
        if not isinstance(entry, Mapping) or set(entry) != {"cell", "percentiles"}:
            raise BadStress(f"This says not which input is held where. {_HOW}", field=field)
        if not isinstance(entry["cell"], str):
            raise BadStress(f"`cell` is {str(entry['cell'])[:40]}. {_HOW}", field=f"{field}.cell")
        # The second of several draws in one formula, B5#2, is an input and no cell.
        is_known = entry["cell"] in cells
        cell = (
            entry["cell"]
            if is_known
            else book.text(find_address(book, entry["cell"], BadStress, f"{field}.cell"))
        )
        if cell not in cells:
            known = ", ".join(cells[:5]) + (" ..." if len(cells) > 5 else "")
            raise BadStress(
                f"{cell} is to be held and is no input of this run; its inputs are {known}. "
                "Mark it as an input, or name one of them.",
                cells=(cell,),
                field=f"{field}.cell",
            )
        if cell in held:
            raise BadStress(
                f"{cell} is to be held twice; leave one of the two out.", cells=(cell,), field=f"{field}.cell"
            )
        held[cell] = check_percentiles(entry["percentiles"], cell, f"{field}.percentiles")
    return [{"cell": cell, "percentiles": percentiles} for cell, percentiles in held.items()]


def check_percentiles(given: object, cell: str, field: str = "percentiles") -> list[float]:
    """Return the two percentiles that an input is to be held between. Raises: BadStress naming the field."""
    if not isinstance(given, Sequence) or isinstance(given, str | bytes) or len(given) != 2:
        raise BadStress(f"`percentiles` of {cell} must be two numbers. {_HOW}", cells=(cell,), field=field)
    ends = []
    for place, end in enumerate(given):
        number = math.nan if isinstance(end, bool) or not isinstance(end, Real) else float(end)
        # Not a number is refused here too: no comparison holds for it.
        if not 0 <= number <= 100:
            raise BadStress(
                f"{cell} is to be held at percentile {str(end)[:40]}; a percentile lies between 0 and 100.",
                cells=(cell,),
                field=f"{field}.{place}",
            )
        ends.append(number)
    low, high = ends
    if high - low < WIDTH_MIN:
        raise BadStress(
            f"{cell} is to be held from percentile {low:g} to {high:g}, which is no range; the first must be below "
            f"the second, by {WIDTH_MIN:g} at least.",
            cells=(cell,),
            field=field,
        )
    return ends


def with_stress(program: Program, stress: Sequence[Mapping[str, Any]]) -> Program:
    """Hold inputs of a program where `read_stress` said; everything else of it stays.

    INVARIANT: no other input's draws change, and a held one's keep their ranks
    (tests/engine/test_stress.py::test_other_inputs_keep_their_bits_and_the_held_one_its_ranks).
    """
    return replace(program, inputs=held_inputs(program.inputs, stress)) if stress else program


def held_inputs(inputs: Sequence[Input], stress: Sequence[Mapping[str, Any]]) -> tuple[Input, ...]:
    """Hold those of some inputs that `read_stress` named, without their program."""
    held = {one["cell"]: one["percentiles"] for one in stress}
    return tuple(
        replace(
            one,
            distribution=Held(one.distribution, held[one.cell][0] / 100, held[one.cell][1] / 100),
        )
        if one.cell in held
        else one
        for one in inputs
    )


def parse_stress_text(text: str) -> dict[str, Any]:
    """Read 'Inputs!B5=90..100' into the form of an entry. Raises: BadStress saying what could not be read."""
    cell, equals, percentiles = text.rpartition("=")
    low, dots, high = percentiles.partition("..")
    try:
        ends = [float(end) for end in (low, high) if end.isascii() and "_" not in end]
    except ValueError:
        ends = []
    if not (equals and dots and cell.strip()) or len(ends) != 2:
        raise BadStress(
            f"{text[:80]!r} says not where an input is held; write the cell and two percentiles, as "
            "'Inputs!B5=90..100'.",
            field="stress",
        )
    return {"cell": cell.strip(), "percentiles": ends}
