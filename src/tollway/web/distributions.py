"""Distributions between the form, where they are text, and models, where they are JSON."""

from typing import Any

from markupsafe import Markup

from tollway.engine import EngineError, parse_distribution, parse_distribution_text
from tollway.web.charts import density_curve

CURVE_QUANTILES = 101


def distribution_text(distribution: dict[str, Any]) -> str:
    """Write a distribution as the form takes it: `normal(1000, 50)`, `discrete(0: 0.9, 1: 0.1)`."""
    # Through its class, whose parameters have an order; those of stored JSON have none.
    values = parse_distribution(distribution).as_json()
    kind = values.pop("type")
    if kind == "discrete":
        pairs = zip(values["values"], values["probabilities"], strict=True)
        return f"discrete({', '.join(f'{_number(value)}: {_number(share)}' for value, share in pairs)})"
    return f"{kind}({', '.join(_number(value) for value in values.values())})"


def read_distribution(text: str) -> dict[str, Any]:
    """Read what `distribution_text` wrote, or a person; raises EngineError with a sentence for the field."""
    return parse_distribution_text(text).as_json()


def curve_of(distribution: dict[str, Any], label: str) -> Markup | str:
    """Draw the shape of a distribution, small; nothing where it cannot be read."""
    try:
        read = parse_distribution(distribution)
    except EngineError:
        return ""
    import numpy as np

    uniforms = (np.arange(CURVE_QUANTILES) + 0.5) / CURVE_QUANTILES
    return density_curve(read.quantile(uniforms).tolist(), label)


def _number(value: float) -> str:
    return f"{value:.12g}"
