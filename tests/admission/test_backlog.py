"""What waits in the journals of a machine is known, without carrying it."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from tests.admission.journals import Written, begin_source, segments_of

from tollway.admission.backlog_flows import Backlog, find_backlog
from tollway.admission.journal import Journal
from tollway.admission.shipper import Shipper
from tollway.kit.db import Database


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "journal"


async def opened(database: Database, folder: Path, now: datetime, **options: int) -> Journal:
    return Journal.open(folder, await begin_source(database, f"test {now}", now), **options)


def call_at(moment: datetime) -> Written:
    return Written(request_timestamp=moment)


async def test_a_machine_without_a_journal_waits_for_nothing(
    database: Database, folder: Path, now: datetime
) -> None:
    assert await find_backlog(database, folder, now) == Backlog(0, 0.0)


async def test_what_waits_is_counted_and_as_old_as_its_oldest_call(
    database: Database, folder: Path, now: datetime
) -> None:
    journal = await opened(database, folder, now)
    call_at(now - timedelta(seconds=30)).append_to(journal)
    await Shipper(database, folder).ship_once()
    assert await find_backlog(database, folder, now) == Backlog(0, 0.0)
    for seconds in (20, 10, 5):
        call_at(now - timedelta(seconds=seconds)).append_to(journal)
    found = await find_backlog(database, folder, now)
    assert (found.records, found.oldest_seconds) == (3, pytest.approx(20))
    await Shipper(database, folder).ship_once()
    assert await find_backlog(database, folder, now) == Backlog(0, 0.0)
    journal.close()


async def test_every_journal_and_every_segment_counts(
    database: Database, folder: Path, now: datetime
) -> None:
    first = await opened(database, folder, now, segment_records=64)
    second = await opened(database, folder, now + timedelta(seconds=1))
    for number in range(200):
        call_at(now - timedelta(seconds=100 - number / 10)).append_to(first)
    call_at(now - timedelta(seconds=300)).append_to(second)
    assert len(segments_of(first.folder)) > 3
    found = await find_backlog(database, folder, now)
    # Beside the calls, texts that their numbers stand for.
    assert 201 < found.records < 260
    assert found.oldest_seconds == pytest.approx(300)
    await Shipper(database, folder).ship_once()
    assert await find_backlog(database, folder, now) == Backlog(0, 0.0)
    first.close()
    second.close()


async def test_a_clock_that_was_set_back_makes_no_age(
    database: Database, folder: Path, now: datetime
) -> None:
    journal = await opened(database, folder, now)
    call_at(now + timedelta(hours=1)).append_to(journal)
    found = await find_backlog(database, folder, now)
    assert found.records > 0
    assert found.oldest_seconds == 0
    journal.close()


async def test_a_journal_of_another_installation_is_left_alone(
    database: Database, folder: Path, now: datetime
) -> None:
    journal = Journal.open(folder, 999)
    call_at(now).append_to(journal)
    assert await find_backlog(database, folder, now) == Backlog(0, 0.0)
    journal.close()
