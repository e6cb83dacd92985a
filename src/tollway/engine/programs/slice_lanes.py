"""What has no form in blocks as a whole: the formulas between inputs and outputs, interpreted for each iteration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tollway.engine.exact.calculation import Calculation
from tollway.engine.exact.graph import Address
from tollway.engine.language.syntax import ArrayPart
from tollway.engine.programs.operations import Builder, Kind, Slot
from tollway.engine.programs.slicing import Slice
from tollway.engine.values import UnsupportedFormula, Value

# Formulas computed anew in each iteration; more would take minutes for a thousand iterations.
INTERPRETED_SLICE_MAX = 20_000


@dataclass(frozen=True, slots=True)
class SliceLanes:
    """What the "interpret_slice" operation needs.

    `calculation` holds the workbook at its own values; `varying` are the cells that depend on an input, of which
    `spilling` are the dynamic arrays, computed before what may read the cells they fill; `fixed` are the others.
    """

    calculation: Calculation
    inputs: tuple[Address, ...]
    outputs: tuple[Address, ...]
    varying: frozenset[Address]
    spilling: tuple[Address, ...]
    fixed: tuple[Address, ...]

    @classmethod
    def of(
        cls, calculation: Calculation, found: Slice, inputs: Sequence[Address], outputs: Sequence[Address]
    ) -> SliceLanes:
        """What a slice needs, once `calculation` holds it."""
        book = calculation.book
        spilling = tuple(
            address
            for address in found.order
            if address in found.varying
            and (cell := book.cell(address)) is not None
            and cell.is_dynamic
            and isinstance(book.tree(address), ArrayPart)
        )
        return cls(
            calculation,
            tuple(inputs),
            tuple(outputs),
            frozenset(found.varying),
            spilling,
            tuple(address for address in found.order if address not in found.varying),
        )

    def values(self, given: Sequence[Value]) -> tuple[Value, ...]:
        """The outputs of one iteration."""
        # What no input reaches is computed once.
        self.calculation.compute(self.fixed)
        lane = Calculation(
            self.calculation.book,
            dict(zip(self.inputs, given, strict=True)),
            base=self.calculation,
            tainted=self.varying,
        )
        lane.compute(self.spilling)
        return tuple([lane.value(output) for output in self.outputs])


def interpret_slice(builder: Builder, lanes: SliceLanes, found: Slice) -> list[Slot]:
    """The outputs as parts of one operation that interprets the whole slice.

    Raises: UnsupportedFormula for a slice of more than INTERPRETED_SLICE_MAX formulas, CircularReference.
    """
    if len(found.varying) > INTERPRETED_SLICE_MAX:
        raise UnsupportedFormula(
            f"{found.obstacle}, so {len(found.varying):,} formulas would be computed one iteration at a time; "
            f"up to {INTERPRETED_SLICE_MAX:,} are. Choose other inputs, or rewrite that formula.",
            construct="slice without a block form",
        )
    # Refuses a circle before the run.
    lanes.calculation.compute(found.order)
    given = tuple(Slot(index, Kind.NUMBER) for index in range(len(lanes.inputs)))
    whole = builder.emit("interpret_slice", given, Kind.ANY, lanes, key="slice")
    return [builder.emit("pick", (whole,), Kind.ANY, place) for place in range(len(lanes.outputs))]
