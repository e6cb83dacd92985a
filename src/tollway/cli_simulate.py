"""The command line of an analyst: risk of a workbook with no server and no database, samples, inspection."""

import contextlib
import json
import os
import re
import secrets
import shlex
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from tollway.cli_files import CannotWrite, FilesAsked

if TYPE_CHECKING:
    from tollway.engine import Input, Program, RunDraws, Sampling, SpilledShards, Workbook
    from tollway.simulation.export import RunFacts
    from tollway.simulation.samples import Sample

# No plan limits here, but a file that is mistaken for a workbook must not fill the memory.
FILE_BYTES_MAX = 1_000_000_000
UNPACKED_BYTES_MAX = 8_000_000_000
CELLS_MAX = 5_000_000
FORMULAS_MAX = 1_000_000
# So many iterations between two movements of the progress bar, and at most in memory as one shard.
SHARD_ITERATIONS = 65_536
# Where the answer goes to a file or a pipe there is no screen to fit, unless COLUMNS says so.
PIPED_WIDTH = 140
CANNOT = 2


class CannotRun(Exception):
    """A request of the command line that makes no sense; the message says what to write instead."""


def register(app: typer.Typer) -> None:
    """Add simulate, sample and inspect to the command line."""
    app.command()(simulate)
    app.command()(sample)
    app.command()(inspect)


