"""Distributions between the form, where they are text, and models, where they are JSON."""

import re
from typing import Any

from markupsafe import Markup

from tollway.engine import EngineError, distribution_text, parse_distribution, parse_distribution_text
from tollway.web.charts import density_curve

CURVE_QUANTILES = 101
FORM_WORDS = {"min": "low", "mode": "likely", "max": "high"}


def shown_distribution(distribution: dict[str, Any]) -> str:
    """Write a stored distribution as the form takes it: `normal(1000, 50)`, `discrete(0: 0.9, 1: 0.1)`."""
    return distribution_text(parse_distribution(distribution))


def read_distribution(text: str) -> dict[str, Any]:
    """Read what `shown_distribution` wrote, or a person; raises EngineError with a sentence for the field."""
    return parse_distribution_text(text).as_json()


def in_words_of_the_form(message: str) -> str:
    """Say what the engine found wrong by the names that the form's fields have."""
    return re.sub(r"\b(min|mode|max)\b", lambda name: FORM_WORDS[name.group()], message)


def curve_of(distribution: dict[str, Any], label: str) -> Markup | str:
    """Draw the shape of a distribution, small; nothing where it cannot be read."""
    try:
        read = parse_distribution(distribution)
    except EngineError:
        return ""
    import numpy as np

    uniforms = (np.arange(CURVE_QUANTILES) + 0.5) / CURVE_QUANTILES
    return density_curve(read.quantile(uniforms).tolist(), label)
