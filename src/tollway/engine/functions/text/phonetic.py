"""PHONETIC: how Japanese texts are read. Source: Microsoft's page of it; what ranges give: its Japanese page."""

from __future__ import annotations

import re
import unicodedata

from tollway.engine.functions.ranges import reference_of
from tollway.engine.functions.registry import Argument, Context, FailedError, function
from tollway.engine.values import ErrorValue
from tollway.engine.workbooks.cells import Cell, Reading

_AS_WRITTEN = Reading("", "fullwidthKatakana")
_TO_KATAKANA = {code: code + 0x60 for code in (*range(0x3041, 0x3097), 0x309D, 0x309E)}
_TO_HIRAGANA = {code: hiragana for hiragana, code in _TO_KATAKANA.items()}
_HALF_WIDTH = re.compile("[\uff61-\uff9f]+")
_TO_HALF_WIDTH = {
    **{ord(unicodedata.normalize("NFKC", chr(code))): code for code in range(0xFF61, 0xFF9E)},
    # The marks that turn "ka" into "ga" and "ha" into "pa".
    0x3099: 0xFF9E,
    0x309A: 0xFF9F,
}


@function("PHONETIC", "grid", returns="text", wants_context=True)
def phonetic(context: Context, reference: Argument) -> str | ErrorValue:
    """How the Japanese texts of a reference are read, in katakana or as the file asks, one after the other.

    Parts of a text without a reading stay, hiragana among them as katakana. Numbers and what formulas give count
    for nothing.
    Errors: #VALUE! for what is no reference; #N/A in a workbook saved by Excel for the Macintosh where no reading is
    stored, as formulas saved there show.
    """
    area = reference_of(reference)
    assert context.cells is not None
    workbook = context.cells.workbook
    sheet = workbook.sheets[area.sheet]
    texts = sorted(place for place in sheet.positions_in(area.bounds) if _is_text(sheet.cells[place]))
    if "Macintosh" in workbook.application and not any(place in sheet.readings for place in texts):
        raise FailedError(ErrorValue.NA)
    return "".join(
        _converted(sheet.readings.get(place) or Reading(sheet.cells[place].value, _AS_WRITTEN.kind))
        for place in texts
    )


def _is_text(cell: Cell) -> bool:
    return cell.formula is None and cell.array_anchor is None and isinstance(cell.value, str)


def _converted(reading: Reading) -> str:
    if reading.kind == "noConversion":
        return reading.text
    katakana = _full_width(reading.text).translate(_TO_KATAKANA)
    if reading.kind == "Hiragana":
        return katakana.translate(_TO_HIRAGANA)
    if reading.kind == "halfwidthKatakana":
        return "".join(map(_half_width, katakana))
    return katakana


def _full_width(text: str) -> str:
    return _HALF_WIDTH.sub(lambda found: unicodedata.normalize("NFKC", found[0]), text)


def _half_width(character: str) -> str:
    changed = unicodedata.normalize("NFD", character).translate(_TO_HALF_WIDTH)
    return changed if all(0xFF61 <= ord(part) <= 0xFF9F for part in changed) else character
