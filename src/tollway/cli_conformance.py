"""The command line of whoever doubts the engine: how far it agrees with the values that Excel stored in workbooks."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from tollway.cli_inspection import written

if TYPE_CHECKING:
    from tollway.engine.conformance import Conformance, Tally

FOUND_FAULTS, CANNOT = 1, 2
# Cells of one file that are printed; --json has them all.
CELLS_SHOWN = 20
PIPED_WIDTH = 160


def register(app: typer.Typer) -> None:
    """Add conformance to the command line."""
    app.command()(conformance)


def conformance(
    paths: Annotated[
        list[Path],
        typer.Argument(help="Workbooks, or folders of them, as saved by Excel.", show_default=False),
    ],
    explained: Annotated[
        Path | None,
        typer.Option(
            help="A TOML file of tables named cells (file, cells, reason): cells known to differ, and why.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Recompute every formula of workbooks and compare with the values that are stored in them.

    Numbers count as equal to 1e-12 of their size, everything else exactly. The exit status is 1 where an accepted
    cell is wrong and nothing explains it.
    """
    from tollway.engine import EngineError
    from tollway.engine.conformance import check_conformance, gathered, read_explanations, workbooks_in

    try:
        files = [found for path in paths for found in workbooks_in(path)]
        if not files:
            typer.echo(f"tollway: there is no .xlsx or .xlsm file in {', '.join(map(str, paths))}.", err=True)
            raise typer.Exit(CANNOT)
        explanations = [] if explained is None else read_explanations(explained)
        outcome = gathered(check_conformance(files, explanations))
    except EngineError as refusal:
        typer.echo(f"tollway: {refusal.message}", err=True)
        raise typer.Exit(CANNOT) from None
    except OSError as failure:
        typer.echo(f"tollway: {failure.filename}: {failure.strerror}.", err=True)
        raise typer.Exit(CANNOT) from None
    if as_json:
        typer.echo(json.dumps(outcome.as_json(), indent=2))
    else:
        _print(outcome)
    if outcome.unexplained:
        raise typer.Exit(FOUND_FAULTS)


def _print(outcome: "Conformance") -> None:
    from tollway.engine.conformance import EXCEL

    console = Console(width=None if sys.stdout.isatty() else PIPED_WIDTH, highlight=False)
    console.print(_files(outcome))
    console.print(_functions("Formula cells by function, saved by Excel", outcome.excel_functions))
    for application, tallies in sorted(outcome.functions.items()):
        if not EXCEL.fullmatch(application):
            title = f"Formula cells by function, saved by {application or 'an unnamed application'}"
            console.print(_functions(title, tallies))
    for report in outcome.files:
        for one in report.wrong[:CELLS_SHOWN]:
            found = one.difference
            console.print(
                f"{report.path.name} {found.cell} {found.formula[:80]}: stored {written(found.stored)}, computed "
                f"{written(found.computed)}" + (f" (explained: {one.reason})" if one.reason else ""),
                markup=False,
            )
    console.print(
        f"{len(outcome.unexplained)} accepted cells are wrong and unexplained; "
        f"mean_over_functions {outcome.mean_over_functions:.4f} over files saved by Excel."
    )


def _files(outcome: "Conformance") -> Table:
    table = Table(title="Formula cells by file")
    table.add_column("File", overflow="fold")
    table.add_column("Saved by")
    for heading in ("Equal", "Different", "Refused", "Left out"):
        table.add_column(heading, justify="right")
    for one in outcome.files:
        if one.refusal is not None:
            table.add_row(one.path.name, one.application or "?", f"refused: {one.refusal[:90]}")
            continue
        tally = one.tally
        counts = (tally.equal, tally.different, tally.refused, one.left_out)
        table.add_row(one.path.name, one.application or "?", *(f"{count:,}" for count in counts))
    return table


def _functions(title: str, tallies: "dict[str, Tally]") -> Table:
    table = Table(title=title)
    table.add_column("Function")
    for heading in ("Equal", "Different", "Refused", "Share equal"):
        table.add_column(heading, justify="right")
    for name, tally in sorted(tallies.items()):
        table.add_row(
            name, f"{tally.equal:,}", f"{tally.different:,}", f"{tally.refused:,}", f"{tally.share:.4f}"
        )
    return table
