"""What a workbook draws and marks by itself, as the page of its model shows it."""

import re
from collections.abc import Collection
from typing import Any

from tollway.simulation.entities import Model
from tollway.web.customer.correlation_views import PAIRS_SHOWN_MAX, all_rows_of_entries, told_repair
from tollway.web.distribution_pictures import with_pictures
from tollway.web.distributions import shown_distribution

ROWS_SHOWN = 40
COMPUTED = (
    "Its parameters are computed from other inputs, so its distribution differs from iteration to iteration: no one "
    "picture shows it."
)


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
            "remark": COMPUTED if one["distribution"] is None and not one["problem"] else "",
            "problem": one["problem"] or "",
            "error": "",
            "change": "" if "#" in one["cell"] else _words(one),
            "is_marked": one["cell"].upper() in marked,
        }
        for one in found[:ROWS_SHOWN]
    ]
    return {"count": model.inspection["written_inputs_count"], "rows": with_pictures(rows)}


def _words(one: dict[str, Any]) -> str:
    return "" if one["distribution"] is None else shown_distribution(one["distribution"])


def written_correlations(model: Model, marked: Collection[str]) -> dict[str, Any] | None:
    """Lay out the correlations that formulas write, but for those of marked cells; None where there are none."""
    rows = [
        row
        for row in all_rows_of_entries(model.inspection.get("written_correlations", []))
        if not any(_is_marked(row[side], marked) for side in ("first", "second"))
    ]
    if not rows:
        return None
    names = {one["cell"]: one["name"] or one["cell"] for one in model.inspection["written_inputs"]}
    return {
        "pairs": [
            row | {"first_name": names[row["first"]], "second_name": names[row["second"]]}
            for row in rows[:PAIRS_SHOWN_MAX]
        ],
        "more": max(0, len(rows) - PAIRS_SHOWN_MAX),
        "repair": told_repair(rows),
    }


def _is_marked(cell: str, marked: Collection[str]) -> bool:
    """Whether a mark takes the place of a formula, of which the cell may be one draw of several."""
    written = cell.upper()
    return written in marked or re.sub(r"#\d+$", "", written) in marked
