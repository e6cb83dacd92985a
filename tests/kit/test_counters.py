"""Counts of processes are added up over all of them, and outlive whoever made them."""

import os
import subprocess
import sys
from pathlib import Path

from tollway.kit.counters import SIZE_BOUNDS_BYTES, ProcessCounters, read_counters

# Answers once, begins a second answer, says so, and waits to be killed.
KILLED = """
import sys
from pathlib import Path
from tollway.kit.counters import ProcessCounters
counters = ProcessCounters.take(Path(sys.argv[1]), "server")
counters.begin_answer()
counters.end_answer(1000)
counters.begin_answer()
print("counted", flush=True)
sys.stdin.read()
"""


def test_answers_are_counted_by_size_and_while_they_last(tmp_path: Path) -> None:
    counters = ProcessCounters.take(tmp_path, "server")
    sizes = (0, 256, 257, 20_000_000)
    for _ in range(5):
        counters.begin_answer()
    for size in sizes:
        counters.end_answer(size)
    (found,) = read_counters(tmp_path)
    assert (found.role, found.number, found.pid) == ("server", 0, os.getpid())
    assert (found.active_count, found.sent_bytes) == (1, sum(sizes))
    assert found.sizes == (2, 1, *[0] * (len(SIZE_BOUNDS_BYTES) - 2), 1)
    counters.close()


def test_two_processes_count_in_files_of_their_own(tmp_path: Path) -> None:
    one, two = ProcessCounters.take(tmp_path, "server"), ProcessCounters.take(tmp_path, "server")
    worker = ProcessCounters.take(tmp_path, "worker")
    one.begin_answer()
    assert [(found.role, found.number) for found in read_counters(tmp_path)] == [
        ("server", 0),
        ("server", 1),
        ("worker", 0),
    ]
    assert sum(found.active_count for found in read_counters(tmp_path)) == 1
    for counters in (one, two, worker):
        counters.close()


def test_what_a_killed_process_counted_still_counts_and_what_it_was_doing_does_not(tmp_path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", KILLED, tmp_path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout
    assert child.stdout.readline() == "counted\n"
    assert [(one.pid, one.active_count) for one in read_counters(tmp_path)] == [(child.pid, 1)]
    child.kill()
    child.communicate()
    assert [(one.pid, one.active_count, one.sent_bytes) for one in read_counters(tmp_path)] == [(0, 0, 1000)]
    following = ProcessCounters.take(tmp_path, "server")
    following.begin_answer()
    following.end_answer(500)
    assert [(one.number, one.sent_bytes) for one in read_counters(tmp_path)] == [(0, 1500)]
    following.close()


def test_without_a_file_a_process_counts_for_itself() -> None:
    counters = ProcessCounters(None)
    counters.begin_answer()
    counters.end_answer(10)
    counters.close()
