"""What a page shows of fits: the data with the likeliest distributions over them, and a table of all."""

from typing import Any

import numpy as np

from tollway.engine import parse_distribution
from tollway.engine.distributions import Distribution, Stepped
from tollway.web.charts import FitLine, fit_chart, legend
from tollway.web.charts.fit import LINES_MAX
from tollway.web.rendering import number

_POINTS = 160
_LEGEND_KEYS = ("line-1", "line-2", "line-3")


def fits_view(told: dict[str, Any], title: str) -> dict[str, Any]:
    """Lay the answer of a fit out for customer/fit.html."""
    edges = np.array(told["histogram"]["bin_edges"])
    fits = told["fits"]
    likeliest = [parse_distribution(one["distribution"]) for one in fits[:LINES_MAX]]
    lines = [
        FitLine(one["distribution"]["type"], _line(shape, edges), np.diff(shape.cumulated(edges)).tolist())
        for one, shape in zip(fits, likeliest, strict=False)
    ]
    names = [("data", "Data"), *zip(_LEGEND_KEYS, [line.name for line in lines], strict=False)]
    return {
        "count": told["count"],
        "chart": fit_chart(
            "fit-chart",
            bin_edges=told["histogram"]["bin_edges"],
            counts=told["histogram"]["counts"],
            lines=lines,
            title=title,
        ),
        "legend": legend(*names),
        "rows": [_row(one, fits[0]["aic"]) for one in fits],
    }


def _line(shape: Distribution, edges: Any) -> list[tuple[float, float]]:
    """Where the line of a fit runs: its density as a share of a bin, or what it expects in each bin of counts."""
    if isinstance(shape, Stepped):
        middles = (edges[:-1] + edges[1:]) / 2
        return list(zip(middles.tolist(), np.diff(shape.cumulated(edges)).tolist(), strict=True))
    width = edges[1] - edges[0]
    x = np.linspace(edges[0], edges[-1], _POINTS)
    heights = np.nan_to_num(shape.density(x) * width, nan=0.0, posinf=1.0)
    return list(zip(x.tolist(), np.minimum(heights, 2.0).tolist(), strict=True))


def _row(one: dict[str, Any], smallest: float) -> dict[str, Any]:
    weighed = one["anderson_darling"]
    return {
        "kind": one["distribution"]["type"],
        "text": one["text"],
        "shown": _short(one),
        "aic": number(one["aic"], 1),
        "behind": number(one["aic"] - smallest, 1),
        "bic": number(one["bic"], 1),
        "kolmogorov_smirnov": number(one["kolmogorov_smirnov"], 4),
        "anderson_darling": "" if weighed is None else number(weighed, 2),
    }


def _short(one: dict[str, Any]) -> str:
    """The distribution with few digits, for reading; what is used keeps them all."""
    parameters = [
        f"{value:.5g}" for name, value in one["distribution"].items() if isinstance(value, float | int)
    ]
    return f"{one['distribution']['type']}({', '.join(parameters)})"
