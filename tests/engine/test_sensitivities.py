"""Rank correlation, regression and contribution to variance, against SciPy and NumPy."""

import json

import numpy as np
import pytest
from scipy import stats
from tests.engine.runs_of import facts_of, shard_of
from tests.engine.sheets import workbook_of

from tollway.engine import (
    Discrete,
    Input,
    Lognormal,
    Normal,
    OutputSummary,
    Points,
    ProgramFacts,
    RunDraws,
    Sampling,
    SamplingMethod,
    Uniform,
    build_program,
    draw,
    plan_shards,
    run_shard,
    simulate,
    summarize,
    take_points,
)
from tollway.engine.runs.points import POINTS_MAX, DamagedPoints
from tollway.engine.runs.sensitivities import ITERATIONS_MAX

INPUTS = [
    Input("S!A1", Normal(0.0, 1.0)),
    Input("S!A2", Lognormal(1.0, 0.5)),
    Input("S!A3", Discrete((1.0, 2.0, 3.0), (0.2, 0.5, 0.3))),
    Input("S!A4", Uniform(0.0, 1.0)),
]


def found_for(
    output, inputs=INPUTS, *, iterations=20_000, errors=None, seed=3
) -> tuple[OutputSummary, np.ndarray]:
    """The summary of what `output` makes of the draws, and those draws."""
    drawn = draw(inputs, seed, 0, iterations)
    shard = shard_of(
        output(drawn)[None, :], None if errors is None else errors[None, :], input_count=len(inputs)
    )
    draws = RunDraws(inputs, seed, Sampling())
    (found,) = summarize(facts_of(1, len(inputs)), [shard], draws=draws)
    json.dumps(found.as_json(), allow_nan=False)
    return found, drawn


def by_cell(found: OutputSummary) -> list:
    return sorted(found.sensitivities, key=lambda one: one.cell)


def linear(drawn):
    return 3 * drawn[0] + drawn[1] ** 2 - drawn[2]


def test_ranks_are_spearman_s_and_regression_is_least_squares_on_all_inputs():
    found, drawn = found_for(linear)
    assert found.sensitivity_iterations == ITERATIONS_MAX
    assert found.sensitivity_remark is None
    first, output = drawn[:, :ITERATIONS_MAX], linear(drawn)[:ITERATIONS_MAX]
    standard = [(row - row.mean()) / row.std() for row in first]
    coefficients = np.linalg.lstsq(np.array(standard).T, (output - output.mean()) / output.std(), rcond=None)[
        0
    ]
    ranked = [stats.spearmanr(row, output)[0] for row in first]
    for one, coefficient, rank, share in zip(
        by_cell(found), coefficients, ranked, np.square(ranked) / np.square(ranked).sum(), strict=True
    ):
        assert one.regression_coefficient == pytest.approx(coefficient, rel=1e-9, abs=1e-12)
        assert one.rank_correlation == pytest.approx(rank, rel=1e-9, abs=1e-12)
        assert one.variance_share == pytest.approx(share, rel=1e-9)
    assert sum(one.variance_share for one in found.sensitivities) == pytest.approx(1)


def test_only_iterations_that_gave_a_number_count():
    errors = np.zeros(20_000)
    errors[::3] = 2
    found, drawn = found_for(linear, errors=errors)
    kept = np.flatnonzero(errors[:ITERATIONS_MAX] == 0)
    assert found.sensitivity_iterations == len(kept)
    rank = stats.spearmanr(drawn[1, kept], linear(drawn)[kept])[0]
    assert by_cell(found)[1].rank_correlation == pytest.approx(rank, rel=1e-9)


def test_outputs_with_errors_in_different_iterations_have_each_their_own_inputs():
    drawn = draw(INPUTS, 3, 0, 9_000)
    values = np.stack([linear(drawn), drawn[0], linear(drawn), drawn[3]])
    errors = np.zeros(values.shape)
    errors[1, ::2] = errors[3, ::2] = 7
    errors[2, :100] = 2
    draws = RunDraws(INPUTS, 3, Sampling())
    together = summarize(facts_of(4, 4), [shard_of(values, errors, input_count=4)], draws=draws)
    for row, one in enumerate(together):
        alone = shard_of(values[row : row + 1], errors[row : row + 1], input_count=4)
        (expected,) = summarize(facts_of(1, 4), [alone], draws=draws)
        assert one.sensitivities == expected.sensitivities
        assert one.sensitivity_iterations == (9_000, 4_500, 8_900, 4_500)[row]


def test_fewer_iterations_than_inputs_have_ranks_and_no_regression_and_say_so():
    found, _ = found_for(linear, iterations=5)
    assert {one.regression_coefficient for one in found.sensitivities} == {None}
    assert found.sensitivities[0].rank_correlation is not None
    assert found.sensitivity_remark == (
        "Regression needs more iterations that gave a number than there are inputs: there are 5 for 4 inputs."
    )


