"""The guide says what the code does: its rules, what customers are told, how a message is checked."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.alerts.test_jobs import SECRET, Server
from tests.rules.sources import ROOT

from tollway.alerts.entities import PERCENTS, RULES, NoticeKind
from tollway.alerts.operations import ALERTS_KEPT_DAYS
from tollway.alerts.remote import send
from tollway.kit.clock import read_now

GUIDE = (ROOT / "docs" / "guides" / "alerts.md").read_text()


def rows_of(*head: str) -> list[list[str]]:
    """The rows of the table with this head."""
    table = GUIDE.split("| " + " | ".join(head) + " |\n", 1)[1].split("\n\n", 1)[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[1:]]


def test_the_rules_of_the_guide_are_those_of_the_code() -> None:
    expected = [
        [
            text.title,
            text.about,
            " · ".join(f"{one.label}: {one.default:,}" for one in text.thresholds),
        ]
        for text in RULES.values()
    ]
    assert rows_of("rule", "finds", "unless changed") == expected
    assert f"kept for {ALERTS_KEPT_DAYS} days" in GUIDE


def test_customers_are_told_at_what_the_guide_says() -> None:
    told = [[int(one) for one in re.findall(r"\d+", row[1])] for row in rows_of("of", "told at", "says")]
    assert told == [list(PERCENTS[kind]) for kind in NoticeKind]


async def test_the_program_of_the_guide_knows_what_is_genuine() -> None:
    [program] = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    known: dict[str, Any] = {}
    exec(program, known)
    is_genuine = known["is_genuine"]
    server = Server()
    try:
        await send(server.told, "evt_1", json.dumps({"a": 1}), read_now())
        await send(server.told, "evt_1", "{}", read_now() - timedelta(minutes=6))
    finally:
        server.close()
    (headers, body), (stale, stale_body) = server.received
    assert is_genuine(SECRET, headers, body)
    assert not is_genuine(SECRET, headers, body + b" ")
    assert not is_genuine(SECRET[:-1], headers, body)
    assert not is_genuine(SECRET, headers | {"webhook-id": "evt_2"}, body)
    assert not is_genuine(SECRET, stale, stale_body)
    assert int(headers["webhook-timestamp"]) <= datetime.now(UTC).timestamp()
