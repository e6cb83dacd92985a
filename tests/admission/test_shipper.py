"""A shipper carries what journals hold to the usage log and its sums: each record once, whatever dies."""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.admission.journals import Written, begin_source, logged, segments_of, source_row

from tollway.admission.journal import Journal
from tollway.admission.shipper import Shipper
from tollway.kit.db import Database


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "journal"


async def opened(database: Database, folder: Path, now: datetime, **options: int) -> Journal:
    return Journal.open(folder, await begin_source(database, f"test {now}", now), **options)


async def test_what_is_appended_stands_in_the_log(database: Database, folder: Path, now: datetime) -> None:
    journal = await opened(database, folder, now)
    calls = [
        Written(),
        Written(path="/things/4711", request_id="a" * 64, mode="live", ip_address="2001:db8::7"),
        Written(
            status_code=429, problem_code="quota-used-up", limit_name="requests_per_period", limit_value=100
        ),
    ]
    for call in calls:
        call.append_to(journal)
    shipper = Shipper(database, folder)
    assert await shipper.ship_once() == 3
    assert await logged(database) == [call.row() for call in calls]
    assert await shipper.ship_once() == 0
