"""Which inputs move an output: by tails over all iterations; by ranks and regression over the first of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tollway.engine.distributions.pert import Floats
from tollway.engine.runs.moments import BLOCK_ITERATIONS, Moments
from tollway.engine.runs.output_summary import Sensitivity
from tollway.engine.runs.redraw import RunDraws
from tollway.engine.runs.stored import Shard
from tollway.engine.runs.stretches import first_iterations, first_samples

ITERATIONS_MAX = 16_384
"""Ranks and regression are computed over so many of the first iterations; their error is then about 0.008."""
VALUES_MAX = 4_194_304
"""Inputs times iterations; a run with more than 256 inputs has fewer iterations."""
# A direction of the inputs that holds less of their variance than this is none but for rounding.
_PIVOT_MIN = 1e-10
# Some hundred units in the last place of the largest value.
_ROUNDING_SHARE = 1e-13


@dataclass(frozen=True)
class Effects:
    """What each input does to one output, over the first iterations that gave a number."""

    iterations: int
    rank_correlations: list[float | None]
    regression_coefficients: list[float | None]
    variance_shares: list[float | None]
    remark: str | None

    @classmethod
    def none(cls, input_count: int) -> "Effects":
        """Say nothing of any input."""
        nothing: list[float | None] = [None] * input_count
        return cls(0, nothing, nothing, nothing, None)


@dataclass(frozen=True)
class _Inputs:
    """The inputs over some iterations, each row measured from its mean with length 1; 0 where it never varied."""

    ranks: Floats
    units: Floats
    factor: Floats | None
    """Of the correlations of those that varied; None where some of them move together exactly."""
    varied: NDArray[np.bool_]


def list_effects(shards: Sequence[Shard], draws: RunDraws | None, output_count: int) -> list[Effects]:
    """Compute rank correlation, regression and contribution to variance of every input on every output.

    Spearman's rank correlation gives ties their middle rank. Regression is least squares on all inputs at once, in
    units of standard deviations. The contribution to variance is the squared rank correlation over the sum of those of
    all inputs, as Crystal Ball reports it; of inputs that are correlated each also counts what moves with it.

    Shards come in the order of their iterations. `draws` is None where nobody knows the inputs.
    """
    if draws is None:
        return [Effects.none(0)] * output_count
    input_count = len(draws.inputs)
    if not len(shards) or not input_count:
        return [Effects.none(input_count)] * output_count
    iterations = min(ITERATIONS_MAX, max(1, VALUES_MAX // input_count))
    values, errors = first_samples(shards, iterations)
    drawn = draws.again(first_iterations(shards, iterations))
    # Outputs that showed errors in the same iterations share what is computed of the inputs, which takes the time.
    alike: dict[bytes, list[int]] = {}
    for output in range(output_count):
        alike.setdefault((errors[output] == 0).tobytes(), []).append(output)
    found: dict[int, Effects] = {}
    for outputs in alike.values():
        numeric = errors[outputs[0]] == 0
        inputs = _inputs(drawn if numeric.all() else drawn[:, numeric])
        for output in outputs:
            found[output] = _effects(inputs, values[output][numeric])
    return [found[output] for output in range(output_count)]


def _inputs(drawn: Floats) -> _Inputs:
    units = np.stack([_unit(row) for row in drawn])
    ranks = np.stack([_unit(_ranks(row)) for row in drawn])
    varied = np.array([bool(row.any()) for row in units])
    factor = None
    if varied.any() and varied.sum() + 1 < drawn.shape[1]:
        kept = units[varied]
        factor = _factor(np.stack([_dots(kept, row) for row in kept]))
    return _Inputs(ranks, units, factor, varied)


def _effects(inputs: _Inputs, numbers: Floats) -> Effects:
    count, input_count = len(numbers), len(inputs.units)
    output, output_ranks = _unit(numbers), _unit(_ranks(numbers))
    if not output_ranks.any():
        return Effects.none(input_count)
    ranked = np.clip(_dots(inputs.ranks, output_ranks), -1.0, 1.0)
    squares = ranked * ranked
    total = float(squares.sum())
    coefficients: list[float | None] = [None] * input_count
    remark = None
    varied_count = int(inputs.varied.sum())
    if varied_count + 1 >= count:
        remark = (
            f"Regression needs more iterations that gave a number than there are inputs: there are {count:,} for "
            f"{varied_count:,} inputs."
        )
    elif not output.any() or not np.isfinite(output).all():
        remark = "The output's values are too far apart for regression."
    elif inputs.factor is None:
        remark = "Some inputs move together exactly, so regression cannot tell them apart."
    else:
        solved = _solve(inputs.factor, _dots(inputs.units[inputs.varied], output))
        for place, coefficient in zip(np.flatnonzero(inputs.varied).tolist(), solved.tolist(), strict=True):
            coefficients[place] = coefficient
    has_ranks = [bool(row.any()) for row in inputs.ranks]
    return Effects(
        iterations=count,
        rank_correlations=[float(one) if has else None for one, has in zip(ranked, has_ranks, strict=True)],
        regression_coefficients=coefficients,
        variance_shares=[
            float(one / total) if has and total > 0 else None
            for one, has in zip(squares, has_ranks, strict=True)
        ],
        remark=remark,
    )


def _ranks(numbers: Floats) -> Floats:
    """Places among the numbers, rising from 1; equal numbers share the middle of theirs."""
    _, inverse, counts = np.unique(numbers, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[inverse], dtype=np.float64)


def _unit(numbers: Floats) -> Floats:
    """Measure from the mean, scaled to length 1; all 0 where they do not differ."""
    if len(numbers) == 0 or numbers.min() == numbers.max():
        return np.zeros(len(numbers))
    # Scaled first: numbers near the end of the range would overflow when they are squared.
    scaled = numbers / np.abs(numbers).max()
    scaled = scaled - scaled.mean()
    length = float(np.sqrt(_dots(scaled[None, :], scaled)[0]))
    return scaled / length if length > 0 else np.zeros(len(numbers))


def _dots(rows: Floats, weights: Floats) -> Floats:
    """Multiply each row with the weights and sum up: (I, n) and (n,) to (I,).

    Block by block: a library may cut longer sums over threads, and other cuts give other bits.
    """
    sums = np.zeros(len(rows))
    for first in range(0, len(weights), BLOCK_ITERATIONS):
        part = slice(first, first + BLOCK_ITERATIONS)
        sums += np.vecdot(rows[:, part], weights[part])
    return sums


def _factor(matrix: Floats) -> Floats | None:
    """Give L with L @ L.T equal to a matrix of correlations; None where a pivot vanishes."""
    left = matrix.copy()
    lower = np.zeros_like(left)
    for column in range(len(left)):
        pivot = left[column, column]
        # Not a number is none either.
        if not pivot > _PIVOT_MIN:
            return None
        lower[column:, column] = left[column:, column] / np.sqrt(pivot)
        below = lower[column + 1 :, column]
        # Element by element, in an order that no library chooses.
        left[column + 1 :, column + 1 :] -= below[:, None] * below
    return lower


def _solve(lower: Floats, right: Floats) -> Floats:
    """Solve L @ L.T @ x = right, one unknown after the other."""
    solved = right.copy()
    for column in range(len(lower)):
        solved[column] /= lower[column, column]
        solved[column + 1 :] -= lower[column + 1 :, column] * solved[column]
    for column in reversed(range(len(lower))):
        solved[column] /= lower[column, column]
        solved[:column] -= lower[column, :column] * solved[column]
    return solved


def list_sensitivities(
    cells: Sequence[str],
    names: Sequence[str | None],
    moments: Moments,
    output: int,
    effects: Effects,
    *,
    is_constant: bool,
) -> list[Sensitivity]:
    """Put together what each input does to one output, largest swing first."""
    nothing = [None] * len(cells)
    found: list[Sensitivity] = []
    for row, (cell, name, ranked, coefficient, share) in enumerate(
        zip(
            cells,
            names,
            effects.rank_correlations or nothing,
            effects.regression_coefficients or nothing,
            effects.variance_shares or nothing,
            strict=True,
        )
    ):
        low, high = (
            _settled_mean(moments, tail, row, output) if moments.tail_count[tail, row, output] else None
            for tail in (0, 1)
        )
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            spreads = np.sqrt(moments.m2[output]) * np.sqrt(moments.input_m2[row, output])
            correlation = _finite(moments.comoment[row, output] / spreads)
        found.append(
            Sensitivity(
                cell=cell,
                name=name,
                low_mean=low,
                high_mean=high,
                swing=None if low is None or high is None else _finite(high - low),
                correlation=None if correlation is None or is_constant else min(max(correlation, -1.0), 1.0),
                rank_correlation=ranked,
                regression_coefficient=coefficient,
                variance_share=share,
            )
        )
    return sorted(found, key=lambda sensitivity: -abs(sensitivity.swing or 0.0))


def _settled_mean(moments: Moments, tail: int, row: int, output: int) -> float | None:
    """The output's mean in a tail of an input; what is left of 0 by sums of much larger numbers is 0."""
    mean = _finite(moments.tail_mean[tail, row, output])
    largest = max(abs(moments.min[output]), abs(moments.max[output]))
    return 0.0 if mean is not None and abs(mean) < largest * _ROUNDING_SHARE else mean


def _finite(number: float) -> float | None:
    return float(number) if np.isfinite(number) else None
