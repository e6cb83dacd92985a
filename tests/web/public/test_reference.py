"""The API reference: every endpoint on a page, with samples that run, and nobody's key but the reader's."""

import ast
import html
import json
import re
import shlex
from typing import Any

import pytest
from tests.web.conftest import Visitor

from tollway.web.openapi_document import operations
from tollway.web.openapi_pages import lay_out, search, slug_of
from tollway.web.openapi_samples import samples_of
from tollway.web.openapi_schemas import Schemas

TEST_KEY = re.compile(r"mc_test_[0-9A-Za-z]{32}")
TAGS = re.compile(r"<[^>]+>")


async def document_of(visitor: Visitor) -> dict[str, Any]:
    return dict((await visitor.client.get("/openapi.json")).json())


async def pages_of(visitor: Visitor) -> dict[str, str]:
    overview = (await visitor.get("/docs/api")).text
    links = set(re.findall(r'href="(/docs/api/[a-z0-9-]+)"', overview))
    return {link: (await visitor.get(link)).text for link in links}


async def test_every_endpoint_stands_in_the_overview_and_on_its_groups_page(stranger: Visitor) -> None:
    overview = (await stranger.get("/docs/api")).text
    pages = await pages_of(stranger)
    for path, method, operation in operations(await document_of(stranger)):
        anchor = f"{method}-{slug_of(path)}"
        assert f"#{anchor}" in overview
        page = next((text for text in pages.values() if f'id="{anchor}"' in text), "")
        assert path in page, f"{method} {path} is on no page"
        assert operation["summary"] in html.unescape(page)


async def test_every_error_code_of_an_endpoint_leads_to_its_page(stranger: Visitor) -> None:
    pages = await pages_of(stranger)
    codes = set(re.findall(r'href="(/docs/problems/[a-z0-9-]+)"', "".join(pages.values())))
    assert "/docs/problems/api-key-missing" in codes
    for link in codes:
        assert (await stranger.get(link)).status_code == 200, link


async def test_samples_carry_the_readers_own_test_key_and_strangers_see_a_placeholder(
    stranger: Visitor, ana: Visitor
) -> None:
    own = (await ana.get("/docs/api/monte-carlo-api")).text
    assert len(set(TEST_KEY.findall(own))) == 1
    theirs = (await stranger.get("/docs/api/monte-carlo-api")).text
    assert "YOUR_API_KEY" in theirs
    assert not re.search(r"(mc|wk)_(test|live)_[0-9A-Za-z]{32}", theirs)
    assert "_live_" not in own


async def test_the_sample_of_a_read_runs_as_pasted(ana: Visitor) -> None:
    page = html.unescape(TAGS.sub("", (await ana.get("/docs/api/monte-carlo-api")).text))
    sample = re.search(
        r"curl (http://\S+/monte-carlo-api/models) \\\n\s+-H 'Authorization: (Bearer \S+)'", page
    )
    assert sample
    answer = await ana.client.get("/monte-carlo-api/models", headers={"Authorization": sample[2]})
    assert answer.status_code == 200


async def test_no_line_of_the_specification_is_told_to_readers(stranger: Visitor) -> None:
    for link, page in (await pages_of(stranger)).items():
        assert not re.search(r"\([A-Z]\d+[,)]", TAGS.sub("", page)), link
        assert "INVARIANT" not in page


async def test_what_is_searched_for_is_found_and_shown_as_text(stranger: Visitor) -> None:
    found = (await stranger.get("/docs/api?q=cancel+run")).text
    assert "Cancel a run" in found
    assert "Upload a workbook" not in found
    nothing = (await stranger.get("/docs/api?q=%3Cb%3Ezebra")).text
    assert "No endpoint holds “&lt;b&gt;zebra”" in nothing


async def test_a_group_that_is_not_there_is_not_found(stranger: Visitor) -> None:
    assert (await stranger.get("/docs/api/no-such-group")).status_code == 404


NESTED: dict[str, Any] = {
    "Part": {
        "type": "object",
        "required": ["size"],
        "properties": {"size": {"type": "integer", "minimum": 1, "maximum": 9}},
    },
    "Loop": {"type": "object", "properties": {"next": {"$ref": "#/components/schemas/Loop"}}},
}


def test_members_are_laid_out_with_their_bounds_however_they_are_nested() -> None:
    schemas = Schemas(NESTED)
    rows = schemas.rows(
        {
            "type": "object",
            "properties": {
                "parts": {
                    "anyOf": [
                        {"type": "array", "maxItems": 3, "items": {"$ref": "#/components/schemas/Part"}},
                        {"type": "null"},
                    ]
                },
                "kind": {"type": "string", "enum": ["a", "b"], "default": "a"},
            },
        }
    )
    assert [(row.name, row.type, row.required, row.facts) for row in rows] == [
        ("parts", "array of object or null", False, ("at most 3 entries",)),
        ("parts[].size", "integer", True, ("1 to 9",)),
        ("kind", "string", False, ("one of a, b", "default a")),
    ]


def test_a_schema_that_holds_itself_ends() -> None:
    schemas = Schemas(NESTED)
    loop = {"$ref": "#/components/schemas/Loop"}
    assert len(schemas.rows(loop)) < 20
    assert schemas.example(loop) == {}


def test_groups_follow_tags_and_else_the_first_telling_segment() -> None:
    answers = {"200": {"description": "Done."}}
    document = {
        "paths": {
            "/x/{id}": {"get": {"tags": ["Tagged things"], "responses": answers}},
            "/api/plans/current": {"get": {"responses": answers, "summary": "Show the plan"}},
        }
    }
    groups = lay_out(document)
    assert [(one.slug, one.title) for one in groups] == [
        ("plans", "Plans"),
        ("tagged-things", "Tagged things"),
    ]
    assert search(groups, "PLAN show")[0].operations[0].path == "/api/plans/current"
    assert search(groups, "nothing of that kind") == ()


@pytest.mark.parametrize("hostile", ["it's; rm -rf $HOME `id`", 'quote " and \\ back', "</script>\nline"])
def test_what_stands_in_samples_is_quoted_for_each_language(hostile: str) -> None:
    document = {
        "paths": {
            "/x": {
                "post": {
                    "security": [{"apiKey": []}],
                    "requestBody": {
                        "content": {
                            "application/json": {"example": {"text": hostile, "yes": True, "none": None}}
                        }
                    },
                    "responses": {"200": {"description": "Done."}},
                }
            }
        }
    }
    shell, python, _ = samples_of(lay_out(document)[0].operations[0], "http://localhost", "KEY")
    call = next(one for one in ast.walk(ast.parse(python[2])) if isinstance(one, ast.Call))
    given = {one.arg: ast.literal_eval(one.value) for one in call.keywords}
    assert given == {
        "headers": {"Authorization": "Bearer KEY"},
        "json": {"text": hostile, "yes": True, "none": None},
    }
    words = shlex.split(shell[2].replace("\\\n", " "))
    assert json.loads(words[words.index("-d") + 1]) == given["json"]
