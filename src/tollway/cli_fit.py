"""The command line of whoever has data: which distribution may have drawn them."""

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from tollway.engine.distributions.fitting import Fit

CANNOT = 2
FITS_SHOWN = 12
PIPED_WIDTH = 160
# No plan limits here, but a file that is mistaken for data must not fill the memory.
FILE_BYTES_MAX = 1_000_000_000
UNPACKED_BYTES_MAX = 8_000_000_000
CELLS_MAX, FORMULAS_MAX = 5_000_000, 1_000_000


def register(app: typer.Typer) -> None:
    """Add fit to the command line."""
    app.command()(fit)


def fit(
    file: Annotated[Path, typer.Argument(help="A .csv, .xlsx or .xlsm file.", show_default=False)],
    cells: Annotated[
        str | None,
        typer.Option(
            help="Where the data are, such as 'Sheet1!A2:A500' or B:B. Left out, the first column of a CSV file.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print every fit as JSON.")] = False,
) -> None:
    """Fit distributions to a column of numbers by maximum likelihood, the best first.

    The first line is what --input of simulate takes, and what an input on a model's page takes.
    """
    from tollway.engine import EngineError, ReadLimits
    from tollway.engine.distributions.data_columns import read_numbers
    from tollway.engine.distributions.fitting import fit_distributions

    limits = ReadLimits(
        file_bytes_max=FILE_BYTES_MAX,
        unpacked_bytes_max=UNPACKED_BYTES_MAX,
        cells_max=CELLS_MAX,
        formulas_max=FORMULAS_MAX,
    )
    try:
        numbers = read_numbers(file, cells, limits)
        fits = fit_distributions(numbers)
    except EngineError as refusal:
        typer.echo(f"tollway: {refusal.message}", err=True)
        raise typer.Exit(CANNOT) from None
    except OSError as failure:
        typer.echo(f"tollway: {failure.filename or file}: {failure.strerror}.", err=True)
        raise typer.Exit(CANNOT) from None
    if as_json:
        typer.echo(json.dumps({"count": len(numbers), "fits": [one.as_json() for one in fits]}, indent=2))
    else:
        _print(len(numbers), fits)


def _print(count: int, fits: tuple["Fit", ...]) -> None:
    from tollway.engine import distribution_text

    knows_width = sys.stdout.isatty() or "COLUMNS" in os.environ
    screen = Console(highlight=False, width=None if knows_width else PIPED_WIDTH)
    screen.print(distribution_text(fits[0].distribution), markup=False, soft_wrap=True)
    table = Table(title=f"{len(fits)} distributions fitted to {count:,} numbers", title_justify="left")
    table.add_column("Distribution", overflow="fold")
    for heading in ("AIC", "BIC", "Kolmogorov-Smirnov", "Anderson-Darling"):
        table.add_column(heading, justify="right")
    for one in fits[:FITS_SHOWN]:
        weighed = "" if one.anderson_darling is None else f"{one.anderson_darling:,.3f}"
        table.add_row(
            one.distribution.describe(),
            f"{one.aic:,.2f}",
            f"{one.bic:,.2f}",
            f"{one.kolmogorov_smirnov:.4f}",
            weighed,
        )
    screen.print(table)
    if len(fits) > FITS_SHOWN:
        screen.print(f"{len(fits) - FITS_SHOWN} more; --json lists all.")
