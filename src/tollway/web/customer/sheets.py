"""Lays the preview of a workbook out as the rows and columns that customer/model.html draws."""

from typing import Any

from tollway.web.cells import shown_text

ROWS_SHOWN_MAX = 60
COLUMNS_SHOWN_MAX = 16
KINDS = {"blank": "empty", "logical": "text", "error": "text"}


def sheet_views(
    preview: dict[str, Any], inputs: set[str], outputs: set[str], suggestions: dict[str, str]
) -> list[dict[str, Any]]:
    """Return the visible sheets of a preview with the part each cell plays.

    Args:
        preview: what the child process found, {sheets: [{name, hidden, cut, cells}]}.
        inputs: qualified cells chosen as inputs, upper case.
        outputs: qualified cells chosen as outputs, upper case.
        suggestions: distributions as text, by qualified cell in upper case.
    """
    return [
        _sheet_view(sheet, inputs, outputs, suggestions) for sheet in preview["sheets"] if not sheet["hidden"]
    ]


def shown_texts(preview: dict[str, Any]) -> dict[str, str]:
    """Return what every cell of a preview shows, by its qualified name in upper case."""
    return {
        qualified(sheet["name"], cell["cell"]).upper(): shown_text(cell)
        for sheet in preview["sheets"]
        for cell in sheet["cells"]
    }


def labels_beside(preview: dict[str, Any]) -> dict[str, str]:
    """Return the nearest text to the left of every cell of a preview, by its qualified name in upper case."""
    labels: dict[str, str] = {}
    for sheet in preview["sheets"]:
        row, label = 0, ""
        for cell in sorted(sheet["cells"], key=lambda one: (one["row"], one["column"])):
            if cell["row"] != row:
                row, label = cell["row"], ""
            if label:
                labels[qualified(sheet["name"], cell["cell"]).upper()] = label
            if cell["kind"] == "text":
                label = shown_text(cell).strip()
    return labels


def qualified(sheet: str, cell: str) -> str:
    """Write a cell with its sheet, quoted where the name needs it."""
    plain = sheet.replace("_", "").replace(".", "").isalnum() and not sheet[:1].isdigit()
    name = sheet if plain else "'" + sheet.replace("'", "''") + "'"
    return f"{name}!{cell}"


def column_letters(index: int) -> str:
    """Write a column's number, 1 for A."""
    letters = ""
    while index:
        index, letter = divmod(index - 1, 26)
        letters = chr(65 + letter) + letters
    return letters


def _sheet_view(
    sheet: dict[str, Any], inputs: set[str], outputs: set[str], suggestions: dict[str, str]
) -> dict[str, Any]:
    cells = {(one["row"], one["column"]): one for one in sheet["cells"]}
    last_row = min(ROWS_SHOWN_MAX, max((row for row, _ in cells), default=1))
    last_column = min(COLUMNS_SHOWN_MAX, max((column for _, column in cells), default=1))

    def cell_view(row: int, column: int) -> dict[str, Any]:
        cell = cells.get((row, column))
        if cell is None:
            return {
                "reference": "",
                "text": "",
                "kind": "empty",
                "formula": None,
                "role": "",
                "suggestion": "",
            }
        reference = qualified(sheet["name"], cell["cell"])
        key = reference.upper()
        kind = "formula" if cell["formula"] else KINDS.get(cell["kind"], cell["kind"])
        role = (
            "input"
            if key in inputs
            else "output"
            if key in outputs
            else "candidate"
            if key in suggestions
            else ""
        )
        return {
            "reference": reference,
            "text": shown_text(cell),
            "kind": kind,
            "formula": cell["formula"],
            "role": role,
            "suggestion": suggestions.get(key, ""),
        }

    return {
        "name": sheet["name"],
        "columns": [column_letters(column) for column in range(1, last_column + 1)],
        "is_cut": sheet["cut"] or any(row > last_row or column > last_column for row, column in cells),
        "rows": [
            {"number": row, "cells": [cell_view(row, column) for column in range(1, last_column + 1)]}
            for row in range(1, last_row + 1)
        ],
    }
