"""Distributions as clients and people write them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.engine.distributions import Discrete, Lognormal, Normal, Pert, Triangular, Uniform
from tollway.engine.distributions.notation import (
    DISTRIBUTION_TYPES,
    TEXT_LENGTH_MAX,
    distribution_text,
    parse_distribution,
    parse_distribution_text,
)
from tollway.engine.distributions.parameters import BadDistribution

WRITTEN = [
    ("normal(1000, 50)", Normal(1000, 50)),
    ("  NORMAL ( -1e3 ,+.5 ) ", Normal(-1000, 0.5)),
    ("lognormal(10,3.)", Lognormal(10, 3)),
    ("uniform(-4, 7)", Uniform(-4, 7)),
    ("triangular(1,2,3)", Triangular(1, 2, 3)),
    ("pert(24, 30, 48)", Pert(24, 30, 48)),
    ("discrete(1:0.2, 5 : 0.8)", Discrete([1, 5], [0.2, 0.8])),
]
UNREADABLE = [
    ("", "distribution", "is not a distribution; write it as normal(1000, 50)"),
    ("normal", "distribution", "is not a distribution"),
    ("normal(1, 2", "distribution", "is not a distribution"),
    ("normal(1, 2))", "distribution.std", "is '2)', which is not a number"),
    ("norm(1, 2)", "distribution.type", "is 'norm'; it must be one of uniform, triangular, normal"),
    ("normal(1)", "distribution", "write normal(mean, std) with one number for each"),
    ("normal(1, 2, 3)", "distribution", "write normal(mean, std)"),
    ("normal(1,)", "distribution", "write normal(mean, std)"),
    ("normal()", "distribution", "write normal(mean, std)"),
    ("normal(nan, 1)", "distribution.mean", "is 'nan', which is not a number"),
    ("normal(1_0, 1)", "distribution.mean", "is '1_0', which is not a number"),
    ("normal(٣, 1)", "distribution.mean", "which is not a number"),
    ("normal(0, 1e999)", "distribution.std", "is inf"),
    ("normal(0, 0)", "distribution.std", "is 0; that is a constant"),
    ("normal(A1, 1)", "distribution.mean", "is 'A1', which is not a number"),
    ("discrete(1, 2)", "distribution.values", "write discrete(1:0.2, 5:0.8)"),
    ("discrete(1:x, 2:0.5)", "distribution.probabilities", "is 'x'"),
    ("discrete(1:0.5)", "distribution.probabilities", "add up to 0.5"),
    ("normal(" + "1" * TEXT_LENGTH_MAX + ")", "distribution", "500,000 are read at most"),
]


@pytest.mark.parametrize(("text", "distribution"), WRITTEN)
def test_each_shape_is_read_from_text(text, distribution):
    assert parse_distribution_text(text) == distribution


@pytest.mark.parametrize(("text", "field", "sentence"), UNREADABLE, ids=range(len(UNREADABLE)))
def test_text_that_is_no_distribution_is_refused_with_what_to_write(text, field, sentence):
    with pytest.raises(BadDistribution) as refusal:
        parse_distribution_text(text)
    assert sentence in refusal.value.message
    assert refusal.value.field == field


numbers = st.floats(-1e90, 1e90)
positive = st.floats(1e-90, 1e90)


@given(
    st.one_of(
        st.builds(Normal, numbers, positive),
        st.builds(Lognormal, positive, positive),
        st.builds(Uniform, st.floats(-1e90, -1), st.floats(1, 1e90)),
        st.builds(Triangular, st.floats(-1e90, -1), st.floats(-1, 1), st.floats(1, 1e90)),
        st.builds(Pert, st.floats(-1e90, -1), st.floats(-1, 1), st.floats(1, 1e90)),
        st.builds(
            lambda one, other, p: Discrete([one, other], [p, 1 - p]),
            st.floats(-9, -1),
            positive,
            st.floats(0.01, 0.99),
        ),
    )
)
def test_what_a_distribution_says_of_itself_in_json_reads_back_as_the_same(distribution):
    again = parse_distribution(json.loads(json.dumps(distribution.as_json())))
    if isinstance(distribution, Discrete):  # probabilities are divided by their sum once more
        assert again.values == distribution.values
        assert again.probabilities == pytest.approx(distribution.probabilities, rel=1e-12)
    else:
        assert again == distribution


@pytest.mark.parametrize("text", [text for text, _ in WRITTEN])
def test_what_is_written_as_text_reads_back_as_the_same(text):
    distribution = parse_distribution_text(text)
    assert parse_distribution_text(distribution_text(distribution)) == distribution


def test_text_is_written_the_short_way():
    assert distribution_text(Normal(1000, 0.05)) == "normal(1000, 0.05)"
    assert distribution_text(Discrete([1, 5], [0.25, 0.75])) == "discrete(1:0.25, 5:0.75)"


def test_a_client_may_send_the_other_shapes_parameters_as_null():
    given_form = {"type": "normal", "mean": 5, "std": 1, "min": None, "mode": None, "max": None}
    assert parse_distribution(given_form) == Normal(5, 1)


@pytest.mark.parametrize(
    ("form", "field", "sentence"),
    [
        (
            {"type": "normal", "mean": 5, "std": 1, "min": 0},
            "min",
            "has no parameter 'min'; it takes mean and std",
        ),
        ({"type": "normal", "mean": 5}, "std", "std of this normal distribution is missing"),
        ({"type": "normal", "mean": 5, "std": "1"}, "std", "is '1', which is not a number"),
        ({"type": "cosine"}, "type", "is 'cosine'; it must be one of"),
        ({"mean": 5, "std": 1}, "type", "is missing; it must be one of"),
        ({"type": ["normal"]}, "type", "it must be one of"),
    ],
)
def test_a_json_form_that_cannot_be_meant_is_refused_by_field(form, field, sentence):
    with pytest.raises(BadDistribution) as refusal:
        parse_distribution(form)
    assert sentence in refusal.value.message
    assert refusal.value.field == f"distribution.{field}"


@pytest.mark.parametrize("form", [None, "normal(0,1)", 5, ["normal", 0, 1]])
def test_a_json_form_that_is_no_object_is_refused(form):
    with pytest.raises(BadDistribution, match="written as an object"):
        parse_distribution(form)


def test_the_six_shapes_of_the_first_layer_come_first():
    assert DISTRIBUTION_TYPES[:6] == ("uniform", "triangular", "normal", "lognormal", "pert", "discrete")
