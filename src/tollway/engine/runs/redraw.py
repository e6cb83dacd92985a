"""Draws the inputs of a run again: what stands for an iteration's inputs is its number, not memory."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tollway.engine.distributions.pert import Floats
from tollway.engine.sampling.draws import Drawn, Sampling, draw


@dataclass(frozen=True)
class RunDraws:
    """By what the inputs of a run were drawn."""

    inputs: Sequence[Drawn]
    """In the order of the program's inputs."""
    seed: int
    sampling: Sampling

    def again(self, parts: Sequence[tuple[int, int]]) -> Floats:
        """Draw the inputs (I, n) of some iterations, given as (first, count) of each part."""
        drawn = [draw(self.inputs, self.seed, first, count, self.sampling) for first, count in parts]
        return np.concatenate([np.empty((len(self.inputs), 0)), *drawn], axis=1)
