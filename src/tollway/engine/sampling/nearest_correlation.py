"""The correlation matrix nearest to one that cannot be, and the triangular factor of one that can.

Only the repair depends on how a linear algebra library orders its sums; who calls it rounds what it gives.
"""

import numpy as np

from tollway.engine.distributions.pert import Floats

# A pivot below this is 0 but for rounding; what stands below it in its column is then at most the root of it.
PIVOT_MIN = 1e-12
REPAIR_STEPS_MAX = 500
REPAIR_TOLERANCE = 1e-10


def factor(matrix: Floats) -> Floats | None:
    """Give L with L @ L.T equal to a correlation matrix, rows of length 1; None where there is none.

    A matrix that is only just possible, such as one with a correlation of 1, has an L too, with columns of 0.

    Source: Higham 2009, "Cholesky factorization" (the semidefinite case, without pivoting).
    """
    left = np.array(matrix, dtype=np.float64)
    lower = np.zeros_like(left)
    for column in range(len(left)):
        pivot = left[column, column]
        below = left[column + 1 :, column].copy()
        if pivot < PIVOT_MIN:
            if pivot < -PIVOT_MIN or (np.abs(below) > np.sqrt(PIVOT_MIN)).any():
                return None
            continue
        lower[column, column] = np.sqrt(pivot)
        lower[column + 1 :, column] = below / lower[column, column]
        # Element by element, in an order that no library chooses.
        left[column + 1 :, column + 1 :] -= lower[column + 1 :, column, None] * lower[column + 1 :, column]
    lengths = np.sqrt(np.cumsum(lower * lower, axis=1)[:, -1])
    return lower / lengths[:, None]


def nearest_correlation(matrix: Floats, margin: float) -> Floats:
    """Give the correlation matrix nearest to a symmetric one.

    Nearest by the sum of squared differences, to about REPAIR_TOLERANCE; then moved towards independence so far
    that its smallest eigenvalue is `margin`, which leaves room for rounding.

    Source: Higham 2002, "Computing the nearest correlation matrix: a problem from finance" (alternating
    projections with Dykstra's correction).
    """
    nearest = matrix.copy()
    correction = np.zeros_like(matrix)
    for _ in range(REPAIR_STEPS_MAX):
        shifted = nearest - correction
        values, vectors = np.linalg.eigh(shifted)
        possible = (vectors * np.maximum(values, 0.0)) @ vectors.T
        correction = possible - shifted
        before, nearest = nearest, (possible + possible.T) / 2
        np.fill_diagonal(nearest, 1.0)
        if np.abs(nearest - before).max() < REPAIR_TOLERANCE:
            break
    # Where the steps ended early, the smallest eigenvalue still lacks a little.
    lacking = max(0.0, -float(np.linalg.eigvalsh(nearest)[0]))
    nearest *= 1 - min(1.0, margin + 2 * lacking)
    np.fill_diagonal(nearest, 1.0)
    return nearest
