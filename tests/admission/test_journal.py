"""A journal keeps what was appended through kills, damage and full disks, and tells a reader where it is damaged."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import threading
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from tests.admission.journals import Written, segments_of

from tollway.admission import records
from tollway.admission.entities import JournalFull
from tollway.admission.journal import Journal
from tollway.admission.records import RECORD_BYTES
from tollway.admission.segment_files import is_abandoned
from tollway.admission.segments import JournalReader

ROOT = Path(__file__).parents[2]
SOURCE = 7
SMALL = 64
# Appends until it is killed, and reports each call once `append` has returned.
WRITER = """
import sys
from pathlib import Path
from tests.admission.journals import Written
from tollway.admission.journal import Journal

journal = Journal.open(Path(sys.argv[1]), int(sys.argv[2]), segment_records=1024)
journal.start()
number = 0
while True:
    path = f"/things/{number}" if number % 3 == 0 else None
    Written(customer_id=number, path=path, user_agent=f"browser {number % 50}").append_to(journal)
    sys.stdout.write(f"{number}\\n")
    sys.stdout.flush()
    number += 1
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "journal"


def read_all(
    folder: Path, *, ended: bool = True, start: tuple[int, int] = (0, 0), part: int = 100
) -> list[int]:
    """Return the customers of all calls: the tests below number calls so."""
    return [one.customer_id for one in calls_of(folder, ended=ended, start=start, part=part)[0]]


def calls_of(
    folder: Path, *, ended: bool = True, start: tuple[int, int] = (0, 0), part: int = 100
) -> tuple[list[Written], int]:
    """Return what a journal holds, and how many of its records are damaged."""
    reader = JournalReader(folder / str(SOURCE), SOURCE, *start)
    found: list[Written] = []
    damaged = 0
    while (read := reader.read(part, ended=ended)) is not None:
        damaged += len(read.damaged)
        for place, call in enumerate(read.calls.calls):
            found.append(
                Written(
                    customer_id=int(call["customer_id"]),
                    endpoint=read.calls.text(int(call["endpoint"])),
                    user_agent=read.calls.text(int(call["user_agent"])),
                    path=read.calls.paths.get(place),
                )
            )
    reader.close()
    return found, damaged


def test_calls_come_back_in_order_over_many_segments(folder: Path) -> None:
    journal = Journal.open(folder, SOURCE, segment_records=SMALL)
    sequences = [Written(customer_id=number).append_to(journal) for number in range(1000)]
    assert sequences == sorted(set(sequences))
    assert read_all(folder, ended=False) == list(range(1000))
    assert len(segments_of(folder / str(SOURCE))) > 10
    journal.close()
    assert read_all(folder) == list(range(1000))


def test_texts_are_known_from_the_middle_of_a_segment_on(folder: Path) -> None:
    journal = Journal.open(folder, SOURCE, segment_records=SMALL)
    browsers = ["first", "a" * 400, "münchen"]
    for number in range(60):
        Written(customer_id=number, user_agent=browsers[number % 3], path=f"/things/{number}").append_to(
            journal
        )
    whole, _ = calls_of(folder)
    reader = JournalReader(folder / str(SOURCE), SOURCE, 0, 0)
    positions = []
    while (part := reader.read(7, ended=False)) is not None:
        positions.append((part.end, len(part.calls)))
    read = 0
    for position, count in positions:
        read += count
        # Whoever begins there, after a restart, understands the rest just as well.
        rest, damaged = calls_of(folder, start=position)
        assert rest == whole[read:]
        assert damaged == 0
    assert whole[1].user_agent == "a" * 400
    journal.close()


def test_a_text_too_many_is_an_other_one(folder: Path) -> None:
    journal = Journal.open(folder, SOURCE)
    numbers = {journal.intern(f"browser {number}") for number in range(5000)}
    assert len(numbers) == records.STRINGS_MAX - 1
    assert journal.intern("one more") == records.OTHER_STRING
    assert journal.intern("browser 1") != records.OTHER_STRING
    Written(user_agent="one more").append_to(journal)
    (found,), _ = calls_of(folder)
    assert found.user_agent == "(other)"
    journal.close()


