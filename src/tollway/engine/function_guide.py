"""Writes docs/guides/functions.md from the functions themselves, so that the guide says what the code does.

python -m tollway.engine.function_guide > docs/guides/functions.md
"""

from __future__ import annotations

import inspect
import sys
import textwrap

from tollway.engine.functions import families
from tollway.engine.functions.registry import FUNCTIONS, Function
from tollway.engine.language.function_names import EXCEL_FUNCTIONS

# The formula language reads these itself, or under another name; a user writes LET, LAMBDA and an operator.
_LANGUAGE = {
    "LET": (
        "LET(name, value, [name, value]..., result)",
        "Name values inside a formula; later ones see those before.",
    ),
    "LAMBDA": (
        "LAMBDA([parameter]..., result)",
        "A function of your own: called at once, by a defined name, or by MAP, REDUCE, SCAN, BYROW, BYCOL, MAKEARRAY.",
    ),
}
_WRITTEN_BY_EXCEL = {"ANCHORARRAY", "SINGLE", "TABLE", "_TRO_ALL", "_TRO_LEADING", "_TRO_TRAILING"}
_WIDTH = 118
_HEAD = """---
title: Functions
order: 55
---

{count} of Excel's functions are computed, each by the rules of Excel itself: its coercions, its error values, its
rounding to 15 digits. A workbook with one that is not computed is refused by name before anything runs.

Arguments in brackets may be left out; an argument followed by dots may be repeated. Unless an entry says otherwise its
source is Microsoft's page of that function, an error value among the arguments is the result, text that is no number
gives #VALUE! where a number is wanted, and a result too large for a number gives #NUM!.
"""


def functions_guide() -> str:
    """The whole guide, as Markdown."""
    parts = [_HEAD.format(count=len(FUNCTIONS) + len(_LANGUAGE))]
    for title, functions in families().items():
        parts.append(f"## {title}\n")
        if title == "Logical":
            parts += [f"### {name}\n\n`{usage}`\n\n{text}\n" for name, (usage, text) in _LANGUAGE.items()]
        parts += [_entry(functions[name]) for name in sorted(functions)]
    missing = sorted(EXCEL_FUNCTIONS - set(FUNCTIONS) - set(_LANGUAGE) - _WRITTEN_BY_EXCEL)
    parts.append("## Not computed\n")
    parts.append(
        _wrapped(
            "They need the outside world, another program or a random draw of their own, or are not there yet: "
            + _escaped(", ".join(missing))
            + "."
        )
        + "\n"
    )
    return "\n".join(parts)


def _entry(found: Function) -> str:
    text = inspect.cleandoc(found.scalar.__doc__ or "")
    paragraphs = [" ".join(part.split()) for part in text.split("\n\n")]
    body = "\n\n".join(_wrapped(_escaped(paragraph)) for paragraph in paragraphs)
    return f"### {found.name}\n\n`{usage_of(found)}`\n\n{body}\n"


def usage_of(found: Function) -> str:
    """How a call is written: NPV(rate, arguments...)."""
    parameters = list(inspect.signature(found.scalar).parameters.values())
    if found.wants_context:
        parameters = parameters[1:]
    written: list[str] = []
    for place, parameter in enumerate(parameters):
        name = parameter.name.strip("_")
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            written.append(f"{name}..." if place < max(1, found.required) else f"[{name}]...")
        else:
            written.append(name if place < found.required else f"[{name}]")
    return f"{found.name}({', '.join(written)})"


def _wrapped(text: str) -> str:
    return textwrap.fill(text, _WIDTH, break_on_hyphens=False, break_long_words=False)


def _escaped(text: str) -> str:
    """Markdown that shows the characters as they are; what stands between backticks stays code."""
    pieces = text.split("`")
    for place in range(0, len(pieces), 2):
        for mark in ("\\", "*", "_", "<", "["):
            pieces[place] = pieces[place].replace(mark, "\\" + mark)
    return "`".join(pieces)


if __name__ == "__main__":
    sys.stdout.write(functions_guide())
