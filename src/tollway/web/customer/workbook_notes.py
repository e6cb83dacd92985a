"""What a reader should know of a workbook before relying on a run: what is not computed, and what stands still."""

from datetime import datetime
from typing import Any

from tollway.simulation.entities import Model

FORMULAS_SHOWN = 20


def notes_of(model: Model) -> list[str]:
    """Say what may surprise, each in a sentence or two."""
    if not model.formulas_count:
        return [
            "The workbook holds no formula, so there is nothing that inputs could move. Upload one that computes."
        ]
    found, notes = model.inspection, list[str]()
    if not found["outputs_detected"]:
        notes.append(
            "No formula of the workbook shows a number that nothing else reads. Type the cell you want to know."
        )
    if count := found["external_links_count"]:
        notes.append(
            f"{_formulas(count, 'reads', 'read')} another workbook. It is not opened: "
            "the values that Excel stored stand in every iteration."
        )
    is_of_the_moment = not {"TODAY", "NOW"}.isdisjoint(found["functions"])
    if is_of_the_moment and (saved_at := found.get("saved_at")):
        notes.append(
            "TODAY() and NOW() give the moment at which the workbook was saved, "
            f"{datetime.fromisoformat(saved_at):%d %B %Y, %H:%M}, so that a run can be repeated."
        )
    if count := found["agreement"].get("iterated"):
        cells = "1 cell is" if count == 1 else f"{count:,} cells are"
        notes.append(f"{cells} in a circle. It is gone round in every iteration, as the workbook says.")
    return notes


def _formulas(count: int, one: str, several: str) -> str:
    return f"1 formula {one}" if count == 1 else f"{count:,} formulas {several}"


def not_computed(model: Model) -> dict[str, Any] | None:
    """Lay out the formulas that no run may need; None where there are none."""
    count = model.inspection.get("unsupported_count", 0)
    if not count:
        return None
    return {
        "count": count,
        "blocked_count": model.inspection["blocked_count"],
        "rows": model.inspection["unsupported"][:FORMULAS_SHOWN],
    }


def blocked_warning(model: Model, cell: str) -> str:
    """Say of an output that no run can have it; "" where one can, or where that is not known."""
    wanted = cell.upper()
    for one in model.inspection.get("unsupported", ()):
        if one["cell"].upper() == wanted:
            return f"Is not computed: {one['function']}. A run with it is refused."
    if any(other.upper() == wanted for other in model.inspection.get("blocked", ())):
        return "Needs a formula that is not computed. A run with it is refused."
    return ""
