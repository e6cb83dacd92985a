"""Truncation and shift: what is left, its exact moments, and what leaves nothing."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from tollway.engine.distributions import (
    Adjusted,
    Beta,
    Lognormal,
    Normal,
    Pareto,
    Poisson,
    Student,
    Triangular,
    Uniform,
)
from tollway.engine.distributions.catalogue import CATALOGUE
from tollway.engine.distributions.notation import (
    distribution_text,
    parse_distribution,
    parse_distribution_text,
)
from tollway.engine.distributions.parameters import BadDistribution
from tollway.engine.sampling.draws import UNIFORM_MIN, uniforms

# Of two values no part is left that would be none.
SHAPES = [
    parse_distribution_text(entry.example)
    for entry in CATALOGUE.values()
    if entry.kind not in {"bernoulli", "discrete"}
]
open_uniforms = st.floats(UNIFORM_MIN, 1 - 2**-53)


def test_a_truncated_normal_is_scipy_s():
    ours = parse_distribution_text("normal(10, 2, truncate=(7, 11), shift=1)")
    oracle = stats.truncnorm(-1.5, 0.5, 11, 2)
    levels = np.linspace(0.001, 0.999, 99)
    assert ours.quantile(levels) == pytest.approx(oracle.ppf(levels), rel=1e-12)
    assert ours.cumulated(oracle.ppf(levels)) == pytest.approx(levels, rel=1e-11)
    assert ours.density(oracle.ppf(levels)) == pytest.approx(oracle.pdf(oracle.ppf(levels)), rel=1e-11)
    assert ours.mean == pytest.approx(oracle.mean(), rel=1e-12)
    assert ours.std == pytest.approx(oracle.std(), rel=1e-9)
    assert (
        ours.describe()
        == "normal with mean 10 and standard deviation 2, truncated from 7 to 11, shifted by 1"
    )


def test_a_part_of_a_uniform_and_of_a_triangle_have_their_closed_moments():
    assert Adjusted(Uniform(0, 10), (2, 5)).mean == pytest.approx(3.5, rel=1e-13)
    assert Adjusted(Uniform(0, 10), (2, 5)).std == pytest.approx(3 / math.sqrt(12), rel=1e-11)
    # The mode, where the inverse bends, lies inside.
    ours = Adjusted(Triangular(0, 3, 10), (1, 8))
    density = stats.triang(0.3, 0, 10).pdf
    first, second = (
        integrate.quad(lambda x, n=n: x**n * density(x), 1, 8, points=[3], epsabs=1e-13)[0] for n in (1, 2)
    )
    share = integrate.quad(density, 1, 8, points=[3], epsabs=1e-13)[0]
    assert ours.mean == pytest.approx(first / share, rel=1e-10)
    assert ours.std == pytest.approx(math.sqrt(second / share - (first / share) ** 2), rel=1e-9)


def test_a_heavy_tail_that_stays_open_keeps_exact_moments():
    # What is left of a Pareto above a point is a Pareto again.
    ours = Adjusted(Pareto(2.5, 1), (2, None))
    assert ours.mean == pytest.approx(Pareto(2.5, 2).mean, rel=1e-9)
    assert ours.std == pytest.approx(Pareto(2.5, 2).std, rel=1e-8)
    assert Adjusted(Pareto(1.5, 1), (2, None)).finite_moments == 1
    assert Adjusted(Pareto(1.5, 1), (2, None)).mean == pytest.approx(6, rel=1e-9)
    assert Adjusted(Pareto(0.5, 1), (2, 50)).finite_moments == 2
    assert Adjusted(Student(1), (-5, 5)).mean == pytest.approx(0, abs=1e-12)
    # A lognormal by its closed form.
    whole = Lognormal(10, 30)
    depth = (math.log(5) - whole.log_mean) / whole.log_std
    expected = 10 * stats.norm.sf(depth - whole.log_std) / stats.norm.sf(depth)
    assert Adjusted(whole, (5, None)).mean == pytest.approx(expected, rel=1e-9)


def test_a_truncated_count_keeps_its_ends():
    ours = Adjusted(Poisson(4), (2, 6), shift=10)
    masses = stats.poisson(4).pmf([2, 3, 4, 5, 6])
    masses /= masses.sum()
    assert ours.density(np.arange(12.0, 17)) == pytest.approx(masses, rel=1e-10)
    draws = ours.quantile(uniforms(4, 0, 0, 20_000))
    assert sorted(set(draws.tolist())) == [12, 13, 14, 15, 16]
    assert ours.mean == pytest.approx(10 + (masses * [2, 3, 4, 5, 6]).sum(), rel=1e-12)
    assert dict(ours.curve(3)).keys() == {13, 14, 15}


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.kind)
def test_moments_of_a_truncated_shape_are_those_of_its_draws(shape):
    cut = Adjusted(shape, truncate_percentiles=(10, 80), shift=2)
    draws = cut.quantile((np.arange(20_000) + 0.5) / 20_000)
    assert cut.mean == pytest.approx(draws.mean(), abs=3e-3 * cut.std)
    assert cut.std == pytest.approx(draws.std(), rel=5e-3)


@given(st.sampled_from(SHAPES), st.floats(0, 45), st.floats(55, 100), open_uniforms, open_uniforms)
@settings(max_examples=60, deadline=None)
def test_draws_of_a_truncated_shape_rise_and_stay_inside(shape, low, high, one, other):
    cut = Adjusted(shape, truncate_percentiles=(low, high))
    first, second = cut.quantile(np.array(sorted([one, other]))).tolist()
    ends = shape.exact_quantile(np.array([low, high]) / 100)
    rounding = 8 * np.spacing(max(abs(first), abs(second)))
    assert first <= second + rounding + (1e-10 * shape.std if shape.kind == "pert" else 0)
    assert ends[0] - rounding <= first
    assert second <= ends[1] + rounding
    assert math.isfinite(first)
    assert math.isfinite(second)


def test_ends_where_scipy_finds_no_inverse_of_a_beta_are_ends_all_the_same():
    shape = Beta(2, 4)
    # Near 0 the share below x is 10 x^2.
    ends = shape.exact_quantile(np.array([1.4e-234, 1e-300]))
    assert ends == pytest.approx(np.sqrt(np.array([1.4e-235, 1e-301])), rel=1e-12)
    cut = Adjusted(shape, truncate_percentiles=(1.4e-232, 55))
    assert cut.quantile(np.array([1e-16, 0.5])) == pytest.approx(
        Adjusted(shape, truncate_percentiles=(0, 55)).quantile(np.array([1e-16, 0.5])), rel=1e-9
    )
    assert shape.exact_quantile(np.array([1 - 2.0**-53])) < 1


def test_a_shift_alone_moves_every_draw_and_nothing_else():
    levels = np.linspace(0.01, 0.99, 50)
    moved, plain = Adjusted(Normal(1, 2), shift=-3), Normal(1, 2)
    assert (moved.quantile(levels) == plain.quantile(levels) - 3).all()
    assert (moved.mean, moved.std) == (-2, 2)
    assert distribution_text(moved) == "normal(1, 2, shift=-3)"


def test_one_end_may_be_open_in_text_and_json():
    upper = parse_distribution_text("normal(1, 2, truncate=(, 3))")
    assert upper == parse_distribution({"type": "normal", "mean": 1, "std": 2, "truncate": [None, 3]})
    assert distribution_text(upper) == "normal(1, 2, truncate=(, 3))"
    assert upper.describe().endswith("truncated up to 3")
    assert parse_distribution(
        {"type": "normal", "mean": 1, "std": 2, "truncate": None, "shift": None}
    ) == Normal(1, 2)


@pytest.mark.parametrize(
    ("form", "field", "sentence"),
    [
        ({"truncate": [5, 3]}, "truncate", "the first end must be below"),
        ({"truncate": [3, 3]}, "truncate", "the first end must be below"),
        ({"truncate": [100, 200]}, "truncate", "leaves nothing of it"),
        ({"truncate": [6, None]}, "truncate", "leaves less than 1e-06 of it"),
        ({"truncate": [None, None]}, "truncate", "must be a pair of numbers"),
        ({"truncate": [1]}, "truncate", "must be a pair"),
        ({"truncate": "1,2"}, "truncate", "must be a pair"),
        ({"truncate": ["1", 2]}, "truncate[0]", "which is not a number"),
        ({"truncate": [0, float("nan")]}, "truncate[1]", "is NaN"),
        ({"truncate_percentiles": [5, 105]}, "truncate_percentiles", "lies between 0 and 100"),
        (
            {"truncate_percentiles": [5, 95], "truncate": [0, 1]},
            "truncate_percentiles",
            "give one of the two",
        ),
        ({"shift": "1"}, "shift", "which is not a number"),
        ({"shift": float("inf")}, "shift", "is inf"),
    ],
)
def test_a_truncation_that_cannot_be_meant_is_refused_by_field(form, field, sentence):
    with pytest.raises(BadDistribution) as refusal:
        parse_distribution({"type": "normal", "mean": 0, "std": 1} | form)
    assert sentence in refusal.value.message
    assert refusal.value.field == f"distribution.{field}"


def test_a_truncation_that_leaves_one_step_is_refused():
    with pytest.raises(BadDistribution, match="leaves a single value"):
        parse_distribution_text("poisson(4, truncate=(2.5, 3.5))")
