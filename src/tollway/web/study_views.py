"""Turns comparisons, batches and goal seeks into what their pages show: charts, tables, and sentences."""

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from tollway.simulation.entities import Run
from tollway.simulation.studies import Compared, GoalSeekRecord, GoalSeekStatus
from tollway.web.charts import (
    OVERLAID_MAX,
    OverlaidRun,
    ValueFormat,
    legend,
    overlaid_curves,
    overlaid_shares,
)
from tollway.web.rendering import number
from tollway.web.results import Write, figure_format, name_of

STATISTIC_WORDS = {"mean": "Mean", "std": "Std. deviation"}
SAMPLING_WORDS = {"monte_carlo": "Monte Carlo", "latin_hypercube": "Latin hypercube", "sobol": "Sobol"}
# What a batch sets side by side.
SIDE_BY_SIDE = (("mean", "Mean"), ("p5", "P5"), ("p50", "Median"), ("p95", "P95"))
# Behind these the difference says little that the ones above do not.
STATISTICS_SHOWN = ("mean", "std", "p1", "p5", "p25", "p50", "p75", "p95", "p99")

Summary = dict[str, Any]


def words_of_stress(run: Run) -> str:
    """Say which inputs a run held where; nothing where it held none."""
    return "; ".join(
        f"{one['cell']} held between its percentiles {one['percentiles'][0]:g} and {one['percentiles'][1]:g}"
        for one in run.stress
    )


def study_settings(run: Run) -> list[tuple[str, str | Markup]]:
    """Say of a run which batch it is a scenario of and which inputs it held, in pairs of label and text."""
    rows: list[tuple[str, str | Markup]] = []
    if run.batch_public_id is not None:
        link = Markup('<a class="link" href="/studies/batches/{}">{}</a>')
        rows.append(("Scenario", link.format(run.batch_public_id, run.scenario_name or "")))
    if run.stress:
        rows.append(("Stress", words_of_stress(run)))
    return rows


def run_label(run: Run) -> str:
    """Name a run: by its scenario, or by its id."""
    return run.scenario_name or run.public_id


def side_view(run: Run) -> dict[str, Any]:
    """Lay out what tells a compared run from the other."""
    return {
        "id": run.public_id,
        "label": run_label(run),
        "model_name": run.model_name,
        "model_id": run.model_public_id,
        "seed": run.seed,
        "iterations": run.iterations_completed,
        "stress": words_of_stress(run),
        "created_at": run.created_at,
    }


# --- two runs ------------------------------------------------------------------------------------------


def comparison_view(compared: Compared) -> list[dict[str, Any]]:
    """Lay out each output that two runs have in common for customer/comparison.html."""
    return [
        _output_view(place, one, compared.base, compared.other)
        for place, one in enumerate(compared.outputs, 1)
    ]


def _output_view(place: int, compared: dict[str, Any], base: Run, other: Run) -> dict[str, Any]:
    first = _summary(base, compared["base_index"])
    second = _summary(other, compared["other_index"])
    write = figure_format(first["mean"], first["std"])
    labels = (run_label(base), run_label(other))
    rows = {one["statistic"]: one for one in compared["differences"]}
    mean = rows["mean"]
    return {
        "name": name_of(first),
        "cell": compared["cell"],
        "anchor": f"output-{place}",
        "finding": _finding(mean, labels, write),
        "is_paired": mean["is_paired"],
        **_overlay(f"output-{place}", name_of(first), [(labels[0], first), (labels[1], second)]),
        "rows": [_row(rows[name], write) for name in _shown(rows)],
    }


def _shown(rows: dict[str, Any]) -> list[str]:
    return [name for name in STATISTICS_SHOWN if name in rows] + [
        name for name in rows if name.startswith(("var_", "cvar_"))
    ]


def _row(one: dict[str, Any], write: Write) -> dict[str, str]:
    error = one["standard_error"]
    return {
        "label": statistic_label(one["statistic"]),
        "base": _written(one["base"], write),
        "other": _written(one["other"], write),
        "difference": _signed(one["difference"], _difference_format(one, write)),
        "relative": "" if one["relative"] is None else _signed(100 * one["relative"], _percents) + "%",
        "standard_error": "" if error is None else _own_digits(error),
        "paired": "in pairs" if one["is_paired"] else "",
    }


def _percents(value: float) -> str:
    return number(value, 2)


def statistic_label(name: str) -> str:
    """Return what people call a statistic: `p5` as P5, `var_95` as VaR 95%."""
    if name in STATISTIC_WORDS:
        return STATISTIC_WORDS[name]
    if name.startswith(("var_", "cvar_")):
        kind, _, level = name.partition("_")
        return f"{'VaR' if kind == 'var' else 'CVaR'} {level}%, lower tail"
    return "Median" if name == "p50" else f"P{name[1:]}"


def _difference_format(one: dict[str, Any], write: Write) -> Write:
    """Write a difference as finely as it is known: paired ones are known far better than the values."""
    error = one["standard_error"]
    return figure_format(error, error) if one["is_paired"] and error else write


