"""The guide to distributions lists what the engine draws from, and what it shows can be written."""

import json
import re

import pytest
from tests.rules.sources import ROOT

from tollway.engine import CATALOGUE, parse_distribution, parse_distribution_text
from tollway.engine.distributions.notation import written_form

GUIDE = (ROOT / "docs" / "guides" / "distributions.md").read_text(encoding="utf-8")


def test_the_guide_lists_every_distribution_with_its_sentence() -> None:
    listed = re.findall(r"^\| `(.*?)` \| (.*?) \| (.*?) \|$", GUIDE, re.MULTILINE)
    known = [
        (written_form(entry), entry.use, f"`{entry.peer}`" if entry.peer else "")
        for entry in CATALOGUE.values()
    ]
    assert sorted(listed) == sorted(known)
    assert f"There are {len(CATALOGUE)} of them." in GUIDE


@pytest.mark.parametrize(
    "line",
    [line for block in re.findall(r"```text\n(.*?)```", GUIDE, re.DOTALL) for line in block.splitlines()],
)
def test_what_the_guide_writes_can_be_read(line: str) -> None:
    assert parse_distribution_text(line).std > 0


@pytest.mark.parametrize("block", re.findall(r"```json\n(.*?)```", GUIDE, re.DOTALL))
def test_what_the_guide_sends_can_be_read(block: str) -> None:
    assert parse_distribution(json.loads(block)["distribution"]).std > 0


def test_the_landing_page_counts_them() -> None:
    landing = (ROOT / "src/tollway/web/templates/public/landing.html").read_text(encoding="utf-8")
    assert f"{len(CATALOGUE)} distributions" in landing
