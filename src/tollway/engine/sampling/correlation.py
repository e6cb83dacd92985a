"""Rank correlation between inputs: a Gaussian copula over uniforms, iteration by iteration, nothing stored.

Each uniform becomes a normal score, the scores of a group of inputs are mixed by the factor of their correlation
matrix, and each mixture becomes a uniform again. So every input keeps its distribution exactly. The first input
of a group keeps its very uniforms; a Latin hypercube keeps its slices there and for inputs that are not
correlated, and nowhere else.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from tollway.engine.distributions.pert import Floats
from tollway.engine.sampling.nearest_correlation import factor, nearest_correlation

Matrix = tuple[tuple[float, ...], ...]

# A repaired matrix is rounded to so many decimals: it can be written down, and every machine draws by the same.
REPAIR_DECIMALS = 8


@dataclass(frozen=True)
class Repair:
    """What was asked for and no numbers can have, beside the largest change that made it possible."""

    asked: Matrix
    largest_change: float
    cells: tuple[str, str]
    """The two whose correlation changed most."""


@dataclass(frozen=True)
class RankCorrelation:
    """Spearman's rank correlations that a run draws with.

    Ties lower what a discrete input shows of it: the correlation is that of the uniforms behind the draws.
    """

    cells: tuple[str, ...]
    """The inputs concerned, as the program names them."""
    input_indexes: tuple[int, ...]
    """Their positions among the program's inputs, rising."""
    matrix: Matrix
    """Row and column in the order of `cells`; repaired where that was needed."""
    repair: Repair | None = None

    @classmethod
    def of(
        cls, cells: Sequence[str], input_indexes: Sequence[int], asked: Sequence[Sequence[float]]
    ) -> "RankCorrelation":
        """Take a matrix as it was asked for, or the nearest possible one.

        Inputs that nothing connects are repaired apart, so that a group that is possible stays as it is.

        Args:
            cells: names of the inputs, at least two.
            input_indexes: their positions in the program, rising.
            asked: symmetric, with ones on its diagonal, all between -1 and 1.
        """
        matrix = np.array(asked, dtype=np.float64)
        used = matrix.copy()
        for group in _groups(matrix):
            part = np.ix_(group, group)
            scores = _pearson(matrix[part])
            if factor(scores) is None:
                nearest = nearest_correlation(scores, len(group) * 10.0**-REPAIR_DECIMALS)
                used[part] = np.round(_spearman(nearest), REPAIR_DECIMALS)
        changes = np.abs(used - matrix)
        repair = None
        if changes.any():
            row, column = (int(place) for place in np.unravel_index(changes.argmax(), changes.shape))
            repair = Repair(_rows(matrix), float(changes[row, column]), (cells[row], cells[column]))
        return cls(tuple(cells), tuple(input_indexes), _rows(used), repair)

    def as_json(self) -> dict[str, Any]:
        """Give what is stored and shown: {cells, matrix, repaired}, `repaired` null or what was asked for."""
        repaired = None
        if self.repair is not None:
            repaired = {
                "asked": [list(row) for row in self.repair.asked],
                "largest_change": self.repair.largest_change,
                "cells": list(self.repair.cells),
            }
        return {
            "cells": list(self.cells),
            "matrix": [list(row) for row in self.matrix],
            "repaired": repaired,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any], input_cells: Sequence[str]) -> "RankCorrelation":
        """Read back what `as_json` gave, for the inputs of a program; nothing is repaired again."""
        indexes = {cell: index for index, cell in enumerate(input_cells)}
        repaired = stored["repaired"]
        return cls(
            cells=tuple(stored["cells"]),
            input_indexes=tuple(indexes[cell] for cell in stored["cells"]),
            matrix=_rows(stored["matrix"]),
            repair=None
            if repaired is None
            else Repair(_rows(repaired["asked"]), repaired["largest_change"], tuple(repaired["cells"])),
        )

    def apply(self, rows: Floats, low: float, high: float) -> None:
        """Correlate the uniforms of all inputs (I, n) in place; results stay within low to high.

        A row that is mixed with no other keeps its bits.
        """
        lower = self._lower
        mixed = [place for place in range(len(lower)) if lower[place, :place].any()]
        scores = {
            place: ndtri(rows[self.input_indexes[place]])
            for place in range(len(lower))
            if place in mixed or lower[:, place].any()
        }
        for place in mixed:
            # One product after the other: a library's matrix product may add in another order on another machine.
            total = np.zeros(rows.shape[1])
            for source in np.flatnonzero(lower[place]).tolist():
                total += lower[place, source] * scores[source]
            rows[self.input_indexes[place]] = np.clip(ndtr(total), low, high)

    @cached_property
    def _lower(self) -> Floats:
        found = factor(_pearson(np.array(self.matrix)))
        assert found is not None, "a matrix that is used was checked or repaired"
        return found


def _pearson(spearman: Floats) -> Floats:
    """Correlations of normal scores whose ranks have these correlations.

    Source: Pearson 1907, "On further methods of determining correlation": 2 sin(pi r / 6).
    """
    scores = [[float(r) if abs(r) == 1 else 2 * math.sin(math.pi * r / 6) for r in row] for row in spearman]
    return np.array(scores)


def _spearman(pearson: Floats) -> Floats:
    """The inverse of `_pearson`."""
    ranks = [[float(r) if abs(r) == 1 else 6 / math.pi * math.asin(r / 2) for r in row] for row in pearson]
    return np.array(ranks)


def _groups(matrix: Floats) -> list[list[int]]:
    """Sets of inputs that correlations connect, directly or through others; each rising."""
    left = set(range(len(matrix)))
    groups: list[list[int]] = []
    while left:
        group, reached = {min(left)}, [min(left)]
        while reached:
            beside = set(np.flatnonzero(matrix[reached.pop()]).tolist()) - group
            group |= beside
            reached += beside
        groups.append(sorted(group))
        left -= group
    return groups


def _rows(matrix: Any) -> Matrix:
    return tuple(tuple(float(number) for number in row) for row in matrix)
