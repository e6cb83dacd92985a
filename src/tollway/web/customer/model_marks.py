"""What the form of a model's page holds: read from the form or from a run, checked, and made an order for a run."""

import re
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import FormData

from tollway.engine import EngineError, parse_stress_text
from tollway.engine.sampling.stress import check_percentiles
from tollway.kit.forms import FormLimits
from tollway.kit.http import BODY_BYTES_MAX
from tollway.kit.problems import Problem
from tollway.simulation.entities import (
    CORRELATIONS_MAX,
    INPUTS_MAX,
    ITERATIONS_MIN,
    OUTPUTS_MAX,
    REFERENCE_LENGTH_MAX,
    SAMPLING_METHODS,
    SEED_MAX,
    TARGETS_MAX,
    TOLERANCE_DEFAULT,
    InputMark,
    Model,
    Run,
    RunOrder,
)
from tollway.simulation.mark_flows import DistributionReader
from tollway.web.charts.numbers import MINUS
from tollway.web.customer.correlation_views import (
    pair_fields,
    read_rows,
    rows_of_entries,
    rows_of_form,
    rows_of_run,
)
from tollway.web.distributions import in_words_of_the_form, read_distribution, shown_distribution

ITERATIONS_OFFERED = 100_000
TOLERANCE_OFFERED = f"{TOLERANCE_DEFAULT * 100:g}"
# What is larger is beyond what any output is written with.
TARGET_ABS_MAX = 1e150
# Errors of a run that stand beside a field of their own.
PLACED_FIELDS = ("iterations", "seed", "keep_samples", "targets", "tolerance", "stress")
CONFIDENCE_OFFERED = ("0.95", "0.99")
# Python refuses to read a number of thousands of digits, and reads slowly before it does.
DIGITS_MAX = 30


# Rows that the page offers empty, of each sort.
SPARE_ROWS_MAX = 2
# What stands once in the form: iterations, seed, sampling, three levels of confidence, targets, tolerance, stress,
# samples and the button, and as many again for what may come.
SETTING_FIELDS_MAX = 22
MARK_FIELDS_MAX = (
    2 * (INPUTS_MAX + SPARE_ROWS_MAX)
    + OUTPUTS_MAX
    + SPARE_ROWS_MAX
    + 3 * (CORRELATIONS_MAX + SPARE_ROWS_MAX)
    + SETTING_FIELDS_MAX
)
"""As many as the page of the largest model sends."""
FORM_LIMITS = FormLimits(
    fields_max=MARK_FIELDS_MAX,
    text_bytes_max=BODY_BYTES_MAX,
    advice=f"A run takes {INPUTS_MAX:,} inputs, {OUTPUTS_MAX:,} outputs and {CORRELATIONS_MAX:,} correlated pairs: "
    "take out what is beyond, or give the API the correlations as a matrix.",
)


@dataclass(slots=True)
class Marks:
    """The form of a model's page: what was typed, and what is wrong with it."""

    inputs: list[dict[str, str]] = field(default_factory=list)
    outputs: list[dict[str, str]] = field(default_factory=list)
    iterations: str = str(ITERATIONS_OFFERED)
    seed: str = ""
    sampling: str = SAMPLING_METHODS[0]
    correlations: list[dict[str, str]] = field(default_factory=list)
    confidence: list[str] = field(default_factory=lambda: list(CONFIDENCE_OFFERED))
    keep_samples: bool = False
    targets: str = ""
    # In percent.
    tolerance: str = TOLERANCE_OFFERED
    # Cells with two percentiles, as the command line takes them.
    stress: str = ""
    errors: dict[str, str] = field(default_factory=dict)

    def put_input(self, cell: str, distribution: str) -> None:
        """Give a cell a distribution: in its row where it has one, else in a row at the end."""
        for row in self.inputs:
            if _plain(row["cell"]) == _plain(cell):
                row["distribution"] = distribution
                return
        self.inputs.append({"cell": cell, "distribution": distribution})


def _plain(cell: str) -> str:
    """A reference as references are compared: without signs of how it is copied, in capitals."""
    return cell.replace("$", "").replace("'", "").strip().upper()


def marks_of_model(model: Model) -> Marks:
    """Give what is marked in a model."""
    return Marks(
        inputs=[
            {"cell": one.cell, "distribution": shown_distribution(one.distribution)}
            for one in model.input_marks
        ],
        outputs=[{"cell": cell} for cell in model.output_cells],
        correlations=rows_of_entries(model.correlations),
    )