def test_inputs_that_move_together_exactly_cannot_be_told_apart_and_it_says_so():
    workbook = workbook_of({"A1": 1, "A2": 1, "B1": "=A1+A2"})
    (found,) = simulate(
        workbook,
        {"A1": "normal(0, 1)", "A2": "normal(5, 2)"},
        ["B1"],
        iterations=2_000,
        correlations=[{"cells": ["A1", "A2"], "correlation": 1}],
    ).values()
    assert {one.regression_coefficient for one in found.sensitivities} == {None}
    assert found.sensitivity_remark == (
        "Some inputs move together exactly, so regression cannot tell them apart."
    )
    assert [one.variance_share for one in found.sensitivities] == pytest.approx([0.5, 0.5])


def test_an_input_that_never_varied_has_nothing_and_the_others_have_all():
    inputs = [*INPUTS[:2], Input("S!A3", Discrete((1.0, 2.0), (1 - 1e-12, 1e-12)))]
    found, _ = found_for(lambda drawn: drawn[0] + drawn[1], inputs)
    first, second, never = by_cell(found)
    assert (never.rank_correlation, never.regression_coefficient, never.variance_share) == (None, None, None)
    assert first.variance_share + second.variance_share == pytest.approx(1)
    assert first.regression_coefficient > 0.5


def test_a_constant_output_is_moved_by_nothing():
    found, _ = found_for(lambda drawn: drawn[0] * 0 + 7)
    assert {one.rank_correlation for one in found.sensitivities} == {None}
    assert found.sensitivity_iterations == 0


def test_numbers_at_the_end_of_the_range_have_ranks():
    found, _ = found_for(lambda drawn: np.sign(drawn[0]) * 1.7e308)
    assert by_cell(found)[0].rank_correlation > 0.8


def test_many_inputs_are_looked_at_over_fewer_iterations():
    inputs = [Input(f"S!A{row + 1}", Uniform(0.0, 1.0)) for row in range(600)]
    found, _ = found_for(lambda drawn: drawn[0] + drawn[1], inputs, iterations=8_192)
    assert found.sensitivity_iterations == 4_194_304 // 600
    first, second, third, *_ = (
        next(one for one in found.sensitivities if one.cell == f"S!A{row}") for row in (1, 2, 3)
    )
    # Least squares over all 600 still finds the two that matter, which correlation alone does too.
    assert first.regression_coefficient == pytest.approx(0.7071, abs=0.02)
    assert second.regression_coefficient == pytest.approx(0.7071, abs=0.02)
    assert third.regression_coefficient == pytest.approx(0, abs=1e-9)


def test_without_the_draws_there_are_tails_and_correlation_alone():
    shard = shard_of(linear(draw(INPUTS, 3, 0, 5_000))[None, :], input_count=4)
    (found,) = summarize(facts_of(1, 4), [shard])
    assert {one.rank_correlation for one in found.sensitivities} == {None}
    assert found.sensitivity_iterations == 0


# --- points --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", list(SamplingMethod))
def test_points_are_the_inputs_and_outputs_of_the_first_iterations_however_the_run_was_cut(method):
    program = build_program(workbook_of({"A1": 1, "A2": 1, "B1": "=A1+A2", "B2": "=1/(A2>0.5)"}), [
        Input("A1", Normal(0.0, 1.0)), Input("A2", Uniform(0.0, 1.0)),
    ], ["B1", "B2"])  # fmt: skip
    sampling = Sampling(method, 9_000)
    draws = RunDraws(program.inputs, 7, sampling)
    packed = []
    for length in (4_096, 9_000):
        shards = [run_shard(program, 7, *part, sampling=sampling) for part in plan_shards(9_000, length)]
        packed.append(take_points(shards[::-1], draws, 2).to_bytes())
    assert packed[0] == packed[1]
    points = Points.from_bytes(packed[0])
    assert points.input_values.tobytes() == draw(program.inputs, 7, 0, POINTS_MAX, sampling).tobytes()
    assert points.output_values[0] == pytest.approx(points.input_values.sum(axis=0), rel=1e-15)
    assert ((points.output_errors[1] == 2) == (points.input_values[1] <= 0.5)).all()
    assert np.isnan(points.output_values[1][points.output_errors[1] == 2]).all()


def test_a_gap_in_a_run_is_left_out_of_points_and_ranks():
    program = build_program(workbook_of({"A1": 1, "B1": "=A1*2"}), [Input("A1", Normal(0.0, 1.0))], ["B1"])
    draws = RunDraws(program.inputs, 7, Sampling())
    shards = [run_shard(program, 7, first, 500 if first else 4_096) for first in (8_192, 0)]
    points = take_points(shards[:1], draws, 1)
    assert points.output_values == pytest.approx(2 * points.input_values)
    assert points.output_values.shape == (1, 500)
    (found,) = summarize(ProgramFacts.of(program), shards, draws=draws)
    assert found.sensitivity_iterations == 4_596
    assert found.sensitivities[0].rank_correlation == pytest.approx(1)
    assert found.sensitivities[0].regression_coefficient == pytest.approx(1)


def test_no_shards_have_no_points_and_other_bytes_are_refused():
    draws = RunDraws(INPUTS, 7, Sampling())
    nothing = take_points([], draws, 2)
    assert nothing.input_values.shape == (4, 0)
    assert Points.from_bytes(nothing.to_bytes()).output_values.shape == (2, 0)
    with pytest.raises(DamagedPoints):
        Points.from_bytes(nothing.to_bytes()[:50])
