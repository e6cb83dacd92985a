"""Guides and error pages: rendered, complete, their links alive."""

import re
from pathlib import Path

import pytest
from tests.web.conftest import Visitor

from tollway.web.markdown import slug_of

GUIDES = sorted(slug_of(path) for path in (Path(__file__).parents[3] / "docs" / "guides").glob("*.md"))
PROBLEMS = sorted(path.stem for path in (Path(__file__).parents[3] / "docs" / "problems").glob("*.md"))


@pytest.mark.promise("A14", "A31", "A36")
async def test_every_guide_is_a_page_whose_own_links_lead_somewhere(stranger: Visitor) -> None:
    assert len(GUIDES) > 10
    linked_from: dict[str, str] = {}
    for slug in GUIDES:
        page = await stranger.get(f"/docs/{slug}")
        assert page.status_code == 200, slug
        assert "{{" not in page.text, slug
        linked_from |= dict.fromkeys(re.findall(r'href="(/[^"#?]*)', page.text), slug)
    answers = {link: (await stranger.get(link)).status_code for link in linked_from}
    nowhere = {(linked_from[link], link, status) for link, status in answers.items() if status >= 400}
    assert not nowhere


async def test_every_error_code_has_its_page(stranger: Visitor) -> None:
    assert len(PROBLEMS) > 50
    answers = {code: (await stranger.get(f"/docs/problems/{code}")).status_code for code in PROBLEMS}
    assert set(answers.values()) == {200}, answers


@pytest.mark.promise("A36")
async def test_samples_carry_the_readers_own_test_key(stranger: Visitor, ana: Visitor) -> None:
    key = re.compile(r"mc_test_[0-9A-Za-z]{32}")
    assert key.search((await ana.get("/docs/getting-started")).text)
    strangers = (await stranger.get("/docs/getting-started")).text
    assert not key.search(strangers)
    assert "YOUR_API_KEY" in strangers


async def test_what_is_not_there_is_not_found(stranger: Visitor) -> None:
    assert (await stranger.get("/docs/no-such-guide")).status_code == 404
    assert (await stranger.get("/docs/problems/no-such-code")).status_code == 404
    assert (await stranger.get("/docs/..%2f..%2fREADME")).status_code == 404


async def test_programs_find_the_guides(stranger: Visitor) -> None:
    assert "/docs/getting-started" in (await stranger.get("/llms.txt")).text
