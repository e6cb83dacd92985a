"""Tables of a workbook: read from their parts, and their structured references turned into areas.

Source: Microsoft, "Using structured references with Excel tables"; ECMA-376 part 1, 18.5.
"""

from __future__ import annotations

from tollway.engine.language.syntax import Area, ErrorLiteral, Node, Structured, area_bounds
from tollway.engine.values import ErrorValue, NotAWorkbook, WorkbookTooLarge
from tollway.engine.workbooks.archive import Archive, unescaped
from tollway.engine.workbooks.cells import Sheet, Table, column_key

TABLES_MAX = 10_000


# --- reading -------------------------------------------------------------------------------------------


class TableReader:
    """Reads the tables of all sheets, by their names in lower case."""

    def __init__(self, archive: Archive) -> None:
        self.archive = archive
        self.tables: dict[str, Table] = {}

    def read(self, part: str, index: int, sheet: Sheet) -> None:
        """Add the table of one part, and tell its sheet, read before, which rows the table's filter hides.

        Raises: NotAWorkbook, WorkbookTooLarge.
        """
        facts: dict[str, str] = {}
        columns: list[str] = []
        filtered: list[str] = []

        def start(tag: str, attributes: dict[str, str]) -> None:
            if tag == "table" and not facts:
                facts.update(attributes)
            elif tag == "tableColumn":
                columns.append(unescaped(attributes.get("name", "")))
            elif tag == "autoFilter":
                filtered[:] = [attributes.get("ref", "")]
            elif tag == "filterColumn" and filtered:
                sheet.hide_by_filter(area_bounds(filtered[0]))

        self.archive.read_xml(part, start, lambda _tag, _text: None)
        name = facts.get("displayName") or facts.get("name") or ""
        bounds = area_bounds(facts.get("ref", ""))
        header_count, totals_count = _count(facts, "headerRowCount", 1), _count(facts, "totalsRowCount", 0)
        if bounds is None or bounds[2] - bounds[0] + 1 < header_count + totals_count:
            raise NotAWorkbook(
                f"The table {name!r} of the sheet {sheet.name!r} covers {facts.get('ref', '')[:40]!r}, "
                "which is no area of a sheet with room for its headers and totals; "
                "open the workbook in Excel and save it again."
            )
        if len(self.tables) >= TABLES_MAX:
            raise WorkbookTooLarge(
                f"The workbook holds more than the {TABLES_MAX:,} tables that are allowed."
            )
        self.tables[name.lower()] = Table(name, index, bounds, tuple(columns), header_count, totals_count)


def _count(facts: dict[str, str], name: str, default: int) -> int:
    written = facts.get(name, "")
    return int(written) if written.isdigit() and len(written) < 8 else default


# --- structured references -----------------------------------------------------------------------------


def table_at(tables: dict[str, Table], sheet: int, row: int, column: int) -> Table | None:
    """The table that a cell lies in."""
    for table in tables.values():
        top, left, bottom, right = table.bounds
        if table.sheet == sheet and top <= row <= bottom and left <= column <= right:
            return table
    return None


def structured_area(node: Structured, table: Table, sheet: int, row: int) -> Node:
    """The cells that a structured reference means in a formula on a sheet and row, or the error value it gives.

    #REF! for columns, headers and totals that are not there; #VALUE! for "this row" beside the table's data.
    """
    rows = _rows(node.items, table, sheet, row)
    columns = _columns(node, table)
    if isinstance(rows, ErrorValue):
        return ErrorLiteral(rows)
    if columns is None:
        return ErrorLiteral(ErrorValue.REF)
    bounds = (rows[0], columns[0], rows[1], columns[1])
    return Area(table.sheet, bounds, bounds[:2] == bounds[2:])


def _rows(items: tuple[str, ...], table: Table, sheet: int, row: int) -> tuple[int, int] | ErrorValue:
    top, _, bottom, _ = table.bounds
    first, last = table.data_rows
    spans: list[tuple[int, int]] = []
    for item in items or ("#data",):
        if item == "#this row":
            if table.sheet != sheet or not first <= row <= last:
                return ErrorValue.VALUE
            spans.append((row, row))
        elif item == "#all":
            spans.append((top, bottom))
        elif item == "#data":
            spans.append((first, last))
        elif item == "#headers":
            spans.append((top, first - 1))
        else:
            spans.append((last + 1, bottom))
    # Of "headers and data" Excel gives what there is.
    there = [span for span in spans if span[0] <= span[1]]
    if not there:
        return ErrorValue.REF
    return (there[0][0], there[-1][1])


def _columns(node: Structured, table: Table) -> tuple[int, int] | None:
    _, left, _, right = table.bounds
    if node.first is None:
        return (left, right)
    places = [_place(name, table) for name in (node.first, node.last or node.first)]
    if None in places:
        return None
    found = sorted(left + place for place in places if place is not None)
    return (found[0], found[-1]) if found[-1] <= right else None


def _place(name: str, table: Table) -> int | None:
    found = table.column_index.get(column_key(name))
    return found if found is not None else table.column_index.get(column_key(name.strip()))
