"""Runs beside each other: differences, paired errors that hold, and what cannot be paired."""

import numpy as np
import pytest
from tests.engine.sheets import workbook_of

from tollway.engine import Input, Normal, ProgramFacts, build_program, run_shard, summarize
from tollway.engine.comparison import Pairs, compare_outputs, matched_outputs

CELLS = {"A1": 10, "A2": 5, "B1": "=A1+A2", "B2": "=IF(A1<4,1/0,A1)", "C1": "Cost", "D1": "=A1*2"}
ITERATIONS = 5_000


def shard_and_summaries(cells, mean, seed, outputs=("B1", "B2")):
    program = build_program(
        workbook_of(cells), [Input("A1", Normal(mean, 2)), Input("A2", Normal(5, 1))], outputs
    )
    shard = run_shard(program, seed, 0, ITERATIONS)
    return shard, [one.as_json() for one in summarize(ProgramFacts.of(program), [shard])]


def pairs_of(first, second, count=ITERATIONS):
    return {
        (place, place): Pairs(
            first.values[place, :count],
            second.values[place, :count],
            first.errors[place, :count],
            second.errors[place, :count],
        )
        for place in range(len(first.values))
    }


def compared(seed_of_other=1, count=ITERATIONS):
    first, base = shard_and_summaries(CELLS, 10, 1)
    second, other = shard_and_summaries(CELLS, 11, seed_of_other)
    return compare_outputs(base, other, pairs_of(first, second, count), ITERATIONS), base, other


def test_a_shift_on_shared_numbers_is_known_almost_exactly():
    [first, _], base, other = compared()
    mean = first.differences[0]
    assert (mean.statistic, mean.is_paired) == ("mean", True)
    assert mean.difference == pytest.approx(1, abs=1e-12)
    assert mean.relative == pytest.approx(1 / base[0]["mean"])
    assert mean.standard_error < 1e-15
    told = {one.statistic: one for one in first.differences}
    assert set(told) >= {"mean", "std", "p1", "p50", "p99", "var_95", "cvar_95"}
    assert told["p50"].difference == other[0]["percentiles"]["50"] - base[0]["percentiles"]["50"]
    assert not told["p50"].is_paired
    assert first.as_json()["differences"][0]["difference"] == mean.difference


def test_without_pairs_the_errors_add_up_as_independent_ones():
    _, base, other = compared()
    mean = compare_outputs(base, other)[0].differences[0]
    errors = base[0]["mean_standard_error"], other[0]["mean_standard_error"]
    assert not mean.is_paired
    assert mean.standard_error == pytest.approx(np.hypot(*errors))


def test_an_output_with_error_values_is_not_paired_and_too_few_pairs_tell_nothing():
    [first, second], base, _ = compared()
    assert base[1]["error_counts"]
    assert first.differences[0].is_paired
    assert not second.differences[0].is_paired
    few, _, _ = compared(count=99)
    assert not few[0].differences[0].is_paired


def test_paired_errors_are_those_of_repeated_runs():
    """Over 300 seeds the difference of means spreads as told, within 25 %: six deviations of such a count."""
    found, told = [], []
    program = build_program(
        workbook_of(CELLS), [Input("A1", Normal(10, 2)), Input("A2", Normal(5, 1))], ["B1", "D1"]
    )
    for seed in range(300):
        shard = run_shard(program, seed, 0, 400)
        pairs = Pairs(shard.values[0], shard.values[1], shard.errors[0], shard.errors[1])
        summaries = [one.as_json() | {"cell": "x"} for one in summarize(ProgramFacts.of(program), [shard])]
        [both] = compare_outputs(summaries[:1], summaries[1:], {(0, 0): pairs}, 400)
        found.append(both.differences[0].difference)
        told.append(both.differences[0].standard_error)
    assert np.std(found, ddof=1) == pytest.approx(np.mean(told), rel=0.25)


def test_outputs_are_matched_by_cell_and_then_by_a_name_that_is_one_of_its_kind():
    def named(*pairs):
        return [{"cell": cell, "name": name} for cell, name in pairs]

    base = named(("S!B1", "Cost"), ("S!B2", "Gain"), ("S!B3", None), ("S!B4", "Twice"), ("S!B5", "Twice"))
    other = named(
        ("S!B3", None), ("S!C9", "Gain"), ("S!B1", "Another name"), ("S!C8", "Twice"), ("S!C7", None)
    )
    assert matched_outputs(base, other) == [(0, 2), (1, 1), (2, 0)]
    assert matched_outputs(base, []) == []


def test_runs_of_before_and_outputs_without_numbers_are_compared_as_far_as_they_go():
    _, base, other = compared()
    old = [{name: value for name, value in base[0].items() if name != "standard_errors"}]
    told = {one.statistic: one for one in compare_outputs(old, other)[0].differences}
    assert told["mean"].standard_error is not None
    assert told["p5"].difference is not None
    assert told["p5"].standard_error is None
    empty = [
        base[0]
        | {"mean": None, "mean_standard_error": None, "percentiles": {"5": None}, "var": {}, "cvar": {}}
    ]
    told = {one.statistic: one for one in compare_outputs(empty, other)[0].differences}
    assert set(told) == {"mean", "std", "p5"}
    assert (told["mean"].difference, told["mean"].relative, told["mean"].standard_error) == (None, None, None)
    zero = [base[0] | {"mean": 0.0}]
    assert compare_outputs(zero, other)[0].differences[0].relative is None
