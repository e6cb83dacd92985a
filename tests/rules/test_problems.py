"""Every error code has a page that explains it, and every page has its code."""

import importlib
import json
import pkgutil
import re

import pytest
from tests.rules.sources import ROOT

import tollway
from tollway.engine import EngineError
from tollway.kit import problems
from tollway.kit.problems import Problem

PAGES = ROOT / "docs" / "problems"
# The status of each kind (DESIGN: errors); what stands under a kind takes its status from it.
STATUSES = {
    "Problem": 500, "Invalid": 422, "Unauthenticated": 401, "PaymentRequired": 402, "Forbidden": 403,
    "NotFound": 404, "Conflict": 409, "TooLarge": 413, "WrongType": 415, "TooMany": 429,
    "UpstreamFailed": 502, "Unavailable": 503, "MethodNotAllowed": 405,
}  # fmt: skip


def every_problem() -> list[type[Problem]]:
    for module in pkgutil.walk_packages(tollway.__path__, "tollway."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    return [Problem, *_below(Problem)]


def _below(kind: type) -> list[type]:
    return [found for child in kind.__subclasses__() for found in (child, *_below(child))]


def with_a_code() -> dict[str, type[Problem]]:
    return {
        one.code: one
        for one in every_problem()
        if "code" in vars(one) and one.__module__.startswith("tollway.")
    }


def test_every_code_is_one_problems_own() -> None:
    found = [
        one.code for one in every_problem() if "code" in vars(one) and one.__module__.startswith("tollway.")
    ]
    assert sorted(found) == sorted(set(found))
    assert all(re.fullmatch(r"[a-z]+(-[a-z0-9]+)*", code) for code in found)


def test_every_status_is_that_of_its_kind() -> None:
    kinds = {vars(problems)[name] for name in STATUSES if name in vars(problems)}
    for one in every_problem():
        if "status" in vars(one):
            assert STATUSES.get(one.__name__) == one.status, f"{one.__name__} has a status of its own"
        elif one is not Problem:
            assert any(issubclass(one, kind) for kind in kinds - {Problem}), f"{one.__name__} has no kind"


def test_every_code_has_a_page() -> None:
    wanted = set(with_a_code()) | {one.code for one in _below(EngineError)}
    assert sorted(code for code in wanted if not (PAGES / f"{code}.md").exists()) == []


def test_every_page_has_a_code() -> None:
    known = set(with_a_code()) | {one.code for one in _below(EngineError)}
    assert sorted(page.stem for page in PAGES.glob("*.md") if page.stem not in known) == []


@pytest.mark.parametrize("page", sorted(PAGES.glob("*.md")), ids=lambda page: page.stem)
def test_a_page_says_what_happened_why_and_what_to_do(page: object) -> None:
    text = page.read_text()  # type: ignore[attr-defined]
    code = page.stem  # type: ignore[attr-defined]
    title = re.match(r"---\ntitle: (.+)\n---\n", text)
    assert title, "a page begins with front matter that holds its title"
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["What happened", "Why", "What to do", "Example"]
    for example in re.findall(r"```json\n(.+?)```", text, re.DOTALL):
        document = json.loads(example)
        if document.get("code") == code and (problem := with_a_code().get(code)):
            assert document["status"] == problem.status
            assert document["title"] == problem.title == title[1]
            assert document["type"] == f"/docs/problems/{code}"
