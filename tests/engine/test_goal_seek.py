"""Goal seek: answers that are known, what lies out of reach, jumps, errors, and what is refused."""

import math

import numpy as np
import pytest
from scipy.stats import norm
from tests.engine.sheets import workbook_of

from tollway.engine import (
    BadCorrelation,
    BadInputCell,
    BadOutputCell,
    BadStress,
    Input,
    Normal,
    Sampling,
    SamplingMethod,
    read_correlations,
    read_stress,
    simulate,
    uniforms,
    with_stress,
)
from tollway.engine.goal_seek import (
    EVALUATIONS_MAX,
    SEEK_ITERATIONS_MAX,
    BadGoalSeek,
    GoalSeek,
    SeekProgram,
    Statistic,
    build_seek_program,
    check_sought,
    parse_statistic,
    seek_goal,
)

CELLS = {
    "A1": 10,
    "A2": 5,
    "A3": 100,
    "B1": "=A1*A2+A3",
    "B2": "=IF(A3<50,1,IF(A3<50.5,A1,1000))",
    "B3": "=IF(A3>150,1/0,A1+A3)",
    "B4": "=A1*A2",
    "B5": "=(A3-100)^2+A1",
    "B6": "=SQRT(A3)+A1",
    "C1": "text",
}
BOOK = workbook_of(CELLS)
INPUTS = [Input("A1", Normal(10, 2)), Input("A2", Normal(5, 0.5))]
MEAN = Statistic("mean")
ITERATIONS, SEED = 20_000, 3


def seek_of(**members):
    defaults = {"cell": "A3", "low": 0.0, "high": 200.0, "output": "B1", "statistic": MEAN, "goal": 130.0}
    return GoalSeek(**(defaults | members))


def answer_of(seek, inputs=INPUTS, **options):
    built = build_seek_program(BOOK, inputs, seek)
    return seek_goal(built, seek, **({"iterations": ITERATIONS, "seed": SEED} | options))


def test_a_number_is_found_for_a_mean_and_its_error_is_that_of_the_draws():
    found = answer_of(seek_of())
    shapes = {one.cell: one.distribution for one in INPUTS}
    run = simulate(BOOK, shapes, ["B1"], iterations=ITERATIONS, seed=SEED)["B1"]
    # With 100 in the cell the run's mean is `run.mean`, and each unit moves it by one.
    assert found.outcome == "found"
    assert found.value == pytest.approx(100 + 130 - run.mean, abs=1e-9)
    assert found.statistic == pytest.approx(130)
    assert found.standard_error == pytest.approx(run.mean_standard_error)
    assert found.value_standard_error == pytest.approx(run.mean_standard_error)
    assert [one.value for one in found.ends] == [0, 200]
    assert found.bracket[0].statistic <= 130 <= found.bracket[1].statistic
    assert (found.cell, found.output, found.iterations) == ("S!A3", "S!B1", ITERATIONS)
    assert len(found.trials) <= 8


