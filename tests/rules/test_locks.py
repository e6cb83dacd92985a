"""The locks hold exact versions and hashes, and name no place to get them from."""

import re

import pytest
from tests.rules.sources import texts

LOCKS = ["requirements.lock", "requirements-dev.lock"]
REQUIREMENT = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)(\[[\w,-]+\])?==(?P<version>[\w.+!-]+)")
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}\b")


def requirements(lock: str) -> list[str]:
    """Join continued lines; leave comments out."""
    joined = re.sub(r"\\\n\s*", " ", texts()[lock])
    return [line for line in joined.splitlines() if line.strip() and not line.lstrip().startswith("#")]


@pytest.mark.parametrize("lock", LOCKS)
def test_every_requirement_has_its_version_and_hashes(lock: str) -> None:
    found = requirements(lock)
    assert found
    for line in found:
        assert REQUIREMENT.match(line), line[:100]
        assert HASH.search(line), line[:100]


@pytest.mark.parametrize("lock", LOCKS)
def test_no_place_to_get_them_from_is_named(lock: str) -> None:
    for forbidden in ("://", "--index", "--extra-index", "--find-links", "--trusted-host", " @ "):
        assert forbidden not in texts()[lock], forbidden


def test_what_runs_is_the_same_in_both_locks() -> None:
    def versions(lock: str) -> dict[str, str]:
        return {
            match["name"].lower(): match["version"]
            for line in requirements(lock)
            if (match := REQUIREMENT.match(line))
        }

    dev, run = versions("requirements-dev.lock"), versions("requirements.lock")
    assert {name: version for name, version in run.items() if dev.get(name, version) != version} == {}
