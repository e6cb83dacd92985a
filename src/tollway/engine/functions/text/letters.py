"""Letters: their case, their codes, and what cannot be printed. Source: Microsoft's page of each function."""

from __future__ import annotations

from tollway.engine.functions.registry import Context, FailedError, function, whole
from tollway.engine.values import ErrorValue, Value

# Codes that Windows leaves without a character; Excel passes them through.
_WITHOUT_CHARACTER = frozenset({0x81, 0x8D, 0x8F, 0x90, 0x9D})
_WINDOWS = "cp1252"
_MACINTOSH = "mac_roman"
_UNKNOWN = float(ord("?"))


@function("UPPER", "text", returns="text")
def upper(text: str) -> str:
    """In capitals."""
    return "".join(map(_capital, text))


@function("LOWER", "text", returns="text")
def lower(text: str) -> str:
    """In small letters."""
    return "".join(map(_small, text))


@function("PROPER", "text", returns="text")
def proper(text: str) -> str:
    """With a capital at the start of each word, a word being letters in a row, and small letters else."""
    shown: list[str] = []
    follows_letter = False
    for character in text:
        shown.append(_small(character) if follows_letter else _capital(character))
        follows_letter = character.isalpha()
    return "".join(shown)


def _capital(character: str) -> str:
    # What would become two letters, such as the German sharp s, stays.
    changed = character.upper()
    return changed if len(changed) == 1 else character


def _small(character: str) -> str:
    changed = character.lower()
    return changed if len(changed) == 1 else character


@function("CLEAN", "text", returns="text")
def clean(text: str) -> str:
    """Without the characters that cannot be printed, codes 0 to 31."""
    return "".join(character for character in text if ord(character) >= 32)


@function("CHAR", "number", returns="text", wants_context=True)
def character_of(context: Context, number: float) -> str:
    """The character of a code in the character set of Windows, or of the Macintosh where the workbook was saved there.

    Errors: #VALUE! outside 1 to 255.
    """
    code = whole(number)
    if not 1 <= code <= 255:
        raise FailedError(ErrorValue.VALUE)
    character_set = _character_set(context)
    if character_set == _WINDOWS and code in _WITHOUT_CHARACTER:
        return chr(code)
    return bytes((code,)).decode(character_set)


@function("CODE", "text", wants_context=True)
def code_of(context: Context, text: str) -> float:
    """The code of the first character in the same character set as CHAR's; 63, a question mark, where it has none.

    Errors: #VALUE! for an empty text.
    """
    if not text:
        raise FailedError(ErrorValue.VALUE)
    character_set = _character_set(context)
    if character_set == _WINDOWS and ord(text[0]) in _WITHOUT_CHARACTER:
        return float(ord(text[0]))
    try:
        return float(text[0].encode(character_set)[0])
    except UnicodeEncodeError:
        return _UNKNOWN


def _character_set(context: Context) -> str:
    application = "" if context.cells is None else context.cells.workbook.application
    return _MACINTOSH if "Macintosh" in application else _WINDOWS


@function("UNICHAR", "number", returns="text")
def unicode_character(number: float) -> str:
    """The character of a Unicode number.

    Errors: #VALUE! outside 1 to 1,114,111; #N/A for half of a surrogate pair, and for what is no character.
    """
    code = whole(number)
    if not 1 <= code <= 0x10FFFF:
        raise FailedError(ErrorValue.VALUE)
    if 0xD800 <= code <= 0xDFFF or code & 0xFFFE == 0xFFFE:
        raise FailedError(ErrorValue.NA)
    return chr(code)


@function("UNICODE", "text")
def unicode_of(text: str) -> float:
    """The Unicode number of the first character.

    Errors: #VALUE! for an empty text, or one that starts with half of a surrogate pair.
    """
    if not text or 0xD800 <= ord(text[0]) <= 0xDFFF:
        raise FailedError(ErrorValue.VALUE)
    return float(ord(text[0]))


@function("ASC", "text", returns="text")
@function("DBCS", "text", returns="text")
def same_width(text: str) -> str:
    """The text as it is: widths of characters change only where Chinese, Japanese or Korean is Excel's language."""
    return text


@function("JIS", "any", returns="text")
def japanese_width(_value: Value) -> ErrorValue:
    """#NAME?: only a Japanese Excel knows this name; in others the function is DBCS."""
    return ErrorValue.NAME