def _finding(mean: dict[str, Any], labels: tuple[str, str], write: Write) -> str:
    difference, error = mean["difference"], mean["standard_error"]
    if difference is None:
        return "One of the runs has no mean of it, so there is no difference."
    if difference == 0 and not error:
        return "Its mean is the same in both."
    told = _difference_format(mean, write)
    sentence = (
        f"Its mean is {told(abs(difference))} {'higher' if difference > 0 else 'lower'} in {labels[1]} than in "
        f"{labels[0]}"
    )
    if error is None:
        return f"{sentence}."
    sentence += f", give or take {_own_digits(error)}" if error else ""
    if abs(difference) < 2 * error:
        return f"{sentence}: so little that chance may have made it."
    return f"{sentence}."


def _overlay(anchor: str, title: str, runs: Sequence[tuple[str, Summary]]) -> dict[str, Any]:
    """Draw one output of several runs, how often each range came out and the cumulative curves, with their legend."""
    numeric = [(label, summary) for label, summary in runs if summary["histogram"] is not None]
    drawn = [_overlaid(label, summary) for label, summary in numeric]
    ends = [end for _, summary in runs for end in (summary["min"], summary["max"]) if end is not None]
    write = ValueFormat.spanning(min(ends), max(ends)) if ends else ValueFormat()
    marker = 0.0 if ends and min(ends) < 0 < max(ends) else None
    return {
        "legend": legend(*((f"line-{line}", label) for line, (label, _) in enumerate(numeric, 1))),
        "pictures": [
            (
                "Share of iterations",
                overlaid_shares(f"shares-{anchor}", drawn, title=title, write=write, marker=marker),
            ),
            (
                "At or below",
                overlaid_curves(f"curves-{anchor}", drawn, title=title, write=write, marker=marker),
            ),
        ],
    }


def _overlaid(label: str, summary: Summary) -> OverlaidRun:
    return OverlaidRun(
        name=label,
        bin_edges=summary["histogram"]["bin_edges"],
        counts=summary["histogram"]["counts"],
        cumulative=[(value, share) for value, share in summary["cdf"]],
        percentiles={name: value for name, value in summary["percentiles"].items() if value is not None},
    )


def _summary(run: Run, place: int) -> Summary:
    assert run.results is not None, "what is compared has results"
    return run.results[place]


def _own_digits(error: float) -> str:
    """Write a standard error, whose digits are its own and not those of what it is about."""
    return figure_format(error, error)(error)


def _written(value: float | None, write: Write) -> str:
    return "" if value is None else write(value)


def _signed(value: float | None, write: Write) -> str:
    """Write a difference with its sign."""
    if value is None:
        return ""
    return f"+{write(value)}" if value > 0 else write(value)


# --- a batch -------------------------------------------------------------------------------------------


def batch_outputs(runs: Sequence[Run], compared: Sequence[Compared]) -> list[dict[str, Any]]:
    """Lay out each output of a batch, its scenarios side by side; nothing until they can be compared."""
    if not compared:
        return []
    base = compared[0].base
    by_run = {base.public_id: base} | {one.other.public_id: one.other for one in compared}
    outputs = []
    for place, summary in enumerate(base.results or []):
        write = figure_format(summary["mean"], summary["std"])
        found: list[tuple[Run, Summary, dict[str, Any] | None]] = [(base, summary, None)]
        for one in compared:
            match = next((each for each in one.outputs if each["base_index"] == place), None)
            if match is not None:
                mean = next(each for each in match["differences"] if each["statistic"] == "mean")
                found.append((one.other, _summary(one.other, match["other_index"]), mean))
        with_numbers = [
            (run_label(run), theirs) for run, theirs, _ in found if theirs["histogram"] is not None
        ]
        outputs.append(
            {
                "name": name_of(summary),
                "cell": summary["cell"],
                "anchor": f"output-{place + 1}",
                **_overlay(f"output-{place + 1}", name_of(summary), with_numbers[:OVERLAID_MAX]),
                "not_drawn": len(found) - len(with_numbers[:OVERLAID_MAX]),
                "rows": [_scenario_row(run, theirs, mean, write) for run, theirs, mean in found],
                "left_out": [run_label(run) for run in runs if run.public_id not in by_run],
            }
        )
    return outputs


def _scenario_row(run: Run, summary: Summary, mean: dict[str, Any] | None, write: Write) -> dict[str, Any]:
    figures = {"mean": summary["mean"]} | {
        f"p{name}": value for name, value in summary["percentiles"].items()
    }
    error = None if mean is None else mean["standard_error"]
    return {
        "id": run.public_id,
        "label": run_label(run),
        "figures": [_written(figures[name], write) for name, _ in SIDE_BY_SIDE],
        "difference": "" if mean is None else _signed(mean["difference"], _difference_format(mean, write)),
        "standard_error": "" if error is None else _own_digits(error),
        "is_base": mean is None,
    }


