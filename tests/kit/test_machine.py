"""What a machine gives is measured as it is."""

import os
from pathlib import Path

from tollway.kit import machine
from tollway.kit.counters import ProcessCounters


def test_the_files_of_a_folder_are_added_up_and_the_disk_is_known(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "deep" / "er").mkdir(parents=True)
    (data / "one").write_bytes(b"x" * 1000)
    (data / "deep" / "er" / "two").write_bytes(b"x" * 234)
    (data / "deep" / "round").symlink_to(data)
    found = machine.measure_storage(data)
    assert found.files_bytes >= 1234
    assert found.files_bytes < 1234 + 1000
    assert found.is_whole
    assert 0 < found.free_bytes <= found.disk_bytes


def test_a_folder_that_is_not_there_yet_takes_nothing(tmp_path: Path) -> None:
    found = machine.measure_storage(tmp_path / "none" / "yet")
    assert (found.files_bytes, found.is_whole) == (0, True)
    assert found.disk_bytes > 0
    assert machine.free_bytes(tmp_path / "none") > 0


def test_each_living_process_is_measured(tmp_path: Path) -> None:
    counters = ProcessCounters.take(tmp_path, "server")
    found = machine.measure_machine(tmp_path, tmp_path)
    (process,) = found.processes
    assert (process.role, process.pid) == ("server", os.getpid())
    assert process.memory_bytes > 1_000_000
    assert process.cpu_seconds > 0
    assert 0 < found.memory.available_share <= 1
    counters.close()


def test_a_folder_of_more_files_than_are_read_says_so(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / str(number)).write_bytes(b"x")
    assert machine.added_up(tmp_path, 3) == (3, True)
    assert machine.added_up(tmp_path, 2) == (2, False)
