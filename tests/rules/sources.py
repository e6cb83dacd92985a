"""What the rules look at: the project's own texts, and its Python files as trees."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "tollway"
TEXT_SUFFIXES = {
    ".py",
    ".md",
    ".toml",
    ".sql",
    ".html",
    ".css",
    ".js",
    ".lock",
    ".yaml",
    ".yml",
    ".svg",
    ".txt",
    "",
}
FOLDERS = ("src", "tests", "docs", "migrations", "bench", "deploy", ".ci")
# Other people's work, kept as it came.
VENDORED = ("static/vendor/",)


@cache
def texts() -> dict[str, str]:
    """Read every text of the project by its path from the root."""
    files = [file for file in ROOT.iterdir() if file.is_file()]
    for folder in FOLDERS:
        files += [file for file in (ROOT / folder).rglob("*") if file.is_file()]
    return {
        str(file.relative_to(ROOT)): file.read_text()
        for file in sorted(files)
        if file.suffix in TEXT_SUFFIXES
        and "__pycache__" not in file.parts
        and not any(part in str(file) for part in VENDORED)
    }


@cache
def modules() -> dict[str, ast.Module]:
    """Parse every module of the product by its path below src/tollway."""
    return {
        str(file.relative_to(SOURCE)): ast.parse(file.read_text()) for file in sorted(SOURCE.rglob("*.py"))
    }


def imports(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Name every module that a tree imports, with its line; `from a import b` names `a.b` as well as `a`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, node.lineno
            for alias in node.names:
                yield f"{node.module}.{alias.name}", node.lineno
