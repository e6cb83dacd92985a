"""Reads the pivot tables of sheets. One that cannot be used refuses only the formulas that ask for it.

Source: ECMA-376 part 1, 18.10.1.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from tollway.engine.language.syntax import COLUMN_MAX, ROW_MAX, area_bounds
from tollway.engine.values import NotAWorkbook
from tollway.engine.workbooks.archive import Archive, relationships, unescaped
from tollway.engine.workbooks.cells import Bounds
from tollway.engine.workbooks.pivot_caches import CacheField, PivotCounts, read_pivot_cache
from tollway.engine.workbooks.pivots import (
    DATA_NAMES,
    PivotField,
    PivotItem,
    PivotLine,
    PivotTable,
)

_NUMBER_LENGTH_MAX = 9
_WHOLE = re.compile(r"-?[0-9]+")
# How a line says that it is a total of one kind or another; a line of data says nothing.
_HEADING_KINDS = frozenset({"", "data"})


@dataclass
class _WrittenField:
    attributes: dict[str, str]
    items: list[dict[str, str]] = field(default_factory=list)


@dataclass
class _WrittenLine:
    kind: str
    repeated: int
    data_field: int
    items: list[int] = field(default_factory=list)


@dataclass
class _Written:
    """A part as it is written."""

    facts: dict[str, str] = field(default_factory=dict)
    location: dict[str, str] = field(default_factory=dict)
    fields: list[_WrittenField] = field(default_factory=list)
    axes: dict[str, list[int]] = field(default_factory=lambda: {"rowFields": [], "colFields": []})
    lines: dict[str, list[_WrittenLine]] = field(default_factory=dict)
    filters: dict[int, int | None] = field(default_factory=dict)
    data_fields: list[tuple[str, int]] = field(default_factory=list)


class PivotReader:
    """Reads the pivot tables of all sheets; what several share is read once."""

    def __init__(self, archive: Archive, *, is_1904: bool) -> None:
        self.archive = archive
        self.is_1904 = is_1904
        self.counts = PivotCounts()
        self.caches: dict[str, list[CacheField] | str] = {}

    def read(self, part: str) -> PivotTable:
        """The pivot table of one part, with its fault where it cannot be used. Raises: WorkbookTooLarge."""
        written = _Written()
        try:
            self._read_part(part, written)
            return self._built(written, self._cache(part))
        except NotAWorkbook as error:
            return PivotTable(
                written.facts.get("name", ""), _report_bounds(written.location), error.message.rstrip(".")
            )

    def _read_part(self, part: str, written: _Written) -> None:
        path: list[str] = []

        def start(tag: str, attributes: dict[str, str]) -> None:
            above = path[-1] if path else ""
            path.append(tag)
            match above, tag:
                case "", "pivotTableDefinition":
                    written.facts.update(attributes)
                case "pivotTableDefinition", "location":
                    written.location.update(attributes)
                case "pivotFields", "pivotField":
                    self.counts.add()
                    written.fields.append(_WrittenField(attributes))
                case "items", "item" if written.fields:
                    self.counts.add()
                    written.fields[-1].items.append(attributes)
                case (("rowFields" | "colFields"), "field"):
                    written.axes[above].append(_whole(attributes.get("x")))
                case "pivotTableDefinition", ("rowItems" | "colItems"):
                    written.lines[tag] = []
                case (("rowItems" | "colItems"), "i") if above in written.lines:
                    self.counts.add()
                    written.lines[above].append(
                        _WrittenLine(
                            attributes.get("t", ""), _whole(attributes.get("r")), _whole(attributes.get("i"))
                        )
                    )
                case "i", "x" if len(path) > 2 and written.lines.get(path[-3]):
                    self.counts.add()
                    written.lines[path[-3]][-1].items.append(_whole(attributes.get("v")))
                case "pageFields", "pageField":
                    chosen = attributes.get("item")
                    written.filters[_whole(attributes.get("fld"))] = (
                        None if chosen is None else _whole(chosen)
                    )
                case "dataFields", "dataField":
                    name = unescaped(attributes.get("name", "")).strip().lower()
                    written.data_fields.append((name, _whole(attributes.get("fld"))))

        def end(_tag: str, _text: str) -> None:
            path.pop()

        self.archive.read_xml(part, start, end)

    def _cache(self, part: str) -> list[CacheField]:
        for kind, target in relationships(self.archive, part).values():
            if kind == "pivotCacheDefinition" and target in self.archive:
                break
        else:
            raise NotAWorkbook("its cache is not in the file")
        known = self.caches.get(target)
        if known is None:
            try:
                known = read_pivot_cache(self.archive, target, self.counts, is_1904=self.is_1904)
            except NotAWorkbook as error:
                known = error.message
            self.caches[target] = known
        if isinstance(known, str):
            raise NotAWorkbook(known)
        return known

    def _built(self, written: _Written, cache: list[CacheField]) -> PivotTable:
        bounds = area_bounds(written.location.get("ref", ""))
        if bounds is None:
            raise NotAWorkbook("it does not say which cells it covers")
        if not written.lines.get("rowItems") or not written.lines.get("colItems"):
            raise NotAWorkbook(
                "the file does not say what its rows and columns show; refresh it in Excel and save again"
            )
        if len(written.fields) > len(cache):
            raise NotAWorkbook("it has more fields than its source")
        fields = tuple(map(_field, written.fields, cache))
        rows, columns = tuple(written.axes["rowFields"]), tuple(written.axes["colFields"])
        if any(index != DATA_NAMES and not 0 <= index < len(fields) for index in (*rows, *columns)):
            raise NotAWorkbook("its rows or columns show a field that it does not have")
        top, left, bottom, right = bounds
        first_value = (
            top + _whole(written.location.get("firstDataRow")),
            left + _whole(written.location.get("firstDataCol")),
        )
        row_lines = _lines(written.lines["rowItems"], rows, fields)
        column_lines = _lines(written.lines["colItems"], columns, fields)
        if first_value[0] + len(row_lines) - 1 > bottom or first_value[1] + len(column_lines) - 1 > right:
            raise NotAWorkbook("it shows more rows or columns than the cells that it covers")
        return PivotTable(
            written.facts.get("name", ""),
            _report_bounds(written.location),
            first_value=first_value,
            fields=fields,
            rows=row_lines,
            columns=column_lines,
            row_fields=rows,
            column_fields=columns,
            filters=written.filters,
            data_fields=tuple(written.data_fields),
        )


def _whole(written: str | None) -> int:
    """A number as written; an attribute that is left out is 0."""
    if written is None:
        return 0
    if len(written) > _NUMBER_LENGTH_MAX or _WHOLE.fullmatch(written) is None:
        raise NotAWorkbook(f"it holds {written[:40]!r} where a whole number is expected")
    return int(written)


def _report_bounds(location: dict[str, str]) -> Bounds | None:
    """The cells of the report with the filters above it, which stand apart by an empty row."""
    bounds = area_bounds(location.get("ref", ""))
    if bounds is None:
        return None
    top, left, bottom, right = bounds
    filter_rows, filter_columns = (location.get(key, "0") for key in ("rowPageCount", "colPageCount"))
    if filter_rows.isdecimal() and len(filter_rows) < _NUMBER_LENGTH_MAX and int(filter_rows):
        top = max(1, top - 1 - int(filter_rows))
    if filter_columns.isdecimal() and len(filter_columns) < _NUMBER_LENGTH_MAX and int(filter_columns):
        # Each filter takes a column for its name and one for its choice; an empty one stands between two.
        right = max(right, left + 3 * int(filter_columns) - 2)
    return (top, left, min(bottom, ROW_MAX), min(right, COLUMN_MAX))


def _field(written: _WrittenField, source: CacheField) -> PivotField:
    attributes = written.attributes
    names = [unescaped(attributes.get("name", "")), *source.names()]
    is_outline = _is_on(attributes, "outline")
    # Several kinds of totals stand below, whatever the report says of one.
    kinds = [key for key in attributes if key.endswith("Subtotal") and key != "defaultSubtotal"]
    total_count = sum(_is_on(attributes, key) for key in ("defaultSubtotal", *kinds))
    return PivotField(
        tuple(dict.fromkeys(name.strip().lower() for name in names if name)),
        tuple(_item(item, source.items) for item in written.items),
        shows_total_above=is_outline and total_count == 1 and _is_on(attributes, "subtotalTop"),
    )


def _is_on(attributes: dict[str, str], key: str) -> bool:
    return attributes.get(key, "1") in ("1", "true")


def _item(attributes: dict[str, str], items: Sequence[PivotItem]) -> PivotItem | None:
    """The item of a field; None for the totals, which stand among them."""
    if attributes.get("t", "data") not in _HEADING_KINDS | {"blank"}:
        return None
    written = attributes.get("x")
    if written is None:
        return None
    place = _whole(written)
    if not 0 <= place < len(items):
        raise NotAWorkbook(f"it shows the item {place:,} of a field that has {len(items):,}")
    found = items[place]
    caption = unescaped(attributes.get("n", ""))
    if caption:
        found = replace(found, caption=caption, names=(caption.lower(), *found.names))
    return replace(found, is_collapsed=True) if attributes.get("sd") in ("0", "false") else found


def _lines(
    written: Sequence[_WrittenLine], axis: tuple[int, ...], fields: tuple[PivotField, ...]
) -> tuple[PivotLine, ...]:
    lines: list[PivotLine] = []
    before: list[int] = []
    for line in written:
        found = [*before[: max(0, line.repeated)], *line.items]
        before = found
        if line.kind == "grand":
            found = []
        if line.kind == "blank":
            # It stands for nothing that could be asked for.
            lines.append(PivotLine({DATA_NAMES: 0}, -1, False))
            continue
        shown = axis[: len(found)]
        items = {index: item for index, item in zip(shown, found, strict=False) if index != DATA_NAMES}
        shows_values = line.kind not in _HEADING_KINDS or _shows_values(shown, axis, items, fields)
        lines.append(PivotLine(items, line.data_field, shows_values))
    return tuple(lines)


def _shows_values(
    shown: tuple[int, ...], axis: tuple[int, ...], items: dict[int, int], fields: tuple[PivotField, ...]
) -> bool:
    """Whether a line of data shows values: the innermost do, those above where their total stands beside them."""
    if len(shown) == len(axis):
        return True
    if DATA_NAMES in axis[len(shown) :] or not shown or shown[-1] == DATA_NAMES:
        return False
    last = fields[shown[-1]]
    place = items[shown[-1]]
    item = last.items[place] if 0 <= place < len(last.items) else None
    return last.shows_total_above or (item is not None and item.is_collapsed)
