"""Goal seek on the command line: what must a cell be, so that a statistic of an output reaches a goal."""

import json
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from tollway.cli_results import figure
from tollway.cli_simulate import (
    CannotRun,
    one_sentence,
    read_file,
    read_input,
    screen_of_output,
)

if TYPE_CHECKING:
    from tollway.engine.goal_seek import GoalSeek, GoalSeekAnswer

ITERATIONS_MIN = 1_000
_VERDICTS = {
    "jump": "No number reaches it: the statistic steps over the goal there.",
    "out_of_reach": "Out of reach between these ends; this is the nearest of what was tried.",
    "undefined": "The output has no number there, so the search ended.",
}


def register(app: typer.Typer) -> None:
    """Add seek to the command line."""
    app.command()(seek)


def seek(
    file: Annotated[
        Path, typer.Argument(help="An .xlsx or .xlsm workbook. Macros never run.", show_default=False)
    ],
    cell: Annotated[
        str,
        typer.Option(help="The cell sought: a number of the workbook, or an input.", show_default=False),
    ],
    low: Annotated[float, typer.Option(help="The least number tried.", show_default=False)],
    high: Annotated[float, typer.Option(help="The largest number tried.", show_default=False)],
    output: Annotated[
        str, typer.Option(help="The cell whose statistic is to reach the goal.", show_default=False)
    ],
    goal: Annotated[float, typer.Option(help="What the statistic is to be.", show_default=False)],
    statistic: Annotated[
        str, typer.Option(help="mean; a percentile such as p5; or probability of --at-or-below.")
    ] = "mean",
    at_or_below: Annotated[
        float | None,
        typer.Option(help="The value whose probability is meant.", show_default=False),
    ] = None,
    inputs: Annotated[
        list[str] | None,
        typer.Option(
            "--input",
            help="A cell and how it varies, such as 'Inputs!B1=normal(1000, 50)'. Repeat it for each input.",
            show_default=False,
        ),
    ] = None,
    iterations: Annotated[str, typer.Option(help="Of each trial, such as 10000 or 1e4.")] = "1e4",
    seed: Annotated[
        int | None,
        typer.Option(help="The same seed gives the same answer. Chosen by chance and shown if left out."),
    ] = None,
    sampling: Annotated[
        str, typer.Option(help="How draws are spread: monte_carlo, latin_hypercube or sobol.")
    ] = "monte_carlo",
    correlate: Annotated[
        list[str] | None,
        typer.Option(help="Two inputs and their rank correlation, as of simulate.", show_default=False),
    ] = None,
    stress: Annotated[
        list[str] | None,
        typer.Option(
            help="An input and the percentiles it is held between, as of simulate.", show_default=False
        ),
    ] = None,
    tolerance: Annotated[
        float, typer.Option(help="How closely the number is sought, as a share of high - low.")
    ] = 1e-4,
    as_json: Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")] = False,
) -> None:
    """Seek the number in a cell at which a statistic of an output reaches a goal, on the same random numbers."""
    with one_sentence():
        from dataclasses import replace

        from tollway.engine import (
            Sampling,
            check_sampling,
            check_seed,
            parse_correlation_text,
            parse_stress_text,
            read_correlations,
            read_stress,
            with_stress,
        )
        from tollway.engine.goal_seek import (
            GoalSeek,
            build_seek_program,
            check_sought,
            parse_statistic,
            seek_goal,
        )

        count = _iteration_count(iterations)
        chosen_seed = check_seed(secrets.randbelow(2**32) if seed is None else seed)
        method = check_sampling(sampling)
        asked = GoalSeek(cell, low, high, output, parse_statistic(statistic, at_or_below), goal, tolerance)
        correlated = [parse_correlation_text(text) for text in correlate or []]
        stressed = [parse_stress_text(text) for text in stress or []]
        varied = [read_input(text) for text in inputs or []]
        workbook = read_file(file)
        built = build_seek_program(workbook, varied, asked)
        correlation = read_correlations(correlated, workbook, built.program)
        held = read_stress(stressed, workbook, built.program)
        check_sought(built, correlation, held)
        answer = seek_goal(
            replace(built, program=with_stress(built.program, held)),
            asked,
            iterations=count,
            seed=chosen_seed,
            sampling=Sampling(method, count, correlation),
        )
        if as_json:
            told: dict[str, Any] = {"seed": chosen_seed, "sampling": method.value, "stress": held}
            typer.echo(json.dumps(answer.as_json() | told, indent=2))
            return
        _print(screen_of_output(), file.name, asked, answer, chosen_seed)


def _iteration_count(text: str) -> int:
    from tollway.engine.goal_seek import SEEK_ITERATIONS_MAX

    try:
        count = float(text)
    except ValueError:
        count = 0.0
    if not ITERATIONS_MIN <= count <= SEEK_ITERATIONS_MAX or count != int(count):
        raise CannotRun(
            f"--iterations is {text[:40]!r}; it must be a whole number from {ITERATIONS_MIN:,} to "
            f"{SEEK_ITERATIONS_MAX:,}, such as 10000 or 1e4."
        )
    return int(count)


def _print(screen: Console, filename: str, asked: "GoalSeek", answer: "GoalSeekAnswer", seed: int) -> None:
    screen.print(
        f"{filename}: {len(answer.trials)} trials of {answer.iterations:,} iterations, seed {seed}",
        markup=False,
    )
    name = asked.statistic.name
    of_what = (
        f"{name} of {figure(asked.statistic.at_or_below)} or less in"
        if name == "probability"
        else f"{name} of"
    )
    if answer.outcome == "found":
        error = answer.value_standard_error
        give = "" if error is None else f" ± {figure(error)}"
        screen.print(f"{answer.cell} = {figure(answer.value)}{give}", markup=False, style="bold")
    else:
        screen.print(f"{answer.cell} at {figure(answer.value)}: {_VERDICTS[answer.outcome]}", markup=False)
    if answer.statistic is not None:
        screen.print(
            f"There the {of_what} {answer.output} is {_reached(answer.statistic, answer.standard_error)} ± "
            f"{figure(answer.standard_error)}.",
            markup=False,
        )
    table = Table()
    for heading in (answer.cell, "Statistic", "± standard error"):
        table.add_column(heading.replace("[", "\\["), justify="right")
    for one in sorted(answer.trials, key=lambda trial: trial.value):
        table.add_row(
            figure(one.value), _reached(one.statistic, one.standard_error), figure(one.standard_error)
        )
    screen.print(table)


def _reached(statistic: float, standard_error: float | None) -> str:
    """Write a statistic; a billion times smaller than its error, it is what rounding left of 0."""
    return figure(0.0 if standard_error and abs(statistic) < standard_error * 1e-9 else statistic)
