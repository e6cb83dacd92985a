"""Shapes by percentiles and moments: what is asked is met, and what cannot be is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tollway.engine.distributions import Normal
from tollway.engine.distributions.catalogue import CATALOGUE, COUNTS
from tollway.engine.distributions.notation import parse_distribution, parse_distribution_text
from tollway.engine.distributions.parameters import BadDistribution

SOLVED = [entry for entry in CATALOGUE.values() if entry.roles and "fixed" not in entry.roles]
HARD = {"type": "johnson_sb", "p5": 1, "p50": 2, "mean": 1.9, "std": 1}
LEVELS = {1: (50,), 2: (5, 95), 3: (5, 50, 95), 4: (5, 30, 70, 95)}


@pytest.mark.parametrize(
    "entry", [one for one in SOLVED if one.group != COUNTS], ids=lambda entry: entry.kind
)
def test_percentiles_of_a_shape_lead_to_a_shape_that_has_them(entry):
    example = parse_distribution_text(entry.example)
    levels = LEVELS[len(entry.parameters)]
    wanted = example.exact_quantile(np.array(levels) / 100)
    named = {f"p{level}": value for level, value in zip(levels, wanted.tolist(), strict=True)}
    found = parse_distribution({"type": entry.kind, **named})
    reached = found.exact_quantile(np.array(levels) / 100)
    assert reached == pytest.approx(wanted, abs=2e-9 * (float(np.ptp(wanted)) or abs(wanted[0])))


@pytest.mark.parametrize(
    "text",
    [
        "uniform(mean=5, std=2)", "gamma(mean=5, std=2)", "beta(mean=0.3, std=0.1)", "weibull(mean=5, std=2)",
        "logistic(mean=5, std=2)", "laplace(mean=5, std=2)", "extreme_value(mean=5, std=2)",
        "inverse_gaussian(mean=5, std=2)", "pareto(mean=5, std=2)", "pearson5(mean=5, std=2)",
        "frechet(0, mean=5, std=2)", "pert(min=0, mean=5, std=2)", "exponential(mean=5)", "poisson(mean=5)",
        "geometric(mean=5)", "binomial(20, mean=5)", "negative_binomial(3, mean=5)", "erlang(4, mean=5)",
        "student(5, mean=5, std=2)", "reciprocal(mean=5, std=2)", "johnson_su(-1, 2, mean=5, std=2)",
        "kumaraswamy(mean=0.3, std=0.1)", "rayleigh(mean=5)", "lognormal(mean=5, std=2)",
    ],
)  # fmt: skip
def test_moments_lead_to_a_shape_that_has_them(text):
    found = parse_distribution_text(text)
    mean = float(text.partition("mean=")[2].partition(",")[0].rstrip(")"))
    assert found.mean == pytest.approx(mean, rel=1e-8)
    if "std=" in text:
        assert found.std == pytest.approx(float(text.partition("std=")[2].rstrip(")")), rel=1e-8)


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.floats(0.5, 49), st.floats(51, 99.5))
@settings(max_examples=25, deadline=None)
def test_a_normal_by_two_percentiles_is_the_one_of_the_closed_form(mean, std, low, high):
    low, high = round(low, 2), round(high, 2)
    exact = Normal(mean, std)
    values = exact.quantile(np.array([low, high]) / 100).tolist()
    found = parse_distribution({"type": "normal", f"p{low}": values[0], f"p{high}": values[1]})
    assert found.quantile(np.array([low, high]) / 100) == pytest.approx(
        values, abs=2e-9 * (values[1] - values[0]) * 4
    )


def test_percentiles_parameters_and_moments_may_be_mixed():
    found = parse_distribution_text("triangular(min=0, p50=3, max=10)")
    assert (found.min, found.max) == (0, 10)
    assert found.cumulated(np.array([3.0])) == pytest.approx([0.5])
    assert parse_distribution_text("normal(mean=3, p95=5)").mean == 3


def test_a_metalog_takes_its_percentiles_as_points():
    by_name = parse_distribution_text("metalog(p10=10, p50=15, p90=30, min=0)")
    assert by_name == parse_distribution_text("metalog(10:0.1, 15:0.5, 30:0.9, min=0)")
    assert by_name.quantile(np.array([0.1, 0.5, 0.9])) == pytest.approx([10, 15, 30])


@pytest.mark.parametrize(
    "read", [parse_distribution_text, lambda text, **how: parse_distribution(HARD, **how)]
)
def test_whoever_asks_may_stop_a_solution_on_the_way(read):
    steps = []

    def stop_after_ten():
        steps.append(1)
        if len(steps) == 10:
            raise TimeoutError

    with pytest.raises(TimeoutError):
        read("johnson_sb(p5=1, p50=2, mean=1.9, std=1)", on_step=stop_after_ten)
    assert len(steps) == 10


@pytest.mark.parametrize(
    ("text", "field", "sentence"),
    [
        ("normal(p5=30, p95=10)", "p95", "percentiles must rise"),
        ("gamma(p5=-10, p95=10)", "p5", "No gamma distribution has 5 % below -10 and 95 % below 10"),
        ("beta(mean=0.5, std=0.6)", "mean", "No beta distribution has mean 0.5"),
        ("gamma(mean=5, std=0)", "std", "must be above 0"),
        ("normal(p5=1)", "p5", "give 2 in all"),
        ("normal(p5=1, p50=2, p95=3)", "p95", "give 2 in all"),
        ("normal(p0=1, p95=3)", "p0", "above 0 and below 100"),
        ("normal(p100=1, p95=3)", "p100", "has no parameter 'p100'"),
        ("normal(p5=nan, p95=3)", "p5", "is 'nan', which is not a number"),
        ("poisson(p5=1)", "p5", "cannot be given by percentiles"),
        ("binomial(mean=3, std=2)", "n", "cannot be found from percentiles or moments"),
        ("cauchy(mean=3, std=2)", "mean", "No cauchy distribution has mean 3"),
        ("discrete(p5=1, p95=2)", "p5", "has no parameter 'p5'"),
        ("normal(p5=1, p5=2)", "p5", "stands twice"),
        ("metalog(p10=1, p50=9, p60=9.1, p90=9.2)", "values", "No metalog distribution rises"),
        ("metalog(p10=5, p50=4)", "values[1]", "do not rise"),
    ],
)
def test_what_no_shape_meets_is_refused_by_field(text, field, sentence):
    with pytest.raises(BadDistribution) as refusal:
        parse_distribution_text(text)
    assert sentence in refusal.value.message
    assert refusal.value.field == f"distribution.{field}"