def simulate(
    file: Annotated[
        Path, typer.Argument(help="An .xlsx or .xlsm workbook. Macros never run.", show_default=False)
    ],
    inputs: Annotated[
        list[str] | None,
        typer.Option(
            "--input",
            help="A cell and how it varies, such as 'Inputs!B1=normal(1000, 50)'. Also triangular(min, mode, max), "
            "discrete(1:0.2, 5:0.8), normal(p5=10, p95=30), gamma(2, 3, truncate=(0, 20), shift=1) and fifty more: "
            "the guide to distributions lists them. Repeat it for each input. What formulas draw by themselves, such "
            "as RAND() or RiskNormal(10,2), are inputs too.",
            show_default=False,
        ),
    ] = None,
    outputs: Annotated[
        list[str] | None,
        typer.Option(
            "--output",
            help="A cell whose risk is asked for. Repeat it. Left out: those that formulas mark (RiskOutput, "
            "PsiOutput), else the last results of what formulas draw.",
            show_default=False,
        ),
    ] = None,
    iterations: Annotated[str, typer.Option(help="How many, such as 100000 or 1e5.")] = "1e5",
    seed: Annotated[
        int | None,
        typer.Option(help="The same seed gives the same numbers. Chosen by chance and shown if left out."),
    ] = None,
    sampling: Annotated[
        str, typer.Option(help="How draws are spread: monte_carlo, latin_hypercube or sobol.")
    ] = "monte_carlo",
    correlate: Annotated[
        list[str] | None,
        typer.Option(
            help="Two inputs and their rank correlation, such as 'Inputs!B4,Inputs!B5=0.6'. Repeat it.",
            show_default=False,
        ),
    ] = None,
    stress: Annotated[
        list[str] | None,
        typer.Option(
            help="An input and the percentiles it is held between, such as 'Inputs!B4=90..100'. Repeat it.",
            show_default=False,
        ),
    ] = None,
    confidence: Annotated[
        list[float] | None,
        typer.Option(help="Levels of value at risk; 0.95 and 0.99 if left out.", show_default=False),
    ] = None,
    target: Annotated[
        list[float] | None,
        typer.Option(
            help="A value: which share of the outcomes lies at or below it is shown. Repeat it.",
            show_default=False,
        ),
    ] = None,
    tolerance: Annotated[
        float, typer.Option(help="How closely statistics must be known to count as settled, as a share.")
    ] = 0.03,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the results as JSON instead of tables.")
    ] = False,
    xlsx: Annotated[
        Path | None,
        typer.Option(help="Also write the results as a workbook with charts.", show_default=False),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Also write the results as a report, a PDF.", show_default=False)
    ] = None,
    keep_samples: Annotated[
        Path | None,
        typer.Option(
            help="Also write every draw and value, one row an iteration: a name in .parquet or .csv.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Run a workbook many times with varying inputs and show the risk of its outputs."""
    with one_sentence():
        from tollway.engine import (
            CONFIDENCE_LEVELS_DEFAULT,
            ProgramFacts,
            RunDraws,
            Sampling,
            SpilledShards,
            build_program,
            check_confidence_levels,
            check_reach,
            check_sampling,
            check_seed,
            check_targets,
            check_tolerance,
            parse_correlation_text,
            parse_stress_text,
            read_correlations,
            read_stress,
            summarize,
            with_stress,
        )

        iteration_count = _iteration_count(iterations)
        chosen_seed = check_seed(secrets.randbelow(2**32) if seed is None else seed)
        files = FilesAsked(xlsx, report, keep_samples)
        files.check(file)
        levels = check_confidence_levels(confidence or CONFIDENCE_LEVELS_DEFAULT)
        targets, allowed = check_targets(target or ()), check_tolerance(tolerance)
        method = check_sampling(sampling)
        correlated = [parse_correlation_text(text) for text in correlate or []]
        stressed = [parse_stress_text(text) for text in stress or []]
        varied = [read_input(text) for text in inputs or []]
        workbook = read_file(file)
        outputs = outputs or _written_outputs(workbook)
        program = build_program(workbook, varied, outputs)
        check_reach(program)
        drawn = Sampling(method, iteration_count, read_correlations(correlated, workbook, program))
        held = read_stress(stressed, workbook, program)

        created_at, started = datetime.now(UTC), time.perf_counter()
        stressed_program = with_stress(program, held)
        draws = RunDraws(stressed_program.inputs, chosen_seed, drawn)
        with SpilledShards() as shards:
            _run(stressed_program, draws, iteration_count, shards)
            summaries = summarize(
                ProgramFacts.of(program), shards, levels, targets=targets, tolerance=allowed, draws=draws
            )
            files.write_samples(stressed_program, draws, shards, {"workbook": file.name})
        seconds = time.perf_counter() - started

        facts = replace(
            _run_facts(file, program, outputs, chosen_seed, iteration_count, drawn, seconds, created_at),
            stress=held,
        )
        told = [one.as_json() for one in summaries]
        files.write_results(facts, told)
        if as_json:
            from tollway.simulation.export import results_json

            typer.echo(json.dumps(results_json(facts, told), indent=2))
            return
        from tollway.cli_inspection import print_written_inputs
        from tollway.cli_results import print_results

        print_written_inputs(screen_of_output(), program)
        print_results(screen_of_output(), facts, summaries)
        for path in files.written():
            typer.echo(f"Written: {path}")


@contextlib.contextmanager
def one_sentence() -> Iterator[None]:
    """Turn what cannot be done into one sentence on standard error and exit status 2."""
    from tollway.engine import EngineError

    try:
        yield
    except EngineError as refusal:
        sentence = refusal.message
    except (CannotRun, CannotWrite) as refusal:
        sentence = str(refusal)
    except OSError as failure:
        reason = failure.strerror or str(failure)
        sentence = f"{failure.filename}: {reason}." if failure.filename else f"{reason}."
    else:
        return
    typer.echo(f"tollway: {sentence}", err=True)
    raise typer.Exit(CANNOT)


def _written_outputs(workbook: "Workbook") -> list[str]:
    """Return the outputs that a workbook tells of itself."""
    from tollway.engine import inspect_workbook

    found = inspect_workbook(workbook).written
    if not found.outputs:
        raise CannotRun(
            "No --output is named, and the workbook marks none (RiskOutput, PsiOutput) and draws nothing by itself "
            "(RAND(), RiskNormal); name a cell with --output, and with --input how others vary."
        )
    return [one.cell for one in found.outputs]


def _iteration_count(text: str) -> int:
    from tollway.engine import ITERATIONS_MAX

    try:
        count = float(text)
    except ValueError:
        count = 0.0
    if not 1 <= count <= ITERATIONS_MAX or count != int(count):
        raise CannotRun(
            f"--iterations is {text[:40]!r}; it must be a whole number from 1 to {ITERATIONS_MAX:,}, "
            "such as 100000 or 1e5."
        )
    return int(count)


def read_input(text: str) -> "Input":
    """Read a cell and how it varies. Raises: CannotRun, which names the cell."""
    from tollway.engine import BadDistribution, Input, parse_distribution_text

    # The last "=" that a distribution follows: a sheet's name may hold one, and so may a distribution (p5=10).
    found = re.fullmatch(r"(.*)=(\s*[A-Za-z]\w*\s*\(.*)", text, re.DOTALL)
    cell, equals, distribution = (found[1], "=", found[2]) if found else text.rpartition("=")
    if not equals or not cell.strip():
        raise CannotRun(
            f"--input is {text[:80]!r}; write the cell and how it varies, as 'Inputs!B1=normal(1000, 50)'."
        )
    try:
        return Input(cell.strip(), parse_distribution_text(distribution))
    except BadDistribution as refusal:
        raise CannotRun(f"--input {cell.strip()[:80]}: {refusal.message}") from None


def read_file(file: Path) -> "Workbook":
    """Read a workbook within the limits of a machine of one's own. Raises: what read_workbook raises."""
    from tollway.engine import ReadLimits, read_workbook

    limits = ReadLimits(
        file_bytes_max=FILE_BYTES_MAX,
        unpacked_bytes_max=UNPACKED_BYTES_MAX,
        cells_max=CELLS_MAX,
        formulas_max=FORMULAS_MAX,
    )
    return read_workbook(file, limits)


def _run(program: "Program", draws: "RunDraws", iteration_count: int, shards: "SpilledShards") -> None:
    from tollway.engine import plan_shards, run_shard

    columns = (
        TextColumn("Simulating"),
        BarColumn(),
        TextColumn("{task.completed:,.0f} of {task.total:,.0f} iterations"),
        TimeRemainingColumn(),
    )
    screen = Console(stderr=True)
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as progress:
        task = progress.add_task("", total=iteration_count)

        def move_to(first: int, done: int) -> None:
            progress.update(task, completed=first + done)

        for first, count in plan_shards(iteration_count, SHARD_ITERATIONS):
            on_block = partial(move_to, first)
            shards.add(
                run_shard(program, draws.seed, first, count, on_block=on_block, sampling=draws.sampling)
            )


def _run_facts(
    file: Path,
    program: "Program",
    references: Sequence[str],
    seed: int,
    iteration_count: int,
    sampling: "Sampling",
    seconds: float,
    created_at: datetime,
) -> "RunFacts":
    from tollway.simulation.entities import ENGINE_VERSION
    from tollway.simulation.export import RunFacts

    return RunFacts(
        run_id=None,
        workbook_name=file.name,
        status="completed",
        seed=seed,
        iterations_requested=iteration_count,
        iterations_completed=iteration_count,
        execution_seconds=seconds,
        engine_version=ENGINE_VERSION,
        created_at=created_at,
        exported_at=datetime.now(UTC),
        inputs=[
            {"cell": one.cell, "name": one.name, "distribution": one.distribution.as_json()}
            for one in program.inputs
        ],
        references=references,
        sampling=sampling.method.value,
        correlations=None if sampling.correlation is None else sampling.correlation.as_json(),
    )


def screen_of_output() -> Console:
    """Return what tables are printed on: as wide as the terminal, or fixed where there is none."""
    knows_width = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(highlight=False, width=None if knows_width else PIPED_WIDTH)


def sample(
    name: Annotated[
        str | None, typer.Argument(help="portfolio, stress or financial.", show_default=False)
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Where to write it; its own name if left out.")] = None,
    list_samples: Annotated[bool, typer.Option("--list", help="List the samples.")] = False,
    force: Annotated[bool, typer.Option(help="Overwrite a file.")] = False,
) -> None:
    """Write a sample workbook and print the command that simulates it."""
    with one_sentence():
        from tollway.simulation.samples import SAMPLES, write_sample

        if list_samples:
            _print_samples(list(SAMPLES.values()))
            return
        if name not in SAMPLES:
            found = "No sample is named" if name is None else f"There is no sample {name[:40]!r}"
            raise CannotRun(f"{found}; choose one of {', '.join(SAMPLES)}.")
        path = out or Path(SAMPLES[name].filename)
        if path.exists() and not force:
            raise CannotRun(f"{path} exists; choose another name with --out, or overwrite it with --force.")
        write_sample(name, path)
        typer.echo(f"Written: {path}\nSimulate it:\n\n{_simulate_command(SAMPLES[name], path)}")


def _print_samples(samples: Sequence["Sample"]) -> None:
    table = Table()
    for heading in ("Name", "For", "What it asks"):
        table.add_column(heading)
    for one in samples:
        table.add_row(one.name, one.use_case, one.summary)
    screen_of_output().print(table)


def _simulate_command(sample: "Sample", path: Path) -> str:
    from tollway.engine import distribution_text

    lines = [f"{_program_name()} simulate {shlex.quote(str(path))}"]
    lines += [
        f"--input {shlex.quote(f'{one.cell}={distribution_text(one.distribution)}')}" for one in sample.inputs
    ]
    lines += [f"--output {shlex.quote(one.cell)}" for one in sample.outputs]
    lines.append("--iterations 1e5 --seed 7")
    return " \\\n  ".join(lines)


def _program_name() -> str:
    """Return what the shell would find: the bare name where it is on the PATH, otherwise as it was called."""
    called = Path(sys.argv[0])
    return shlex.quote(str(called)) if called.name == "tollway" and not shutil.which("tollway") else "tollway"


def inspect(
    file: Annotated[Path, typer.Argument(help="An .xlsx or .xlsm workbook.", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Show what a workbook holds: likely inputs and outputs, functions, and whether its values agree with ours."""
    with one_sentence():
        from tollway.cli_inspection import print_inspection
        from tollway.engine import inspect_workbook

        found = inspect_workbook(read_file(file))
        if as_json:
            typer.echo(json.dumps(found.as_json(), indent=2))
        else:
            print_inspection(screen_of_output(), file.name, found)
