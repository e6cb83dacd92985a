"""What is refused of a distribution's parameters, and with which words."""

import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from tollway.engine.distributions import Discrete, Lognormal, Normal, Pert, Triangular, Uniform
from tollway.engine.parameters import DISCRETE_PAIRS_MAX, BadDistribution, shown
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
