"""Parts of a workbook that all its sheets use: texts, number formats, marks of dynamic arrays."""

from __future__ import annotations

from tollway.engine.workbooks.archive import Archive
from tollway.engine.workbooks.cells import Reading
from tollway.engine.workbooks.phonetics import TextPieces

_DYNAMIC_ARRAY_TYPE = "XLDAPR"


def read_strings(archive: Archive, part: str) -> tuple[list[str], dict[int, Reading]]:
    """The shared texts, in the order cells refer to them, and how the Japanese ones are read, by their places."""
    strings: list[str] = []
    readings: dict[int, Reading] = {}
    pieces = TextPieces()

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal pieces
        if tag == "si":
            pieces = TextPieces()
        else:
            pieces.start(tag, attributes)

    def end(tag: str, text: str) -> None:
        if tag != "si":
            pieces.end(tag, text)
            return
        reading = pieces.reading()
        if reading is not None:
            readings[len(strings)] = reading
        strings.append(pieces.text())

    archive.read_xml(part, start, end)
    return strings, readings


def read_formats(archive: Archive, part: str) -> list[str]:
    """The number format of each cell style, in the order cells refer to them."""
    formats: list[str] = []
    custom: dict[str, str] = {}
    inside_cell_styles = False

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal inside_cell_styles
        if tag == "numFmt":
            custom.setdefault(attributes.get("numFmtId", ""), attributes.get("formatCode", "General"))
        elif tag == "cellXfs":
            inside_cell_styles = True
        elif tag == "xf" and inside_cell_styles:
            number = attributes.get("numFmtId") or "0"
            formats.append(custom.get(number) or _BUILT_IN_FORMATS.get(number, "General"))

    def end(tag: str, _text: str) -> None:
        nonlocal inside_cell_styles
        if tag == "cellXfs":
            inside_cell_styles = False

    archive.read_xml(part, start, end)
    return formats


def read_dynamic_marks(archive: Archive, part: str) -> frozenset[str]:
    """The values of a cell's `cm` attribute that mark its formula as a dynamic array, which spills.

    Source: [MS-XLSX] 2.4.94 dynamicArrayProperties; ECMA-376 part 1, 18.9.
    """
    types: list[str] = []
    # One for each dynamicArrayProperties: "1" where it says so.
    properties: list[str] = []
    marks: set[str] = set()
    inside = ""
    cell_count = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal inside, cell_count
        if tag == "metadataType":
            types.append(attributes.get("name", ""))
        elif tag == "futureMetadata":
            inside = attributes.get("name", "")
        elif tag in ("cellMetadata", "valueMetadata"):
            inside = tag
        elif tag == "bk" and inside == _DYNAMIC_ARRAY_TYPE:
            properties.append("")
        elif tag == "bk" and inside == "cellMetadata":
            cell_count += 1
        elif tag == "dynamicArrayProperties" and inside == _DYNAMIC_ARRAY_TYPE and properties:
            properties[-1] = attributes.get("fDynamic", "").replace("true", "1")
        elif tag == "rc" and inside == "cellMetadata":
            kind = _item(types, attributes.get("t", ""), 1)
            if kind == _DYNAMIC_ARRAY_TYPE and _item(properties, attributes.get("v", ""), 0) == "1":
                marks.add(str(cell_count))

    archive.read_xml(part, start, lambda _tag, _text: None)
    return frozenset(marks)


def _item(items: list[str], written: str, first: int) -> str | None:
    """The item with a number as written, counted from `first`."""
    if not (written.isdigit() and len(written) < 10):
        return None
    place = int(written) - first
    return items[place] if 0 <= place < len(items) else None


# Source: ECMA-376 part 1, 18.8.30 numFmt; only what a preview shows.
_BUILT_IN_FORMATS = {
    "1": "0",
    "2": "0.00",
    "3": "#,##0",
    "4": "#,##0.00",
    "5": '"$"#,##0',
    "6": '"$"#,##0',
    "7": '"$"#,##0.00',
    "8": '"$"#,##0.00',
    "9": "0%",
    "10": "0.00%",
    "11": "0.00E+00",
    "14": "m/d/yyyy",
    "15": "d-mmm-yy",
    "16": "d-mmm",
    "17": "mmm-yy",
    "18": "h:mm AM/PM",
    "19": "h:mm:ss AM/PM",
    "20": "h:mm",
    "21": "h:mm:ss",
    "22": "m/d/yyyy h:mm",
    "37": "#,##0",
    "38": "#,##0",
    "39": "#,##0.00",
    "40": "#,##0.00",
    "44": '"$"#,##0.00',
    "45": "mm:ss",
    "46": "[h]:mm:ss",
    "47": "mm:ss.0",
    "48": "##0.0E+0",
    "49": "@",
}
