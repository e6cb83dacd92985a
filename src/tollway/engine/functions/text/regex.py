"""REGEXTEST, REGEXEXTRACT and REGEXREPLACE, with the regular expressions of PCRE2, as Excel's are.

Source: Microsoft's pages of the three. An expression that uses what is not computed is refused by name, and so is one
that takes more steps than `regex_matcher.STEPS_MAX` on a text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from tollway.engine.functions.registry import Argument, FailedError, function, grid_of, whole
from tollway.engine.functions.text.regex_matcher import Match, Pattern
from tollway.engine.functions.text.regex_parser import parse_pattern
from tollway.engine.functions.text.regex_program import PatternError, PatternRefused
from tollway.engine.values import TEXT_LENGTH_MAX, ErrorValue, UnsupportedFormula

PATTERN_LENGTH_MAX = 4_096
_REFERENCE = re.compile(r"\$(?:\$|(\d{1,2})|\{(\w{1,128})\}|([A-Za-z_]\w{0,127}))", re.ASCII)


@lru_cache(maxsize=256)
def compiled(pattern: str, *, ignores_case: bool) -> Pattern:
    """An expression ready for use; what does not follow the grammar ends the function with #VALUE!.

    Raises: UnsupportedFormula for one of more than PATTERN_LENGTH_MAX characters, or with what is not computed.
    """
    if len(pattern) > PATTERN_LENGTH_MAX:
        raise UnsupportedFormula(
            f"A regular expression has {len(pattern):,} characters; write one of at most {PATTERN_LENGTH_MAX:,}.",
            construct="regular expression that is too long",
        )
    try:
        return parse_pattern(pattern, ignores_case=ignores_case)
    except PatternError as error:
        raise FailedError(ErrorValue.VALUE) from error
    except PatternRefused as refusal:
        raise UnsupportedFormula(
            f"A formula uses {refusal.construct}, which is not computed; write the expression without it.",
            construct=refusal.construct,
        ) from refusal


def _ignores_case(flag: float) -> bool:
    if whole(flag) not in (0, 1):
        raise FailedError(ErrorValue.VALUE)
    return whole(flag) == 1


def _matches(pattern: Pattern, text: str) -> Iterator[Match]:
    """Every place where an expression fits, one after another, none inside another."""
    position = 0
    not_empty_at: int | None = None
    while position <= len(text):
        found = pattern.search(text, position, not_empty_at=not_empty_at)
        if found is None:
            return
        yield found
        position = max(found.end, position)
        not_empty_at = found.end


@function("REGEXTEST", "text text [number]", returns="logical")
def regex_test(text: str, pattern: str, case_sensitivity: float = 0.0) -> bool:
    """Whether a regular expression fits anywhere in a text.

    Case sensitivity: 0 (or left out) minds capitals, 1 does not.
    Errors: #VALUE! for an expression that cannot be read, or another case sensitivity.
    """
    return compiled(pattern, ignores_case=_ignores_case(case_sensitivity)).search(text, 0) is not None


@function("REGEXEXTRACT", "text text [number number]", returns="any")
def regex_extract(
    text: str, pattern: str, return_mode: float = 0.0, case_sensitivity: float = 0.0
) -> Argument:
    """The part of a text that a regular expression fits.

    Return mode: 0 (or left out) the first such part, 1 all of them in a row, 2 the groups of the first in a row. Case
    sensitivity: 0 (or left out) minds capitals, 1 does not.
    Errors: #N/A when it fits nowhere; #VALUE! for an expression that cannot be read, another mode, or mode 2 without
    groups.
    """
    mode = whole(return_mode)
    if mode not in (0, 1, 2):
        return ErrorValue.VALUE
    expression = compiled(pattern, ignores_case=_ignores_case(case_sensitivity))
    if mode == 1:
        parts = [text[found.start : found.end] for found in _matches(expression, text)]
        return grid_of([parts]) if parts else ErrorValue.NA
    found = expression.search(text, 0)
    if found is None:
        return ErrorValue.NA
    if mode == 0:
        return text[found.start : found.end]
    if expression.group_count == 0:
        return ErrorValue.VALUE
    return grid_of([["" if group is None else text[group[0] : group[1]] for group in found.groups[1:]]])


@function("REGEXREPLACE", "text text text [number number]", returns="text")
def regex_replace(
    text: str, pattern: str, replacement: str, occurrence: float = 0.0, case_sensitivity: float = 0.0
) -> str:
    """A text with what a regular expression fits replaced.

    In the replacement, $1 or ${1} stand for a group, ${name} for a named one, $0 for the whole, $$ for a dollar. Of
    several places: 0 (or left out) replaces all, n the nth, -n the nth from the end. Case sensitivity: 0 (or left
    out) minds capitals, 1 does not.
    Errors: #VALUE! for an expression that cannot be read, a group that it does not have, or a result of more than
    32,767 characters.
    """
    expression = compiled(pattern, ignores_case=_ignores_case(case_sensitivity))
    found = list(_matches(expression, text))
    chosen = whole(occurrence)
    if chosen != 0:
        place = chosen - 1 if chosen > 0 else len(found) + chosen
        found = found[place : place + 1] if place >= 0 else []
    parts: list[str] = []
    position = length = 0
    for match in found:
        parts += [text[position : match.start], _filled(replacement, expression, match, text)]
        length += len(parts[-1]) + len(parts[-2])
        if length > TEXT_LENGTH_MAX:
            raise FailedError(ErrorValue.VALUE)
        position = match.end
    return "".join(parts) + text[position:]


def _filled(replacement: str, expression: Pattern, match: Match, text: str) -> str:
    def part(reference: re.Match[str]) -> str:
        if reference[0] == "$$":
            return "$"
        written = reference[1] or reference[2] or reference[3]
        group = int(written) if written.isdigit() else expression.group_names.get(written, -1)
        if not 0 <= group < len(match.groups):
            raise FailedError(ErrorValue.VALUE)
        span = match.groups[group]
        return "" if span is None else text[span[0] : span[1]]

    return _REFERENCE.sub(part, replacement)
