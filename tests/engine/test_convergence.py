"""How statistics settle: checkpoints on the way, the verdict, and the sentence that people read."""

import json
import math

import numpy as np
import pytest
from tests.engine.runs_of import cut_into, facts_of, shard_of, summaries_of

from tollway.engine import BadTolerance, describe_convergence, summarize
from tollway.engine.runs.convergence import ITERATIONS_NEEDED_MAX, cap_needed, describe_needed
from tollway.engine.runs.standard_errors import NORMAL_QUANTILE

NORMAL = np.random.default_rng(5).normal(100, 10, (1, 100_000))


def test_checkpoints_tell_what_the_first_iterations_alone_would():
    (found,) = summaries_of(NORMAL)
    checkpoints = found.convergence.checkpoints
    assert [one.iterations for one in checkpoints] == list(range(5_000, 100_001, 5_000))
    for one in checkpoints:
        prefix = NORMAL[0, : one.iterations]
        assert one.mean == pytest.approx(prefix.mean(), rel=1e-12)
        reach = NORMAL_QUANTILE * prefix.std(ddof=1) / math.sqrt(len(prefix))
        assert one.high - one.mean == pytest.approx(reach, rel=1e-9)
        assert one.mean - one.low == pytest.approx(reach, rel=1e-9)
        for percent in ("5", "50", "95"):
            # Within a bin, which holds about one in 4,096: at the density of these percentiles 0.025 at most, and as
            # much again because 5,000 iterations fill bins unevenly.
            assert one.percentiles[percent] == pytest.approx(np.percentile(prefix, int(percent)), abs=0.05)
    assert checkpoints[-1].percentiles == {
        percent: found.percentiles[percent] for percent in ("5", "50", "95")
    }
    assert checkpoints[-1].mean == pytest.approx(found.mean, rel=1e-14)


@pytest.mark.parametrize(
    ("iterations", "first", "count"), [(1, 1, 1), (7, 1, 7), (1_000, 50, 20), (4_097, 205, 20)]
)
def test_a_short_run_has_checkpoints_inside_a_block(iterations, first, count):
    (found,) = summaries_of(NORMAL[:, :iterations])
    checkpoints = found.convergence.checkpoints
    assert checkpoints[0].iterations == first
    assert len(checkpoints) == count
    assert checkpoints[-1].iterations == iterations
    assert checkpoints[0].mean == pytest.approx(NORMAL[0, :first].mean(), rel=1e-12)
    json.dumps(found.as_json(), allow_nan=False)


def test_what_has_settled_is_told_apart_from_what_has_not_and_how_many_would_do():
    # Half of the mean's interval is 1.96 * 10 / sqrt(100,000) = 0.062, of 100; the deviation's 0.044, of 10.
    (found,) = summaries_of(NORMAL, tolerance=0.001)
    convergence = found.convergence
    by_name = {one.statistic: one for one in convergence.statistics}
    assert list(by_name) == ["mean", "std", "p5", "p50", "p95"]
    assert by_name["mean"].is_settled
    assert by_name["mean"].allowed == pytest.approx(0.1, rel=1e-3)
    assert by_name["mean"].half_width == NORMAL_QUANTILE * found.standard_errors.mean
    assert by_name["mean"].iterations_needed is None
    assert not by_name["std"].is_settled
    ratio = by_name["std"].half_width / by_name["std"].allowed
    needed = by_name["std"].iterations_needed
    assert 100_000 * ratio**2 <= needed < 1.1 * 100_000 * ratio**2
    assert len(str(needed).rstrip("0")) <= 2, "two digits, to be read"
    assert (convergence.tolerance, convergence.confidence) == (0.001, 0.95)
    assert not convergence.is_settled
    assert convergence.iterations_needed == max(one.iterations_needed or 0 for one in convergence.statistics)


