"""What the child process of `reading` answers about data: which distributions may have drawn them, and how they lie."""

import math
from pathlib import Path
from typing import Any

_BINS_MIN, _BINS_MAX = 8, 60


def fit(question: dict[str, Any]) -> dict[str, Any]:
    """Fit distributions to numbers, given as `values` or in the `cells` of a file at `path`; the likeliest first."""
    from tollway.engine import BadFitData, ReadLimits, distribution_text, fit_distributions
    from tollway.engine.distributions.data_columns import read_numbers

    values = question["values"]
    if values is None:
        limits = ReadLimits(
            file_bytes_max=question["file_bytes_max"], unpacked_bytes_max=question["unpacked_bytes_max"]
        )
        values = read_numbers(Path(question["path"]), question["cells"] or None, limits)
    if len(values) > question["values_max"]:
        raise BadFitData(
            f"The data hold {len(values):,} numbers and {question['values_max']:,} are fitted here at most; take "
            "a part of them, or use tollway fit on the command line.",
            field="values",
        )
    fits = fit_distributions(values, question["types"])
    return {
        "count": len(values),
        "minimum": min(values),
        "maximum": max(values),
        "mean": math.fsum(values) / len(values),
        "histogram": histogram_of(values),
        "fits": [one.as_json() | {"text": distribution_text(one.distribution)} for one in fits],
    }


def histogram_of(values: list[float]) -> dict[str, Any]:
    """Count the values in bins of equal width; whole numbers over a short range have one bin each.

    The width is that of Freedman and Diaconis 1981, Probability Theory and Related Fields 57, 453-476, between 8 and
    60 bins.
    """
    import numpy as np

    x = np.array(values, dtype=np.float64)
    low, high = float(x.min()), float(x.max())
    if bool((x == np.floor(x)).all()) and high - low < _BINS_MAX:
        edges = np.arange(low, high + 2) - 0.5
    else:
        quarters = np.quantile(x, [0.25, 0.75])
        width = 2 * float(quarters[1] - quarters[0]) / len(x) ** (1 / 3)
        wanted = (high - low) / width if width > 0 else _BINS_MAX
        edges = np.linspace(low, high, int(min(_BINS_MAX, max(_BINS_MIN, wanted))) + 1)
    counts, _ = np.histogram(x, edges)
    return {"bin_edges": edges.tolist(), "counts": counts.tolist()}
