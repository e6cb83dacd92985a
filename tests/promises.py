"""Shows which lines of the specification are proven, by which tests, and which are not yet.

Run as `python -m tests.promises`. Reads the markers without running anything; exits with 1 where a
marker names a number that does not exist.
"""

import ast
import re
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parent
PROMISES = TESTS / "promises.toml"


def read_promises() -> dict[str, str]:
    """Read the sentence of each number, in the order of the specification."""
    sections = tomllib.loads(PROMISES.read_text())
    return {number: sentence for section in sections.values() for number, sentence in section.items()}


def read_proofs() -> dict[str, list[str]]:
    """Find the tests that carry each number: `tests/FILE.py::test_name` by number."""
    proofs: dict[str, list[str]] = defaultdict(list)
    for file in sorted(TESTS.rglob("test_*.py")):
        tree = ast.parse(file.read_text())
        everywhere = [number for node in tree.body if _is_pytestmark(node) for number in _numbers(node)]
        for name, decorators in _tests(tree):
            numbers = everywhere + [number for decorator in decorators for number in _numbers(decorator)]
            for number in dict.fromkeys(numbers):
                proofs[number].append(f"{file.relative_to(TESTS.parent)}::{name}")
    return dict(proofs)


def _tests(tree: ast.Module) -> Iterator[tuple[str, list[ast.expr]]]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield node.name, node.decorator_list
        if isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
            for name, decorators in _tests(ast.Module(node.body, [])):
                yield f"{node.name}::{name}", [*node.decorator_list, *decorators]


def _is_pytestmark(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign) and any(
        isinstance(target, ast.Name) and target.id == "pytestmark" for target in node.targets
    )


def _numbers(tree: ast.AST) -> Iterator[str]:
    """Give the numbers of every `pytest.mark.promise(...)` below a node."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.promise":
            for argument in node.args:
                # Anything but a literal could not be read without running the tests.
                yield argument.value if isinstance(argument, ast.Constant) else ast.unparse(argument)


def unknown_numbers() -> dict[str, list[str]]:
    """Find markers that name no promise."""
    known = read_promises()
    return {number: tests for number, tests in read_proofs().items() if number not in known}


def main() -> int:
    """Print the promises with their proofs, then those without."""
    promises, proofs = read_promises(), read_proofs()
    for number, sentence in promises.items():
        if number in proofs:
            print(f"{number:5}{sentence}")
            for test in proofs[number]:
                print(f"       {test}")
    open_numbers = [number for number in promises if number not in proofs]
    print(f"\nProven: {len(promises) - len(open_numbers)} of {len(promises)}. Not yet:")
    for letter in "ABCDX":
        numbers = [number for number in open_numbers if re.match(letter, number)]
        print(f"  {' '.join(numbers) or '-'}")
    for number, tests in unknown_numbers().items():
        print(f"There is no promise {number}, but it is claimed by {', '.join(tests)}", file=sys.stderr)
    return 1 if unknown_numbers() else 0


if __name__ == "__main__":
    sys.exit(main())
