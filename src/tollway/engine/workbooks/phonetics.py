"""The pieces of a text as a file stores it, with the readings that stand above parts of Japanese ones.

Source: ECMA-376 part 1, 18.4.6 rPh and 18.4.3 phoneticPr.
"""

from __future__ import annotations

from tollway.engine.workbooks.archive import unescaped
from tollway.engine.workbooks.cells import Reading

_KIND_DEFAULT = "fullwidthKatakana"
_PLACE_DIGITS_MAX = 9


class TextPieces:
    """Collects one text of the shared texts or of a cell, as its elements are met."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        # Start and end in the text, and what is read there.
        self._runs: list[tuple[int, int, str]] = []
        self._run: dict[str, str] | None = None
        self._run_pieces: list[str] = []
        self._kind = ""

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Take the start of an element inside the text."""
        if tag == "rPh":
            self._run = attributes
            self._run_pieces = []
        elif tag == "phoneticPr":
            self._kind = attributes.get("type", _KIND_DEFAULT)

    def end(self, tag: str, text: str) -> None:
        """Take the end of an element inside the text, with what it holds."""
        if tag == "t":
            (self._pieces if self._run is None else self._run_pieces).append(text)
        elif tag == "rPh" and self._run is not None:
            first, last = _place(self._run.get("sb")), _place(self._run.get("eb"))
            self._run, read = None, unescaped("".join(self._run_pieces))
            if first is not None and last is not None and first <= last:
                self._runs.append((first, last, read))

    def text(self) -> str:
        """The text, without its readings."""
        return unescaped("".join(self._pieces))

    def reading(self) -> Reading | None:
        """How it is read; None where the file does not tell. Runs that lie over one another count but once."""
        if not self._runs and not self._kind:
            return None
        # Places count in halves of UTF-16, as Excel counts characters.
        base = self.text().encode("utf-16-le", "surrogatepass")
        read: list[str] = []
        reached = 0
        for first, last, reading in sorted(self._runs, key=lambda run: run[:2]):
            if first < reached or 2 * last > len(base):
                continue
            read.append(_decoded(base[2 * reached : 2 * first]) + reading)
            reached = last
        read.append(_decoded(base[2 * reached :]))
        return Reading("".join(read), self._kind or _KIND_DEFAULT)


def _place(written: str | None) -> int | None:
    if written is None or not written.isdecimal() or len(written) > _PLACE_DIGITS_MAX:
        return None
    return int(written)


def _decoded(part: bytes) -> str:
    return part.decode("utf-16-le", "replace")
