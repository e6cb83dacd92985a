"""The first iterations of a run with their inputs and outputs, as scatter plots show them."""

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tollway.engine.distributions.pert import Floats
from tollway.engine.runs.redraw import RunDraws
from tollway.engine.runs.stored import Shard
from tollway.engine.runs.stretches import first_iterations, first_samples
from tollway.engine.values import EngineError

POINTS_MAX = 1_024


class DamagedPoints(EngineError):
    """Stored bytes are not the points of a run."""

    code = "damaged-points"


@dataclass(frozen=True)
class Points:
    """The first POINTS_MAX iterations that are there. I inputs, O outputs, in the order of the run's."""

    input_values: Floats
    """(I, n)."""
    output_values: Floats
    """(O, n), NaN where the output was no number."""
    output_errors: NDArray[np.int8]
    """(O, n), 0 or the code of the error value."""

    def to_bytes(self) -> bytes:
        """Pack into an uncompressed .npz; equal points give equal bytes."""
        arrays: dict[str, NDArray[Any]] = {
            "input_values": self.input_values,
            "output_values": self.output_values,
            "output_errors": self.output_errors,
        }
        packed = io.BytesIO()
        np.savez(packed, allow_pickle=False, **arrays)
        return packed.getvalue()

    @classmethod
    def from_bytes(cls, packed: bytes) -> "Points":
        """Unpack what `to_bytes` gave. Raises: DamagedPoints."""
        try:
            with np.load(io.BytesIO(packed), allow_pickle=False) as arrays:
                return cls(arrays["input_values"], arrays["output_values"], arrays["output_errors"])
        except (ValueError, KeyError, EOFError, OSError, zipfile.BadZipFile) as problem:
            raise DamagedPoints(f"These bytes are not the points of a run ({problem}).") from problem


def take_points(shards: Sequence[Shard], draws: RunDraws, output_count: int) -> Points:
    """Take the points of a run, whose inputs are drawn again. Shards may come in any order; there may be none."""
    if not len(shards):
        nothing = np.empty((output_count, 0))
        return Points(draws.again([]), nothing, nothing.astype(np.int8))
    in_order = sorted(shards, key=lambda shard: shard.first_iteration)
    values, errors = first_samples(in_order, POINTS_MAX)
    return Points(draws.again(first_iterations(in_order, POINTS_MAX)), values, errors)
