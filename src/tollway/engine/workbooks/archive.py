"""The zip file and XML under a workbook, read as if sent by an enemy: sizes are counted, never believed."""

from __future__ import annotations

import posixpath
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from xml.parsers import expat

from tollway.engine.values import NotAWorkbook, WorkbookTooLarge

_MEGABYTE = 1_000_000
_CHUNK_BYTES = 65_536
_OLE_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ZIP_MAGIC = b"PK\x03\x04"
_END_RECORD = b"PK\x05\x06"
_END_RECORD_BYTES = 22
_ZIP_COMMENT_BYTES_MAX = 65_535
# An entry of the central directory is 46 bytes and its name; no honest one is longer than this on average.
_DIRECTORY_ENTRY_BYTES = 1_024
# Elements inside one another; no part of a workbook that is read goes beyond a dozen.
_XML_DEPTH_MAX = 256
# A link out of the file is shown to this length.
_TARGET_LENGTH_MAX = 500
# Names of elements kept without their prefix; a workbook has some dozens.
_TAGS_KEPT = 1_000
# Small parts may compress beyond any ratio without harm.
_RATIO_EXEMPT_BYTES = 2 * _MEGABYTE
# The stream that marks an encrypted workbook inside an OLE file, as UTF-16.
_ENCRYPTED_STREAM = "EncryptedPackage".encode("utf-16-le")


@dataclass(frozen=True)
class ReadLimits:
    """How large a workbook may be. Cells and formulas are counted as they are met, not as declared.

    The defaults fit the smallest plan: 10 MB, unpacking to 20 times that.
    """

    file_bytes_max: int = 10 * _MEGABYTE
    unpacked_bytes_max: int = 200 * _MEGABYTE
    entry_count_max: int = 2_000
    compression_ratio_max: int = 200
    cells_max: int = 500_000
    formulas_max: int = 50_000
    formula_length_max: int = 8_192
    formula_characters_max: int = 8_000_000


StartElement = Callable[[str, dict[str, str]], None]
EndElement = Callable[[str, str], None]


class Archive:
    """The parts of one workbook file, by name; `/` separates folders and case does not matter."""

    def __init__(self, source: zipfile.ZipFile, limits: ReadLimits) -> None:
        self._source = source
        self._limits = limits
        self._unpacked_bytes = 0
        self._entries = _checked_entries(source, limits)

    def __contains__(self, part: str) -> bool:
        return part.lower() in self._entries

    def names(self) -> list[str]:
        """Every part, in the file's order."""
        return [entry.filename.replace("\\", "/") for entry in self._entries.values()]

    def read_xml(self, part: str, start: StartElement, end: EndElement) -> None:
        """Walk one XML part: `start(tag, attributes)` and `end(tag, text)` with prefixes removed.

        The text is that directly inside the element. Entities and document types are refused.
        """
        parser = _parser(part, start, end)
        try:
            for chunk in self._chunks(part):
                parser.Parse(chunk, False)
            parser.Parse(b"", True)
        except expat.ExpatError as error:
            raise NotAWorkbook(
                f"The part {part} of the workbook is not well-formed XML ({error}); "
                "open the file in Excel and save it again as .xlsx."
            ) from error

    def _chunks(self, part: str) -> Iterator[bytes]:
        entry = self._entries.get(part.lower())
        if entry is None:
            raise NotAWorkbook(f"The workbook lacks its part {part}; save it again in Excel as .xlsx.")
        try:
            with self._source.open(entry) as stream:
                while chunk := stream.read(_CHUNK_BYTES):
                    self._count(len(chunk))
                    yield chunk
        except (
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            NotImplementedError,
            RuntimeError,
            OSError,
        ) as error:
            raise NotAWorkbook(
                f"The part {part} of the workbook is damaged ({error}); save the workbook again."
            ) from error

    def _count(self, chunk_bytes: int) -> None:
        self._unpacked_bytes += chunk_bytes
        if self._unpacked_bytes > self._limits.unpacked_bytes_max:
            raise _unpacks_too_far(self._unpacked_bytes, self._limits)


