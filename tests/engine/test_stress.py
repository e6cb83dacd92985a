"""Inputs held in a part of their range: what they draw then, what stays as it was, what is refused."""

import math

import numpy as np
import pytest
from tests.engine.sheets import workbook_of

from tollway.engine import (
    BadStress,
    Input,
    Normal,
    Program,
    ProgramFacts,
    Sampling,
    SamplingMethod,
    build_program,
    draw,
    parse_distribution,
    parse_distribution_text,
    parse_stress_text,
    read_correlations,
    read_stress,
    run_shard,
    simulate,
    summarize,
    with_stress,
)
from tollway.engine.distributions import Discrete, Uniform
from tollway.engine.distributions.held import Held

CELLS = {"A1": 10, "A2": 0.5, "A3": 1, "B1": "=A1+A2*A3"}
BOOK = workbook_of(CELLS)
SEED, ITERATIONS = 5, 8_192
SHAPES = (
    "normal(10, 2)",
    "normal(10, 2, truncate=(9, 30), shift=5)",
    "triangular(0, 1, 4)",
    "gamma(2, 3)",
    "lognormal(3, 1)",
    "poisson(4)",
    "discrete(1:0.2, 5:0.8)",
    "cauchy(0, 1)",
    "binomial(10, 0.3, truncate=(1, 8))",
)


@pytest.fixture(scope="module")
def program() -> Program:
    inputs = [Input("A1", Normal(10, 2)), Input("A2", Uniform(0, 1)), Input("A3", Normal(1, 0.1))]
    return build_program(BOOK, inputs, ["B1"])


@pytest.mark.parametrize("method", list(SamplingMethod))
def test_other_inputs_keep_their_bits_and_the_held_one_its_ranks(program, method):
    correlated = [{"cells": ["A1", "A2"], "correlation": 0.7}]
    sampling = Sampling(method, ITERATIONS, read_correlations(correlated, BOOK, program))
    held = with_stress(program, read_stress([{"cell": "A2", "percentiles": [90, 100]}], BOOK, program))
    whole, part = (draw(one.inputs, SEED, 0, ITERATIONS, sampling) for one in (program, held))
    np.testing.assert_array_equal(part[[0, 2]], whole[[0, 2]])
    np.testing.assert_array_equal(np.argsort(part[1], kind="stable"), np.argsort(whole[1], kind="stable"))
    np.testing.assert_allclose(part[1], 0.9 + 0.1 * whole[1], rtol=1e-12)


@pytest.mark.parametrize("text", SHAPES)
@pytest.mark.parametrize(("low", "high"), [(90, 100), (0, 10), (25, 75), (0, 100)])
def test_what_is_drawn_is_the_same_part_of_the_shape(text, low, high):
    shape = parse_distribution_text(text)
    part = Held(shape, low / 100, high / 100)
    uniforms = np.linspace(0.001, 0.999, 999)
    draws = part.quantile(uniforms)
    np.testing.assert_allclose(
        draws, shape.quantile(low / 100 + (high - low) / 100 * uniforms), rtol=1e-9, atol=1e-9
    )
    assert (np.diff(draws) >= 0).all()
    # A draw's share is at least its uniform, and for shapes without steps it is that very one.
    shares = part.cumulated(draws)
    assert (shares >= uniforms - 1e-4).all()
    assert part.std > 0
    assert parse_distribution(part.as_json()) == shape, "the whole shape is written down"
    assert f"held between its percentiles {low} and {high}" in part.describe()
    assert len(part.curve(32)) >= 1
    if part.finite_moments == 2:
        spread = np.random.default_rng(1).random(400_000)
        drawn = part.quantile(spread)
        assert abs(drawn.mean() - part.mean) < 5 * drawn.std() / math.sqrt(len(drawn)) + 0.05 * part.std


def test_a_discrete_shape_is_cut_inside_its_steps():
    part = Held(Discrete((1.0, 5.0), (0.2, 0.8)), 0.1, 0.3)
    assert part.density(np.array([1.0, 3.0, 5.0])).tolist() == pytest.approx([0.5, 0.0, 0.5])
    assert part.cumulated(np.array([0.0, 1.0, 5.0])).tolist() == pytest.approx([0.0, 0.5, 1.0])