def test_damage_skips_the_records_that_it_hit_and_no_other(folder: Path) -> None:
    chance = random.Random(3)
    for round_number in range(30):
        place = folder / str(round_number)
        journal = Journal.open(place, SOURCE, segment_records=SMALL)
        for number in range(150):
            Written(customer_id=number, endpoint="/x", user_agent="test").append_to(journal)
        journal.close()
        expected: list[int] = []
        for file in segments_of(place / str(SOURCE)):
            whole = file.read_bytes()
            content = bytearray(whole)
            for _ in range(chance.randrange(6)):
                first = chance.randrange(len(content))
                for position in range(first, min(first + chance.choice((1, 5, 200)), len(content))):
                    content[position] ^= chance.randrange(1, 256)
            file.write_bytes(content)
            for start in range(RECORD_BYTES, len(whole), RECORD_BYTES):
                record = whole[start : start + RECORD_BYTES]
                if record[0] == records.Kind.CALL and content[start : start + RECORD_BYTES] == record:
                    expected.append(customer_of(record))
        found, damaged = calls_of(place, part=chance.choice((1, 13, 1000)))
        assert [one.customer_id for one in found] == expected, round_number
        assert damaged >= 150 - len(expected)


def customer_of(record: bytes) -> int:
    """Return the customer of a call's record, by its place in the layout."""
    return int.from_bytes(record[16:24], "little")


@pytest.mark.parametrize("wipe", [b"\0", b"\xff"])
def test_a_hole_before_the_newest_record_of_a_living_process_is_passed_over(
    folder: Path, wipe: bytes
) -> None:
    journal = Journal.open(folder, SOURCE)
    for number in range(10):
        Written(customer_id=number).append_to(journal)
    first = segments_of(folder / str(SOURCE))[0]
    content = first.read_bytes()
    slot = next(
        slot
        for slot in range(1, 40)
        if content[slot * RECORD_BYTES] == records.Kind.CALL
        and customer_of(content[slot * RECORD_BYTES : (slot + 1) * RECORD_BYTES]) == 4
    )
    with first.open("r+b") as opened:
        opened.seek(slot * RECORD_BYTES)
        opened.write(wipe * RECORD_BYTES)
    found, damaged = calls_of(folder, ended=False)
    assert [one.customer_id for one in found] == [0, 1, 2, 3, 5, 6, 7, 8, 9]
    assert damaged == 1
    # What is being written at the end is no damage: it is waited for.
    with first.open("r+b") as opened:
        opened.seek((slot + 6) * RECORD_BYTES)
        opened.write(content[slot * RECORD_BYTES : slot * RECORD_BYTES + 60])
    assert calls_of(folder, ended=False)[1] == 1
    journal.close()


def test_a_reader_at_the_writers_heels_sees_each_call_once(folder: Path) -> None:
    journal = Journal.open(folder, SOURCE, segment_records=256)
    journal.start()
    count = 20_000
    finished = threading.Event()

    def write() -> None:
        for number in range(count):
            Written(customer_id=number, path="/things/1" if number % 5 == 0 else None).append_to(journal)
        finished.set()

    thread = threading.Thread(target=write)
    thread.start()
    reader = JournalReader(folder / str(SOURCE), SOURCE, 0, 0)
    found: list[int] = []
    paths = 0
    over = False
    while not over:
        over = finished.is_set()
        while (part := reader.read(500, ended=False)) is not None:
            assert part.damaged == []
            found += part.calls.calls["customer_id"].tolist()
            paths += len(part.calls.paths)
    thread.join()
    assert found == list(range(count))
    assert paths == count // 5
    journal.close()


def test_kill_9_loses_nothing_that_was_reported(folder: Path) -> None:
    for number in range(4):
        reported = killed_writer(folder / str(number), after=random.randrange(1, 3000))
        found = read_all(folder / str(number))
        assert found == list(range(len(found)))
        # One more may have been appended than was reported, and one more be half written.
        assert reported <= len(found) <= reported + 1


