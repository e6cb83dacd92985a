"""What is refused of a distribution's parameters, and with which words."""

import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from tollway.engine.distributions import Discrete, Lognormal, Normal, Pert, Triangular, Uniform
from tollway.engine.distributions.notation import parse_distribution_text
from tollway.engine.distributions.parameters import DISCRETE_PAIRS_MAX, BadDistribution, shown
from tollway.engine.values import EngineError

REFUSED = [
    # shape, parameters, field, part of the sentence
    (Normal, (0, 0), "std", "std of this normal distribution is 0; that is a constant"),
    (Normal, (0, -0.0), "std", "that is a constant"),
    (Normal, (0, -2), "std", "is -2; a standard deviation must be above 0"),
    (Normal, (math.nan, 1), "mean", "mean of this normal distribution is NaN"),
    (Normal, (0, math.inf), "std", "is inf; give a number between -1e+100 and 1e+100"),
    (Normal, (-math.inf, 1), "mean", "is -inf"),
    (Normal, (10**400, 1), "mean", "is inf"),
    (Normal, (1.1e100, 1), "mean", "is 1.1e+100"),
    (Normal, (True, 1), "mean", "is True, which is not a number"),
    (Normal, ("5", 1), "mean", "is '5', which is not a number; give a number, such as 0.5 or 1200"),
    (Normal, (0, "x" * 500), "std", "..., which is not a number"),
    (Normal, (None, 1), "mean", "mean of this normal distribution is missing"),
    (Normal, (Decimal(5), 1), "mean", "which is not a number"),
    (Lognormal, (0, 1), "mean", "is 0; all its draws are above 0"),
    (Lognormal, (-5, 1), "mean", "is -5; all its draws are above 0"),
    (Lognormal, (5, 0), "std", "that is a constant"),
    (Uniform, (3, 3), "max", "min and max of this uniform distribution are both 3; that is a constant"),
    (Uniform, (3, 2), "min", "is 3 and max is 2; min must be below max"),
    (Uniform, (1, 1 + 1e-17), "max", "are both 1"),
    (Triangular, (0, 5, 4), "mode", "is 5; the most likely value must lie between min 0 and max 4"),
    (Triangular, (0, -1, 4), "mode", "is -1"),
    (Triangular, (4, 4, 4), "max", "both 4"),
    (Pert, (0, 5, 4), "mode", "is 5"),
    (Pert, (5, 5, 4), "min", "is 5 and max is 4"),
    (Discrete, ([1, 2], [0.5]), "probabilities", "has 2 values and 1 probabilities"),
    (Discrete, ([1, 2], [0.5, 0.6]), "probabilities", "add up to 1.1; they must add up to 1"),
    (Discrete, ([1, 2], [1.5, -0.5]), "probabilities[1]", "Probability 2 of this discrete distribution is -0.5"),
    (Discrete, ([1, math.nan], [0.5, 0.5]), "values[1]", "is NaN"),
    (Discrete, ([7, 7], [0.5, 0.5]), "values", "always gives 7; that is a constant"),
    (Discrete, ([7, 8], [1, 0]), "values", "always gives 7"),
    (Discrete, ([], []), "values", "has 0 entries; give 2 to 10,000"),
    (Discrete, (range(DISCRETE_PAIRS_MAX + 1), [1]), "values", "has 10,001 entries"),
    (Discrete, (None, [1]), "values", "values of this discrete distribution is missing"),
    (Discrete, ("12", [0.5, 0.5]), "values", "is '12', which is not a list"),
    (Discrete, ([1, 2], {"a": 1}), "probabilities", "which is not a list"),
    (Discrete, (5, [1]), "values", "is 5, which is not a list"),
]  # fmt: skip


@pytest.mark.parametrize(("shape", "parameters", "field", "sentence"), REFUSED)
def test_parameters_that_cannot_be_meant_are_refused_by_name(shape, parameters, field, sentence):
    with pytest.raises(BadDistribution) as refusal:
        shape(*parameters)
    assert sentence in refusal.value.message
    assert refusal.value.message.endswith(".")
    assert refusal.value.field == f"distribution.{field}"
    assert refusal.value.code == "bad-distribution"
    assert isinstance(refusal.value, EngineError)


@pytest.mark.parametrize("one", [1, 1.0, np.float64(1), np.float32(1), np.int64(1), Fraction(1, 1)])
def test_every_kind_of_real_number_is_taken_and_kept_as_a_float(one):
    distribution = Normal(one, one)
    assert type(distribution.mean) is float
    assert distribution == Normal(1.0, 1.0)


def test_the_longest_discrete_distribution_is_taken():
    values = range(DISCRETE_PAIRS_MAX)
    distribution = Discrete(values, [1 / DISCRETE_PAIRS_MAX] * DISCRETE_PAIRS_MAX)
    assert len(distribution.values) == DISCRETE_PAIRS_MAX


