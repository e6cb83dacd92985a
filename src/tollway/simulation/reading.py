"""What runs in the child process that reads an uploaded workbook: limits on itself, then a question and its answer.

Whatever a hostile file does here dies with this process.
"""

import contextlib
import math
import resource
import time
from functools import lru_cache
from pathlib import Path
from typing import Any

from tollway.simulation.fitting import fit

# Address space, not memory: libraries map more than they use.
MEMORY_BYTES_MAX = 1_000_000_000
CPU_SECONDS_MAX = 30
# The engine's block, as in `shards`, which this small process does not import.
BLOCK_ITERATIONS = 4_096
UNSUPPORTED_NAMED_MAX = 50
CANDIDATES_MAX = 200
PREVIEW_SHEETS_MAX = 20
PREVIEW_ROWS_MAX = 200
PREVIEW_COLUMNS_MAX = 40
PREVIEW_CELLS_MAX = 10_000
PREVIEW_TEXT_LENGTH_MAX = 200


def answer_question(question: dict[str, Any]) -> dict[str, Any]:
    """Answer a question (`ANSWERS`) in a process of its own; a refusal is an answer too."""
    from tollway.engine import EngineError

    limit_child(CPU_SECONDS_MAX, MEMORY_BYTES_MAX)
    try:
        return ANSWERS[question["ask"]](question)
    except EngineError as refused:
        return {
            "refused": {
                "code": refused.code,
                "message": refused.message,
                "cells": list(refused.cells),
                "field": refused.field,
                "construct": getattr(refused, "construct", ""),
            }
        }
    except (MemoryError, RecursionError):
        return {"refused": {"code": "too-complex", "message": "", "cells": [], "field": None}}


def limit_child(cpu_seconds: int, memory_bytes: int) -> None:
    """Bound what a child may take; one that is killed leaves no picture of its memory."""
    limit_this_process(resource.RLIMIT_CPU, cpu_seconds)
    limit_this_process(resource.RLIMIT_AS, memory_bytes)
    limit_this_process(resource.RLIMIT_CORE, 0)


def limit_this_process(kind: int, most: int) -> None:
    """Lower one of the system's limits for the rest of this process; a stricter one stays."""
    _, hard = resource.getrlimit(kind)
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    # macOS refuses any limit of the address space; the parent's clock still ends the child there.
    with contextlib.suppress(ValueError):
        resource.setrlimit(kind, (most, most))


def inspect(question: dict[str, Any]) -> dict[str, Any]:
    """Say what a workbook holds: its formulas, candidates, agreement with Excel, and cells to show."""
    from tollway.engine import inspect_workbook

    workbook = _read(question)
    found = inspect_workbook(workbook)
    return {"found": found.as_json(), "preview": preview(found.workbook)}


def plan(question: dict[str, Any]) -> dict[str, Any]:
    """Build the program that a run would execute and run one block of it."""
    from tollway.engine import (
        Sampling,
        build_program,
        check_reach,
        check_sampling,
        live_bin_edges,
        read_correlations,
        read_stress,
        with_stress,
    )

    workbook = _read(question)
    inputs = [_input(workbook, index, one) for index, one in enumerate(question["inputs"])]
    outputs = [qualified(workbook, cell) for cell in question["outputs"]]
    program = build_program(workbook, inputs, outputs)
    if question["are_inputs_asked"]:
        check_reach(program)
    correlation = read_correlations(
        [_with_sheets(workbook, one) for one in question["correlations"]], workbook, program
    )
    stress = read_stress(
        [one | {"cell": qualified(workbook, one["cell"])} for one in question["stress"]], workbook, program
    )
    written = program.inputs[len(inputs) :]
    program = with_stress(program, stress)
    sampling = Sampling(check_sampling(question["sampling"]), question["run_iterations"], correlation)
    # The bins come from the run's own first block, which is measured on the way.
    started = time.perf_counter()
    edges = live_bin_edges(program, question["seed"], sampling)
    seconds = time.perf_counter() - started
    return {
        "inputs": [one.cell for one in program.inputs],
        "input_names": [one.name for one in program.inputs],
        # Behind those that were marked: what the workbook draws by itself.
        "written": [
            {
                "cell": one.cell,
                "reference": one.cell,
                "name": one.name,
                "distribution": one.distribution.as_json(),
                "written": one.written,
                "is_computed": one.is_computed,
            }
            for one in written
        ],
        "outputs": list(program.outputs),
        "output_names": list(program.output_names),
        "bin_edges": [row if math.isfinite(row[0]) else [] for row in edges.tolist()],
        "seconds_per_iteration": max(seconds, 1e-9) / BLOCK_ITERATIONS,
        "correlations": None if correlation is None else correlation.as_json(),
        "stress": stress,
    }


def plan_all(question: dict[str, Any]) -> dict[str, Any]:
    """Do the same for several runs of one workbook, which is read once; a refusal says of which run it is."""
    from tollway.engine import EngineError

    plans = []
    for index, run in enumerate(question["runs"]):
        try:
            plans.append(plan(question | run))
        except EngineError as refused:
            refused.field = f"runs.{index}.{refused.field or ''}"
            raise
    return {"plans": plans}


