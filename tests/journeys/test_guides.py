"""The guides are true: their lines run as a reader pastes them."""

import json
import re
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from tests.journeys.conftest import Product

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("journeys")]

GUIDES = Path(__file__).parents[2] / "docs" / "guides"


def blocks(language: str, product: Product, guide: str = "integration.md") -> list[str]:
    """The code of a guide, with the reader's own address and key in it."""
    text = (GUIDES / guide).read_text().replace("{{base_url}}", product.url)
    text = text.replace("{{api_key}}", product.found(r"Test key\s+(mc_test_\w+)"))
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


@pytest.mark.promise("A36", "A43", "A44")
def test_the_curl_lines_lead_from_nothing_to_results(product: Product, tmp_path: Path) -> None:
    assert shutil.which("curl"), "the guide's lines need curl; this installs it: apt-get install -y curl"
    lines = blocks("bash", product)
    # Following the events to their end makes sure that the results are there for what comes after.
    script = "set -e\n" + "\n".join(lines)
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"status":"healthy"' in done.stdout
    assert "event: done" in done.stdout
    assert '"var_95"' in done.stdout
    assert (tmp_path / "results.xlsx").read_bytes()[:2] == b"PK"
    assert "value_at_risk" in (tmp_path / "results.json").read_text()


@pytest.mark.promise("A36")
def test_the_python_program_prints_the_risk(product: Product, tmp_path: Path) -> None:
    (program,) = blocks("python", product)
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = re.search(r"Portfolio!B16 mean (\d+) 5th percentile (\d+)", done.stdout)
    assert found, done.stdout
    # Volatility and return vary, the risk-free rate does not: the mean of B16 is 1,050,000 all the same.
    assert abs(int(found.group(1)) - 1_050_000) < 1_000
    assert int(found.group(2)) < int(found.group(1))


@pytest.mark.promise("D12", "D13")
@pytest.mark.parametrize(
    "guide", ["GETTING_STARTED.md", "SUBSCRIPTION_GUIDE.md", "keys.md", "support.md", "teams.md"]
)
def test_the_curl_lines_of_a_guide_are_answered(product: Product, tmp_path: Path, guide: str) -> None:
    # Pasted as they stand, except that a refusal ends them.
    script = "\n".join(
        [
            "set -euo pipefail",
            'curl() { command curl --fail-with-body "$@"; }',
            *blocks("bash", product, guide),
        ]
    )
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"code":' not in done.stdout


@pytest.mark.promise("D12")
def test_the_first_key_comes_by_each_of_the_three_ways(product: Product) -> None:
    (signed_up, customer, person) = blocks("http", product, "GETTING_STARTED.md")
    for number, block in enumerate((signed_up, customer, person)):
        head, _, body = block.partition("\n\n")
        path = head.removeprefix("POST ")
        request = urllib.request.Request(
            product.url + path,
            body.replace("ana@example.com", f"reader-{number}@example.com").encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request) as answer:
            assert answer.status in (200, 201)
            found = json.load(answer)
        assert found.get("success") or found.get("api_key") or found.get("token")