@contextmanager
def open_archive(path: Path, limits: ReadLimits) -> Iterator[Archive]:
    """Open a workbook's zip file after checking its size, its kind and its directory.

    Raises: NotAWorkbook, WorkbookTooLarge.
    """
    _check_size(path, limits)
    with path.open("rb") as stream:
        _check_kind(stream)
        _check_directory_size(stream, limits)
        try:
            source = zipfile.ZipFile(stream)
        except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
            raise NotAWorkbook(
                f"The file starts like a workbook but is damaged or cut short ({error}); "
                "upload it again or save it again in Excel."
            ) from error
        with source:
            yield Archive(source, limits)


def _check_size(path: Path, limits: ReadLimits) -> None:
    try:
        found = path.stat().st_size
    except OSError as error:
        raise NotAWorkbook(f"The file {path.name} cannot be read: {error.strerror}.") from error
    if found == 0:
        raise NotAWorkbook("The file is empty; upload an .xlsx or .xlsm workbook.")
    if found > limits.file_bytes_max:
        raise WorkbookTooLarge(
            f"The file has {found:,} bytes and {limits.file_bytes_max:,} are allowed; "
            "remove pictures and unused sheets, or choose a larger plan."
        )


def _check_kind(stream: IO[bytes]) -> None:
    head = stream.read(len(_OLE_MAGIC))
    if head.startswith(_OLE_MAGIC):
        if _contains(stream, _ENCRYPTED_STREAM):
            raise NotAWorkbook(
                "The workbook is protected with a password to open; "
                "in Excel remove it under File, Info, Protect Workbook, and save again."
            )
        raise NotAWorkbook("The file is in the old .xls format; open it in Excel and save it as .xlsx.")
    if not head.startswith(_ZIP_MAGIC):
        raise NotAWorkbook("The file is not an Excel workbook; upload an .xlsx or .xlsm file.")


def _contains(stream: IO[bytes], wanted: bytes) -> bool:
    kept = b""
    while chunk := stream.read(_CHUNK_BYTES):
        if wanted in kept + chunk:
            return True
        kept = chunk[-len(wanted) :]
    return False


def _check_directory_size(stream: IO[bytes], limits: ReadLimits) -> None:
    """Refuse a huge directory before zipfile holds all of it in memory."""
    length = stream.seek(0, 2)
    stream.seek(max(0, length - _END_RECORD_BYTES - _ZIP_COMMENT_BYTES_MAX))
    tail = stream.read()
    stream.seek(0)
    start = tail.rfind(_END_RECORD)
    if start < 0 or len(tail) - start < _END_RECORD_BYTES:
        raise NotAWorkbook("The file is cut short: its end is missing; upload it again.")
    entry_count = int.from_bytes(tail[start + 10 : start + 12], "little")
    directory_bytes = int.from_bytes(tail[start + 12 : start + 16], "little")
    if entry_count > limits.entry_count_max:
        raise _too_many_entries(entry_count, limits)
    if directory_bytes > limits.entry_count_max * _DIRECTORY_ENTRY_BYTES:
        raise WorkbookTooLarge(
            f"The file's directory has {directory_bytes:,} bytes and "
            f"{limits.entry_count_max * _DIRECTORY_ENTRY_BYTES:,} are allowed; save the workbook again in Excel."
        )


def _checked_entries(source: zipfile.ZipFile, limits: ReadLimits) -> dict[str, zipfile.ZipInfo]:
    listed = source.infolist()
    if len(listed) > limits.entry_count_max:
        raise _too_many_entries(len(listed), limits)
    entries: dict[str, zipfile.ZipInfo] = {}
    declared_bytes = 0
    for entry in listed:
        name = entry.filename.replace("\\", "/")
        _check_entry(entry, name, limits)
        if name.lower() in entries:
            raise NotAWorkbook(f"The file holds the part {name} twice; save the workbook again in Excel.")
        entries[name.lower()] = entry
        declared_bytes += entry.file_size
    if declared_bytes > limits.unpacked_bytes_max:
        raise _unpacks_too_far(declared_bytes, limits)
    return entries


def _check_entry(entry: zipfile.ZipInfo, name: str, limits: ReadLimits) -> None:
    if name.startswith("/") or ".." in name.split("/") or "\0" in name:
        raise NotAWorkbook(f"The file holds a part with the forbidden name {name!r}; save it again in Excel.")
    if entry.flag_bits & 0x1:
        raise NotAWorkbook("The zip file is encrypted; upload the workbook without a password.")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise NotAWorkbook(f"The part {name} is packed in a way Excel does not use; save it again in Excel.")
    ratio = entry.file_size / max(1, entry.compress_size)
    if entry.file_size > _RATIO_EXEMPT_BYTES and ratio > limits.compression_ratio_max:
        raise WorkbookTooLarge(
            f"The part {name} unpacks to {ratio:,.0f} times its packed size and "
            f"{limits.compression_ratio_max} times is allowed; remove unused rows and formats and save again."
        )


