"""What a sample workbook is, and how its sheets are written: labels, marked inputs, formulas, notes.

Every formula is written with its value, so that a reader who opens the file without recalculating it
sees the same as Excel shows.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import xlsxwriter

from tollway.engine import Distribution

# A fixed date of creation, so that the same sample is the same bytes.
_CREATED_AT = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class SampleInput:
    """A cell that a run varies."""

    cell: str
    name: str
    distribution: Distribution


@dataclass(frozen=True)
class SampleOutput:
    """A cell whose risk is asked for."""

    cell: str
    name: str


@dataclass(frozen=True)
class KnownAnswer:
    """What infinitely many iterations would give for an output."""

    cell: str
    mean: float
    std: float


@dataclass(frozen=True)
class Sample:
    """A workbook that explains itself, with its inputs, outputs and answers."""

    name: str
    title: str
    use_case: str
    """As the sign-up form names it."""
    filename: str
    summary: str
    inputs: tuple[SampleInput, ...]
    outputs: tuple[SampleOutput, ...]
    known_answers: tuple[KnownAnswer, ...]
    draw_sheets: Callable[["Page"], None]

    def to_bytes(self) -> bytes:
        """Make the .xlsx; always the same bytes."""
        packed = io.BytesIO()
        with xlsxwriter.Workbook(packed, {"in_memory": True}) as workbook:
            workbook.set_properties({"title": self.title, "comments": self.summary, "created": _CREATED_AT})
            self.draw_sheets(Page(workbook, self.outputs[0].cell.partition("!")[0], self.title))
            _write_notes(Page(workbook, "Notes", "What this workbook is"), self)
        return packed.getvalue()


class Page:
    """One sheet: labels in column A, values in B, explanations in C. Remembers values for later formulas."""

    def __init__(self, workbook: Any, name: str, title: str) -> None:
        self.workbook = workbook
        self.values: dict[str, float] = {}
        self.formats: dict[tuple[str, str], Any] = {}
        self.sheet = workbook.add_worksheet(name)
        self.sheet.hide_gridlines(2)
        self.sheet.set_column("A:A", 34)
        self.sheet.set_column("B:B", 16)
        self.sheet.set_column("C:H", 14)
        self.sheet.write_string("A1", title, workbook.add_format({"bold": True, "font_size": 16}))

    def heading(self, cell: str, text: str) -> None:
        """A line between two parts."""
        self.sheet.write_string(cell, text, self._style("heading", "General"))

    def note(self, cell: str, text: str) -> None:
        """An explanation in grey."""
        self.sheet.write_string(cell, text, self._style("note", "General"))

    def label(self, cell: str, text: str) -> None:
        """What a row or column is."""
        self.sheet.write_string(cell, text)

    def number(self, cell: str, value: float, number_format: str, style: str = "plain") -> float:
        """A constant; style "input" marks a cell that a run varies."""
        self.sheet.write_number(cell, value, self._style(style, number_format))
        self.values[cell] = value
        return value

    def formula(
        self, cell: str, formula: str, value: float, number_format: str, style: str = "plain"
    ) -> float:
        """A formula with the value that Excel would compute; style "output" marks an answer."""
        self.sheet.write_formula(cell, formula, self._style(style, number_format), value)
        self.values[cell] = value
        return value

    def _style(self, style: str, number_format: str) -> Any:
        if (style, number_format) not in self.formats:
            looks: dict[str, dict[str, Any]] = {
                "plain": {},
                "input": {
                    "bg_color": "#FFF7D6",
                    "font_color": "#1F3FA8",
                    "border": 1,
                    "border_color": "#D9C77A",
                },
                "output": {"bold": True, "bg_color": "#E6F2EA", "border": 1, "border_color": "#9CC3A8"},
                "heading": {"bold": True, "bottom": 1},
                "note": {"italic": True, "font_color": "#666666"},
            }
            self.formats[style, number_format] = self.workbook.add_format(
                {"num_format": number_format} | looks[style]
            )
        return self.formats[style, number_format]


def _write_notes(page: Page, sample: Sample) -> None:
    page.sheet.set_column("A:A", 22)
    page.sheet.set_column("B:B", 34)
    page.sheet.set_column("C:C", 70)
    row = 3

    def line(*texts: str, heading: bool = False) -> None:
        nonlocal row
        for column, text in zip("ABC", texts, strict=False):
            (page.heading if heading else page.label)(f"{column}{row}", text)
        row += 1

    line(sample.summary)
    row += 1
    line("Input", "Name", "How it varies", heading=True)
    for source in sample.inputs:
        line(source.cell, source.name, source.distribution.describe())
    row += 1
    line("Output", "Name", "Known answer", heading=True)
    answers = {answer.cell: answer for answer in sample.known_answers}
    for output in sample.outputs:
        answer = answers.get(output.cell)
        line(
            output.cell,
            output.name,
            "a share of iterations: no closed form"
            if answer is None
            else f"mean {answer.mean:,.6g}, standard deviation {answer.std:,.6g}",
        )
    row += 1
    line("Yellow cells are inputs, green cells are outputs. Change any other cell and run again.")
