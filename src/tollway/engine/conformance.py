"""Recomputes whole folders of workbooks that Excel saved, and counts by file and by function where the engine agrees.

An accepted cell is wrong when its number differs from the stored one by more than 1e-12 of it, or when its kind, text,
truth or error value is another. Cells that no computation can repeat (volatile ones, links to other workbooks, cells
stored without a value) are left out and counted by themselves.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Any

from tollway.engine.agreement import Difference, Verdict, agrees, recomputed
from tollway.engine.exact.calculation import Calculation
from tollway.engine.exact.graph import Address, FormulaBook
from tollway.engine.functions import is_volatile
from tollway.engine.inspect import BoundFormulas, what_stopped
from tollway.engine.language.formula import parse
from tollway.engine.language.function_names import EXCEL_FUNCTIONS
from tollway.engine.language.syntax import Call, Name, Node, children
from tollway.engine.values import EngineError
from tollway.engine.workbooks.archive import ReadLimits
from tollway.engine.workbooks.workbook import Workbook, read_workbook

# The share of a number by which a recomputed one may differ from the stored one.
TOLERANCE = 1e-12
EXCEL = re.compile("Microsoft (Macintosh )?Excel( Online)?")
# What formulas that call no function at all are counted under.
OPERATORS = "(operators)"
EXPLANATIONS_MAX = 1_000


@dataclass
class Tally:
    """How many formula cells came out how."""

    equal: int = 0
    different: int = 0
    refused: int = 0

    def count(self, verdict: Verdict) -> None:
        """Count one cell; one that is left out is not counted."""
        if verdict is Verdict.EQUAL:
            self.equal += 1
        elif verdict is Verdict.DIFFERENT:
            self.different += 1
        elif verdict is Verdict.REFUSED:
            self.refused += 1

    def add(self, other: Tally) -> None:
        """Count what another tally counted."""
        self.equal += other.equal
        self.different += other.different
        self.refused += other.refused

    @property
    def share(self) -> float:
        """The share of equal cells, from 0 to 1; of none it is 1."""
        total = self.equal + self.different + self.refused
        return self.equal / total if total else 1.0

    def as_json(self) -> dict[str, Any]:
        """Plain types."""
        return {"equal": self.equal, "different": self.different, "refused": self.refused}


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why cells of one file may differ: its path ends with `file`, and `cells` are patterns such as "Sheet1!I?"."""

    file: str
    cells: tuple[str, ...]
    reason: str

    def covers(self, path: Path, cell: str) -> bool:
        """Whether it speaks of a cell."""
        return path.as_posix().endswith(self.file) and any(fnmatchcase(cell, one) for one in self.cells)


@dataclass(frozen=True, slots=True)
class Wrong:
    """An accepted cell that differs; `reason` where an explanation covers it."""

    difference: Difference
    reason: str | None

    def as_json(self) -> dict[str, Any]:
        """Plain types."""
        return {**self.difference.as_json(), "explained": self.reason}


@dataclass
class FileReport:
    """One file. `refusal` is the sentence where nothing of it could be computed."""

    path: Path
    application: str = ""
    tally: Tally = field(default_factory=Tally)
    left_out: int = 0
    wrong: list[Wrong] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)
    refusal: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Plain types."""
        return {
            "file": self.path.as_posix(),
            "application": self.application,
            **self.tally.as_json(),
            "left_out": self.left_out,
            "wrong": [one.as_json() for one in self.wrong],
            "refused_cells": [list(pair) for pair in self.refused],
            "refusal": self.refusal,
        }


@dataclass
class Conformance:
    """All files; `functions` holds for each saving application a tally for each function that its files call."""

    files: list[FileReport] = field(default_factory=list)
    functions: dict[str, dict[str, Tally]] = field(default_factory=dict)

    @property
    def unexplained(self) -> list[tuple[Path, Wrong]]:
        """The accepted cells that are wrong, and nothing says why."""
        return [(one.path, wrong) for one in self.files for wrong in one.wrong if wrong.reason is None]

    @property
    def excel_functions(self) -> dict[str, Tally]:
        """A tally for each function over the files that Excel saved: on Windows, on a Mac or in a browser."""
        joined: dict[str, Tally] = {}
        for application, tallies in self.functions.items():
            if EXCEL.fullmatch(application):
                for name, tally in tallies.items():
                    joined.setdefault(name, Tally()).add(tally)
        return joined

    @property
    def mean_over_functions(self) -> float:
        """The mean of the functions' shares of equal cells, over files that Excel saved; 1 for no file."""
        tallies = self.excel_functions
        return sum(tally.share for tally in tallies.values()) / len(tallies) if tallies else 1.0

    def as_json(self) -> dict[str, Any]:
        """Plain types."""
        return {
            "mean_over_functions": self.mean_over_functions,
            "unexplained": len(self.unexplained),
            "functions": {
                application: {name: tally.as_json() for name, tally in sorted(tallies.items())}
                for application, tallies in sorted(self.functions.items())
            },
            "files": [one.as_json() for one in self.files],
        }