def test_as_many_iterations_as_were_said_to_be_needed_settle_it():
    (short,) = summaries_of(NORMAL[:, :5_000], tolerance=0.01)
    needed = short.convergence.iterations_needed
    assert 15_000 < needed < 40_000
    # A quarter more, because the error of a percentile is itself only known to a tenth.
    (long,) = summaries_of(NORMAL[:, : needed * 5 // 4], tolerance=0.01)
    assert long.convergence.is_settled


def test_a_statistic_near_nothing_is_measured_by_the_spread():
    (found,) = summaries_of(NORMAL - 100)
    mean = found.convergence.statistics[0]
    assert mean.allowed == pytest.approx(0.03 * found.std)
    assert mean.is_settled


def test_a_constant_has_settled_even_at_nothing():
    for value in (5.0, 0.0):
        (found,) = summaries_of(np.full((1, 1_000), value))
        assert found.convergence.is_settled
        assert found.convergence.iterations_needed is None


def test_what_is_not_known_has_not_settled_and_names_no_number_of_iterations():
    (one,) = summaries_of(np.array([[3.0]]))
    assert not one.convergence.is_settled
    assert one.convergence.iterations_needed is None
    (huge,) = summaries_of(np.array([[1e308, -1e308, 1.5e308, -1.7e308] * 25]))
    assert not huge.convergence.is_settled
    json.dumps(huge.as_json(), allow_nan=False)
    (nothing,) = summarize(facts_of(1), [shard_of(np.zeros((1, 500)), np.full((1, 500), 6))])
    assert nothing.convergence is None


def test_iterations_with_error_values_count_as_iterations_and_give_nothing_to_the_mean():
    errors = np.zeros(NORMAL.shape)
    errors[0, :50_000] = 2
    (found,) = summarize(facts_of(1), cut_into(NORMAL, 3, errors))
    first, *_, last = found.convergence.checkpoints
    assert (first.iterations, first.mean, first.percentiles["50"]) == (5_000, None, None)
    assert last.mean == pytest.approx(NORMAL[0, 50_000:].mean(), rel=1e-12)


def test_the_verdict_is_a_sentence():
    (found,) = summaries_of(NORMAL, tolerance=0.001)
    sentence = describe_convergence(found.convergence)
    assert sentence.startswith("There were too few iterations to know the standard deviation")
    assert "to within 0.1 % with 95 % confidence. About " in sentence
    assert describe_convergence(found.as_json()["convergence"]) == sentence
    (settled,) = summaries_of(NORMAL)
    assert describe_convergence(settled.convergence) == (
        "There were enough iterations: the mean, the standard deviation, the 5th percentile, the median and the 95th "
        "percentile are known to within 3 % with 95 % confidence."
    )
    (one,) = summaries_of(np.array([[3.0]]))
    assert "should be enough" not in describe_convergence(one.convergence)
    assert describe_convergence(None) == "Whether there were iterations enough is not known for this run."


def test_more_iterations_than_anybody_has_are_told_in_words():
    (found,) = summaries_of(NORMAL, tolerance=1e-9)
    convergence = found.convergence
    assert not convergence.is_settled
    assert convergence.iterations_needed is None
    assert {one.iterations_needed for one in convergence.statistics} == {None}
    for told in (convergence, found.as_json()["convergence"]):
        assert describe_convergence(told).endswith("It would take more than 1,000,000,000.")
    (near,) = summaries_of(NORMAL, tolerance=1e-4)
    assert 100_000_000 < near.convergence.iterations_needed <= ITERATIONS_NEEDED_MAX


def test_what_was_stored_before_there_was_a_cap_is_told_as_what_is_stored_now():
    (found,) = summaries_of(NORMAL, tolerance=1e-9)
    now = found.as_json()["convergence"]
    huge = {"iterations_needed": 13 * 10**30}
    before = now | huge | {"statistics": [one | huge for one in now["statistics"]]}
    assert cap_needed(before) == now
    assert describe_convergence(before) == describe_convergence(now)
    assert describe_needed(before["statistics"][0]) == "more than 1,000,000,000"
    assert cap_needed(None) is None


@pytest.mark.parametrize("tolerance", [0, 1, -0.1, 3, math.nan, "0.03", None, True])
def test_a_tolerance_that_is_no_share_is_refused(tolerance):
    with pytest.raises(BadTolerance, match=r"it must lie between 0 and 1, such as 0\.03") as refusal:
        summaries_of(NORMAL, tolerance=tolerance)
    assert refusal.value.field == "tolerance"
