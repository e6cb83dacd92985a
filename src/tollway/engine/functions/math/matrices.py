"""Matrices. Source of each, unless it says otherwise: Microsoft's page of that function."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tollway.engine.functions.registry import (
    GRID_CELLS_MAX,
    Argument,
    FailedError,
    Grid,
    as_grid,
    function,
    whole,
)
from tollway.engine.values import ErrorValue, Value, settle

Matrix = NDArray[np.float64]

# A larger matrix would take minutes to invert or to multiply; so many steps take about a second.
_PRODUCT_STEPS_MAX = 1_000_000_000
_SQUARE_SIZE_MAX = 500


@function("MMULT", "array array", returns="any")
def matrix_product(left: Argument, right: Argument) -> Grid:
    """The product of two matrices: as many rows as the first, as many columns as the second.

    Errors: #VALUE! unless the first has as many columns as the second rows and all elements are numbers;
    the first error value among them; #NUM! where an element is too large.
    """
    first, second = _matrix(left), _matrix(right)
    if first.shape[1] != second.shape[0]:
        raise FailedError(ErrorValue.VALUE)
    row_count, column_count = first.shape[0], second.shape[1]
    steps = first.size * column_count
    if row_count * column_count > GRID_CELLS_MAX or steps > _PRODUCT_STEPS_MAX:
        raise FailedError(ErrorValue.NUM)
    product = np.zeros((row_count, column_count))
    # Term by term, in the order in which Excel adds; a library's product would add in another.
    with np.errstate(over="ignore", invalid="ignore"):
        for place in range(first.shape[1]):
            product += first[:, place, None] * second[None, place, :]
    return _grid(product)


@function("MDETERM", "array")
def determinant(matrix: Argument) -> float:
    """The determinant of a square matrix.

    Errors: #VALUE! unless it is square and all elements are numbers; the first error value among them.
    """
    rows = _square(matrix)
    size = len(rows)
    result = 1.0
    with np.errstate(over="ignore", invalid="ignore"):
        for step in range(size):
            pivot = step + int(np.argmax(np.abs(rows[step:, step])))
            if rows[pivot, step] == 0.0:
                return 0.0
            if pivot != step:
                rows[[step, pivot]] = rows[[pivot, step]]
                result = -result
            result *= float(rows[step, step])
            shares = rows[step + 1 :, step] / rows[step, step]
            rows[step + 1 :] -= shares[:, None] * rows[step]
    return result


@function("MINVERSE", "array", returns="any")
def inverse(matrix: Argument) -> Grid:
    """The inverse of a square matrix.

    Errors: #NUM! where there is none; #VALUE! unless it is square and all elements are numbers; the first
    error value among them.
    """
    square = _square(matrix)
    size = len(square)
    rows = np.hstack((square, np.eye(size)))
    with np.errstate(over="ignore", invalid="ignore"):
        for step in range(size):
            pivot = step + int(np.argmax(np.abs(rows[step:, step])))
            if rows[pivot, step] == 0.0:
                raise FailedError(ErrorValue.NUM)
            rows[[step, pivot]] = rows[[pivot, step]]
            shares = rows[step + 1 :, step] / rows[step, step]
            rows[step + 1 :] -= shares[:, None] * rows[step]
        for step in range(size - 1, -1, -1):
            rows[step] /= rows[step, step]
            rows[:step] -= rows[:step, step, None] * rows[step]
    return _grid(rows[:, size:])


@function("MUNIT", "number", returns="any")
def unit_matrix(size: float) -> Grid:
    """The square matrix of a size, cut to an integer, with ones from top left to bottom right and zeros.

    Errors: #VALUE! below 1, #NUM! above 1414 where the matrix is larger than a range may be.
    """
    count = whole(size)
    if count < 1:
        raise FailedError(ErrorValue.VALUE)
    if count * count > GRID_CELLS_MAX:
        raise FailedError(ErrorValue.NUM)
    return _grid(np.eye(count))


def _square(argument: Argument) -> Matrix:
    matrix = _matrix(argument)
    if matrix.shape[0] != matrix.shape[1]:
        raise FailedError(ErrorValue.VALUE)
    if len(matrix) > _SQUARE_SIZE_MAX:
        raise FailedError(ErrorValue.NUM)
    return matrix


def _matrix(argument: Argument) -> Matrix:
    grid = as_grid(argument)
    values = grid.items()
    for value in values:
        if isinstance(value, ErrorValue):
            raise FailedError(value)
    is_full = len(values) == grid.row_count * grid.column_count
    if not is_full or not all(isinstance(value, float) for value in values):
        raise FailedError(ErrorValue.VALUE)
    return np.array(values, dtype=np.float64).reshape(grid.row_count, grid.column_count)


def _grid(matrix: Matrix) -> Grid:
    rows: list[list[Value]] = [[settle(number) for number in row] for row in matrix.tolist()]
    return Grid(rows, matrix.shape[0], matrix.shape[1])
