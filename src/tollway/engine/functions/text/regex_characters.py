r"""The characters that \d, \w, [:alpha:], \p{Lu} and the like stand for, and the positions that \b, ^ and $ do.

As PCRE2 sees them by default: \d, \w and \s are those of ASCII; properties are Unicode's.
"""

from __future__ import annotations

import string
import unicodedata
from collections.abc import Callable

from tollway.engine.functions.text.regex_program import PatternError, PatternRefused, Test

_WORD = frozenset(string.ascii_letters + string.digits + "_")
_DIGITS = frozenset(string.digits)
_SPACES = frozenset("\t\n\v\f\r ")
_ACROSS = frozenset("\t \u00a0\u1680\u180e\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B))))
_DOWN = frozenset("\n\v\f\r\u0085\u2028\u2029")
_SETS = {"d": _DIGITS, "w": _WORD, "s": _SPACES, "h": _ACROSS, "v": _DOWN}
_NAMED = {
    "alnum": frozenset(string.ascii_letters + string.digits),
    "alpha": frozenset(string.ascii_letters),
    "ascii": frozenset(map(chr, range(128))),
    "blank": frozenset(" \t"),
    "cntrl": frozenset(map(chr, (*range(32), 127))),
    "digit": _DIGITS,
    "graph": frozenset(map(chr, range(33, 127))),
    "lower": frozenset(string.ascii_lowercase),
    "print": frozenset(map(chr, range(32, 127))),
    "punct": frozenset(string.punctuation),
    "space": _SPACES,
    "upper": frozenset(string.ascii_uppercase),
    "word": _WORD,
    "xdigit": frozenset(string.hexdigits),
}
_CATEGORIES = frozenset(
    (
        *("C", "Cc", "Cf", "Cn", "Co", "Cs", "L", "Ll", "Lm", "Lo", "Lt", "Lu", "M", "Mc", "Me", "Mn"),
        *("N", "Nd", "Nl", "No", "P", "Pc", "Pd", "Pe", "Pf", "Pi", "Po", "Ps", "S", "Sc", "Sk", "Sm", "So"),
        *("Z", "Zl", "Zp", "Zs"),
    )
)


def anything(_character: str) -> bool:
    """Any character."""
    return True


def no_line_end(character: str) -> bool:
    """Any character but a line feed."""
    return character != "\n"


def literal(character: str, *, ignores_case: bool) -> Test:
    """One character itself."""
    if ignores_case:
        variants = _variants(character)
        if len(variants) > 1:
            return lambda found: found in variants
    return lambda found: found == character


def _variants(character: str) -> frozenset[str]:
    cases = {character, character.lower(), character.upper(), character.casefold()}
    return frozenset(case for case in cases if len(case) == 1)


def between(first: str, last: str, *, ignores_case: bool) -> Test:
    """The characters from one to another."""
    if first > last:
        raise PatternError
    if ignores_case:
        return lambda found: any(first <= variant <= last for variant in _variants(found))
    return lambda found: first <= found <= last


def escaped_set(letter: str) -> Test | None:
    r"""\d \w \s \h \v, and in capitals all others; None for another letter."""
    members = _SETS.get(letter.lower())
    if members is None:
        return None
    return members.__contains__ if letter.islower() else (lambda found: found not in members)


def named_set(name: str) -> Test:
    """[:name:] or [:^name:]."""
    members = _NAMED.get(name.removeprefix("^"))
    if members is None:
        raise PatternError
    return (lambda found: found not in members) if name.startswith("^") else members.__contains__


def property_set(name: str, *, is_negative: bool) -> Test:
    r"""\p{name}: a general category of Unicode, or Any."""
    if name.startswith("^"):
        name, is_negative = name[1:], not is_negative
    name = name.strip()
    if name == "Any":
        return lambda _found: not is_negative
    if name == "L&":
        return lambda found: (unicodedata.category(found) in ("Ll", "Lu", "Lt")) is not is_negative
    if name not in _CATEGORIES:
        raise PatternRefused(f"\\p{{{name}}} in a regular expression")
    return lambda found: unicodedata.category(found).startswith(name) is not is_negative


def any_of(tests: list[Test], *, is_negative: bool) -> Test:
    """What passes one of several tests, or none of them."""
    if len(tests) == 1 and not is_negative:
        return tests[0]
    return lambda found: any(test(found) for test in tests) is not is_negative


# --- positions -----------------------------------------------------------------------------------------


def at_word_edge(text: str, position: int, _search_start: int) -> bool:
    r"""\b: a letter, digit or _ on one side only."""
    before = position > 0 and text[position - 1] in _WORD
    after = position < len(text) and text[position] in _WORD
    return before is not after


def inside_or_outside_word(text: str, position: int, search_start: int) -> bool:
    r"""\B: not \b."""
    return not at_word_edge(text, position, search_start)


def at_start(_text: str, position: int, _search_start: int) -> bool:
    r"""\A, and ^ for one line."""
    return position == 0


def at_line_start(text: str, position: int, _search_start: int) -> bool:
    """^ for several lines."""
    return position == 0 or (text[position - 1] == "\n" and position < len(text))


def at_end(text: str, position: int, _search_start: int) -> bool:
    r"""\Z, and $ for one line: the end, or before a line feed that ends the text."""
    return position == len(text) or (position == len(text) - 1 and text[position] == "\n")


def at_line_end(text: str, position: int, _search_start: int) -> bool:
    """$ for several lines."""
    return position == len(text) or text[position] == "\n"


def at_very_end(text: str, position: int, _search_start: int) -> bool:
    r"""\z."""
    return position == len(text)


def at_search_start(_text: str, position: int, search_start: int) -> bool:
    r"""\G: where the search began."""
    return position == search_start


POSITIONS: dict[str, Callable[[str, int, int], bool]] = {
    "b": at_word_edge,
    "B": inside_or_outside_word,
    "A": at_start,
    "Z": at_end,
    "z": at_very_end,
    "G": at_search_start,
}
