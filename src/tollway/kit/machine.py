"""What this machine gives to an installation: memory, processor time, storage."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import psutil

from tollway.kit.counters import CountedProcess, read_counters

# A folder of more files than this is added up as far as it was read, and says so.
FILES_READ_MAX = 200_000


@dataclass(frozen=True, slots=True)
class ProcessUse:
    """What one process takes, its children included."""

    role: str
    number: int
    pid: int
    cpu_seconds: float
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Storage:
    """What the data folder takes, and what is left of the disk that it lies on."""

    files_bytes: int
    # False where the folder has more files than are added up: it takes at least so much.
    is_whole: bool
    disk_bytes: int
    free_bytes: int


@dataclass(frozen=True, slots=True)
class Memory:
    """The machine's memory, or what its container may take."""

    memory_bytes: int
    available_bytes: int

    @property
    def available_share(self) -> float:
        """How much of it is free to be taken, from 0 to 1."""
        return self.available_bytes / self.memory_bytes


@dataclass(frozen=True, slots=True)
class Machine:
    """One look at everything."""

    counted: list[CountedProcess]
    processes: list[ProcessUse]
    storage: Storage
    memory: Memory


def measure_machine(data_folder: Path, counters_folder: Path) -> Machine:
    """Look at memory, processor time and storage; blocks for as long as the data folder takes to be read."""
    counted = read_counters(counters_folder)
    return Machine(
        counted=counted,
        processes=measure_processes(counted),
        storage=measure_storage(data_folder),
        memory=measure_memory(),
    )


def measure_processes(counted: list[CountedProcess]) -> list[ProcessUse]:
    """Say what each living process takes."""
    return [used for one in counted if one.pid and (used := _measure_process(one)) is not None]


def measure_memory() -> Memory:
    """Say how much memory there is, and how much of it can still be taken."""
    found = psutil.virtual_memory()
    return Memory(found.total, found.available)


def measure_storage(folder: Path) -> Storage:
    """Add up the files of a folder, as far as `FILES_READ_MAX`."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    disk = shutil.disk_usage(there)
    files_bytes, is_whole = added_up(folder)
    return Storage(files_bytes, is_whole, disk.total, disk.free)


def free_bytes(folder: Path) -> int:
    """Say how much room is left on the disk of a folder, which need not exist yet."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    return shutil.disk_usage(there).free


def _measure_process(counted: CountedProcess) -> ProcessUse | None:
    try:
        process = psutil.Process(counted.pid)
        cpu_seconds = _cpu_seconds(process)
        memory_bytes = process.memory_info().rss
        children = process.children(recursive=True)
    except psutil.Error:
        return None
    for child in children:
        try:
            cpu_seconds += _cpu_seconds(child)
            memory_bytes += child.memory_info().rss
        except psutil.Error:
            continue
    return ProcessUse(counted.role, counted.number, counted.pid, cpu_seconds, memory_bytes)


def _cpu_seconds(process: psutil.Process) -> float:
    """Children that have ended are in the times of their parent; the living ones are not."""
    times = process.cpu_times()
    return float(times.user + times.system + times.children_user + times.children_system)


def added_up(folder: Path, files_max: int = FILES_READ_MAX) -> tuple[int, bool]:
    """Return the size of all files below a folder in bytes, and whether all of them were read."""
    total, files_read, waiting = 0, 0, [folder]
    while waiting:
        try:
            entries = list(os.scandir(waiting.pop()))
        except OSError:
            # Gone meanwhile, or the database's own, which its account alone may read.
            continue
        for entry in entries:
            if files_read >= files_max:
                return total, False
            files_read += 1
            try:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(Path(entry.path))
                else:
                    total += entry.stat(follow_symlinks=False).st_size
            except OSError:
                continue
    return total, True