def test_the_same_question_has_the_same_answer():
    first, second = (answer_of(seek_of(statistic=Statistic("p5"))) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("method", list(SamplingMethod))
def test_a_percentile_reaches_its_goal_as_a_run_with_that_number_shows(method):
    seek = seek_of(statistic=Statistic("p5"))
    found = answer_of(seek, sampling=Sampling(method))
    assert found.outcome == "found"
    other = workbook_of(CELLS | {"A3": found.value})
    run = simulate(
        other,
        {one.cell: one.distribution for one in INPUTS},
        ["B1"],
        iterations=ITERATIONS,
        seed=SEED,
        sampling=method,
    )["B1"]
    assert run.percentiles["5"] == pytest.approx(found.statistic, rel=1e-12)
    assert found.statistic == pytest.approx(130, abs=1e-6)


def test_an_input_is_held_at_the_number_sought():
    found = answer_of(seek_of(cell="A2", low=0, high=10, goal=150))
    draws = 10 + 2 * norm.ppf(uniforms(SEED, 0, 0, ITERATIONS))
    assert found.outcome == "found"
    assert found.value == pytest.approx(50 / draws.mean(), rel=1e-9)


def test_a_probability_ends_within_the_width_asked_for():
    # B1 is about normal with mean 50 + A3; its spread comes from the two inputs.
    seek = seek_of(statistic=parse_statistic("probability", 130), goal=0.25001, tolerance=1e-6)
    found = answer_of(seek)
    assert found.outcome == "found"
    assert found.statistic == pytest.approx(0.25, abs=1 / ITERATIONS)
    assert found.bracket[0].value < found.value + 1e-9 < found.bracket[1].value + 2e-9
    assert found.bracket[1].value - found.bracket[0].value <= 200 * 1e-6 * 2
    assert found.standard_error == pytest.approx(math.sqrt(0.25 * 0.75 / ITERATIONS), rel=1e-3)
    assert len(found.trials) <= EVALUATIONS_MAX


def test_a_jump_over_the_goal_is_told_with_both_sides():
    found = answer_of(seek_of(output="B2", goal=500))
    assert found.outcome == "jump"
    low, high = found.bracket
    assert (round(low.statistic), high.statistic) == (10, 1000)
    assert low.value == pytest.approx(50.5, abs=0.05)
    assert high.value == pytest.approx(50.5, abs=0.05)
    assert found.value in (low.value, high.value)
    assert found.value_standard_error is None


def test_what_is_out_of_reach_is_told_with_both_ends():
    found = answer_of(seek_of(goal=1_000))
    assert found.outcome == "out_of_reach"
    assert found.value == 200
    assert [round(one.statistic) for one in found.ends] == [50, 250]
    assert found.bracket is None


def test_a_goal_between_the_ends_is_found_where_both_lie_on_one_side_of_it():
    found = answer_of(seek_of(output="B5", goal=1_000))
    assert found.outcome == "found"
    assert found.statistic == pytest.approx(1_000, rel=1e-3)
    assert min(one.statistic for one in found.ends) > 1_000


def test_a_cell_that_does_not_matter_is_refused():
    with pytest.raises(BadInputCell, match="does not depend on S!A3"):
        answer_of(seek_of(output="B4", goal=1))


def test_where_the_output_has_no_number_the_place_is_told():
    found = answer_of(seek_of(output="B3", goal=100))
    assert (found.outcome, found.value, found.statistic) == ("undefined", 200, None)
    assert found.ends is None
    inside = answer_of(seek_of(output="B6", cell="A3", low=-1, high=4, goal=11))
    assert inside.outcome == "undefined"
    assert inside.value == -1


def test_goals_at_the_ends_are_found_there():
    ends = answer_of(seek_of()).ends
    for end in ends:
        found = answer_of(seek_of(goal=end.statistic))
        assert (found.outcome, found.value) == ("found", end.value)


def test_correlation_and_stress_hold_in_every_trial():
    seek = seek_of()
    built = build_seek_program(BOOK, INPUTS, seek)
    program = built.program
    correlation = read_correlations([{"cells": ["A1", "A2"], "correlation": -0.9}], BOOK, program)
    held = with_stress(program, read_stress([{"cell": "A1", "percentiles": [90, 100]}], BOOK, program))
    plain, correlated, stressed = (
        seek_goal(one, seek, iterations=ITERATIONS, seed=SEED, sampling=Sampling(correlation=how))
        for one, how in ((built, None), (built, correlation), (SeekProgram(held, 2, is_extra=True), None))
    )
    assert stressed.value < plain.value - 10, "a higher A1 leaves less to add"
    # The mean of a product falls by the covariance, which is near -0.9 * 2 * 0.5.
    assert correlated.value - plain.value == pytest.approx(0.9, abs=0.1)


def test_the_cell_sought_is_neither_correlated_nor_held():
    built = build_seek_program(BOOK, INPUTS, seek_of())
    correlation = read_correlations([{"cells": ["A1", "A3"], "correlation": 0.5}], BOOK, built.program)
    with pytest.raises(BadCorrelation, match=r"!A3 is correlated, and it is sought") as refused:
        check_sought(built, correlation, [])
    assert refused.value.field == "correlations"
    stress = [{"cell": cell, "percentiles": [0, 5]} for cell in ("A1", "A3")]
    with pytest.raises(BadStress, match=r"!A3 is sought, so it .* cannot be held in a range") as refused:
        check_sought(built, None, read_stress(stress, BOOK, built.program))
    assert refused.value.field == "stress.1.cell"


def test_an_input_that_is_sought_may_be_correlated():
    built = build_seek_program(BOOK, INPUTS, seek_of(cell="A1"))
    correlation = read_correlations([{"cells": ["A1", "A2"], "correlation": 0.5}], BOOK, built.program)
    check_sought(
        built, correlation, read_stress([{"cell": "A2", "percentiles": [0, 5]}], BOOK, built.program)
    )


def test_a_workbook_that_draws_by_itself_draws_in_every_trial_what_it_draws_in_a_run():
    book = workbook_of(CELLS | {"D1": "=RAND()*10", "D2": "=D1+A1+A3+A2-A2"})
    seek = seek_of(output="D2", statistic=Statistic("p5"), goal=100)
    built = build_seek_program(book, INPUTS, seek)
    assert len(built.program.inputs) > len(INPUTS) + 1
    correlations = [{"cells": ["A1", "A2"], "correlation": 0.5}]
    correlation = read_correlations(correlations, book, built.program)
    found = seek_goal(
        built, seek, iterations=ITERATIONS, seed=SEED, sampling=Sampling(correlation=correlation)
    )
    other = workbook_of(CELLS | {"D1": "=RAND()*10", "D2": "=D1+A1+A3+A2-A2", "A3": found.value})
    shapes = {one.cell: one.distribution for one in INPUTS}
    run = simulate(other, shapes, ["D2"], iterations=ITERATIONS, seed=SEED, correlations=correlations)["D2"]
    assert run.percentiles["5"] == pytest.approx(found.statistic, rel=1e-12)


class Stopped(Exception):
    pass


def test_a_search_that_is_stopped_after_each_trial_goes_on_to_the_same_answer():
    seek, told = seek_of(statistic=Statistic("p5")), []
    whole = answer_of(seek)

    def stop(trial):
        told.append(trial)
        raise Stopped

    for _ in range(EVALUATIONS_MAX):
        try:
            found = answer_of(seek, known=told, on_trial=stop)
            break
        except Stopped:
            continue
    assert found == whole
    assert tuple(told) == whole.trials


def test_more_draws_than_are_kept_are_made_anew_each_time():
    cells = [f"A{row}" for row in range(1, 82)]
    book = workbook_of(dict.fromkeys(cells, 1) | {"B1": "=SUM(A1:A81)+C1", "C1": 0})
    inputs = [Input(cell, Normal(1, 1)) for cell in cells]
    seek = seek_of(cell="C1", low=-100, high=100, goal=90)
    built = build_seek_program(book, inputs, seek)
    assert 8 * len(built.program.inputs) * SEEK_ITERATIONS_MAX > 128_000_000
    found = seek_goal(built, seek, iterations=SEEK_ITERATIONS_MAX, seed=SEED)
    assert found.outcome == "found"
    assert abs(found.value - 9) < 5 * found.value_standard_error


@pytest.mark.parametrize(
    ("members", "field", "words"),
    [
        ({"low": 5, "high": 5}, "high", "first must be below"),
        ({"low": math.nan}, "low", "must be a number"),
        ({"high": "5"}, "high", "must be a number"),
        ({"low": -1.7e308, "high": 1.7e308}, "high", "too wide"),
        ({"goal": math.inf}, "goal", "must be a number"),
        ({"goal": True}, "goal", "must be a number"),
        ({"tolerance": 0}, "tolerance", "between 1e-12 and 0.1"),
        ({"statistic": Statistic("probability", 1.0), "goal": 5}, "goal", "between 0 and 1"),
    ],
)
def test_a_search_that_cannot_be_meant_is_refused(members, field, words):
    with pytest.raises(BadGoalSeek, match=words) as refused:
        seek_of(**members)
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("name", "value", "field"),
    [
        ("median", None, "statistic"),
        ("p0", None, "statistic"),
        ("p100", None, "statistic"),
        (5, None, "statistic"),
        ("mean", 4, "at_or_below"),
        ("probability", None, "at_or_below"),
        ("probability", "x", "at_or_below"),
    ],
)
def test_a_statistic_that_there_is_not_is_refused(name, value, field):
    with pytest.raises(BadGoalSeek) as refused:
        parse_statistic(name, value)
    assert refused.value.field == field
    assert parse_statistic("p97.5") == Statistic("p97.5")


