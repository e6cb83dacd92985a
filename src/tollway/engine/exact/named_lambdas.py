"""The LAMBDAs that defined names stand for: each bound once, refused together with the formulas that call it."""

from __future__ import annotations

import copy
from collections.abc import Iterable

from tollway.engine.exact.binding import Binder
from tollway.engine.language.syntax import NamedLambda, Node
from tollway.engine.values import EngineError
from tollway.engine.workbooks.workbook import Workbook

# The scope of a name and the name in lower case, as NamedLambda holds them.
_Key = tuple[int | None, str]


class NamedLambdas:
    """Those of one workbook."""

    def __init__(self, workbook: Workbook) -> None:
        self._workbook = workbook
        self._bound: dict[_Key, Node | EngineError] = {}
        self._called: dict[_Key, tuple[NamedLambda, ...]] = {}

    def get(self, node: NamedLambda) -> Node:
        """The LAMBDA, bound. Raises: UnreadableFormula, UnsupportedFormula."""
        key = (node.scope, node.name)
        known = self._bound.get(key)
        if known is None:
            binder = Binder(self._workbook, (node.scope or 0, 1, 1), is_movable=False)
            try:
                known = binder.named_lambda(self._workbook.names[key])
            except EngineError as error:
                known = error
            self._bound[key] = known
            self._called[key] = tuple(binder.lambdas)
        if isinstance(known, EngineError):
            # A copy, because who raises it adds the cell that calls it here.
            raise copy.copy(known)
        return known

    def check(self, called: Iterable[NamedLambda]) -> None:
        """Bind these and all that they call in turn. Raises: UnreadableFormula, UnsupportedFormula."""
        met: set[NamedLambda] = set()
        pending = list(called)
        while pending:
            node = pending.pop()
            if node not in met:
                met.add(node)
                self.get(node)
                pending.extend(self._called[node.scope, node.name])
