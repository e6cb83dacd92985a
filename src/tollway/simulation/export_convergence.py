"""The sheet of an exported workbook that says whether there were iterations enough."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from tollway.engine import describe_convergence
from tollway.engine.runs.convergence import ITERATIONS_NEEDED_MAX, describe_needed

STATISTICS = {
    "mean": "Mean",
    "std": "Standard deviation",
    "p5": "Percentile 5 %",
    "p50": "Percentile 50 %",
    "p95": "Percentile 95 %",
}


class Writes(Protocol):
    """What writes cells of one kind of look."""

    grey: Any

    def sheet(self, name: str, title: str, widths: Sequence[int]) -> Any:
        """Begin a sheet."""

    def text(self, sheet: Any, row: int, column: int, text: object, look: Any = None) -> None:
        """Write a text, never a formula."""

    def number(self, sheet: Any, row: int, column: int, value: float | None, number_format: str) -> None:
        """Write a number, or that there is none."""

    def headers(self, sheet: Any, row: int, column: int, texts: Sequence[str]) -> None:
        """Write headings side by side."""


def write_convergence(writer: Writes, summaries: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
    """Write a verdict for each output, how closely its statistics are known, and how they settled.

    Takes labels and summaries; outputs without a verdict, as of runs of before there were any, are left out.
    """
    judged = [(label, one["convergence"]) for label, one in summaries if one.get("convergence") is not None]
    if not judged:
        return
    sheet = writer.sheet("Convergence", "Whether there were iterations enough", [30, 18, 18, 18, 14, 18, 18])
    row = 2
    for label, convergence in judged:
        writer.text(sheet, row, 0, label)
        writer.text(sheet, row + 1, 0, describe_convergence(convergence), writer.grey)
        row = _write_verdicts(writer, sheet, row + 2, convergence)
        row = _write_checkpoints(writer, sheet, row + 1, convergence) + 2


def _write_verdicts(writer: Writes, sheet: Any, row: int, convergence: Mapping[str, Any]) -> int:
    reach = f"± at {100 * convergence['confidence']:.3g} %"
    writer.headers(sheet, row, 0, ["Statistic", "Value", reach, "± allowed", "Settled", "Iterations needed"])
    for one in convergence["statistics"]:
        row += 1
        writer.text(sheet, row, 0, STATISTICS[one["statistic"]])
        for column, member in enumerate(("value", "half_width", "allowed"), start=1):
            writer.number(sheet, row, column, one[member], "General")
        writer.text(sheet, row, 4, "yes" if one["is_settled"] else "no")
        needed = one["iterations_needed"]
        if needed is not None and needed <= ITERATIONS_NEEDED_MAX:
            writer.number(sheet, row, 5, needed, "#,##0")
        else:
            writer.text(sheet, row, 5, describe_needed(one))
    return row + 1


def _write_checkpoints(writer: Writes, sheet: Any, row: int, convergence: Mapping[str, Any]) -> int:
    writer.headers(sheet, row, 0, ["After iterations", "Mean", "Low", "High", "5 %", "50 %", "95 %"])
    for one in convergence["checkpoints"]:
        row += 1
        writer.number(sheet, row, 0, one["iterations"], "#,##0")
        told = [
            one["mean"],
            one["low"],
            one["high"],
            *(one["percentiles"][name] for name in ("5", "50", "95")),
        ]
        for column, value in enumerate(told, start=1):
            writer.number(sheet, row, column, value, "General")
    return row + 1
