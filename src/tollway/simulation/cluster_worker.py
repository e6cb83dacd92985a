"""What runs inside a worker of a Dask cluster: a shard of a run whose workbook came over the network.

A worker keeps the workbooks that it was sent in its own folder, by their content, and some programs made of them.
"""

import hashlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from tollway.simulation.execution import ShardAnswer, ShardTask, compute_shard
from tollway.simulation.likeness import Traits, find_difference, read_traits

if TYPE_CHECKING:
    from distributed import Worker

WORKBOOKS_KEPT = 32
FOLDER_NAME = "tollway-workbooks"
# Longer than whoever asked for a shard waits for it (`jobs.SHARD_SECONDS_MAX`), so that nobody waits any more.
SHARD_SECONDS_MAX = 330.0
OVERDUE_STATUS = 75


@dataclass(frozen=True, slots=True)
class Lacking:
    """This worker was not sent the workbook yet, or no longer has it."""

    address: str


@dataclass(frozen=True, slots=True)
class Unlike:
    """This worker would give other bits, and says why."""

    address: str
    difference: str


def tell_traits() -> Traits:
    """Say what the bits depend on that this worker computes."""
    return read_traits()


def compute_sent_shard(task: ShardTask, traits: Traits) -> ShardAnswer | Lacking | Unlike:
    """Compute one shard, if the workbook is here and the bits are those of a machine with these traits."""
    from distributed import get_worker

    worker = get_worker()
    difference = find_difference(traits, read_traits())
    if difference is not None:
        return Unlike(worker.address, difference)
    path = _path_of(worker, task.program.sha256)
    try:
        # Those used longest ago go first.
        os.utime(path)
    except FileNotFoundError:
        return Lacking(worker.address)
    with _ending_when_overdue():
        return compute_shard(replace(task, program=replace(task.program, workbook=path)))


def keep_workbook(sha256: bytes, content: bytes, dask_worker: "Worker") -> None:
    """Keep a workbook for the shards to come; those used longest ago make room.

    `dask_worker` is put in by Dask. Raises: ValueError where the content is another.
    """
    if hashlib.sha256(content).digest() != sha256:
        raise ValueError("the workbook was changed on its way")
    path = _path_of(dask_worker, sha256)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    # Written aside: a shard never reads half of it.
    draft = path.with_suffix(f".{uuid4().hex}")
    draft.write_bytes(content)
    draft.replace(path)
    kept = sorted(path.parent.glob("*.xlsx"), key=lambda one: one.stat().st_mtime)
    for oldest in kept[:-WORKBOOKS_KEPT]:
        oldest.unlink(missing_ok=True)


def _path_of(worker: "Worker", sha256: bytes) -> Path:
    # Dask deletes this folder with its worker, or at the start of the next one where it was killed.
    return Path(worker.local_directory) / FOLDER_NAME / f"{sha256.hex()}.xlsx"


@contextmanager
def _ending_when_overdue() -> Iterator[None]:
    """End this process if what it computes takes far too long: its nanny starts another one in its place."""
    timer = threading.Timer(SHARD_SECONDS_MAX, os._exit, (OVERDUE_STATUS,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
