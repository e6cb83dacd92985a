"""What a page tells of an output beneath its picture: how sure each figure is, what moves it, and whether it settled.

Runs of before these were computed have none of them; what is missing is left out.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from tollway.engine.runs.convergence import MORE_NEEDED, describe_needed
from tollway.web.charts import (
    CourseLine,
    InfluenceRow,
    TornadoRow,
    course_chart,
    influence_bars,
    legend,
    tornado,
)
from tollway.web.rendering import number, percent
from tollway.web.results import TORNADO_ROWS_MAX, Summary, Write, chart_format, figure_format, name_of

PERCENTILES_SHOWN = ("1", "5", "10", "20", "25", "30", "40", "50", "60", "70", "75", "80", "90", "95", "99")
STATISTIC_WORDS = {"mean": "Mean", "std": "Std. deviation", "p5": "P5", "p50": "Median", "p95": "P95"}

Row = tuple[str, str, str]
"""What it is, its figure, and its standard error or ""."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One way to say what moves an output."""

    key: str
    words: str
    sentence: str
    chart: Markup
    legend: Markup


def details_view(summary: Summary, anchor: str) -> dict[str, Any]:
    """Lay out for customer/_output_details.html what is known of an output beyond its picture."""
    write = figure_format(summary["mean"], summary["std"])
    return {
        "percentiles": _percentiles(summary, write),
        "statistics": _statistics(summary, write),
        "targets": _targets(summary, write),
        "panels": sensitivity_panels(summary, anchor),
        "sensitivity_note": _sensitivity_note(summary),
        "convergence": _convergence(summary, anchor, write),
    }


def _with_error(value: float | None, error: float | None, write: Write) -> tuple[str, str]:
    if value is None:
        return "", ""
    # It has digits of its own: far finer than the spread that the figures are written by.
    return write(value), "" if error is None else figure_format(error, error)(error)


def _percentiles(summary: Summary, write: Write) -> list[Row]:
    errors = (summary.get("standard_errors") or {}).get("percentiles") or {}
    rows = [
        (f"P{name}", *_with_error(summary["percentiles"].get(name), errors.get(name), write))
        for name in PERCENTILES_SHOWN
    ]
    return [row for row in rows if row[1]]


def _statistics(summary: Summary, write: Write) -> list[Row]:
    """List what the percentiles leave out and has an error; nothing for runs of before there were any."""
    errors = summary.get("standard_errors")
    if not errors:
        return []

    def plain(value: float) -> str:
        return number(value, 3)

    rows = [
        ("Mean", *_with_error(summary["mean"], errors["mean"], write)),
        ("Std. deviation", *_with_error(summary["std"], errors["std"], write)),
        ("Skewness", *_with_error(summary["skewness"], errors["skewness"], plain)),
        ("Excess kurtosis", *_with_error(summary.get("kurtosis"), errors["kurtosis"], plain)),
        ("Mode", *_with_error(summary.get("mode"), None, write)),
    ]
    for level, value in summary["var"].items():
        rows.append((f"VaR {level}%", *_with_error(value, errors["var"].get(level), write)))
    for level, value in summary["cvar"].items():
        rows.append((f"CVaR {level}%", *_with_error(value, errors["cvar"].get(level), write)))
    return [row for row in rows if row[1]]


def _targets(summary: Summary, write: Write) -> list[Row]:
    rows = []
    for one in summary.get("targets") or []:
        share, error = one["share_at_or_below"], one["standard_error"]
        rows.append(
            (
                write(one["value"]),
                "no number came out" if share is None else percent(share, 2),
                "" if error is None else percent(error, 2),
            )
        )
    return rows


# What moves it ------------------------------------------------------------------------------------


def sensitivity_panels(summary: Summary, anchor: str) -> list[Panel]:
    """Draw what moves an output in every way that is known, the swing of its mean first."""
    panels = []
    if (swing := _swing(summary, f"tornado-{anchor}")) is not None:
        panels.append(
            Panel(
                "swing",
                "Swing of the mean",
                "Its mean where each input is in its lowest tenth, and where it is in its highest",
                swing,
                legend(("low", "Input low"), ("series-1", "Input high")),
            )
        )
    for key, words, measure, sentence, write in _MEASURES:
        rows = [
            InfluenceRow(one["name"] or one["cell"], one["cell"], one[key])
            for one in summary["sensitivities"]
            if one.get(key) is not None
        ]
        if not rows:
            continue
        chart = influence_bars(
            f"{key.replace('_', '-')}-{anchor}",
            rows=rows,
            title=f"What moves {name_of(summary)}: {words.lower()}",
            measure=measure,
            write=write,
        )
        panels.append(Panel(key.replace("_", "-"), words, sentence, chart, Markup()))
    return panels


