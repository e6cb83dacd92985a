"""Tables of slow inverses against the exact inverse, and the steps of counts."""

from dataclasses import fields

import numpy as np
import pytest
from scipy import stats

from tollway.engine.distributions import (
    TABLE_ERROR,
    Beta,
    BetaGeneral,
    ChiSquared,
    F,
    Gamma,
    Geometric,
    InverseGaussian,
    Maxwell,
    Pearson5,
    Pearson6,
    Poisson,
    Student,
)
from tollway.engine.distributions.parameters import BadDistribution
from tollway.engine.distributions.pert import Floats

TABLED = [
    Beta(2, 4),
    Beta(0.5, 0.5),
    Beta(30, 0.2),
    Beta(0.05, 0.1),
    BetaGeneral(500, 800, -3, 5),
    Gamma(2, 3),
    Gamma(0.1, 1),
    Gamma(1e4, 2),
    ChiSquared(1),
    Student(1),
    Student(2.5, 10, 3),
    Student(1e5),
    InverseGaussian(2, 3),
    InverseGaussian(1, 0.01),
    InverseGaussian(1, 1000),
    Maxwell(2),
    Pearson5(0.5, 3),
    Pearson5(4, 30),
    Pearson6(3, 5, 10),
    Pearson6(0.3, 1.5, 1),
    F(5, 12),
]


@pytest.mark.parametrize("shape", TABLED, ids=str)
def test_a_table_keeps_its_stated_error(shape):
    # Uniforms all over, dense towards both ends, none on an edge of a cell but by chance.
    tail = np.geomspace(2e-6, 0.5, 4_001)
    uniforms = np.concatenate([tail, 1 - tail, np.random.default_rng(4).random(20_000)])
    drawn, exact = shape.quantile(uniforms), shape.exact_quantile(uniforms)
    # The density turns a distance on the axis into one of probability.
    heights = shape.density(exact)
    apart = drawn != exact
    missed = np.where(apart, np.abs(drawn - exact), 0.0) * np.where(apart, heights, 0.0)
    # Where x itself has no digits left for the error, a few units in its last place are the measure.
    rounding = 16 * np.spacing(np.maximum(np.abs(drawn), np.abs(exact))) * np.where(apart, heights, 0.0)
    assert (missed <= TABLE_ERROR * np.minimum(uniforms, 1 - uniforms) + rounding).all()


@pytest.mark.parametrize("shape", TABLED, ids=str)
def test_a_table_rises(shape):
    uniforms = np.sort(
        np.concatenate([np.random.default_rng(7).random(30_000), np.geomspace(1e-15, 0.5, 500)])
    )
    draws = shape.quantile(uniforms)
    assert (np.diff(draws) >= -4 * np.spacing(np.abs(draws[1:]))).all()


# Where a shape piles up beside 1, a double cannot tell its draws apart there.
@pytest.mark.parametrize("shape", [one for one in TABLED if getattr(one, "alpha2", 1) >= 1], ids=str)
def test_the_exact_inverse_leads_back_to_its_uniform(shape):
    uniforms = np.concatenate([np.geomspace(1e-12, 0.5, 60), 1 - np.geomspace(1e-9, 0.5, 60)])
    back = shape.cumulated(shape.exact_quantile(uniforms))
    assert back == pytest.approx(uniforms, rel=1e-9, abs=1e-13)


def test_equal_shapes_draw_equal_bits_whatever_the_block():
    uniforms = np.random.default_rng(3).random(9_001)
    for shape in (Gamma(2, 3), Beta(2, 4), Student(4), InverseGaussian(2, 3)):
        again = type(shape)(*(getattr(shape, field.name) for field in fields(shape)))
        pieces = [again.quantile(part) for part in np.array_split(uniforms, 13)]
        assert np.concatenate(pieces).tobytes() == shape.quantile(uniforms).tobytes()


def test_a_table_is_at_least_five_times_as_fast_to_read_where_the_inverse_is_slow():
    # Counted in work and not in time: all but the far tails must come from the table.
    for shape in (Gamma(2, 3), Beta(2, 4), Student(4), InverseGaussian(2, 3), Pearson6(3, 5, 10)):
        assert not shape._table.is_exact.any()


def test_a_count_of_millions_is_a_table_of_its_likely_part():
    shape = Poisson(1e6)
    draws = shape.quantile(np.array([1e-15, 0.5, 1 - 1e-12]))
    assert draws.tolist() == stats.poisson(1e6).ppf([1e-15, 0.5, 1 - 1e-12]).tolist()
    assert len(shape._steps[0]) < 20_000


def test_a_count_with_too_many_steps_is_refused():
    with pytest.raises(BadDistribution, match="1,000,000 are"):
        Geometric(1e-8)


def test_a_count_is_read_without_its_table() -> None:
    """A server reads hundreds of them for one request; the table of a wide one takes seconds."""
    looked_at: list[int] = []

    class Watched(Poisson):
        def _cumulated_at(self, counts: Floats) -> Floats:
            looked_at.append(len(counts))
            return super()._cumulated_at(counts)

    shape = Watched(1e9)
    assert shape.mean == 1e9
    assert sum(looked_at) < 200
    [median] = shape.quantile(np.array([0.5]))
    assert median == pytest.approx(1e9, abs=1)
