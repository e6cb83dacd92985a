"""What `tollway inspect` prints of a workbook."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from tollway.engine import Inspection, Program
    from tollway.engine.values import Value

CANDIDATES_SHOWN = 40
UNSUPPORTED_SHOWN = 40
WRITTEN_SHOWN = 10
FORMULA_LENGTH_SHOWN = 80


def print_inspection(screen: Console, filename: str, found: "Inspection") -> None:
    """Print what a reader of a terminal wants first; --json has all of it."""
    sheets = ", ".join(sheet.name for sheet in found.sheets)
    functions = ", ".join(f"{name} {count}" for name, count in found.functions.items()) or "none"
    screen.print(f"{filename}: {_count(found.formulas_count, 'formula')} in {sheets}", markup=False)
    screen.print(f"Functions: {functions}", markup=False)
    for line in _self_check(found):
        screen.print(line, markup=False)
    for line in _not_computed(found):
        screen.print(line, markup=False)
    _print_written(screen, found)
    _print_inputs(screen, found)
    _print_outputs(screen, found)
    hidden = max(0, len(found.inputs) - CANDIDATES_SHOWN) + max(0, len(found.outputs) - CANDIDATES_SHOWN)
    if hidden:
        screen.print(f"{hidden} more; --json lists all.", markup=False)


def print_written_inputs(screen: Console, program: "Program") -> None:
    """Say which inputs of a run the workbook draws by itself; nothing where it draws none."""
    drawn = [one for one in program.inputs if one.written is not None]
    for one in drawn[:WRITTEN_SHOWN]:
        name = f" ({one.name})" if one.name else ""
        screen.print(
            f"Written in the workbook: {one.cell}{name}, {one.distribution.describe()}: "
            f"{_cut(one.written or '')}",
            markup=False,
        )
    if len(drawn) > WRITTEN_SHOWN:
        screen.print(f"  and {len(drawn) - WRITTEN_SHOWN:,} more", markup=False)


def _cut(formula: str) -> str:
    return formula if len(formula) <= FORMULA_LENGTH_SHOWN else f"{formula[: FORMULA_LENGTH_SHOWN - 1]}…"


def _self_check(found: "Inspection") -> Iterator[str]:
    agreement = found.agreement
    saved_by = f" by {found.application}" if found.application else ""
    saved_at = f" on {found.saved_at:%d %B %Y, %H:%M}" if found.saved_at else ""
    if saved_by or saved_at:
        yield f"Saved{saved_by}{saved_at}"
    yield (
        f"Recomputed: {_count(agreement.equal, 'cell')} as stored, {agreement.different:,} different, "
        f"{agreement.left_out:,} could not be compared."
    )
    for one in agreement.differences:
        yield f"  {one.cell}: stored {written(one.stored)}, computed {written(one.computed)}"
    if agreement.different > len(agreement.differences):
        yield f"  and {agreement.different - len(agreement.differences):,} more"
    if agreement.volatile:
        cells = _count(agreement.volatile, "cell")
        yield f"Left out: {cells} of the moment or of chance; TODAY() and NOW() give the moment of saving."
    if agreement.iterated:
        yield f"Iterated: {_count(agreement.iterated, 'cell')} in circles, as the workbook says."
    if found.external_links_count:
        links = _count(found.external_links_count, "formula")
        yield f"Other workbooks: {links} with links, which are not opened; the stored values stand."


def _not_computed(found: "Inspection") -> Iterator[str]:
    for cell, construct in found.unsupported[:UNSUPPORTED_SHOWN]:
        yield f"Not supported: {construct} in {cell}"
    if found.unsupported_count > UNSUPPORTED_SHOWN:
        yield f"  and {found.unsupported_count - UNSUPPORTED_SHOWN:,} more"
    if found.blocked_count:
        yield (
            f"Needing one of them, and so no outputs: {_count(found.blocked_count, 'cell')}, "
            f"first {', '.join(found.blocked[:3])}"
        )


def _print_written(screen: Console, found: "Inspection") -> None:
    said = found.written
    if said.inputs:
        table = Table(title="Inputs written in the workbook", title_justify="left")
        for heading in ("Cell", "Name", "Formula", "Drawn from"):
            table.add_column(heading)
        for one in said.inputs[:CANDIDATES_SHOWN]:
            shape = "depends on other inputs" if one.distribution is None else one.distribution.describe()
            table.add_row(
                escape(one.cell), escape(one.name or ""), escape(one.formula), escape(one.problem or shape)
            )
        screen.print(table)
        if said.inputs_count > CANDIDATES_SHOWN:
            screen.print(f"{said.inputs_count - CANDIDATES_SHOWN:,} more inputs are written.", markup=False)
    if said.outputs:
        cells = ", ".join(one.cell for one in said.outputs[:CANDIDATES_SHOWN])
        screen.print(f"Outputs of a run that names none: {cells}", markup=False)


def _print_inputs(screen: Console, found: "Inspection") -> None:
    if not found.inputs:
        screen.print("Likely inputs: none found")
        return
    table = Table(title="Likely inputs", title_justify="left")
    for heading in ("Cell", "Name", "Now", "Suggestion"):
        table.add_column(heading)
    for one in found.inputs[:CANDIDATES_SHOWN]:
        table.add_row(
            escape(one.cell),
            escape(one.name or ""),
            written(one.current_value),
            one.suggested_distribution.describe(),
        )
    screen.print(table)


def _print_outputs(screen: Console, found: "Inspection") -> None:
    if not found.outputs:
        screen.print("Likely outputs: none found")
        return
    differing = set(found.agreement.different_cells)
    table = Table(title="Likely outputs", title_justify="left")
    for heading in ("Cell", "Name", "Now", "Self-check"):
        table.add_column(heading)
    for one in found.outputs[:CANDIDATES_SHOWN]:
        check = "differs" if one.cell in differing else ""
        table.add_row(escape(one.cell), escape(one.name or ""), written(one.current_value), check)
    screen.print(table)


def _count(count: int, what: str) -> str:
    return f"{count:,} {what}{'s' * (count != 1)}"


def written(value: "Value") -> str:
    """A value as a cell would show it; texts in quotes."""
    from tollway.engine import ErrorValue
    from tollway.engine.values import number_text

    if isinstance(value, ErrorValue):
        return value.text
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, str):
        return f'"{value}"'
    return "a blank" if value is None else number_text(value)
