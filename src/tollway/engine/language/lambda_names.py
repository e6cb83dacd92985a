"""The names that LET and LAMBDA give to values, as formulas write them."""

from __future__ import annotations

from tollway.engine.language.syntax import Call, Group, Name, Node, Structured
from tollway.engine.values import UnreadableFormula

# How Excel marks them in files.
PARAMETER_PREFIX = "_xlpm."
_OPTIONAL_PREFIX = "_xlop."


def parameter_name(node: Node, function: str) -> tuple[str, bool]:
    """A parameter's name in lower case, and whether it is optional: x, _xlpm.x, [x] or _xlop.x."""
    match node:
        case Name(None, text):
            lowered = text.lower()
            if lowered.startswith(_OPTIONAL_PREFIX):
                return lowered.removeprefix(_OPTIONAL_PREFIX), True
            return lowered.removeprefix(PARAMETER_PREFIX), False
        case Structured(None, (), str() as first, None):
            lowered = first.strip().lower()
            return lowered.removeprefix(PARAMETER_PREFIX).removeprefix(_OPTIONAL_PREFIX), True
        case _:
            raise UnreadableFormula(
                f"{function} has something else where it wants a name; a name may not look like a cell."
            )


def is_lambda(tree: Node) -> bool:
    """Whether what a name stands for is a LAMBDA, called only where the name is."""
    while isinstance(tree, Group):
        tree = tree.inner
    return isinstance(tree, Call) and tree.name == "LAMBDA"