def test_a_part_of_one_value_is_a_constant_without_correlation(program):
    inputs = [Input("A1", Normal(10, 2)), Input("A2", Discrete((0.0, 1.0), (0.5, 0.5)))]
    built = build_program(BOOK, inputs, ["B1"])
    held = with_stress(built, read_stress([{"cell": "A2", "percentiles": [60, 100]}], BOOK, built))
    [summary] = summarize(ProgramFacts.of(held), [run_shard(held, SEED, 0, 4_096)])
    found = {one.cell: one for one in summary.sensitivities}
    assert found["S!A2"].correlation is None
    assert found["S!A1"].correlation == pytest.approx(1.0)
    assert summary.mean == pytest.approx(11, abs=0.2)


def test_the_mean_moves_to_where_the_held_input_is(program):
    held = with_stress(program, read_stress([{"cell": "S!A1", "percentiles": [90, 100]}], BOOK, program))
    [summary] = summarize(ProgramFacts.of(held), [run_shard(held, SEED, 0, ITERATIONS)])
    # Mean of a standard normal's upper tenth: its density at 1.2816 over 0.1.
    expected = 10 + 2 * 1.7549833193248675 + 0.5
    assert abs(summary.mean - expected) < 5 * summary.mean_standard_error


def test_the_librarys_one_call_takes_stress():
    found, plain = (
        simulate(
            BOOK, {"A1": "normal(10, 2)", "A2": "uniform(0, 1)"}, ["B1"], iterations=ITERATIONS, stress=stress
        )["B1"]
        for stress in ([{"cell": "A1", "percentiles": [90, 100]}], ())
    )
    assert found.mean - plain.mean == pytest.approx(2 * 1.7549833193248675, abs=0.2)
    assert found.min > plain.min


@pytest.mark.parametrize(
    ("entries", "field", "words"),
    [
        ([{"cell": "B9", "percentiles": [90, 100]}], "stress.0.cell", "no input of this run"),
        ([{"cell": "T!A1", "percentiles": [90, 100]}], "stress.0.cell", "no sheet"),
        ([{"cell": 5, "percentiles": [90, 100]}], "stress.0.cell", "`cell` is 5"),
        ([{"cell": "A1"}], "stress.0", "says not which input"),
        (["A1"], "stress.0", "says not which input"),
        ([{"cell": "A1", "percentiles": [90, 100], "low": 1}], "stress.0", "says not which input"),
        ([{"cell": "A1", "percentiles": [90]}], "stress.0.percentiles", "two numbers"),
        ([{"cell": "A1", "percentiles": [90, 90]}], "stress.0.percentiles", "no range"),
        ([{"cell": "A1", "percentiles": [95, 90]}], "stress.0.percentiles", "no range"),
        ([{"cell": "A1", "percentiles": [-1, 90]}], "stress.0.percentiles.0", "between 0 and 100"),
        ([{"cell": "A1", "percentiles": [1, math.nan]}], "stress.0.percentiles.1", "between 0 and 100"),
        ([{"cell": "A1", "percentiles": [1, True]}], "stress.0.percentiles.1", "between 0 and 100"),
        ([{"cell": "A1", "percentiles": [0, 9]}, {"cell": "$a$1", "percentiles": [0, 9]}], "stress.1.cell", "twice"),
        ([{"cell": "A1", "percentiles": [0, 9]}] * 1_001, "stress", "1,000 are possible"),
    ],
)  # fmt: skip
def test_what_cannot_be_held_is_refused_by_its_place(program, entries, field, words):
    with pytest.raises(BadStress, match=words) as refused:
        read_stress(entries, BOOK, program)
    assert refused.value.field == field


def test_text_is_read_as_people_write_it():
    assert parse_stress_text("Inputs!B5=90..100") == {"cell": "Inputs!B5", "percentiles": [90, 100]}
    assert parse_stress_text("'a=b'!B5= 0 .. 2.5 ") == {"cell": "'a=b'!B5", "percentiles": [0, 2.5]}
    for text in ("B5", "B5=90", "=90..100", "B5=90..", "B5=x..y", "B5=1_0..20"):
        with pytest.raises(BadStress, match="says not where"):
            parse_stress_text(text)