def plan_seek(question: dict[str, Any]) -> dict[str, Any]:
    """Build the program of a goal seek and measure one block of it; everything left open comes back filled in."""
    import numpy as np

    from tollway.engine import (
        Sampling,
        check_sampling,
        draw,
        evaluate,
        read_correlations,
        read_stress,
    )
    from tollway.engine.goal_seek import GoalSeek, build_seek_program, check_sought, parse_statistic

    workbook = _read(question)
    inputs = [_input(workbook, index, one) for index, one in enumerate(question["inputs"])]
    seek = GoalSeek(
        cell=qualified(workbook, question["cell"]),
        low=question["low"],
        high=question["high"],
        output=qualified(workbook, question["output"]),
        statistic=parse_statistic(question["statistic"], question["at_or_below"]),
        goal=question["goal"],
        tolerance=question["tolerance"],
    )
    built = build_seek_program(workbook, inputs, seek)
    program, sought = built.program, built.program.inputs[built.sought_index]
    correlation = read_correlations(
        [_with_sheets(workbook, one) for one in question["correlations"]], workbook, program
    )
    stress = read_stress(
        [one | {"cell": qualified(workbook, one["cell"])} for one in question["stress"]], workbook, program
    )
    check_sought(built, correlation, stress)
    sampling = Sampling(check_sampling(question["sampling"]), question["run_iterations"], correlation)
    count = min(BLOCK_ITERATIONS, question["run_iterations"])
    draws = draw(program.inputs, question["seed"], 0, count, sampling)
    draws[built.sought_index] = np.linspace(seek.low, seek.high, count)
    started = time.perf_counter()
    evaluate(program, draws)
    seconds = time.perf_counter() - started
    return {
        "cell": sought.cell,
        "cell_name": sought.name,
        "output": program.outputs[0],
        "output_name": program.output_names[0],
        "variables": [
            {"cell": one.cell, "name": one.name, "distribution": mark["distribution"]}
            for one, mark in zip(program.inputs, question["inputs"], strict=False)
        ],
        "correlations": None if correlation is None else correlation.as_json(),
        "stress": stress,
        "seconds_per_iteration": max(seconds, 1e-9) / count,
    }


def _input(workbook: Any, index: int, given: dict[str, Any]) -> Any:
    from tollway.engine import EngineError, Input, parse_distribution

    try:
        distribution = parse_distribution(given["distribution"])
    except EngineError as refused:
        refused.field = f"inputs.{index}.{refused.field or 'distribution'}"
        raise
    return Input(qualified(workbook, given["cell"]), distribution, given["name"])


def _with_sheets(workbook: Any, entry: dict[str, Any]) -> dict[str, Any]:
    return entry | {"cells": [qualified(workbook, cell) for cell in entry["cells"]]}


def qualified(workbook: Any, cell: str) -> str:
    """Put the first visible sheet before a cell that names none; nothing assumes what a sheet is called."""
    from tollway.engine.language.formula import sheet_text

    if "!" in cell:
        return cell
    visible = [sheet for sheet in workbook.sheets if not sheet.is_hidden] or workbook.sheets
    return f"{sheet_text(visible[0].name)}!{cell}"


def preview(workbook: Any) -> dict[str, Any]:
    """Return the top left cells of each sheet, as a page shows them: {sheets: [{name, ..., cells}]}.

    Each cell is {row, column, cell, kind, value, formula}; `cut` says that the sheet has more.
    """
    from tollway.engine.language.formula import cell_text

    left = PREVIEW_CELLS_MAX
    sheets: list[dict[str, Any]] = []
    for sheet in workbook.sheets[:PREVIEW_SHEETS_MAX]:
        inside = sorted(
            place for place in sheet.cells if place[0] <= PREVIEW_ROWS_MAX and place[1] <= PREVIEW_COLUMNS_MAX
        )
        shown = inside[:left]
        left -= len(shown)
        cells = []
        for row, column in shown:
            cell = sheet.cells[(row, column)]
            kind, value = shown_value(cell.value)
            formula = None if cell.formula is None else f"={cell.formula}"[:PREVIEW_TEXT_LENGTH_MAX]
            cells.append(
                {
                    "row": row,
                    "column": column,
                    "cell": cell_text(row, column),
                    "kind": kind,
                    "value": value,
                    "formula": formula,
                    "number_format": cell.number_format[:PREVIEW_TEXT_LENGTH_MAX],
                }
            )
        sheets.append(
            {
                "name": sheet.name,
                "hidden": sheet.is_hidden,
                "cut": len(shown) < len(sheet.cells),
                "cells": cells,
            }
        )
    return {"sheets": sheets, "sheet_count": len(workbook.sheets)}


def shown_value(value: Any) -> tuple[str, Any]:
    """Return the kind of a cell's value and the value as JSON can carry it."""
    if value is None:
        return "blank", None
    if isinstance(value, bool):
        return "logical", value
    if isinstance(value, float):
        return "number", value
    if isinstance(value, str):
        return "text", value[:PREVIEW_TEXT_LENGTH_MAX]
    return "error", value.text


def _read(question: dict[str, Any]) -> Any:
    return _workbook(question["path"], question["file_bytes_max"], question["unpacked_bytes_max"])


@lru_cache(maxsize=1)
def _workbook(path: str, file_bytes_max: int, unpacked_bytes_max: int) -> Any:
    from tollway.engine import ReadLimits, read_workbook

    limits = ReadLimits(file_bytes_max=file_bytes_max, unpacked_bytes_max=unpacked_bytes_max)
    return read_workbook(Path(path), limits)


ANSWERS = {"inspect": inspect, "plan": plan, "plan_all": plan_all, "plan_seek": plan_seek, "fit": fit}