def _two_decimals(value: float) -> str:
    # Without a sign where nothing is left of it.
    return number(round(value, 2) + 0.0, 2)


_MEASURES: tuple[tuple[str, str, str, str, Callable[[float], str]], ...] = (
    (
        "rank_correlation",
        "Rank correlation",
        "Spearman's",
        "Spearman's correlation of each input with the output: 1 where they always rise together, -1 where one falls",
        _two_decimals,
    ),
    (
        "regression_coefficient",
        "Regression",
        "Coefficient",
        "Standard deviations by which the output rises when this input alone rises by one of its own",
        _two_decimals,
    ),
    (
        "variance_share",
        "Contribution to variance",
        "Share",
        "Squared rank correlations as shares of their sum: how much of the spread goes back to each input",
        percent,
    ),
)


def _swing(summary: Summary, chart_id: str) -> Markup | None:
    rows = [
        TornadoRow(one["name"] or one["cell"], one["cell"], one["low_mean"], one["high_mean"])
        for one in summary["sensitivities"]
        if one["low_mean"] is not None and one["high_mean"] is not None
    ]
    if not rows or summary["mean"] is None:
        return None
    title = f"What moves {name_of(summary)}: its mean across each input's lowest and highest tenth"
    return tornado(
        chart_id, rows=rows[:TORNADO_ROWS_MAX], mean=summary["mean"], title=title, write=chart_format(summary)
    )


def _sensitivity_note(summary: Summary) -> str:
    remark = summary.get("sensitivity_remark") or ""
    count = summary.get("sensitivity_iterations") or 0
    if count and count < summary["iteration_count"]:
        first = f"Rank correlation, regression and contribution to variance rest on {count:,} iterations."
        return f"{first} {remark}".strip()
    return remark


# Whether it settled -------------------------------------------------------------------------------


def _convergence(summary: Summary, anchor: str, write: Write) -> dict[str, Any] | None:
    told = summary.get("convergence")
    if not told:
        return None
    checkpoints = told["checkpoints"]
    places = [one["iterations"] for one in checkpoints]
    verdict = verdict_of(told)
    mean = course_chart(
        f"mean-{anchor}",
        places=places,
        lines=[CourseLine("Mean", [one["mean"] for one in checkpoints])],
        band=([one["low"] for one in checkpoints], [one["high"] for one in checkpoints]),
        title=f"The mean of {name_of(summary)} as iterations were added",
        finding=verdict,
    )
    names = (("95", "P95"), ("50", "Median"), ("5", "P5"))
    percentiles = course_chart(
        f"percentiles-{anchor}",
        places=places,
        lines=[CourseLine(words, [one["percentiles"][name] for one in checkpoints]) for name, words in names],
        title=f"Percentiles of {name_of(summary)} as iterations were added",
        finding=verdict,
    )
    return {
        "is_settled": told["is_settled"],
        "verdict": verdict,
        "mean": mean,
        "mean_legend": legend(("line-1", "Mean"), ("data", f"{percent(told['confidence'], 0)} interval")),
        "percentiles": percentiles,
        "percentiles_legend": legend(*((f"line-{at}", words) for at, (_, words) in enumerate(names, 1))),
        "rows": [
            {
                "name": STATISTIC_WORDS[one["statistic"]],
                "value": "" if one["value"] is None else write(one["value"]),
                "half_width": "" if one["half_width"] is None else _own_digits(one["half_width"]),
                "allowed": "" if one["allowed"] is None else _own_digits(one["allowed"]),
                "is_settled": one["is_settled"],
                "needed": describe_needed(one),
            }
            for one in told["statistics"]
        ],
    }


def _own_digits(value: float) -> str:
    return figure_format(value, value)(value)


def verdict_of(convergence: dict[str, Any]) -> str:
    """Say in a sentence whether there were iterations enough, or how many more are needed."""
    within = percent(convergence["tolerance"], 0 if convergence["tolerance"] * 100 % 1 < 1e-9 else 2)
    sure = percent(convergence["confidence"], 0)
    if convergence["is_settled"]:
        return (
            f"These iterations are enough: every statistic is known within {within}, with {sure} confidence."
        )
    open_ones = [
        STATISTIC_WORDS[one["statistic"]] for one in convergence["statistics"] if not one["is_settled"]
    ]
    names = " and ".join([", ".join(open_ones[:-1]), open_ones[-1]] if len(open_ones) > 1 else open_ones)
    needed = describe_needed(convergence)
    first = f"{names} {'are' if len(open_ones) > 1 else 'is'} not yet known within {within}"
    if not needed:
        return f"{first}, and how many iterations would be enough is not known."
    if needed == MORE_NEEDED:
        return f"{first}: {needed} iterations in all would be needed."
    return f"{first}: about {needed} iterations in all would be enough."
