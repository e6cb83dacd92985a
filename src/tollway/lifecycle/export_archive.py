"""Writes the file of an export: pairs of JSON and CSV in a zip, built on the disk, page by page."""

import csv
import json
import zipfile
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import IO, Any

from tollway.kit.csv_text import neutral

Row = Mapping[str, Any]
# Columns that only say where the next page begins.
HIDDEN = "_"
COMPRESSION = 6


class Archive:
    """A zip under construction in a folder of its own; whoever makes one deletes the folder."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "export.zip"
        self._folder = folder
        self._zip = zipfile.ZipFile(self.path, "w", zipfile.ZIP_DEFLATED, compresslevel=COMPRESSION)

    def add_text(self, name: str, text: str) -> None:
        """Add a small file."""
        self._zip.writestr(name, text)

    def add_json(self, name: str, value: Any) -> None:
        """Add a small document."""
        self.add_text(name, json.dumps(value, ensure_ascii=False, indent=1, default=plain) + "\n")

    def add_file(self, name: str, path: Path) -> None:
        """Add a file that is compressed already, such as a workbook."""
        self._zip.write(path, name, zipfile.ZIP_STORED)

    def begin_table(self, name: str, json_only: Sequence[str] = ()) -> "TableFiles":
        """Begin a pair of files."""
        return TableFiles(self, self._folder, name, json_only)

    def take(self, name: str, path: Path) -> None:
        """Move a finished file into the zip."""
        self._zip.write(path, name)
        path.unlink()

    def close(self) -> int:
        """Finish the zip and return its size in bytes."""
        self._zip.close()
        return self.path.stat().st_size


class TableFiles:
    """NAME.json and NAME.csv of one table, which grow page by page. A table without rows has no CSV."""

    def __init__(self, archive: Archive, folder: Path, name: str, json_only: Sequence[str]) -> None:
        self.row_count = 0
        self._archive, self._name, self._json_only = archive, name, frozenset(json_only)
        self._json_path, self._csv_path = folder / "rows.json", folder / "rows.csv"
        self._json: IO[str] = self._json_path.open("w", encoding="utf-8")
        # A mark of the encoding: without it spreadsheets take UTF-8 for something else.
        self._csv: IO[str] = self._csv_path.open("w", encoding="utf-8-sig", newline="")
        self._json.write("[")

    def write(self, rows: Sequence[Row]) -> None:
        """Add rows to both."""
        writer = csv.writer(self._csv)
        for row in rows:
            shown = {name: value for name, value in row.items() if not name.startswith(HIDDEN)}
            flat = {name: value for name, value in shown.items() if name not in self._json_only}
            if self.row_count == 0:
                writer.writerow(flat)
            writer.writerow([cell(value) for value in flat.values()])
            self._json.write(",\n " if self.row_count else "\n ")
            self._json.write(json.dumps(shown, ensure_ascii=False, default=plain))
            self.row_count += 1

    def close(self) -> None:
        """Put both into the zip."""
        self._json.write("\n]\n" if self.row_count else "]\n")
        self._json.close()
        self._csv.close()
        self._archive.take(f"{self._name}.json", self._json_path)
        if self.row_count:
            self._archive.take(f"{self._name}.csv", self._csv_path)


def plain(value: Any) -> str:
    """Write what JSON has no form for: times in ISO 8601, and exact decimals and addresses as text."""
    return value.isoformat() if isinstance(value, datetime | date) else str(value)


def cell(value: Any) -> str:
    """Write a value as a cell that no spreadsheet computes."""
    if value is None:
        return ""
    # A number cannot be a formula, and an apostrophe would make a text of a negative one.
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return neutral(" ".join(value))
    if isinstance(value, dict | list):
        return neutral(json.dumps(value, ensure_ascii=False, default=plain))
    return neutral(value if isinstance(value, str) else plain(value))