def killed_writer(folder: Path, *, after: int) -> int:
    """Run a process that appends, kill it once it reported so many calls, and return how many it did report."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder), str(SOURCE)], cwd=ROOT, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    for _ in range(after):
        process.stdout.readline()
    os.kill(process.pid, signal.SIGKILL)
    reported = after + len(process.stdout.read().splitlines())
    process.wait()
    process.stdout.close()
    # The last line may have been cut short by the kill, which takes no whole report away.
    assert is_abandoned(folder / str(SOURCE))
    return reported


def test_the_lock_says_whether_the_process_lives(folder: Path) -> None:
    journal = Journal.open(folder, SOURCE)
    assert not is_abandoned(folder / str(SOURCE))
    journal.close()
    assert is_abandoned(folder / str(SOURCE))


async def test_flushed_returns_when_the_disk_has_it(folder: Path) -> None:
    journal = Journal.open(folder, SOURCE, segment_records=SMALL)
    journal.start()
    for _ in range(5):
        sequences = [Written().append_to(journal) for _ in range(100)]
        await asyncio.gather(*(journal.flushed(one) for one in sequences))
        assert journal.flushed_sequence >= sequences[-1]
    journal.close()
    assert journal.flushed_sequence == journal.sequence


async def test_flushed_works_without_a_thread_of_its_own(folder: Path) -> None:
    journal = Journal.open(folder, SOURCE)
    await journal.flushed(Written().append_to(journal))
    assert journal.flushed_sequence == journal.sequence
    journal.close()


# Full disks -----------------------------------------------------------------------------------------


async def test_a_full_disk_refuses_calls_and_recovers_by_itself(small_disk: Path) -> None:
    journal = Journal.open(small_disk / "journal", SOURCE, segment_records=1023)
    journal.start()
    refused: list[JournalFull] = []
    number = 0
    while not refused:
        try:
            Written(customer_id=number).append_to(journal)
            number += 1
        except JournalFull as problem:
            refused.append(problem)
    assert refused[0].status == 503
    assert refused[0].code == "usage-journal-full"
    assert refused[0].retry_after_seconds == 1
    assert number > 4000
    # It stays so, loses nothing, and a lease that ends meanwhile is remembered.
    with pytest.raises(JournalFull):
        Written(customer_id=-1).append_to(journal)
    journal.append_lease_end(99)
    assert read_all(small_disk / "journal", ended=False) == list(range(number))
    # A shipper takes the oldest segment away: there is room for another.
    segments_of(small_disk / "journal" / str(SOURCE))[0].unlink()
    for more in range(number, number + 500):
        Written(customer_id=more).append_to(journal)
    found = read_all(small_disk / "journal", ended=False, start=(1, 0))
    assert found == list(range(found[0], number + 500))
    ended = []
    reader = JournalReader(small_disk / "journal" / str(SOURCE), SOURCE, 1, 0)
    while (part := reader.read(1000, ended=False)) is not None:
        ended += part.ended_leases
    reader.close()
    assert ended == [99]
    journal.close()


def test_a_full_disk_makes_no_journal(small_disk: Path) -> None:
    with pytest.raises(JournalFull):
        Journal.open(small_disk / "journal", SOURCE)
    assert [path.name for path in (small_disk / "journal").iterdir()] == []


def test_times_and_numbers_at_their_bounds_are_kept(folder: Path) -> None:
    journal = Journal.open(folder, SOURCE)
    Written(
        customer_id=2**63 - 1,
        response_us=2**40,
        request_timestamp=datetime(2100, 1, 1, tzinfo=Written().request_timestamp.tzinfo)
        + timedelta(microseconds=1),
    ).append_to(journal)
    reader = JournalReader(folder / str(SOURCE), SOURCE, 0, 0)
    part = reader.read(10, ended=False)
    assert part is not None
    (call,) = part.calls.calls
    assert int(call["customer_id"]) == 2**63 - 1
    assert int(call["response_us"]) == 2**32 - 1
    reader.close()
    journal.close()
