"""The statistics of an output as rows of an exported sheet, and how numbers are shown there."""

from collections.abc import Iterator, Mapping
from typing import Any


def statistics_rows(summary: Mapping[str, Any]) -> Iterator[tuple[str, float | None, str, float | None]]:
    """Give label, value, how it is shown, and standard error where there is one."""
    number_format = number_format_of(summary)
    # Runs of before there were more have the mean's alone.
    errors = summary.get("standard_errors") or {"mean": summary["mean_standard_error"]}
    yield "Iterations", summary["iteration_count"], "#,##0", None
    yield "Iterations with a number", summary["numeric_count"], "#,##0", None
    for text, count in summary["error_counts"].items():
        yield f"Iterations with {text}", count, "#,##0", None
    for text, share in (summary.get("error_shares") or {}).items():
        yield f"Share of {text}", share["share"], "0.00%", share["standard_error"]
    yield "Iterations replayed exactly", summary.get("replayed_count"), "#,##0", None
    yield "Mean", summary["mean"], number_format, errors["mean"]
    yield "Standard deviation", summary["std"], number_format, errors.get("std")
    yield "Skewness", summary["skewness"], "0.000", errors.get("skewness")
    yield "Excess kurtosis", summary.get("kurtosis"), "0.000", errors.get("kurtosis")
    yield "Mode", summary.get("mode"), number_format, None
    yield "Minimum", summary["min"], number_format, None
    yield "Maximum", summary["max"], number_format, None
    for kind, label in (
        ("percentiles", "Percentile {} %"),
        ("var", "Value at risk {} %"),
        ("cvar", "Mean at or below it, {} %"),
    ):
        for name, value in summary[kind].items():
            yield label.format(name), value, number_format, errors.get(kind, {}).get(name)
    for target in summary.get("targets") or []:
        label = f"Share at or below {target['value']:,.6g}"
        yield label, target["share_at_or_below"], "0.00%", target["standard_error"]


def number_format_of(summary: Mapping[str, Any]) -> str:
    """Choose decimals by the size of the numbers."""
    return format_of_size(max(abs(summary["min"] or 0.0), abs(summary["max"] or 0.0)))


def format_of_size(size: float) -> str:
    """Choose decimals for numbers of at most this size."""
    if size >= 1e12 or 0 < size < 1e-3:
        return "0.000E+00"
    if size >= 1_000:
        return "#,##0"
    return "#,##0.00" if size >= 10 else "0.0000"
