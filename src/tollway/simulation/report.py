"""The results of a run as a report on paper: PDF, drawn by typst from data.

Plain data in, bytes out; knows no database and no request. Equal data gives equal bytes on one machine: the report
carries the time of the run, never that of its printing.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import resources
from typing import Any

from tollway.engine import describe_convergence, parse_distribution
from tollway.simulation.entities import computed_words
from tollway.simulation.export import RunFacts
from tollway.simulation.report_pictures import (
    NARROW_FULL_MAX,
    Summary,
    Write,
    error_text,
    histogram_picture,
    readable,
    settling_picture,
    share_text,
    small_picture,
    tornado_picture,
    writer_for,
    writer_of,
)

TEMPLATE = "report.typ"
# A matrix of more cells has columns too narrow to read; pairs are listed instead.
MATRIX_CELLS_MAX = 7
PAIRS_MAX = 300
OVERVIEW_HEADER = ("Output", "Shape", "Mean", "Std. deviation", "5 %", "Median", "95 %")
OVERVIEW_NOTE = "± is one standard error: the mean of another run as long would differ by about as much."
PERCENTILE_HEADER = ("Below it", "Value", "Standard error")
AT_RISK_NOTE = (
    "Value at risk is the value that outcomes fall to or below with the rest of the stated probability: at 95 %, the "
    "5th percentile. The mean at or below it is the mean of those outcomes."
)
ERROR_NOTE = (
    "A standard error says how far a figure may be off because iterations are finite; in about one case of twenty it "
    "is off by more than twice as much."
)
SAMPLING_NOTE = "Standard errors are those of independent draws; the sampling of this run usually errs less."
SETTLING_HEADER = ("Statistic", "Value", "Off by", "Allowed")
SAMPLING_NAMES = {
    "monte_carlo": "Monte Carlo",
    "latin_hypercube": "Latin hypercube",
    "sobol": "Sobol, scrambled",
}
STATISTIC_NAMES = {
    "mean": "Mean",
    "std": "Standard deviation",
    "p5": "5 %",
    "p50": "Median",
    "p95": "95 %",
}


def report_pdf(facts: RunFacts, summaries: Sequence[Summary]) -> bytes:
    """Print the report of a run: an overview, a page or more for each output, inputs and correlations."""
    import typst

    # Tagged, with alternative texts, as PDF/UA-1 asks; not declared as that, because one character that no font of
    # this machine draws would then be no report at all.
    return typst.compile(
        template(),
        sys_inputs={"told": json.dumps(report_told(facts, summaries))},
        format="pdf",
        timestamp=int(facts.created_at.timestamp()),
    )


def template() -> bytes:
    """Return the template of the report."""
    return resources.files("tollway.simulation").joinpath(TEMPLATE).read_bytes()


def report_told(facts: RunFacts, summaries: Sequence[Summary]) -> dict[str, Any]:
    """Return everything that the report says, as texts and positions for the template."""
    title = facts.model_name or facts.workbook_name
    return {
        "title": readable(title),
        "subtitle": f"{_day(facts)} · {facts.iterations_completed:,} iterations",
        "running": readable(title[:120]),
        "date": _day(facts),
        "footer": " · ".join([*([facts.run_id] if facts.run_id else []), f"seed {facts.seed}"]),
        "facts": [[(label, readable(value)) for label, value in column] for column in _facts(facts)],
        "warning": _warning(facts),
        "overview": {
            "header": OVERVIEW_HEADER,
            "rows": [_overview_row(summary) for summary in summaries],
            "note": OVERVIEW_NOTE if summaries else "There are no results.",
        },
        "outputs": [_output(summary) for summary in summaries],
        "percentile-header": PERCENTILE_HEADER,
        "settling-header": SETTLING_HEADER,
        "tornado-note": "Mean of the output while an input is in its lowest and in its highest tenth",
        "inputs": _inputs(facts),
        "correlations": _correlations(facts),
        "notes": _notes(facts),
    }


def _started_at(facts: RunFacts) -> datetime:
    return facts.created_at.astimezone(UTC)


def _day(facts: RunFacts) -> str:
    at = _started_at(facts)
    return f"{at.day} {at:%B %Y}"


def _facts(facts: RunFacts) -> list[list[tuple[str, str]]]:
    done, asked = facts.iterations_completed, facts.iterations_requested
    of_model = [
        *([("Model", facts.model_name)] if facts.model_name else []),
        ("Workbook", facts.workbook_name),
        *([("Run", facts.run_id)] if facts.run_id is not None else []),
        ("Started", f"{_started_at(facts):%Y-%m-%d %H:%M} UTC"),
        ("Inputs", f"{len(facts.inputs):,}"),
        ("Outputs", f"{len(facts.references):,}"),
    ]
    of_run = [
        ("Iterations", f"{done:,}" if done == asked else f"{done:,} of {asked:,}"),
        ("Seed", str(facts.seed)),
        ("Sampling", SAMPLING_NAMES.get(facts.sampling, facts.sampling)),
        ("Engine", f"version {facts.engine_version}"),
    ]
    return [of_model, of_run]


def _warning(facts: RunFacts) -> str:
    if facts.iterations_completed == facts.iterations_requested:
        return ""
    return (
        f"The run was stopped. What follows rests on the {facts.iterations_completed:,} of "
        f"{facts.iterations_requested:,} iterations that were done."
    )


def _overview_row(summary: Summary) -> dict[str, Any]:
    write, percentiles = writer_of(summary, NARROW_FULL_MAX), summary["percentiles"]
    return {
        "name": _label(summary),
        "shape": small_picture(summary),
        "mean": write(summary["mean"]),
        "error": error_text(summary["mean_standard_error"]),
        "others": [write(summary["std"]), *(write(percentiles[percent]) for percent in ("5", "50", "95"))],
    }


# --- one output ----------------------------------------------------------------------------------------


def _output(summary: Summary) -> dict[str, Any]:
    write, has_numbers = writer_of(summary), bool(summary["numeric_count"])
    return {
        "name": _label(summary),
        "cell": readable(summary["cell"]) if summary["name"] else "",
        "headline": _headline(summary, write),
        "remark": readable(summary["remark"] or ""),
        "figures": _figures(summary, write) if has_numbers else [],
        "histogram": histogram_picture(summary, write),
        "percentiles": _percentiles(summary, write) if has_numbers else [],
        "tornado": tornado_picture(summary, write),
        "tables": [*_errors(summary), *_targets(summary)],
        "settling": _settling(summary, write),
    }


def _label(summary: Summary) -> str:
    return readable(summary["name"] or summary["cell"])


def _headline(summary: Summary, write: Write) -> str:
    percentiles = summary["percentiles"]
    if summary["mean"] is None or summary["min"] == summary["max"]:
        return ""
    return (
        f"Half of all outcomes lie below {write(percentiles['50'])}; nine in ten lie between "
        f"{write(percentiles['5'])} and {write(percentiles['95'])}."
    )


def _figures(summary: Summary, write: Write) -> list[tuple[str, str, str]]:
    """List (label, value, standard error) of each statistic."""
    errors = summary.get("standard_errors") or {}
    shape = writer_for(1.0, 1.0)
    return [
        ("Mean", write(summary["mean"]), error_text(summary["mean_standard_error"])),
        ("Standard deviation", write(summary["std"]), error_text(errors.get("std"))),
        ("Minimum", write(summary["min"]), ""),
        ("Maximum", write(summary["max"]), ""),
        *([("Mode", write(summary["mode"]), "")] if summary.get("mode") is not None else []),
        ("Skewness", shape(summary["skewness"]), error_text(errors.get("skewness"))),
        *(
            [("Excess kurtosis", shape(summary["kurtosis"]), error_text(errors.get("kurtosis")))]
            if summary.get("kurtosis") is not None
            else []
        ),
        *(
            (f"Value at risk, {level} %", write(value), error_text(errors.get("var", {}).get(level)))
            for level, value in summary["var"].items()
        ),
        *(
            (f"Mean at or below it, {level} %", write(value), error_text(errors.get("cvar", {}).get(level)))
            for level, value in summary["cvar"].items()
        ),
        ("Iterations with a number", f"{summary['numeric_count']:,}", ""),
    ]


def _percentiles(summary: Summary, write: Write) -> list[tuple[str, ...]]:
    """List (percent, value, standard error), without errors where there are none."""
    errors = (summary.get("standard_errors") or {}).get("percentiles", {})
    rows: list[tuple[str, ...]] = [
        (f"{percent} %", write(value), error_text(errors.get(percent)))
        for percent, value in summary["percentiles"].items()
    ]
    return rows if errors else [row[:2] for row in rows]


def _errors(summary: Summary) -> list[dict[str, Any]]:
    counts = summary["error_counts"]
    if not counts:
        return []
    told = summary.get("error_shares") or {}
    rows = []
    for code, count in counts.items():
        share = told.get(code, {}).get("share", count / summary["iteration_count"])
        error = told.get(code, {}).get("standard_error")
        rows.append(
            (code, f"{count:,}", share_text(share), "" if error is None else f"± {share_text(error)}")
        )
    return [
        {
            "title": "Iterations without a number",
            "header": ("Error value", "Iterations", "Share", ""),
            "rows": rows,
            "note": "They are left out of the figures above.",
        }
    ]


def _targets(summary: Summary) -> list[dict[str, Any]]:
    targets = summary.get("targets") or []
    if not targets:
        return []
    rows = [
        (
            f"{one['value']:,.10g}".replace("-", "−"),
            _share(one["share_at_or_below"]),
            _share(None if one["share_at_or_below"] is None else 1 - one["share_at_or_below"]),
            "" if one["standard_error"] is None else f"± {share_text(one['standard_error'])}",
        )
        for one in targets
    ]
    header = ("Target", "At or below", "Above", "")
    return [{"title": "Chances of targets", "header": header, "rows": rows, "note": ""}]


def _share(share: float | None) -> str:
    return "none" if share is None else share_text(share)


def _settling(summary: Summary, write: Write) -> dict[str, Any] | None:
    convergence = summary.get("convergence")
    if not convergence or not convergence["statistics"]:
        return None
    return {
        "is-settled": convergence["is_settled"],
        "verdict": describe_convergence(convergence),
        "rows": [
            (
                STATISTIC_NAMES.get(one["statistic"], one["statistic"]),
                write(one["value"]),
                error_text(one["half_width"]),
                error_text(one["allowed"]),
            )
            for one in convergence["statistics"]
        ],
        "picture": settling_picture(convergence, write),
    }


# --- the run -------------------------------------------------------------------------------------------


def _inputs(facts: RunFacts) -> list[tuple[str, str, str]]:
    held = {one["cell"]: one["percentiles"] for one in facts.stress}
    rows = []
    for one in facts.inputs:
        drawn = computed_words(one) or parse_distribution(one["distribution"]).describe()
        if one["cell"] in held:
            low, high = held[one["cell"]]
            drawn += f"; held between its percentiles {low:g} % and {high:g} %"
        rows.append((readable(one["name"] or one["cell"]), readable(one["cell"]), readable(drawn)))
    return rows


def _correlations(facts: RunFacts) -> dict[str, Any] | None:
    if facts.correlations is None:
        return None
    cells, matrix, repaired = (facts.correlations[name] for name in ("cells", "matrix", "repaired"))
    named = {one["cell"]: _name_with_cell(one) for one in facts.inputs}
    about = "Spearman's, as they were asked for."
    if repaired is not None:
        about = (
            "Spearman's. No numbers can have those that were asked for; these are the nearest. The largest change is "
            f"{repaired['largest_change']:.4f}, between {' and '.join(named[cell] for cell in repaired['cells'])}."
        )
    if len(cells) <= MATRIX_CELLS_MAX:
        # Columns are too narrow for names: these stand before the rows, with the cells that head the columns.
        header = ["", *(readable(cell) for cell in cells)]
        rows = [
            [named[cell], *(_correlation(number) for number in numbers)]
            for cell, numbers in zip(cells, matrix, strict=True)
        ]
        return {"about": about, "matrix": {"header": header, "rows": rows}, "pairs": None, "more": ""}
    pairs = [
        (cells[row], cells[column], matrix[row][column])
        for row in range(len(cells))
        for column in range(row + 1, len(cells))
        if matrix[row][column]
    ]
    pairs.sort(key=lambda pair: -abs(pair[2]))
    left = len(pairs) - PAIRS_MAX
    return {
        "about": about + " Pairs that are not listed have none.",
        "matrix": None,
        "pairs": [
            (named[first], named[second], _correlation(number)) for first, second, number in pairs[:PAIRS_MAX]
        ],
        "more": f"{left:,} weaker pairs are in the workbook of results." if left > 0 else "",
    }


def _name_with_cell(source: Mapping[str, Any]) -> str:
    cell = readable(source["cell"])
    return f"{readable(source['name'])} ({cell})" if source["name"] else cell


def _correlation(number: float) -> str:
    return f"{number:.3f}".replace("-", "−")


def _notes(facts: RunFacts) -> list[str]:
    again = (
        f"The same workbook with these inputs, {facts.iterations_requested:,} iterations and seed {facts.seed} gives "
        "the same numbers again."
    )
    return [again, AT_RISK_NOTE, ERROR_NOTE, *([SAMPLING_NOTE] if facts.sampling != "monte_carlo" else [])]
