"""Sampling and correlations between a form and a run: rows of two cells and a number, and what a run used."""

import math
from typing import Any

from starlette.datastructures import FormData

from tollway.engine import RankCorrelation
from tollway.simulation.entities import CORRELATIONS_MAX, REFERENCE_LENGTH_MAX, SAMPLING_METHODS, Run

METHOD_WORDS = {
    "monte_carlo": "Monte Carlo: each draw by chance",
    "latin_hypercube": "Latin hypercube: each input evenly over its range",
    "sobol": "Sobol: all inputs together evenly",
}
# A longer table of pairs hides the rest of the page; files hold the whole matrix.
PAIRS_SHOWN_MAX = 50
# What is told while somebody types must come at once; a run tells of any number.
CHECKED_INPUTS_MAX = 60

Row = dict[str, str]


def pair_fields(form: FormData) -> tuple[list[str], list[str], list[str]]:
    """Take the fields of pairs as they were typed: first cells, second cells, numbers."""
    first, second, value = (
        [text for text in form.getlist(f"correlation_{part}") if isinstance(text, str)]
        for part in ("first", "second", "value")
    )
    return first, second, value


def rows_of_form(firsts: list[str], seconds: list[str], values: list[str]) -> list[Row]:
    """Put the fields of the form together, row by row; rows with nothing in them are left out."""
    rows = [
        {"first": first.strip(), "second": second.strip(), "value": value.strip()}
        for first, second, value in zip(firsts, seconds, values, strict=False)
    ]
    return [row for row in rows if any(row.values())]


def rows_of_entries(entries: list[dict[str, Any]]) -> list[Row]:
    """Give the rows of entries as the API takes them, a matrix pair by pair; none where the form takes fewer."""
    rows = all_rows_of_entries(entries)
    return rows if len(rows) <= CORRELATIONS_MAX else []


def all_rows_of_entries(entries: list[dict[str, Any]]) -> list[Row]:
    """Give the rows of entries, however many the form takes."""
    rows: list[Row] = []
    for entry in entries:
        cells, matrix = entry["cells"], entry.get("matrix")
        if matrix is None:
            matrix = [[1.0, entry["correlation"]], [entry["correlation"], 1.0]]
        rows += [
            {"first": cells[one], "second": cells[other], "value": f"{matrix[one][other]:.15g}"}
            for one in range(len(cells))
            for other in range(one + 1, len(cells))
            if matrix[one][other]
        ]
    return rows


def rows_of_run(run: Run) -> list[Row]:
    """Give the rows that ask for a run's correlations again: those asked for, where they were repaired.

    None where there are more than the form takes.
    """
    rows = [
        {"first": first, "second": second, "value": f"{value:.15g}"}
        for first, second, value in _pairs(run.correlations, asked=True)
    ]
    return rows if len(rows) <= CORRELATIONS_MAX else []


def read_rows(rows: list[Row]) -> list[dict[str, Any]]:
    """Read rows into entries of an order; what is wrong with one is left in it as `error`."""
    entries: list[dict[str, Any]] = []
    for row in rows:
        number = _number(row["value"])
        if not row["first"] or not row["second"]:
            row["error"] = "Name two inputs, such as Inputs!B4 and Inputs!B5."
        elif max(len(row["first"]), len(row["second"])) > REFERENCE_LENGTH_MAX:
            row["error"] = f"A cell has at most {REFERENCE_LENGTH_MAX} characters, its sheet included."
        elif number is None or not -1 <= number <= 1:
            row["error"] = "Enter a number from -1 to 1, such as 0.6."
        entries.append({"cells": [row["first"], row["second"]], "correlation": number})
    return entries


def _number(text: str) -> float | None:
    try:
        number = float(text) if text.isascii() and "_" not in text else math.nan
    except ValueError:
        return None
    return None if math.isnan(number) else number


def told_repair(rows: list[Row]) -> str:
    """Say what a run would change about correlations that no numbers can have together; "" where all are possible.

    Rows that are wrong by themselves are left out: their errors are told beside them.
    """
    pairs: dict[tuple[str, str], float] = {}
    names: dict[str, str] = {}
    for row in rows:
        number, cells = _number(row["value"]), (row["first"], row["second"])
        plain = [cell.replace("$", "").replace("'", "").upper() for cell in cells]
        if number is None or not -1 <= number <= 1 or not all(plain) or plain[0] == plain[1]:
            continue
        names |= dict(zip(plain, cells, strict=True))
        pairs[plain[0], plain[1]] = pairs[plain[1], plain[0]] = number
    if not 3 <= len(names) <= CHECKED_INPUTS_MAX:
        return ""
    matrix = [[1.0 if one == other else pairs.get((one, other), 0.0) for other in names] for one in names]
    used = RankCorrelation.of(list(names.values()), range(len(names)), matrix)
    if used.repair is None:
        return ""
    first, second = used.repair.cells
    across, down = used.cells.index(first), used.cells.index(second)
    return (
        f"No numbers can have all these correlations. A run would use the nearest possible ones: that of {first} and "
        f"{second} would change most, from {matrix[across][down]:.4g} to {used.matrix[across][down]:.3g}."
    )


def settings_of(run: Run) -> list[tuple[str, str]]:
    """Say how a run drew, in pairs of label and text."""
    words = METHOD_WORDS[run.sampling].partition(":")[0]
    if run.sampling != SAMPLING_METHODS[0]:
        words += "; the standard error shown is that of chance alone, and usually larger than this method's"
    return [("Sampling", words)]


def used_correlations(run: Run) -> dict[str, Any] | None:
    """Lay a run's correlations out for its page; None where its inputs are independent."""
    if run.correlations is None:
        return None
    used, asked = (
        _pairs(run.correlations),
        {pair[:2]: pair[2] for pair in _pairs(run.correlations, asked=True)},
    )
    repaired = run.correlations["repaired"]
    names = {one["cell"]: one["name"] or one["cell"] for one in run.inputs}
    told = ""
    if repaired is not None:
        between = " and ".join(_name_with_cell(names, cell) for cell in repaired["cells"])
        told = (
            "No numbers can have all the correlations that were asked for, so the nearest possible ones were used. "
            f"The largest change is {repaired['largest_change']:.3g}, between {between}."
        )
    return {
        "pairs": [
            {
                "first": {"cell": first, "name": names[first]},
                "second": {"cell": second, "name": names[second]},
                "asked": f"{asked.get((first, second), 0):.4g}",
                "used": f"{value:.4g}",
            }
            for first, second, value in used[:PAIRS_SHOWN_MAX]
        ],
        "more": max(0, len(used) - PAIRS_SHOWN_MAX),
        "repaired": told,
    }


def _name_with_cell(names: dict[str, str], cell: str) -> str:
    return cell if names[cell] == cell else f"{names[cell]} ({cell})"


def _pairs(correlations: dict[str, Any] | None, *, asked: bool = False) -> list[tuple[str, str, float]]:
    """The correlations that are not 0, each pair once."""
    if correlations is None:
        return []
    cells, repaired = correlations["cells"], correlations["repaired"]
    matrix = repaired["asked"] if asked and repaired is not None else correlations["matrix"]
    return [
        (cells[row], cells[column], matrix[row][column])
        for row in range(len(cells))
        for column in range(row + 1, len(cells))
        if matrix[row][column]
    ]
