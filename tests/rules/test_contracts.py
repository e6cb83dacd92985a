"""The house: who may import whom, and who may speak SQL or commit. No exemptions."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.rules.sources import ROOT, SOURCE, imports, modules, texts

DOMAINS = {
    path.parent.name
    for path in SOURCE.glob("*/entities.py")
    if path.parent.name not in {"kit", "engine"}
}  # fmt: skip
# A domain's files from the bottom up; each imports only files below it. `*_store.py` is a store too.
FILE_ORDER = {
    "entities": 0,
    "store": 1,
    "remote": 1,
    "operations": 2,
    "flows": 3,
    "endpoints": 4,
    "jobs": 4,
    "middleware": 4,
}
# `samples` and `export` are verbs of simulation that need neither a transaction nor a server: the command
# line uses them where there is no database.
# `permissions`, `callers` and `guard` of customers say who calls and what they may do: every endpoint asks them.
# `changes` of plans are entities of their own: what a change of a plan is, and why one is refused.
# `studies` of simulation likewise: batches, comparisons, goal seeks.
# `points` of simulation read the file that scatter plots are drawn from.
# `downloads` of simulation are entities of their own; `report` and `sample_files` are files like those of `export`.
PUBLIC_FILES = {
    "entities", "operations", "flows", "samples", "export", "permissions", "callers", "guard", "changes",
    "studies", "points", "downloads", "report", "sample_files",
}  # fmt: skip
# A file that grew is split by what its parts are about: `session_store`, `member_operations`, `key_endpoints`.
SPLIT_FILES = ("store", "operations", "flows", "endpoints", "middleware")
# These join packages and may reach into them to mount endpoints, middlewares and jobs.
JOINERS = {"app.py"}
WEB = {"fastapi", "starlette", "uvicorn", "jinja2"}
DATABASE = {"psycopg", "psycopg_pool", "pgqueuer", "sqlalchemy", "alembic"}
NETWORK = {"httpx", "aiosmtplib", "requests", "urllib3", "socket", "stripe", "obstore"}
COMMITTING = {"commit", "rollback", "transaction"}
SQL = re.compile(
    r"\b(SELECT\s+.+\s+FROM|SELECT\s+(count|sum|max|1)\b|INSERT\s+INTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM|CREATE\s+TABLE)\b",
    re.DOTALL,
)


def domain_files() -> Iterator[tuple[str, str, ast.Module]]:
    """Give (domain, file without suffix, tree) of every file that stands in a domain."""
    for path, tree in modules().items():
        parts = Path(path).parts
        if len(parts) == 2 and parts[0] in DOMAINS:
            yield parts[0], parts[1].removesuffix(".py"), tree


def rank(file: str) -> int | None:
    """Return a file's place in the order, or None for a private file that its domain orders itself."""
    return FILE_ORDER.get(kind_of(file))


def kind_of(file: str) -> str:
    """Return what kind of file it is: `session_store` is a store."""
    kind = file.rpartition("_")[2]
    return kind if kind in SPLIT_FILES else file


def test_the_import_contracts_hold_with_no_exemption() -> None:
    program = Path(sys.executable).with_name("lint-imports")
    finished = subprocess.run([program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stdout[-3000:]
    configured = texts()["pyproject.toml"]
    for exemption in ("ignore_imports", "exhaustive_ignores", "unmatched_ignore"):
        assert exemption not in configured


def test_a_domains_files_import_downwards_only() -> None:
    wrong = []
    for domain, file, tree in domain_files():
        mine = rank(file)
        for name, line in imports(tree):
            match = re.fullmatch(rf"tollway\.{domain}\.(\w+)", name)
            theirs = rank(match[1]) if match else None
            if mine is None or theirs is None or not match or match[1] == file:
                continue
            # A file that was split is still of one kind; import-linter refuses circles among its parts.
            same_kind = kind_of(file) == kind_of(match[1])
            if theirs >= mine and not same_kind:
                wrong.append(f"{domain}/{file}.py:{line} imports {match[1]}")
    assert sorted(set(wrong)) == []


def test_a_domain_is_entered_by_its_entities_operations_and_flows() -> None:
    wrong = []
    for path, tree in modules().items():
        package = Path(path).parts[0]
        for name, line in imports(tree):
            match = re.match(r"tollway\.(\w+)\.(\w+)", name)
            if not match or match[1] not in DOMAINS or match[1] == package or path in JOINERS:
                continue
            if kind_of(match[2]) not in PUBLIC_FILES and (SOURCE / match[1] / f"{match[2]}.py").exists():
                wrong.append(f"{path}:{line} imports {match[1]}/{match[2]}.py")
    assert sorted(set(wrong)) == []


def test_the_engine_and_entities_name_no_web_database_or_network_library() -> None:
    wrong = [
        f"{path}:{line} imports {name}"
        for path, tree in modules().items()
        if path.startswith("engine/") or path.endswith("/entities.py")
        for name, line in imports(tree)
        if name.split(".")[0] in WEB | DATABASE | NETWORK or name in {"tollway.kit.db", "tollway.kit.net"}
    ]
    assert sorted(set(wrong)) == []


def test_the_engine_imports_nothing_of_the_product_but_itself() -> None:
    wrong = [
        f"{path}:{line} imports {name}"
        for path, tree in modules().items()
        if path.startswith("engine/")
        for name, line in imports(tree)
        if name.startswith("tollway") and not name.startswith("tollway.engine")
    ]
    assert sorted(set(wrong)) == []


def test_operations_and_stores_do_not_reach_the_network() -> None:
    wrong = [
        f"{domain}/{file}.py:{line} imports {name}"
        for domain, file, tree in domain_files()
        if kind_of(file) in ("operations", "store")
        for name, line in imports(tree)
        if name.split(".")[0] in NETWORK - {"obstore"} or name.startswith("tollway.kit.net")
    ]  # fmt: skip
    assert sorted(set(wrong)) == []


def test_a_remote_does_not_reach_the_database() -> None:
    wrong = [
        f"{domain}/remote.py:{line} imports {name}"
        for domain, file, tree in domain_files()
        if file == "remote"
        for name, line in imports(tree)
        if name.split(".")[0] in DATABASE or name.startswith("tollway.kit.db")
    ]
    assert wrong == []


def test_only_kit_commits() -> None:
    """`database.transaction()` opens a transaction; the connection's own methods are kit.db's alone."""
    wrong = []
    for path, tree in modules().items():
        if path == "kit/db.py":
            continue
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            on = ast.unparse(node.func.value)
            if node.func.attr in COMMITTING and ("connection" in on or re.search(r"\btx\b", on)):
                wrong.append(f"{path}:{node.lineno} calls {on}.{node.func.attr}()")
    assert wrong == []


def test_sql_stands_in_stores_and_in_kit_alone() -> None:
    wrong = []
    for path, tree in modules().items():
        file = Path(path).stem
        if path.startswith("kit/") or kind_of(file) == "store":
            continue
        documentation = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and node.body
            and isinstance(node.body[0], ast.Expr)
        }
        wrong += [
            f"{path}:{node.lineno}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in documentation
            and SQL.search(node.value)
        ]
    assert wrong == []
