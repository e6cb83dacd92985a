"""Reads which error value a cell shows where the file can only store #VALUE!: #SPILL!, #CALC! and other newer ones.

Such a cell has a `vm` attribute, the number of a rich value that tells. Source: [MS-XLSX] 2.3.6.1 (rich values) and
2.3.6.3 (error values, whose errorType is one less than what ERROR.TYPE gives).
"""

from __future__ import annotations

from tollway.engine.values import ERROR_BY_CODE, ErrorValue
from tollway.engine.workbooks.archive import Archive

_RICH_VALUE_TYPE = "XLRICHVALUE"


def read_rich_errors(
    archive: Archive, metadata: str | None, values: str | None, structures: str | None
) -> dict[str, ErrorValue]:
    """The error value for each number that a cell's `vm` attribute may hold."""
    if metadata is None or values is None or structures is None:
        return {}
    errors = _errors_of_values(archive, values, _places_of_error_types(archive, structures))
    return {
        mark: errors[place] for mark, place in _places_of_marks(archive, metadata).items() if place in errors
    }


def _places_of_error_types(archive: Archive, part: str) -> dict[str, int]:
    """For each structure that is an error, by its number, the place of errorType among its values."""
    places: dict[str, int] = {}
    structure, key_count, is_error = -1, 0, False

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal structure, key_count, is_error
        if tag == "s":
            structure, key_count, is_error = structure + 1, 0, attributes.get("t") == "_error"
        elif tag == "k":
            if is_error and attributes.get("n") == "errorType":
                places[str(structure)] = key_count
            key_count += 1

    archive.read_xml(part, start, lambda _tag, _text: None)
    return places


def _errors_of_values(archive: Archive, part: str, places: dict[str, int]) -> dict[str, ErrorValue]:
    """The error value of each rich value that is one, by its number."""
    errors: dict[str, ErrorValue] = {}
    value, structure, inside = -1, "", -1

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal value, structure, inside
        if tag == "rv":
            value, structure, inside = value + 1, attributes.get("s", ""), -1
        elif tag == "v":
            inside += 1

    def end(tag: str, text: str) -> None:
        if tag == "v" and inside == places.get(structure) and text.strip().isdigit():
            error = ERROR_BY_CODE.get(int(text.strip()[:4]) + 1)
            if error is not None:
                errors[str(value)] = error

    archive.read_xml(part, start, end)
    return errors


def _places_of_marks(archive: Archive, part: str) -> dict[str, str]:
    """The number of the rich value for each number that a `vm` attribute may hold."""
    types: list[str] = []
    values: list[str] = []
    marks: dict[str, str] = {}
    inside, mark = "", 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal inside, mark
        if tag == "metadataType":
            types.append(attributes.get("name", ""))
        elif tag == "futureMetadata":
            inside = attributes.get("name", "")
        elif tag in ("cellMetadata", "valueMetadata"):
            inside = tag
        elif tag == "rvb" and inside == _RICH_VALUE_TYPE:
            values.append(attributes.get("i", ""))
        elif tag == "bk" and inside == "valueMetadata":
            mark += 1
        elif tag == "rc" and inside == "valueMetadata":
            kind, place = attributes.get("t", ""), attributes.get("v", "")
            if not (kind.isdigit() and place.isdigit()):
                return
            if types[int(kind) - 1 : int(kind)] == [_RICH_VALUE_TYPE] and int(place) < len(values):
                marks[str(mark)] = values[int(place)]

    archive.read_xml(part, start, lambda _tag, _text: None)
    return marks