@pytest.mark.parametrize(
    ("members", "kind", "field"),
    [
        ({"cell": "B1"}, BadInputCell, "cell"),
        ({"cell": "C1"}, BadInputCell, "cell"),
        ({"cell": "Z9"}, BadInputCell, "cell"),
        ({"cell": "T!A1"}, BadInputCell, "cell"),
        ({"output": "A3"}, BadOutputCell, "output"),
        ({"output": "B"}, BadOutputCell, "output"),
    ],
)
def test_cells_that_cannot_be_sought_or_watched_are_refused(members, kind, field):
    with pytest.raises(kind) as refused:
        build_seek_program(BOOK, INPUTS, seek_of(**members))
    assert refused.value.field == field


def test_standard_errors_are_those_of_repeated_runs():
    """Over 200 seeds the answers spread as their standard error says: within 25 %, five deviations of such a count."""
    seek = seek_of(statistic=Statistic("p10"), tolerance=1e-6)
    built = build_seek_program(BOOK, INPUTS, seek)
    found = [seek_goal(built, seek, iterations=2_000, seed=seed) for seed in range(200)]
    values = np.array([one.value for one in found])
    told = np.array([one.value_standard_error for one in found])
    assert values.std(ddof=1) == pytest.approx(np.sqrt((told**2).mean()), rel=0.25)
