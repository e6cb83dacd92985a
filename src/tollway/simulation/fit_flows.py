"""Fits distributions to data in a child process: numbers of a request, or a column of a file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tollway.admission.operations import Call, Outcome
from tollway.kit.db import Transaction
from tollway.simulation.flows import Workshop

# More would take longer than somebody waits for a page.
FITTED_VALUES_MAX = 100_000


async def fit_values(
    workshop: Workshop, call: Call, values: Sequence[float], types: Sequence[str] | None = None
) -> Outcome:
    """Rank the distributions that may have drawn numbers; nothing is kept, and no request is counted.

    Raises: BadFitData naming the value or the type, InspectionBusy.
    """
    fitted = await workshop.inspector.fit(values_max=FITTED_VALUES_MAX, values=values, types=types)
    return await _told(call, fitted)


async def fit_file(workshop: Workshop, call: Call, file: Path, cells: str, file_bytes_max: int) -> Outcome:
    """Do the same for a column of an .xlsx, .xlsm or .csv file, which is read in the child process.

    Raises: BadFitData naming the cell, InspectionBusy, and what says that the file cannot be read.
    """
    fitted = await workshop.inspector.fit(
        values_max=FITTED_VALUES_MAX, file=file, cells=cells, file_bytes_max=file_bytes_max
    )
    return await _told(call, fitted)


async def _told(call: Call, answer: dict[str, Any]) -> Outcome:
    async def work(_: Transaction) -> Outcome:
        return Outcome(body=answer)

    return await call.perform("read", work)
