"""Each shape against its closed form, against SciPy, and against its own promises."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import integrate, stats

from tollway.engine.distributions import (
    Continuous,
    Discrete,
    Distribution,
    Lognormal,
    Normal,
    Pert,
    Triangular,
    Uniform,
)
from tollway.engine.sampling.draws import UNIFORM_MIN, uniforms

numbers = st.floats(-1e6, 1e6).map(lambda number: round(number, 6))
positive = st.floats(1e-3, 1e6).map(lambda number: round(number, 6))
shares = st.floats(0, 1)


@st.composite
def with_mode(draw_one, shape):
    low, width, share = draw_one(numbers), draw_one(positive), draw_one(shares)
    high = low + width
    return shape(low, min(max(low + width * share, low), high), high)


@st.composite
def discrete(draw_one):
    values = draw_one(st.lists(numbers, min_size=2, max_size=30, unique=True))
    weights = draw_one(st.lists(st.integers(1, 100), min_size=len(values), max_size=len(values)))
    return Discrete(values, [weight / sum(weights) for weight in weights])


def uniform_over(low: float, width: float) -> Uniform:
    return Uniform(low, low + width)


distributions = st.one_of(
    st.builds(Normal, numbers, positive),
    st.builds(Lognormal, positive, positive),
    st.builds(uniform_over, numbers, positive),
    with_mode(Triangular),
    with_mode(Pert),
    discrete(),
)
open_uniforms = st.floats(UNIFORM_MIN, 1 - 2**-53)

EXAMPLES = [
    Normal(1000, 50),
    Lognormal(10, 3),
    Lognormal(2, 9),
    Uniform(-4, 7),
    Triangular(0.05, 0.15, 0.35),
    Triangular(0, 0, 1),
    Triangular(0, 1, 1),
    Pert(24, 30, 48),
    Pert(0, 0, 1),
    Pert(-5, 2, 2),
    Discrete([5, 1, 3], [0.5, 0.2, 0.3]),
]
ORACLES = [
    (Normal(1000, 50), stats.norm(1000, 50)),
    (Lognormal(10, 3), stats.lognorm(s=math.sqrt(math.log(1.09)), scale=10 / math.sqrt(1.09))),
    (Uniform(-4, 7), stats.uniform(-4, 11)),
    (Triangular(0.05, 0.15, 0.35), stats.triang(1 / 3, 0.05, 0.3)),
    (Triangular(0, 0, 1), stats.triang(0)),
    (Triangular(0, 1, 1), stats.triang(1)),
    (Pert(24, 30, 48), stats.beta(2, 4, 24, 24)),
    (Pert(0, 9, 10), stats.beta(4.6, 1.4, 0, 10)),
    (Pert(0, 0, 1), stats.beta(1, 5)),
]


def spread(distribution: Distribution) -> float:
    return distribution.std + abs(distribution.mean)


@given(distributions, open_uniforms, open_uniforms)
def test_a_larger_uniform_never_gives_a_smaller_draw(distribution, one, other):
    low, high = distribution.quantile(np.array(sorted([one, other])))
    # Where a PERT's table meets its exact tail the two differ by up to 1e-10 of the range.
    slack = 1e-10 * (distribution.max - distribution.min) if isinstance(distribution, Pert) else 0.0
    # Rounding of the few operations of an inverse can turn two neighbouring uniforms around.
    assert low <= high + slack + 4 * np.spacing(spread(distribution))


@given(distributions, st.lists(open_uniforms, max_size=40))
def test_no_draw_is_infinite_or_outside_the_support(distribution, some):
    draws = distribution.quantile(np.array(some))
    assert draws.shape == (len(some),)
    assert draws.dtype == np.float64
    assert np.isfinite(draws).all()
    match distribution:
        case Uniform(low, high) | Triangular(low, _, high) | Pert(low, _, high):
            assert ((low <= draws) & (draws <= high)).all()
        case Lognormal():
            assert (draws >= 0).all()
        case Discrete(values, _):
            assert np.isin(draws, values).all()


@given(distributions)
def test_0_and_1_give_the_ends(distribution):
    low, high = distribution.quantile(np.array([0.0, 1.0]))
    match distribution:
        case Uniform(least, most) | Triangular(least, _, most) | Pert(least, _, most):
            # Where the mode is an end, that end is reached from the other one, so rounding shows.
            rounding = 4 * np.spacing(max(abs(least), abs(most)))
            assert least <= low <= least + rounding
            assert most - rounding <= high <= most
        case Normal():
            assert (low, high) == (-math.inf, math.inf)
        case Lognormal():
            assert (low, high) == (0, math.inf)
        case Discrete(values, _):
            assert (low, high) == (values[0], values[-1])


@pytest.mark.parametrize(("ours", "oracle"), ORACLES)
def test_quantiles_moments_and_densities_are_scipy_s(ours, oracle):
    levels = np.concatenate([np.geomspace(1e-15, 0.5, 200), 1 - np.geomspace(1e-12, 0.5, 200)])
    difference = np.abs(ours.quantile(levels) - oracle.ppf(levels))
    assert (difference <= 1e-9 * (np.abs(oracle.ppf(levels)) + oracle.std())).all()
    assert ours.mean == pytest.approx(oracle.mean(), rel=1e-12)
    assert ours.std == pytest.approx(oracle.std(), rel=1e-12)
    for x, density in ours.curve(41):
        assert density == pytest.approx(oracle.pdf(x), rel=1e-9, abs=1e-12)


@given(distributions)
def test_the_stated_mean_and_std_are_those_of_the_quantile_function(distribution):
    # The mean of a shape is the integral of its quantile function; the middle rule on 200,000 cells.
    assume(not isinstance(distribution, Lognormal) or distribution.std < distribution.mean / 2)
    cells = (np.arange(200_000) + 0.5) / 200_000
    draws = distribution.quantile(cells)
    assert draws.mean() == pytest.approx(
        distribution.mean, abs=1e-4 * distribution.std + 1e-9 * abs(distribution.mean)
    )
    assert draws.std() == pytest.approx(distribution.std, rel=3e-3)


@pytest.mark.parametrize("distribution", EXAMPLES, ids=str)
def test_the_mean_of_a_million_draws_lies_within_5_standard_errors(distribution):
    # A right engine fails this for 1 in 1,700,000 seeds and shapes; the seed is fixed.
    draws = distribution.quantile(uniforms(20_261_120, 0, 0, 1_000_000))
    assert abs(draws.mean() - distribution.mean) < 5 * distribution.std / 1_000


@pytest.mark.parametrize("distribution", [d for d in EXAMPLES if isinstance(d, Continuous)], ids=str)
def test_a_hundred_thousand_draws_pass_a_kolmogorov_smirnov_test(distribution):
    # Draws pushed through SciPy's own inverse check; false alarms 1 in 10,000 a shape.
    oracle = {
        Normal: lambda d: stats.norm(d.mean, d.std),
        Lognormal: lambda d: stats.lognorm(s=d.log_std, scale=math.exp(d.log_mean)),
        Uniform: lambda d: stats.uniform(d.min, d.max - d.min),
        Triangular: lambda d: stats.triang((d.mode - d.min) / (d.max - d.min), d.min, d.max - d.min),
        Pert: lambda d: stats.beta(d.alpha, 6 - d.alpha, d.min, d.max - d.min),
    }[type(distribution)](distribution)
    draws = distribution.quantile(uniforms(11, 2, 0, 100_000))
    assert stats.kstest(draws, oracle.cdf).pvalue > 1e-4


def test_a_normal_is_a_normal_and_not_a_triangle():
    """An earlier system ran every shape as a triangle, and a normal as a triangle from 0 to 1."""
    draws = Normal(1000, 50).quantile(uniforms(7, 0, 0, 200_000))
    assert draws.mean() == pytest.approx(1000, abs=5 * 50 / math.sqrt(200_000))
    # A triangle has no draw beyond 2.45 standard deviations; a normal has 1.4 % of them there.
    assert (np.abs(draws - 1000) > 2.5 * 50).mean() == pytest.approx(0.01242, abs=0.0013)
    assert stats.kurtosis(draws) == pytest.approx(0, abs=0.06)


def test_a_discrete_distribution_gives_each_value_its_share():
    # Each count is binomial; 5 standard deviations, so 1 false alarm in 1,700,000.
    draws = Discrete([5, 1, 3], [0.5, 0.2, 0.3]).quantile(uniforms(3, 0, 0, 100_000))
    for value, share in [(1, 0.2), (3, 0.3), (5, 0.5)]:
        assert abs((draws == value).sum() - 100_000 * share) < 5 * math.sqrt(100_000 * share * (1 - share))


def test_a_discrete_distribution_is_kept_sorted_with_equal_values_joined_and_impossible_ones_left_out():
    distribution = Discrete([5, 1, 5, 9], [0.25, 0.5, 0.25, 0])
    assert distribution.values == (1.0, 5.0)
    assert distribution.probabilities == (0.5, 0.5)
    assert distribution.quantile(np.array([0.5, np.nextafter(0.5, 1)])).tolist() == [1, 5]


def test_a_lognormal_s_parameters_are_those_of_the_variable_itself():
    distribution = Lognormal(10, 3)
    draws = np.log(distribution.quantile(uniforms(1, 0, 0, 400_000)))
    assert draws.mean() == pytest.approx(
        distribution.log_mean, abs=5 * distribution.log_std / math.sqrt(400_000)
    )
    assert math.exp(distribution.log_mean + distribution.log_std**2 / 2) == pytest.approx(10, rel=1e-14)


@pytest.mark.parametrize(
    "distribution", [Lognormal(1e-100, 1e100), Lognormal(1e100, 1e-100), Normal(1e100, 1e100)]
)
def test_parameters_at_their_limits_still_give_finite_draws(distribution):
    assert np.isfinite(distribution.quantile(np.array([UNIFORM_MIN, 0.5, 1 - 2**-53]))).all()
    assert math.isfinite(distribution.std)


@pytest.mark.parametrize("distribution", [d for d in EXAMPLES if isinstance(d, Continuous)], ids=str)
@pytest.mark.parametrize("point_count", [2, 3, 64])
def test_a_picture_rises_in_x_shows_the_peak_and_encloses_nearly_everything(distribution, point_count):
    points = distribution.curve(point_count)
    x, density = np.array(points).T
    assert len(points) == point_count
    assert (np.diff(x) > 0).all()
    assert np.isfinite(density).all()
    assert (density >= 0).all()
    if point_count == 64:
        assert 0.95 < integrate.trapezoid(density, x) < 1.03


def test_the_picture_of_a_discrete_distribution_keeps_the_most_likely_values():
    distribution = Discrete([1, 2, 3, 4], [0.1, 0.4, 0.3, 0.2])
    assert distribution.curve(2) == [(2.0, 0.4), (3.0, 0.3)]
    assert distribution.curve(9) == [(1.0, 0.1), (2.0, 0.4), (3.0, 0.3), (4.0, 0.2)]


@pytest.mark.parametrize(
    ("distribution", "sentence"),
    [
        (Normal(1000, 50), "normal with mean 1,000 and standard deviation 50"),
        (Lognormal(10, 3), "lognormal with mean 10 and standard deviation 3"),
        (Uniform(-4, 7.5), "uniform between -4 and 7.5"),
        (Triangular(1, 2, 3), "triangular from 1 to 3, most likely 2"),
        (Pert(24, 30, 48), "PERT from 24 to 48, most likely 30"),
        (Discrete([1, 5], [0.2, 0.8]), "one of 1 (probability 0.2), 5 (probability 0.8)"),
        (Discrete(range(10), [0.1] * 10), "one of 10 values from 0 to 9"),
    ],
)
def test_a_distribution_describes_itself_in_one_phrase(distribution, sentence):
    assert distribution.describe() == sentence