@pytest.mark.parametrize(
    ("value", "text"),
    [(1000.0, "1,000"), (0.1 + 0.2, "0.3"), (-2.5, "-2.5"), (1e-7, "1e-07"), (1e20, "1e+20"), (0.0, "0")],
)
def test_numbers_in_sentences_read_like_numbers(value, text):
    assert shown(value) == text


REFUSED_TEXTS = [
    ("gamma(0, 1)", "alpha", "give a number from 0.001 to 1,000,000"),
    ("gamma(2, 0)", "beta", "is 0; it must be above 0"),
    ("gamma(2, -3)", "beta", "is -3; it must be above 0"),
    ("gamma(2)", "", "write gamma(alpha, beta)"),
    ("beta(0, 2)", "alpha1", "give a number from"),
    ("beta_general(2, 3, 5, 5)", "max", "are both 5"),
    ("beta_subjective(0, 5, 4, 10)", "mean", "must lie between the mode 5 and the middle of the range 5"),
    ("kumaraswamy(2, 3, 4, 1)", "min", "min must be below max"),
    ("trigen(1, 9, 5, 10, 90)", "mode", "must lie between bottom 1 and top 5"),
    ("trigen(1, 2, 5, 90, 10)", "bottom_percent", "they must rise"),
    ("trigen(1, 2, 5, -1, 90)", "bottom_percent", "give a number from 0 to 100"),
    ("trigen(1, 2, 5, 50, 50.0001)", "bottom_percent", "No triangle has"),
    ("reciprocal(0, 5)", "min", "must be above 0"),
    ("johnson_sb(1, 0, 0, 1)", "alpha2", "give a number from"),
    ("student(0)", "nu", "give a number from"),
    ("student(3, 0, 0)", "scale", "must be above 0"),
    ("student(0.01)", "", "has draws beyond 1e+150"),
    ("pareto(0.01, 1)", "", "has draws beyond 1e+150"),
    ("normal(1, 2, 3)", "", "write normal(mean, std)"),
    ("erlang(2.5, 1)", "m", "give a whole number, such as 2"),
    ("inverse_gaussian(1, 1e9)", "lambda / mu", "give a number from"),
    ("logistic(1e30, 1)", "", "always gives about"),
    ("bernoulli(0)", "p", "at either end the cell would be a constant"),
    ("bernoulli(1.5)", "p", "must lie between 0 and 1"),
    ("binomial(2.5, 0.1)", "n", "give a whole number"),
    ("binomial(0, 0.1)", "n", "give a number from 1"),
    ("hypergeometric(5, 30, 20)", "D", "give a number from 1 to 19"),
    ("poisson(-1)", "lambda", "must be above 0"),
    ("integer_uniform(6, 1)", "min", "min must be below max"),
    ("integer_uniform(1, 6.5)", "max", "give a whole number"),
    ("discrete_uniform(3, 3)", "values", "always gives 3"),
    ("empirical(7)", "values", "always gives 7"),
    ("histogram(0, 1, 0, 0)", "probabilities", "All weights"),
    ("histogram(0, 1, 1, -1)", "probabilities[1]", "Weight 2"),
    ("general(0, 10, 5:1, 4:1)", "values[1]", "do not rise between 0 and 10"),
    ("general(0, 10, 11:1)", "values[0]", "do not rise between 0 and 10"),
    ("cumulative(0, 10, 2:0.8, 5:0.3)", "probabilities[1]", "fall from 0.8 to 0.3"),
    ("cumulative(0, 10, 2:1.2)", "probabilities[0]", "fall from 1.2 to 1"),
    ("metalog(1:0.1)", "values", "has 1 entries; give 2 to 16"),
    ("metalog(1:0.1, 2:1)", "probabilities[1]", "it is a probability"),
    ("weibull(nan, 1)", "alpha", "is 'nan', which is not a number"),
    ("gumbel(0, 1)", "type", "it must be one of uniform"),
]


@pytest.mark.parametrize(("text", "field", "sentence"), REFUSED_TEXTS)
def test_parameters_of_every_other_shape_are_refused_by_name(text, field, sentence):
    with pytest.raises(BadDistribution) as refusal:
        parse_distribution_text(text)
    assert sentence in refusal.value.message
    assert refusal.value.message.endswith(".")
    assert refusal.value.field == ("distribution." + field).rstrip(".")


def test_seeds_keep_the_draws_of_shapes_without_transcendental_functions():
    levels = np.array([0.1, 0.5, 0.8125])
    assert parse_distribution_text("uniform(-4, 7)").quantile(levels).tolist() == [-2.9, 1.5, 4.9375]
    drawn = parse_distribution_text("triangular(0, 2, 10)").quantile(levels)
    assert [number.hex() for number in drawn.tolist()] == [
        "0x1.6a09e667f3bcep+0",
        "0x1.d674f8a4b495ap+1",
        "0x1.88210a7585893p+2",
    ]
    assert parse_distribution_text("discrete(1:0.2, 5:0.8)").quantile(levels).tolist() == [1, 5, 5]
