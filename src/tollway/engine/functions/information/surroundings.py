"""CELL and INFO. Source: Microsoft's pages of both; what a file does not tell is refused by name."""

from __future__ import annotations

import re
from typing import Any

from tollway.engine.functions.ranges import CellRange, reference_of
from tollway.engine.functions.registry import Argument, Context, function
from tollway.engine.language.syntax import column_letters, sheet_text
from tollway.engine.values import ErrorValue, UnsupportedFormula, Value

_UNKNOWN = frozenset({"prefix", "protect", "width"})
# What Excel for Windows answers.
_SURROUNDINGS: dict[str, Value] = {
    "origin": "$A:$A$1",
    "osversion": "Windows (64-bit) NT 10.00",
    "recalc": "Automatic",
    "release": "16.0",
    "system": "pcdos",
}
_DATE_CODES = {
    "d-mmm-yy": "D1", "dd-mmm-yy": "D1", "d-mmm": "D2", "dd-mmm": "D2", "mmm-yy": "D3", "m/d/yy": "D4",
    "m/d/yyyy": "D4", "m/d/yyh:mm": "D4", "m/d/yyyyh:mm": "D4", "mm/dd/yy": "D4", "mm/dd/yyyy": "D4",
    "mm-dd-yy": "D4", "mm/dd": "D5", "h:mm:ssam/pm": "D6", "h:mmam/pm": "D7", "h:mm:ss": "D8", "h:mm": "D9",
}  # fmt: skip
_COLOURS = re.compile(r"\[(?:black|blue|cyan|green|magenta|red|white|yellow|color\s*\d+)\]", re.IGNORECASE)
_LITERALS = re.compile(r'"[^"]*"|\\.|_.|\*.')


@function("CELL", "text [grid]", returns="any", wants_context=True)
def cell(context: Context, info_type: str, reference: Argument = None) -> Argument:
    """A fact about the first cell of a reference, or about the cell itself.

    "address", "col", "color", "contents", "filename", "format", "parentheses", "row", "type".
    Errors: #VALUE! for another word, and for what is no reference. "prefix", "protect" and "width" are refused.
    """
    wanted = info_type.lower()
    assert context.cells is not None
    if reference is None:
        area = context.cells.range_of(context.sheet, (context.row, context.column) * 2)
    else:
        area = reference_of(reference)
    first = reference_of(area.part(range(1), range(1)))
    if wanted in _UNKNOWN:
        raise UnsupportedFormula(
            f'The formula asks for CELL("{wanted}"), which is not supported yet.', construct="CELL"
        )
    if wanted not in _FACTS:
        return ErrorValue.VALUE
    found: Argument = _FACTS[wanted](context, first)
    return found


def _address(context: Context, first: CellRange) -> str:
    sheet, row, column = first.sheet, first.bounds[0], first.bounds[1]
    written = f"${column_letters(column)}${row}"
    assert context.cells is not None
    if sheet == context.sheet:
        return written
    return f"{sheet_text(context.cells.workbook.sheets[sheet].name)}!{written}"


def _contents(_context: Context, first: CellRange) -> Value:
    value = first.at(0, 0)
    return 0.0 if value is None else value


def _type(_context: Context, first: CellRange) -> str:
    value = first.at(0, 0)
    return "b" if value is None else "l" if isinstance(value, str) else "v"


def _filename(context: Context, first: CellRange) -> str:
    assert context.cells is not None
    return f"[Workbook.xlsx]{context.cells.workbook.sheets[first.sheet].name}"


def _format(context: Context, first: CellRange) -> str:
    sections = _sections(context, first)
    code = _plain_code(sections[0])
    if len(sections) > 1 and _COLOURS.search(sections[1]):
        code += "-"
    return code + ("()" if _has_parentheses(sections[0]) else "")


def _plain_code(section: str) -> str:
    shown = _LITERALS.sub("", _COLOURS.sub("", section))
    bare = re.sub(r"\[[^\]]*\]|[\s()]", "", shown).lower()
    if bare in _DATE_CODES:
        return _DATE_CODES[bare]
    if not bare or "general" in bare or "/" in bare or "@" in bare or re.search(r"[dmyhs]", bare):
        return "G"
    decimals = len(re.sub(r"[^0#?]", "", bare.partition(".")[2].partition("e")[0]))
    if "%" in bare:
        return f"P{decimals}"
    if "e+" in bare or "e-" in bare:
        return f"S{decimals}"
    if re.search(r"[$€£¥]", section):
        return f"C{decimals}"
    return f"{',' if ',' in bare else 'F'}{decimals}"


def _colour(context: Context, first: CellRange) -> float:
    sections = _sections(context, first)
    return float(len(sections) > 1 and _COLOURS.search(sections[1]) is not None)


def _parentheses(context: Context, first: CellRange) -> float:
    return float(_has_parentheses(_sections(context, first)[0]))


def _sections(context: Context, first: CellRange) -> list[str]:
    assert context.cells is not None
    assert first.origin is not None
    return context.cells.number_format(first.origin).split(";")


def _has_parentheses(section: str) -> bool:
    return "(" in _LITERALS.sub("", section)


_FACTS: dict[str, Any] = {
    "address": _address,
    "col": lambda _context, first: float(first.bounds[1]),
    "color": _colour,
    "contents": _contents,
    "filename": _filename,
    "format": _format,
    "parentheses": _parentheses,
    "row": lambda _context, first: float(first.bounds[0]),
    "type": _type,
}


@function("INFO", "text", returns="any", wants_context=True)
def info(context: Context, type_text: str) -> Value:
    """A fact about Excel, as Excel for Windows answers: "numfile" (sheets), "origin", "osversion", "recalc",
    "release", "system". Errors: #N/A for the facts about memory, #VALUE! for another word; "directory" is refused.
    """
    wanted = type_text.lower()
    if wanted == "directory":
        raise UnsupportedFormula(
            'The formula asks for INFO("directory"), which no file tells.', construct="INFO"
        )
    if wanted in ("memavail", "memused", "totmem"):
        return ErrorValue.NA
    if wanted == "numfile":
        assert context.cells is not None
        return float(len(context.cells.workbook.sheets))
    return _SURROUNDINGS.get(wanted, ErrorValue.VALUE)
