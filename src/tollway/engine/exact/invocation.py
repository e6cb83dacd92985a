"""How deep and how often LAMBDAs may call each other before a formula is given up as endless."""

from __future__ import annotations

import sys
from threading import Lock

# Source: Microsoft's LAMBDA page: calls within calls share 1,024 places, one for each parameter and one more.
NESTED_PLACES_MAX = 1_024
# Calls of one formula in all, and those that stand at least so deep: a second's work.
CALLS_MAX = 1_000_000
NESTED_CALLS_MAX = 100_000
_NESTED_DEPTH = 4
# Python's own limit while a LAMBDA runs: NESTED_PLACES_MAX calls, each in a formula of some nested functions.
_FRAMES_MAX = 60_000


class EndlessLambdaError(Exception):
    """LAMBDAs call each other too deep or too often: the formula gives #NUM!."""


class CallLimits:
    """Counts the calls of one formula."""

    __slots__ = ("_calls", "_depth", "_nested_calls", "_places")

    def __init__(self) -> None:
        self._calls = self._nested_calls = self._depth = self._places = 0

    def restart(self) -> None:
        """Begin another formula."""
        self._calls = self._nested_calls = 0

    def enter(self, parameter_count: int) -> None:
        """Count a call. Raises: EndlessLambdaError, and then leave() must not be called."""
        self._calls += 1
        if self._depth >= _NESTED_DEPTH:
            self._nested_calls += 1
        places = self._places + parameter_count + 1
        if places > NESTED_PLACES_MAX or self._calls > CALLS_MAX or self._nested_calls > NESTED_CALLS_MAX:
            raise EndlessLambdaError
        self._places = places
        self._depth += 1
        if self._depth == 1:
            _deep_stack.enter()

    def leave(self, parameter_count: int) -> None:
        """A call has ended."""
        self._places -= parameter_count + 1
        self._depth -= 1
        if self._depth == 0:
            _deep_stack.leave()


class _DeepStack:
    """Raises Python's recursion limit while any thread runs a LAMBDA; its frames take no room on the C stack."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._users = 0
        self._usual = 0

    def enter(self) -> None:
        with self._lock:
            self._users += 1
            if self._users == 1:
                self._usual = sys.getrecursionlimit()
                sys.setrecursionlimit(max(self._usual, _FRAMES_MAX))

    def leave(self) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0:
                sys.setrecursionlimit(self._usual)


_deep_stack = _DeepStack()
