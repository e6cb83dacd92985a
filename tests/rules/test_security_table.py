"""SECURITY.md says of each requirement what proves it, and what it names is there."""

import ast
import re

import pytest
from tests.rules.sources import ROOT

TEXT = (ROOT / "SECURITY.md").read_text()
ROWS = re.findall(r"^\| (\d+\.\d+\.\d+[^|]*) \| ([12](?:, 2)?) \| ([^|]+) \| ([^|]+) \|$", TEXT, re.MULTILINE)
NAMED_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
LINK = re.compile(r"\]\((docs/[\w/.-]+)\)")
# Where no test is named, the row says why.
WITHOUT_TEST = ("Does not apply", "Not met", "Not proven by a test", "Written down")


def test_no_row_is_written_so_that_nobody_checks_it() -> None:
    table = TEXT.split("## OWASP ASVS 5.0")[1]
    lines = [line for line in table.splitlines() if line.startswith("| ") and "requirement" not in line]
    assert len(ROWS) == len(lines) > 100


def test_requirements_are_in_order_and_named_once() -> None:
    numbers = [tuple(int(part) for part in re.findall(r"\d+", row[0])[:3]) for row in ROWS]
    assert numbers == sorted(set(numbers))


@pytest.mark.parametrize(
    ("requirement", "proof"), [(row[0], row[3]) for row in ROWS], ids=lambda text: text[:16]
)
def test_a_requirement_has_a_test_that_exists_or_its_reason(requirement: str, proof: str) -> None:
    named = NAMED_TEST.findall(proof)
    assert named or proof.startswith(WITHOUT_TEST), f"{requirement} names neither a test nor a reason"
    for file, name in named:
        tree = ast.parse((ROOT / file).read_text())
        functions = {
            node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        assert name in functions, f"{requirement} names {name}, which {file} does not hold"
    for page in LINK.findall(proof):
        assert (ROOT / page).exists(), f"{requirement} leads to {page}, which does not exist"
