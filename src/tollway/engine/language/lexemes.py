"""Cuts the text of a formula into its words: numbers, texts, references, names, operators."""

from __future__ import annotations

import re
from functools import lru_cache

from tollway.engine.language.syntax import COLUMN_MAX, ROW_MAX, Corner, column_number
from tollway.engine.values import ERROR_BY_TEXT, UnreadableFormula

# Cells whose text is kept with what it means; copies of one formula name neighbours again and again.
_CORNERS_KEPT = 65_536

# (kind, text as written, white space before it). Kinds are the names of the groups below.
Lexeme = tuple[str, str, str]

# A name as Excel allows it: letters of any script, digits, underscore, dot, backslash, question mark.
_WORD = r"[\w.\\?]"
# Unquoted sheets before "!": at most a workbook in brackets, one sheet or two with a colon between; a first
# sheet that looks like a cell would be quoted, so A1:Sheet2!B3 is a range.
_SHEET = (
    r"'(?:[^']|'')+'!"
    r"|(?:\[[^\[\]'!]+\])?(?!\$?[A-Za-z]{1,3}\d{1,7}:)[\w.]++(?::[\w.]++)?!"
    r"|\[[^\[\]'!]+\]!"
    r"|!(?=[$\w\\])"
)
_PIECE = r"(?:[^\[\]']|'[\s\S])*+"
_PATTERN = r"""(?P<space>[ \t\r\n]*+)(?:
    (?P<text>"(?:[^"]|"")*+")
  | (?P<error>{errors})
  {sheet}
  | (?P<columns>\$?[A-Za-z]{{1,3}}[ ]?:[ ]?\$?[A-Za-z]{{1,3}}(?![\w.\\?(!\[]))
  | (?P<rows>\$?\d{{1,7}}[ ]?:[ ]?\$?\d{{1,7}}(?![\w.\\?]))
  | (?P<cell>\$?[A-Za-z]{{1,3}}\$?\d{{1,7}}(?![\w.\\?(!\[]))
  | (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
  | (?P<call>(?:[^\W\d]|\\){word}*\()
  | (?P<name>(?:[^\W\d]|\\){word}*)
  | (?P<operator><=|>=|<>|[-+*/^&=<>%,:;(){{}}@\#])
  | (?P<bracket>\[(?:[^\[\]']|'[\s\S]|\[{piece}\])*+\])
  | (?P<end>\Z)
    )"""


def _compiled(sheet: str) -> re.Pattern[str]:
    errors = "|".join(re.escape(text) for text in ERROR_BY_TEXT)
    pattern = _PATTERN.format(errors=f"(?i:{errors})", sheet=sheet, word=_WORD, piece=_PIECE)
    return re.compile(pattern, re.VERBOSE)


_LEXEME = _compiled(rf"| (?P<sheet>{_SHEET})")
# Behind a sheet there is no other sheet: in Jan!rate:Mar!rate the colon is that of a range.
_LEXEME_ON_SHEET = _compiled("")
_MARK = re.compile(r"_xl(?:fn|ws|pm|op|eta)\.")
# No formula that Excel shows is longer than this with all its marks.
_MARKED_LENGTH_MAX = 65_536
_DDE = re.compile(r"(?:'[^'|]+'|[\w.]+)\|")


def lexemes(text: str) -> list[Lexeme]:
    """Every word of a formula without its equals sign; the last is of kind "end".

    Raises: UnreadableFormula, telling from which character on.
    """
    found: list[Lexeme] = []
    position = 0
    match_next, match_on_sheet = _LEXEME.match, _LEXEME_ON_SHEET.match
    kind = ""
    while True:
        match = match_on_sheet(text, position) if kind == "sheet" else match_next(text, position)
        if match is None:
            raise UnreadableFormula(
                f"The formula cannot be read from character {position + 1} on: {text[position : position + 20]!r}."
            )
        kind = match.lastgroup or ""
        found.append((kind, match[kind], match[1]))
        if kind == "end":
            return found
        position = match.end()


def shown_length(text: str) -> int:
    """How long a formula is where Excel shows it: files write marks such as _xlfn. before newer functions."""
    if "_xl" not in text:
        return len(text)
    return len(_MARK.sub("", text[:_MARKED_LENGTH_MAX])) + max(0, len(text) - _MARKED_LENGTH_MAX)


def is_data_exchange(text: str) -> bool:
    """Whether a formula asks a running program (DDE), such as cmd|'/c calc'!A0."""
    return "|" in text and _DDE.search(text) is not None


_CELL = re.compile(r"(\$?)([A-Za-z]{1,3})(\$?)(\d{1,7})")


@lru_cache(maxsize=_CORNERS_KEPT)
def find_corner(text: str) -> Corner | None:
    """The cell that a text such as $A1 names; None where the sheet does not reach that far (it is a name)."""
    match = _CELL.fullmatch(text)
    if match is None:
        return None
    row, column = int(match[4]), column_number(match[2])
    if not (1 <= row <= ROW_MAX and column <= COLUMN_MAX):
        return None
    return Corner(row, column, bool(match[3]), bool(match[1]))


def find_line(text: str) -> Corner | None:
    """One end of a whole-column or whole-row reference; None where the sheet does not reach that far."""
    fixed, bare = text.startswith("$"), text.removeprefix("$")
    if bare.isdigit():
        return Corner(int(bare), None, row_fixed=fixed) if 1 <= int(bare) <= ROW_MAX else None
    number = column_number(bare)
    return Corner(None, number, column_fixed=fixed) if number <= COLUMN_MAX else None
