"""Which endpoint a path belongs to: `/models/mdl_1` is `/models/{model_id}`, so that calls can be added up."""

import re
from collections.abc import Iterable
from functools import lru_cache

from starlette.routing import compile_path

# What the paths of nobody's endpoint are added up under; they themselves stand beside it in the log.
NO_ENDPOINT = "(no such endpoint)"
REMEMBERED_MAX = 10_000
# Longer ones are looked for each time: strangers choose them, and ten thousand of those would be gigabytes.
REMEMBERED_LENGTH_MAX = 255


_compiled = lru_cache(maxsize=None)(compile_path)


class Patterns:
    """The patterns of an application's endpoints, found without its router."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self._fixed: set[str] = set()
        # By the first two parts of the path, so that few are tried.
        self._open: dict[str, list[tuple[re.Pattern[str], str]]] = {}
        for pattern in dict.fromkeys(patterns):
            regex, _, parameters = _compiled(pattern)
            if parameters:
                self._open.setdefault(_beginning(pattern), []).append((regex, pattern))
            else:
                self._fixed.add(pattern)
        self._find_once = lru_cache(REMEMBERED_MAX)(self._find)

    def find(self, path: str) -> str:
        """Return the pattern that a path matches first, or NO_ENDPOINT."""
        return self._find_once(path) if len(path) <= REMEMBERED_LENGTH_MAX else self._find(path)

    @property
    def remembered_count(self) -> int:
        """How many paths are told without looking."""
        return self._find_once.cache_info().currsize

    def _find(self, path: str) -> str:
        # Routers let a line break pass at the end of what they match (`$` of a regular expression).
        fixed = path.removesuffix("\n")
        if fixed in self._fixed:
            return fixed
        for beginning in (_beginning(path), *_shorter(path)):
            for regex, pattern in self._open.get(beginning, ()):
                if regex.match(path):
                    return pattern
        return NO_ENDPOINT


def _beginning(path: str) -> str:
    """Return what a path begins with before its first parameter, of its first two parts."""
    parts = path.split("/")[1:3]
    fixed = [part for part in parts if "{" not in part]
    return "/".join(fixed) if fixed == parts[: len(fixed)] else ""


def _shorter(path: str) -> tuple[str, str]:
    return path.split("/")[1] if path.count("/") else "", ""
