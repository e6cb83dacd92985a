"""Least squares: the plane through points that misses them by the smallest sum of squares.

A QR decomposition of the regressors with their means taken away, as Excel does since 2003 (Microsoft's article
828533), in the platform's long doubles, so that the rounding of this code stays below what Excel shows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Longs = NDArray[np.longdouble]

# A regressor of whose length less than this share is left, beside the constant and others, says nothing of its own.
_COLLINEAR_BELOW = 1e-14
# A sum of squares that is smaller beside the whole is rounding: the fit is perfect.
_PERFECT_BELOW = 1e-30


@dataclass(frozen=True, slots=True)
class Fit:
    """What least squares found.

    coefficients and their standard errors stand in the order of the regressors, both 0 for a regressor that
    depends on others. Without a constant, the constant is 0 and its error None. `explained` and `missed` are
    sums of squares. `freedom` counts points less what was estimated; with none left the errors are 0.
    """

    coefficients: Longs
    errors: Floats
    constant: np.longdouble
    constant_error: float | None
    explained: float
    missed: float
    freedom: int
    rank: int


def fit(ys: Floats, regressors: Floats, *, has_constant: bool) -> Fit:
    """Fit points; regressors has a row for each of ys and a column for each variable."""
    x = regressors.astype(np.longdouble)
    y = ys.astype(np.longdouble)
    x_means = x.mean(axis=0) if has_constant else np.zeros(x.shape[1], dtype=np.longdouble)
    y_mean = y.mean() if has_constant else np.longdouble(0.0)
    decomposed = _Decomposition(x - x_means, np.sum(x**2, axis=0))
    target = y - y_mean
    coefficients = decomposed.solve(target)
    constant = y_mean - np.dot(x_means, coefficients)
    explained = float(np.sum(((x - x_means) @ coefficients) ** 2))
    missed = float(np.sum((target - (x - x_means) @ coefficients) ** 2))
    if missed <= explained * _PERFECT_BELOW:
        missed = 0.0
    freedom = len(y) - decomposed.rank - has_constant
    variance = missed / freedom if freedom > 0 else 0.0
    spread = decomposed.inverse_of_products()
    errors = np.sqrt(np.maximum(np.diag(spread) * variance, 0.0)).astype(np.float64)
    constant_error = None
    if has_constant:
        constant_error = math.sqrt(max(0.0, variance * float(1.0 / len(y) + x_means @ spread @ x_means)))
    return Fit(
        coefficients,
        errors,
        constant,
        constant_error,
        explained,
        missed,
        freedom,
        decomposed.rank,
    )


class _Decomposition:
    """Columns as an orthogonal matrix times a triangular one; the column of which most is left goes next."""

    def __init__(self, columns: Longs, squares: Longs) -> None:
        """`squares` says how long each column was before its mean was taken away, as a sum of squares."""
        rest = columns.copy()
        dust = squares * np.longdouble(_COLLINEAR_BELOW) ** 2
        self._size = columns.shape[1]
        self._order: list[int] = []
        directions: list[Longs] = []
        open_columns = list(range(self._size))
        while len(directions) < columns.shape[0]:
            left = {index: np.sum(rest[:, index] ** 2) for index in open_columns}
            open_columns = [index for index in open_columns if left[index] > dust[index]]
            if not open_columns:
                break
            chosen = max(open_columns, key=lambda index: left[index])
            open_columns.remove(chosen)
            direction = rest[:, chosen] / np.sqrt(left[chosen])
            self._order.append(chosen)
            directions.append(direction)
            for index in open_columns:
                # Twice is enough for directions that are orthogonal to the last digit.
                for _ in range(2):
                    rest[:, index] -= direction * np.dot(direction, rest[:, index])
        self.rank = len(directions)
        self._directions = np.array(directions, dtype=np.longdouble).reshape(self.rank, columns.shape[0])
        self._triangle = self._directions @ columns[:, self._order]

    def solve(self, target: Longs) -> Longs:
        """The coefficients of the columns that come nearest to a target; 0 for columns left out."""
        return self._spread_out(self._back_substituted(self._directions @ target))

    def inverse_of_products(self) -> Longs:
        """The inverse of the columns' products with each other; 0 for columns left out."""
        inverse = np.zeros((self._size, self._size), dtype=np.longdouble)
        halves = [self._spread_out(self._back_substituted(unit)) for unit in np.eye(self.rank)]
        for half in halves:
            inverse += np.outer(half, half)
        return inverse

    def _back_substituted(self, right: NDArray[np.floating]) -> Longs:
        solution = np.zeros(self.rank, dtype=np.longdouble)
        for row in range(self.rank - 1, -1, -1):
            known = np.dot(self._triangle[row, row + 1 :], solution[row + 1 :])
            solution[row] = (right[row] - known) / self._triangle[row, row]
        return solution

    def _spread_out(self, solution: Longs) -> Longs:
        placed = np.zeros(self._size, dtype=np.longdouble)
        placed[self._order] = solution
        return placed