def _too_many_entries(found: int, limits: ReadLimits) -> WorkbookTooLarge:
    return WorkbookTooLarge(
        f"The file holds {found:,} parts and {limits.entry_count_max:,} are allowed; "
        "remove pictures and unused sheets and save again."
    )


def _unpacks_too_far(found: int, limits: ReadLimits) -> WorkbookTooLarge:
    return WorkbookTooLarge(
        f"The workbook unpacks to at least {found:,} bytes and {limits.unpacked_bytes_max:,} are allowed; "
        "remove unused rows, sheets and pictures, or choose a larger plan."
    )


# --- XML -----------------------------------------------------------------------------------------------


def _parser(part: str, start: StartElement, end: EndElement) -> expat.XMLParserType:
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.buffer_size = _CHUNK_BYTES
    texts = [""]
    bare: dict[str, str] = {}

    def refuse(*_: object) -> None:
        raise NotAWorkbook(
            f"The part {part} of the workbook declares a document type or entities, which workbooks do not; "
            "save it again in Excel."
        )

    def on_start(tag: str, attributes: dict[str, str]) -> None:
        texts.append("")
        if len(texts) > _XML_DEPTH_MAX:
            raise NotAWorkbook(
                f"The part {part} of the workbook nests elements more than {_XML_DEPTH_MAX} deep, "
                "which workbooks do not; save it again in Excel."
            )
        name = bare.get(tag)
        if name is None:
            name = tag.rpartition(":")[2]
            if len(bare) < _TAGS_KEPT:
                bare[tag] = name
        start(name, attributes)

    def on_end(tag: str) -> None:
        end(bare.get(tag) or tag.rpartition(":")[2], texts.pop())

    def on_text(text: str) -> None:
        texts[-1] += text

    parser.StartElementHandler = on_start
    parser.EndElementHandler = on_end
    parser.CharacterDataHandler = on_text
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.ExternalEntityRefHandler = refuse  # type: ignore[assignment]  # it never returns
    return parser


def resolved(part: str, target: str) -> str:
    """The name of the part that a relationship of `part` points at."""
    target = target.replace("\\", "/")
    if target.startswith("/"):
        return target.lstrip("/")
    return posixpath.normpath(posixpath.join(posixpath.dirname(part), target))


def relationships(archive: Archive, part: str) -> dict[str, tuple[str, str]]:
    """Id to (type, part name) of what a part refers to; links out of the file are left out."""
    return {
        attributes.get("Id", ""): (
            attributes.get("Type", "").rpartition("/")[2],
            resolved(part, attributes.get("Target", "")),
        )
        for attributes in _relationship_attributes(archive, part)
        if attributes.get("TargetMode") != "External"
    }


def external_targets(archive: Archive, part: str) -> list[str]:
    """Where the links of a part that lead out of the file point to, each only once."""
    found = [
        attributes.get("Target", "")[:_TARGET_LENGTH_MAX]
        for attributes in _relationship_attributes(archive, part)
        if attributes.get("TargetMode") == "External"
    ]
    return list(dict.fromkeys(found))


def _relationship_attributes(archive: Archive, part: str) -> list[dict[str, str]]:
    folder, _, name = part.rpartition("/")
    rels = f"{folder}/_rels/{name}.rels" if folder else f"_rels/{name}.rels"
    found: list[dict[str, str]] = []
    if rels not in archive:
        return found

    def start(tag: str, attributes: dict[str, str]) -> None:
        if tag == "Relationship":
            found.append(attributes)

    archive.read_xml(rels, start, lambda _tag, _text: None)
    return found


# --- text ----------------------------------------------------------------------------------------------

_ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")


def unescaped(text: str) -> str:
    """Undo the _x000D_ form in which the file writes characters that XML cannot hold.

    NUL and half of a surrogate pair, which no text may hold elsewhere, become U+FFFD.
    """
    if "_x" not in text:
        return text
    decoded = _ESCAPE.sub(lambda match: chr(int(match[1], 16)), text).replace("\0", "\ufffd")
    # Through UTF-16, where both halves of a pair become the one character that they mean.
    return decoded.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
