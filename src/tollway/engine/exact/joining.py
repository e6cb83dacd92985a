"""What the operators between references give when both sides are known before anything is computed."""

from __future__ import annotations

from tollway.engine.language.syntax import COLUMN_MAX, ROW_MAX, Area, Binary, ErrorLiteral, Group, Node, Union
from tollway.engine.values import ErrorValue, UnreadableFormula

# Pairs of references that one intersection compares.
PAIRS_MAX = 10_000


def intersection(left: Node, right: Node) -> Node:
    """The cells that two references have in common; #NULL! when there are none. Kept where a side is computed.

    Raises: UnreadableFormula for more than PAIRS_MAX pairs.
    """
    left, right = _bare(left), _bare(right)
    for side in (left, right):
        if isinstance(side, ErrorLiteral):
            return side
    if not (_is_known(left) and _is_known(right)):
        return Binary(" ", left, right)
    if len(_areas(left)) * len(_areas(right)) > PAIRS_MAX:
        raise UnreadableFormula(
            f"The formula intersects lists of references with more than {PAIRS_MAX:,} pairs; use fewer references."
        )
    common = [
        found for one in _areas(left) for other in _areas(right) if (found := _common(one, other)) is not None
    ]
    if not common:
        return ErrorLiteral(ErrorValue.NULL)
    return common[0] if len(common) == 1 else Union(tuple(common))


def range_between(left: Node, right: Node) -> Node:
    """The smallest area around two references; #VALUE! over two sheets. Kept where an end is computed."""
    left, right = _bare(left), _bare(right)
    for side in (left, right):
        if isinstance(side, ErrorLiteral):
            return side
    if not (isinstance(left, Area) and isinstance(right, Area)):
        return Binary(":", left, right)
    if left.sheet != right.sheet:
        return ErrorLiteral(ErrorValue.VALUE)
    one, other = left.bounds, right.bounds
    top, first = min(one[0], other[0]), min(one[1], other[1])
    bottom, last = max(one[2], other[2]), max(one[3], other[3])
    return Area(left.sheet, (top, first, bottom, last), False)


def union(left: Node, right: Node) -> Node:
    """Both references, one after the other; an error value where one of them is one."""
    parts: list[Node] = []
    for side in (_bare(left), _bare(right)):
        if isinstance(side, ErrorLiteral):
            return side
        parts.extend(side.parts if isinstance(side, Union) else (side,))
    return Union(tuple(parts))


def resized(area: Node, like: Node) -> Node:
    """The cells that SUMIF adds: from the corner of its third argument, as many as its first has."""
    if not (isinstance(area, Area) and isinstance(like, Area)):
        return area
    top, left, _, _ = area.bounds
    bottom = min(ROW_MAX, top + like.bounds[2] - like.bounds[0])
    right = min(COLUMN_MAX, left + like.bounds[3] - like.bounds[1])
    return Area(area.sheet, (top, left, bottom, right), False)


def _bare(node: Node) -> Node:
    """A reference without the brackets around it."""
    inner = node
    while isinstance(inner, Group):
        inner = inner.inner
    return inner if isinstance(inner, (Area, Union, ErrorLiteral)) else node


def _is_known(node: Node) -> bool:
    return isinstance(node, Area) or (
        isinstance(node, Union) and all(isinstance(part, Area) for part in node.parts)
    )


def _areas(node: Node) -> list[Area]:
    parts = node.parts if isinstance(node, Union) else (node,)
    return [part for part in parts if isinstance(part, Area)]


def _common(one: Area, other: Area) -> Area | None:
    top, first = max(one.bounds[0], other.bounds[0]), max(one.bounds[1], other.bounds[1])
    bottom, last = min(one.bounds[2], other.bounds[2]), min(one.bounds[3], other.bounds[3])
    if one.sheet != other.sheet or top > bottom or first > last:
        return None
    return Area(one.sheet, (top, first, bottom, last), (top, first) == (bottom, last))