def marks_of_run(run: Run) -> Marks:
    """Give what asks for a run again: its inputs, its outputs, and how it drew."""
    return Marks(
        inputs=[
            {"cell": one["cell"], "distribution": shown_distribution(one["distribution"])}
            for one in run.inputs
            if one.get("written") is None
        ],
        outputs=[{"cell": one["cell"]} for one in run.outputs],
        iterations=str(run.iterations),
        seed=str(run.seed),
        sampling=run.sampling,
        correlations=rows_of_run(run),
        keep_samples=run.keeps_samples,
        targets="; ".join(f"{value:.15g}" for value in run.targets),
        tolerance=f"{run.tolerance * 100:g}",
        stress=_text_of_stress(run),
    )


def marks_of_form(form: FormData) -> Marks:
    """Take what was typed, as it was typed; rows with nothing in them are left out."""
    return Marks(
        inputs=[
            {"cell": cell.strip(), "distribution": text.strip()}
            for cell, text in zip(
                _texts(form.getlist("input_cell")), _texts(form.getlist("input_distribution")), strict=False
            )
            if cell.strip() or text.strip()
        ],
        outputs=[{"cell": cell.strip()} for cell in _texts(form.getlist("output_cell")) if cell.strip()],
        iterations=str(form.get("iterations", "")).strip(),
        seed=str(form.get("seed", "")).strip(),
        sampling=str(form.get("sampling", SAMPLING_METHODS[0])),
        correlations=rows_of_form(*pair_fields(form)),
        confidence=_texts(form.getlist("confidence")),
        keep_samples=form.get("keep_samples") == "on",
        targets=str(form.get("targets", "")).strip(),
        tolerance=str(form.get("tolerance", TOLERANCE_OFFERED)).strip(),
        stress=str(form.get("stress", "")).strip(),
    )


def _text_of_stress(run: Run) -> str:
    return "; ".join(
        f"{one['cell']}={one['percentiles'][0]:.15g}..{one['percentiles'][1]:.15g}" for one in run.stress
    )


def _texts(values: list[Any]) -> list[str]:
    return [value for value in values if isinstance(value, str)]


def read_order(
    model_id: str, marks: Marks, *, draws_itself: bool = False, reader: DistributionReader | None = None
) -> RunOrder | None:
    """Read the form, or leave what is wrong with it in `marks` and return None.

    No input need be marked in a workbook that draws by itself. All distributions share the time of one reader.
    """
    inputs: list[InputMark] = []
    reader = reader or DistributionReader()
    for row in marks.inputs:
        try:
            if not row["cell"]:
                row["error"] = "Name the cell, such as Inputs!B4."
            inputs.append(InputMark(row["cell"], read_distribution(row["distribution"], reader)))
        except EngineError as refused:
            row["error"] = in_words_of_the_form(refused.message)
    for row in [*marks.inputs, *marks.outputs]:
        if len(row["cell"]) > REFERENCE_LENGTH_MAX:
            row["error"] = f"A cell has at most {REFERENCE_LENGTH_MAX} characters, its sheet included."
    if len(marks.inputs) > INPUTS_MAX or len(marks.outputs) > OUTPUTS_MAX:
        marks.errors["form"] = f"A run takes at most {INPUTS_MAX:,} inputs and {OUTPUTS_MAX:,} outputs."
    elif not marks.inputs and not draws_itself:
        marks.errors["form"] = "Mark at least one input: a cell that is uncertain, with a distribution."
    elif not marks.outputs:
        marks.errors["form"] = "Mark at least one output: a formula whose result you want to know."
    iterations = _whole_number(marks.iterations.replace(",", "").replace("_", ""))
    if iterations is None or iterations < ITERATIONS_MIN:
        marks.errors["iterations"] = f"Enter a whole number from {ITERATIONS_MIN:,} on."
    seed = _whole_number(marks.seed)
    if marks.seed and (seed is None or seed > SEED_MAX):
        marks.errors["seed"] = f"Enter a whole number from 0 to {SEED_MAX:,}, or leave it empty."
    correlations = _read_sampling(marks)
    targets, tolerance, stress = _read_targets(marks), _read_tolerance(marks), _read_stress(marks)
    levels = [level for level in marks.confidence if level in ("0.9", "0.95", "0.99")]
    if not levels:
        marks.errors["confidence"] = "Choose at least one."
    rows = [*marks.inputs, *marks.outputs, *marks.correlations]
    if iterations is None or marks.errors or any("error" in row for row in rows):
        marks.errors.setdefault("form", "Correct what is marked below.")
        return None
    return RunOrder(
        model_id=model_id,
        iterations=iterations,
        inputs=inputs,
        outputs=[row["cell"] for row in marks.outputs],
        confidence_levels=[float(level) for level in levels],
        seed=seed,
        sampling=marks.sampling,
        correlations=correlations,
        keep_samples=marks.keep_samples,
        targets=targets,
        tolerance=tolerance,
        stress=stress,
    )


