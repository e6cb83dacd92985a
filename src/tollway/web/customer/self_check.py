"""How far a model's recomputed values agree with those that its file stores, as the model's page shows it."""

from typing import Any

from tollway.simulation.entities import Model
from tollway.web.cells import general_text


def self_check(model: Model) -> dict[str, Any] | None:
    """Lay out the check; None for a workbook without formulas."""
    if not model.formulas_count:
        return None
    agreement = model.inspection["agreement"]
    equal, different = agreement["equal"], agreement["different"]
    return {
        "equal": equal,
        "different": different,
        "compared": equal + different,
        "left_out": agreement["left_out"],
        # Models of before these were counted lack them.
        "volatile": agreement.get("volatile", 0),
        "iterated": agreement.get("iterated", 0),
        "application": agreement.get("application", ""),
        "rows": [
            {
                "cell": one["cell"],
                "formula": one["formula"],
                "stored": plain_text(one["stored"]),
                "computed": plain_text(one["computed"]),
            }
            for one in agreement["differences"]
        ],
    }


def warning_of(model: Model, cell: str) -> str:
    """Say of an output that it recomputes to another value than the file stores; "" where it does not."""
    agreement = model.inspection["agreement"]
    wanted = cell.upper()
    for one in agreement["differences"]:
        if one["cell"].upper() == wanted:
            return (
                f"Recomputes to {plain_text(one['computed'])}; the file stores {plain_text(one['stored'])}. "
                "Runs use what we compute."
            )
    if any(other.upper() == wanted for other in agreement.get("different_cells", ())):
        return "Recomputes to another value than the file stores. Runs use what we compute."
    return ""


def plain_text(value: Any) -> str:
    """Write a value as a cell would."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    return general_text(float(value)) if isinstance(value, int | float) else str(value)