# --- a goal seek ---------------------------------------------------------------------------------------


def goal_words(question: dict[str, Any]) -> str:
    """Say what is sought, as a sentence without its end."""
    output = question["output_name"] or question["output"]
    sought = question["cell_name"] or question["cell"]
    return f"{sought} at which {statistic_words(question, output)} is {_plain(question['goal'])}"


def statistic_words(question: dict[str, Any], output: str) -> str:
    """Name the statistic of an output that a goal is set for."""
    statistic = question["statistic"]
    if statistic == "mean":
        return f"the mean of {output}"
    if statistic == "probability":
        return f"the probability that {output} is {_plain(question['at_or_below'])} or less"
    return f"{statistic_label(statistic)} of {output}"


def goal_seek_view(record: GoalSeekRecord) -> dict[str, Any]:
    """Lay a goal seek out for customer/goal_seek.html."""
    question, answer = record.question, record.answer
    return {
        "id": record.public_id,
        "model_id": record.model_public_id,
        "model_name": record.model_name,
        "status": record.status.value,
        "is_over": record.status.over,
        "goal": goal_words(question),
        "reason": (record.failure or {}).get("message", ""),
        "created_at": record.created_at,
        "kept_until": record.expires_at.date(),
        "settings": [
            ("Cell sought", _named(question["cell_name"], question["cell"])),
            ("Between", f"{_plain(question['low'])} and {_plain(question['high'])}"),
            ("Output", _named(question["output_name"], question["output"])),
            ("Iterations of each trial", f"{question['iterations']:,}"),
            ("Seed", str(question["seed"])),
            ("Sampling", SAMPLING_WORDS[question["sampling"]]),
            *((f"{one['cell']} held", "{:g} to {:g} %".format(*one["percentiles"])) for one in question["stress"]),
        ],
    } | ({"headline": ""} if answer is None else _answer_view(question, answer))  # fmt: skip


def goal_seek_headline(record: GoalSeekRecord) -> str:
    """State what a goal seek found, in one line of a list."""
    if record.answer is not None:
        return str(_answer_view(record.question, record.answer)["headline"])
    return "It failed by our fault." if record.status is GoalSeekStatus.FAILED else "Not answered yet."


def _answer_view(question: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    output = question["output_name"] or question["output"]
    cell = question["cell_name"] or question["cell"]
    statistic = statistic_words(question, output)
    seen = [one["statistic"] for one in answer["trials"]]
    write_value = figure_format(question["high"], (question["high"] - question["low"]) / 100)
    if answer["value_standard_error"]:
        write_value = figure_format(answer["value"], answer["value_standard_error"])
    spread = max(seen) - min(seen) if seen else 0.0
    write = figure_format(max(map(abs, seen), default=0.0), answer["standard_error"] or spread / 100 or None)
    value = write_value(answer["value"])
    figures: list[tuple[str, str]] = []
    if answer["outcome"] == "found":
        headline = f"{cell} must be {value}"
        figures.append(("Found in the cell", value))
        if answer["value_standard_error"] is not None:
            figures.append(("Give or take", _own_digits(answer["value_standard_error"])))
    elif answer["outcome"] == "jump":
        low, high = answer["bracket"]
        headline = (
            f"No number reaches it: around {value} {statistic} jumps from {write(low['statistic'])} to "
            f"{write(high['statistic'])}"
        )
        figures.append(("Nearest in the cell", value))
    elif answer["outcome"] == "out_of_reach":
        low, high = answer["ends"]
        headline = (
            f"Out of reach: {statistic} is {write(low['statistic'])} at {write_value(low['value'])} and "
            f"{write(high['statistic'])} at {write_value(high['value'])}"
        )
        figures.append(("Nearest in the cell", value))
    else:
        headline = f"{output} has no number where {cell} is {value}"
    if answer["statistic"] is not None:
        figures.append(("Reached with it", write(answer["statistic"])))
        figures.append(("Std. error of that", _own_digits(answer["standard_error"])))
    errors = max((one["error_count"] for one in answer["trials"]), default=0)
    return {
        "outcome": answer["outcome"],
        "headline": f"{headline}.",
        "figures": [*figures, ("Trials", str(len(answer["trials"])))],
        "errors": errors / answer["iterations"] if errors else 0.0,
        "statistic": statistic[:1].upper() + statistic[1:],
        "cell_label": cell,
        "trials": [
            {
                "value": write_value(one["value"]),
                "statistic": write(one["statistic"]),
                "standard_error": _own_digits(one["standard_error"]),
                "is_answer": one["value"] == answer["value"],
            }
            for one in sorted(answer["trials"], key=lambda one: one["value"])
        ],
    }  # fmt: skip


def _named(name: str | None, cell: str) -> str:
    return f"{name} ({cell})" if name else cell


def _plain(value: float) -> str:
    """Write a number that somebody typed, with no digit that was not typed."""
    return f"{value:,.10g}" if abs(value) < 1e15 else f"{value:g}"
