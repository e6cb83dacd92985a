"""What a workbook draws and marks by itself, as the page of its model shows it."""

from collections.abc import Collection
from typing import Any

from tollway.simulation.entities import Model
from tollway.web.distributions import shown_distribution

ROWS_SHOWN = 40


def written_inputs(model: Model, marked: Collection[str]) -> dict[str, Any] | None:
    """Lay out the inputs that formulas draw, but for marked cells, in capitals, which win; None where there are none.

    `change` is the distribution to start from where somebody marks the cell: "" where the cell has several draws.
    """
    found = model.inspection.get("written_inputs", [])
    if not found:
        return None
    rows = [
        {
            "cell": one["cell"],
            "name": one["name"] or "",
            "formula": one["formula"],
            "distribution": _words(one),
            "problem": one["problem"] or "",
            "change": "" if "#" in one["cell"] or one["distribution"] is None else _words(one),
            "is_marked": one["cell"].upper() in marked,
        }
        for one in found[:ROWS_SHOWN]
    ]
    return {"count": model.inspection["written_inputs_count"], "rows": rows}


def _words(one: dict[str, Any]) -> str:
    if one["distribution"] is None:
        return "" if one["problem"] else "depends on other inputs"
    return shown_distribution(one["distribution"])
