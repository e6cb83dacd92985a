"""Shards of a run as files: written while a run goes on, read part by part when its summary asks for them."""

import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Protocol, Self, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from tollway.engine.distributions.pert import Floats
from tollway.engine.runs.moments import Moments, Node, moment_names
from tollway.engine.values import EngineError

STORED_VERSION = 2
"""Raised when the arrays of a stored shard change meaning."""
KEPT_BYTES_MAX = 32_000_000
"""Samples of a run in one process that stay in memory; what comes beyond goes to files."""

Part = TypeVar("Part")
Arrays = Any
"""What np.load gives of a stored shard: its arrays by name, each read when it is asked for."""


class DamagedShard(EngineError):
    """Stored bytes are not a shard of this version."""

    code = "damaged-shard"


class Shard(Protocol):
    """The outcome of a stretch of iterations, wherever it is kept."""

    @property
    def first_iteration(self) -> int:
        """A multiple of the block's length."""

    @property
    def iteration_count(self) -> int:
        """How many there are."""

    @property
    def replayed_count(self) -> int:
        """Iterations of which some part was left to the exact scalar rules."""

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Sums that join into those of the whole run."""

    @property
    def values(self) -> Floats:
        """(O, n), NaN where the output was no number."""

    @property
    def errors(self) -> NDArray[np.int8]:
        """(O, n), 0 or the code of the error value."""


class Packable(Shard, Protocol):
    """A shard that can be written."""

    def to_bytes(self) -> bytes:
        """Pack into the bytes that `opened` reads."""


@contextmanager
def opened(packed: IO[bytes]) -> Iterator[Arrays]:
    """Open a stored shard of this version. Raises: DamagedShard, also for what is read of it then."""
    try:
        with np.load(packed, allow_pickle=False) as arrays:
            version = int(arrays["header"][0])
            if version != STORED_VERSION:
                raise DamagedShard(
                    f"This stored shard has version {version}; version {STORED_VERSION} is read. Run again."
                )
            yield arrays
    except (ValueError, KeyError, IndexError, EOFError, OSError, zipfile.BadZipFile) as problem:
        raise DamagedShard(f"These bytes are not a stored shard ({problem}). Run again.") from problem


def read_header(arrays: Arrays) -> tuple[int, int, int]:
    """Return first iteration, count of iterations, and how many were replayed."""
    _, first_iteration, iteration_count, replayed_count = (int(number) for number in arrays["header"])
    return first_iteration, iteration_count, replayed_count


def read_nodes(arrays: Arrays) -> tuple[Node, ...]:
    """Return the sums, as the shard kept them."""
    moments = {name: arrays[f"moments_{name}"] for name in moment_names()}
    return tuple(
        Node(int(level), int(index), Moments(**{name: moments[name][row] for name in moments}))
        for row, (level, index) in enumerate(arrays["nodes"])
    )


@dataclass(frozen=True)
class StoredShard:
    """A shard in a file. Nothing of it is kept but its place in the run: sums and samples are read at each use.

    Raises: DamagedShard, at any use.
    """

    path: Path

    @cached_property
    def _header(self) -> tuple[int, int, int]:
        return self._read(read_header)

    @property
    def first_iteration(self) -> int:
        """As `Shard` says; so are the others."""
        return self._header[0]

    @property
    def iteration_count(self) -> int:
        """How many there are."""
        return self._header[1]

    @property
    def replayed_count(self) -> int:
        """Iterations of which some part was left to the exact scalar rules."""
        return self._header[2]

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Sums that join into those of the whole run."""
        return self._read(read_nodes)

    @property
    def values(self) -> Floats:
        """(O, n), NaN where the output was no number."""
        return self._read(lambda arrays: np.asarray(arrays["values"], dtype=np.float64))

    @property
    def errors(self) -> NDArray[np.int8]:
        """(O, n), 0 or the code of the error value."""
        return self._read(lambda arrays: np.asarray(arrays["errors"], dtype=np.int8))

    def _read(self, part: Callable[[Arrays], Part]) -> Part:
        try:
            with self.path.open("rb") as file, opened(file) as arrays:
                return part(arrays)
        except OSError as problem:
            raise DamagedShard(f"A stored shard cannot be read ({problem.strerror}). Run again.") from problem


class SpilledShards(Sequence[Shard]):
    """The shards of a run in one process: the first few stay in memory, the others go to a temporary folder.

    Leaving the `with` block deletes them.
    """

    def __init__(self) -> None:
        self._shards: list[Shard] = []
        self._kept_bytes = 0
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._shards.clear()
        if self._folder is not None:
            self._folder.cleanup()

    def add(self, shard: Packable) -> None:
        """Take a shard. Raises: OSError where there is no room for its file."""
        self._kept_bytes += shard.values.nbytes + shard.errors.nbytes
        if self._kept_bytes <= KEPT_BYTES_MAX:
            self._shards.append(shard)
            return
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="tollway-run-")
        path = Path(self._folder.name) / f"{len(self._shards)}.npz"
        path.write_bytes(shard.to_bytes())
        self._shards.append(StoredShard(path))

    @overload
    def __getitem__(self, index: int) -> Shard: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Shard]: ...

    def __getitem__(self, index: int | slice) -> Shard | Sequence[Shard]:
        return self._shards[index]

    def __len__(self) -> int:
        return len(self._shards)