def _read_sampling(marks: Marks) -> list[dict[str, Any]]:
    """Check the method and return the entries of correlations; what is wrong is left in `marks`."""
    if marks.sampling not in SAMPLING_METHODS:
        marks.errors["sampling"] = "Choose one of the three."
    if len(marks.correlations) > CORRELATIONS_MAX:
        marks.errors["form"] = f"A run takes at most {CORRELATIONS_MAX:,} pairs here; the API takes a matrix."
    return read_rows(marks.correlations)


_TARGET = re.compile(r"[+-]?(\d{1,3}(,\d{3})+|\d+)?(\.\d*)?([eE][+-]?\d{1,3})?")


def _read_targets(marks: Marks) -> list[float]:
    """Read the values whose probability is asked for; what is wrong is left in `marks`."""
    words = marks.targets.replace(MINUS, "-").replace(";", " ").split()
    found = []
    for word in words:
        if not (word.isascii() and re.search(r"\d", word) and _TARGET.fullmatch(word)):
            marks.errors["targets"] = (
                f"{word[:40]!r} is no number. Write numbers with semicolons between them, such as 1,000,000; 1.5e6."
            )
            return []
        found.append(float(word.replace(",", "")))
    if len(found) > TARGETS_MAX or any(abs(value) > TARGET_ABS_MAX for value in found):
        marks.errors["targets"] = f"A run takes at most {TARGETS_MAX} values, none beyond {TARGET_ABS_MAX:g}."
    return found


def _read_tolerance(marks: Marks) -> float:
    """Read the tolerance as a share; what is wrong with it is left in `marks`."""
    number = re.fullmatch(r"\d{1,2}(\.\d{1,6})?|\.\d{1,6}", marks.tolerance.rstrip("% "))
    if number is None or not float(number[0]):
        marks.errors["tolerance"] = "Enter a percentage above 0 and below 100, such as 3."
        return TOLERANCE_DEFAULT
    return float(number[0]) / 100


# A sheet's name in apostrophes may hold what parts two entries.
_STRESSED = re.compile(r"(?:'(?:[^']|'')*'|[^;'])+")


def _read_stress(marks: Marks) -> list[dict[str, Any]]:
    """Read which inputs are held where; what is wrong with one is left in `marks`."""
    found = []
    try:
        for text in filter(str.strip, _STRESSED.findall(marks.stress)):
            entry = parse_stress_text(text)
            found.append(entry | {"percentiles": check_percentiles(entry["percentiles"], entry["cell"])})
    except EngineError as refused:
        marks.errors["stress"] = refused.message
        return []
    return found


def _whole_number(text: str) -> int | None:
    """Read digits; None for anything else, and for more digits than any of our numbers has."""
    return int(text) if text.isdecimal() and len(text) <= DIGITS_MAX else None


def place_errors(marks: Marks, problem: Problem) -> None:
    """Put what the engine or the plan found wrong beside the row or the field that it is about."""
    for one in problem.errors:
        parts = one.pointer.strip("/").split("/")
        rows = {"inputs": marks.inputs, "variables": marks.inputs, "outputs": marks.outputs,
                "output_cells": marks.outputs, "correlations": marks.correlations}  # fmt: skip
        named = next((position for position, part in enumerate(parts) if part in rows), None)
        if named is not None and named + 1 < len(parts) and parts[named + 1].isdecimal():
            index = int(parts[named + 1])
            if index < len(rows[parts[named]]):
                rows[parts[named]][index]["error"] = in_words_of_the_form(one.message)
                continue
        placed = next((part for part in parts if part in PLACED_FIELDS), "form")
        marks.errors[placed] = one.message
    marks.errors.setdefault("form", problem.message)