class BadExplanations(EngineError):
    """A list of explanations that cannot be read."""

    code = "bad-explanations"


def read_explanations(path: Path) -> list[Explanation]:
    """Read a TOML file of [[cells]] tables, each with file, cells and reason. Raises: BadExplanations."""
    try:
        tables = tomllib.loads(path.read_text())["cells"]
        found = [Explanation(one["file"], tuple(one["cells"]), one["reason"]) for one in tables]
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise BadExplanations(
            f"{path} is no list of explanations ({error}); write [[cells]] tables with file, cells and reason."
        ) from error
    if len(found) > EXPLANATIONS_MAX:
        raise BadExplanations(f"{path} explains {len(found):,} times, and {EXPLANATIONS_MAX:,} are allowed.")
    return found


def workbooks_in(path: Path) -> list[Path]:
    """A file itself, or every .xlsx and .xlsm below a folder, but for the marks that Excel leaves of open files."""
    if path.is_file():
        return [path]
    return sorted(
        found
        for found in path.rglob("*")
        if found.suffix.lower() in (".xlsx", ".xlsm") and not found.name.startswith("~$")
    )


def check_conformance(
    paths: Sequence[Path], explanations: Sequence[Explanation] = (), limits: ReadLimits | None = None
) -> Iterator[tuple[FileReport, Mapping[str, Tally]]]:
    """Recompute each file, and yield its report with a tally for each function that it calls."""
    for path in paths:
        report = FileReport(path)
        functions: dict[str, Tally] = {}
        try:
            workbook = read_workbook(path, limits)
            report.application = workbook.application
            _check_file(workbook, report, functions, explanations)
        except EngineError as refusal:
            report.refusal = refusal.message
        yield report, functions


def gathered(parts: Iterator[tuple[FileReport, Mapping[str, Tally]]]) -> Conformance:
    """Put the reports of many files together."""
    whole = Conformance()
    for report, functions in parts:
        whole.files.append(report)
        tallies = whole.functions.setdefault(report.application, {})
        for name, tally in functions.items():
            tallies.setdefault(name, Tally()).add(tally)
    return whole


def _check_file(
    workbook: Workbook,
    report: FileReport,
    functions: dict[str, Tally],
    explanations: Sequence[Explanation],
) -> None:
    book = FormulaBook(workbook)
    trees = BoundFormulas(book, list(book.formula_addresses()))
    calculation = Calculation(book, is_lenient=True)
    own_names = {name for _, name in workbook.names}
    stopped = dict(trees.unsupported)
    for one in recomputed(calculation, trees.bound, trees.order(), partial(agrees, tolerance=TOLERANCE)):
        formula = _formula_of(book, one.address)
        written = book.text(one.address)
        if is_volatile(stopped.get(one.address, "")):
            # Random numbers agree with nothing that was stored.
            report.left_out += 1
            continue
        report.tally.count(one.verdict)
        for name in _called(formula, own_names):
            functions.setdefault(name, Tally()).count(one.verdict)
        if one.verdict is Verdict.DIFFERENT:
            reason = next((each.reason for each in explanations if each.covers(report.path, written)), None)
            difference = Difference(written, f"={formula}", one.stored, one.computed)
            report.wrong.append(Wrong(difference, reason))
        elif one.verdict is Verdict.REFUSED:
            refusal = calculation.refused.get(one.address)
            why = stopped.get(one.address, "") if refusal is None else what_stopped(refusal)
            report.refused.append((written, why))
        elif one.verdict is not Verdict.EQUAL:
            report.left_out += 1


def _formula_of(book: FormulaBook, address: Address) -> str:
    """The formula of a cell, or the array formula that fills it."""
    cell = book.cell(address)
    if cell is not None and cell.array_anchor is not None:
        cell = book.cell((address[0], *cell.array_anchor))
    return "" if cell is None else cell.formula or ""


def _called(formula: str, own_names: set[str]) -> set[str]:
    """The functions that a formula calls; not the workbook's own, which are defined names, nor LET's."""
    try:
        stack: list[Node] = [parse(formula)]
    except EngineError:
        return {OPERATORS}
    found: set[str] = set()
    given: set[str] = set()
    while stack:
        node = stack.pop()
        if isinstance(node, Call):
            found.add(node.name)
            if node.name in ("LET", "LAMBDA"):
                given.update(one.text.lower() for one in node.arguments if isinstance(one, Name))
        stack.extend(children(node))
    called = {name for name in found & EXCEL_FUNCTIONS if name.lower() not in own_names | given}
    return called or {OPERATORS}
