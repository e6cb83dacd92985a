"""Each `INVARIANT:` names the test that proves it, and that test exists."""

import ast
import re

import pytest
from tests.rules.sources import ROOT, texts

NAMED_TEST = re.compile(r"\((tests/[\w/]+\.py)::(\w+)\)")


def invariants() -> list[tuple[str, str]]:
    """Give (place, the text from the mark to the end of its sentence and beyond) of each mark in the source."""
    return [
        (f"{path}:{text[: found.start()].count(chr(10)) + 1}", text[found.start() : found.start() + 600])
        for path, text in texts().items()
        if path.startswith("src/") and path.endswith(".py")
        for found in re.finditer(r"INVARIANT:", text)
    ]


def test_there_are_invariants() -> None:
    assert len(invariants()) >= 4


@pytest.mark.parametrize(
    ("place", "text"), invariants(), ids=lambda value: value if ":" in value[:80] else ""
)
def test_an_invariant_names_a_test_that_exists(place: str, text: str) -> None:
    # The name may be broken over two lines of a comment.
    joined = re.sub(r"\n\s*#?\s*", " ", text)
    named = NAMED_TEST.search(joined)
    assert named, f"{place} names no test: write (tests/PACKAGE/test_FILE.py::test_NAME)"
    file = ROOT / named[1]
    assert file.exists(), f"{place} names {named[1]}, which does not exist"
    functions = {
        node.name
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert named[2] in functions, f"{place} names {named[2]}, which {named[1]} does not hold"
