"""Reads the definition of a pivot cache: the fields of a pivot table's source and the items of each.

Source: ECMA-376 part 1, 18.10.1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime

from tollway.engine.serials import serial_from_date
from tollway.engine.values import ERROR_BY_TEXT, ErrorValue, NotAWorkbook, Value, number_text
from tollway.engine.workbooks.archive import Archive, unescaped
from tollway.engine.workbooks.pivots import PivotItem

# Fields, items and lines of all pivot tables of a workbook together.
PIVOT_PARTS_MAX = 500_000
_BLANK = "(blank)"
_DAYS_TO_1904 = 1_462
_VALUES = frozenset("mnbesd")
# Groups of dates that are counted from 1, and those counted from 0; the first group holds what lies before the start.
_FROM_1 = frozenset({"days", "months", "quarters"})
_FROM_0 = frozenset({"hours", "minutes", "seconds"})


class PivotCounts:
    """Counts what pivot tables hold, as it is met."""

    def __init__(self) -> None:
        self.count = 0

    def add(self) -> None:
        """Count one. Raises: NotAWorkbook, which stops the reading of this pivot table alone."""
        self.count += 1
        if self.count > PIVOT_PARTS_MAX:
            raise NotAWorkbook(
                f"the pivot tables of the workbook hold more than the {PIVOT_PARTS_MAX:,} fields, items and lines "
                "that are allowed; remove fields that the report does not need"
            )


@dataclass
class CacheField:
    """A field of the source: its names and the items that the pivot table's own refer to by number."""

    name: str
    caption: str
    items: list[PivotItem] = field(default_factory=list)
    group: dict[str, str] = field(default_factory=dict)

    def names(self) -> list[str]:
        """What it may be called: its name, its caption, and of a level of a cube also the hierarchy it belongs to."""
        found = [self.name, self.caption]
        if self.name.startswith("[") and "].[" in self.name:
            found.append(self.name.rpartition(".[")[0])
        return [name for name in found if name]


def read_pivot_cache(archive: Archive, part: str, counts: PivotCounts, *, is_1904: bool) -> list[CacheField]:
    """The fields of one cache in order. Raises: NotAWorkbook, WorkbookTooLarge."""
    fields: list[CacheField] = []
    inside = ""

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal inside
        if tag == "cacheField":
            counts.add()
            fields.append(
                CacheField(unescaped(attributes.get("name", "")), unescaped(attributes.get("caption", "")))
            )
        elif tag in ("sharedItems", "groupItems") and fields:
            inside = tag
            if tag == "groupItems":
                # The items of a group stand in place of those it is made of.
                fields[-1].items.clear()
        elif tag == "rangePr" and fields:
            fields[-1].group = attributes
        elif inside and tag in _VALUES:
            counts.add()
            found = fields[-1]
            found.items.append(
                _item(
                    tag, attributes, found.group if inside == "groupItems" else {}, len(found.items), is_1904
                )
            )

    def end(tag: str, _text: str) -> None:
        nonlocal inside
        if tag in ("sharedItems", "groupItems"):
            inside = ""

    archive.read_xml(part, start, end)
    return fields


def _item(
    tag: str, attributes: dict[str, str], group: dict[str, str], place: int, is_1904: bool
) -> PivotItem:
    written = unescaped(attributes.get("v", ""))
    try:
        value = _value(tag, written, is_1904)
    except (ValueError, OverflowError) as error:
        raise NotAWorkbook(f"it holds {written[:40]!r}, which is no value of kind {tag!r}") from error
    if isinstance(value, float):
        shown = number_text(value)
    elif isinstance(value, bool):
        shown = "TRUE" if value else "FALSE"
    elif tag == "m":
        shown = _BLANK
    else:
        shown = written
    caption = unescaped(attributes.get("c", "")) or shown
    names = tuple({caption.lower(): None, shown.lower(): None, written.lower(): None})
    return PivotItem(value, caption, names, _group_number(group, place))


def _value(tag: str, written: str, is_1904: bool) -> Value:
    match tag:
        case "n":
            return _finite(written)
        case "b":
            return written in ("1", "true")
        case "e":
            return ERROR_BY_TEXT.get(written, ErrorValue.UNKNOWN)
        case "d":
            return _serial(written, is_1904)
        case "m":
            return None
        case _:
            return written


def _finite(written: str) -> float:
    number = float(written)
    if not math.isfinite(number):
        raise ValueError(written)
    return number


def _serial(written: str, is_1904: bool) -> float:
    moment = datetime.fromisoformat(written)
    if moment.year < 1900:
        # Times without a date count from the day 0 of the calendar.
        return ((moment.hour * 60 + moment.minute) * 60 + moment.second) / 86_400
    day = serial_from_date(moment.year, moment.month, moment.day)
    if day is None:
        raise ValueError(written)
    seconds = (moment.hour * 60 + moment.minute) * 60 + moment.second + moment.microsecond / 1e6
    return day - (_DAYS_TO_1904 if is_1904 else 0) + seconds / 86_400


def _group_number(group: dict[str, str], place: int) -> float | None:
    kind = group.get("groupBy", "range") if group else ""
    if place == 0:
        return None
    if kind in _FROM_1:
        return float(place) if group.get("groupInterval", "1") == "1" else None
    if kind in _FROM_0:
        return float(place - 1)
    if kind == "range":
        try:
            return _finite(group["startNum"]) + (place - 1) * _finite(group.get("groupInterval", "1"))
        except (KeyError, ValueError):
            return None
    return None
