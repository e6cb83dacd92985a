"""Every statistic against plain NumPy, and what is said where one does not exist."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from tests.engine.runs_of import cut_into, facts_of

from tollway.engine import (
    BadConfidenceLevel,
    BadTarget,
    OutputSummary,
    ProgramFacts,
    ShardResult,
    check_confidence_levels,
    check_targets,
    summarize,
)
from tollway.engine.runs.moments import BLOCK_ITERATIONS, Node, block_moments, joined, total
from tollway.engine.runs.order_statistics import Wanted, collect
from tollway.engine.runs.tallies import tally
from tollway.engine.sampling.draws import uniform_rows

FACTS = ProgramFacts(("S!A1", "S!A2"), ("first", None), ("S!B1",), ("Result",))


def shard(
    values: np.ndarray, errors: np.ndarray | None = None, *, seed: int = 7, first_block: int = 0
) -> ShardResult:
    """A shard as run_shard makes it, of two inputs and of these values of one output."""
    errors = np.zeros(len(values), dtype=np.int8) if errors is None else errors.astype(np.int8)
    values, errors = np.where(errors == 0, values, np.nan)[None, :], errors[None, :]
    first = first_block * BLOCK_ITERATIONS
    uniforms = uniform_rows(seed, 2, first, values.shape[1])
    nodes = []
    for start in range(0, values.shape[1], BLOCK_ITERATIONS):
        part = slice(start, start + BLOCK_ITERATIONS)
        moments = block_moments(uniforms[:, part], uniforms[:, part] - 0.5, values[:, part], errors[:, part])
        nodes.append(Node(0, first_block + start // BLOCK_ITERATIONS, moments))
    return ShardResult(first, values.shape[1], values, errors, joined(nodes))


def summary(
    values: object, errors: np.ndarray | None = None, levels: tuple[float, ...] = (0.95, 0.99)
) -> OutputSummary:
    (found,) = summarize(FACTS, [shard(np.asarray(values, dtype=np.float64), errors)], levels)
    json.dumps(found.as_json(), allow_nan=False)
    return found


SKEWED = np.random.default_rng(1).lognormal(3, 1, 20_000) - 30


def test_moments_and_percentiles_are_those_of_plain_numpy():
    found = summary(SKEWED)
    assert found.iteration_count == found.numeric_count == 20_000
    assert found.mean == pytest.approx(SKEWED.mean(), rel=1e-12)
    assert found.std == pytest.approx(SKEWED.std(ddof=1), rel=1e-12)
    assert found.mean_standard_error == pytest.approx(stats.sem(SKEWED), rel=1e-12)
    assert found.skewness == pytest.approx(stats.skew(SKEWED), rel=1e-9)
    assert (found.min, found.max) == (SKEWED.min(), SKEWED.max())
    assert list(found.percentiles) == ["1", "5", "10", "25", "50", "75", "90", "95", "99"]
    for percent, value in found.percentiles.items():
        assert value == pytest.approx(np.percentile(SKEWED, int(percent)), rel=1e-14)
    assert (found.cell, found.name, found.error_counts, found.remark) == ("S!B1", "Result", {}, None)


@given(st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=60))
def test_percentiles_rise_and_lie_inside_the_extremes(values):
    found = summary(values)
    ladder = [found.min, *found.percentiles.values(), found.max]
    assert ladder == sorted(ladder)
    assert all(low <= high for (low, _), (high, _) in zip(found.cdf, found.cdf[1:], strict=False))
    assert found.cdf[0] == (found.min, 0.0)
    assert found.cdf[-1] == (found.max, 1.0)


@pytest.mark.promise("X24")
def test_value_at_risk_is_the_lower_tail_and_each_level_has_its_own():
    """An earlier system gave the 95th percentile as both var_95 and var_99."""
    found = summary(SKEWED)
    assert found.var["95"] == found.percentiles["5"]
    assert found.var["99"] == found.percentiles["1"]
    assert found.var["99"] < found.var["95"] < found.percentiles["50"]
    for level, percent in (("95", 5), ("99", 1)):
        limit = np.percentile(SKEWED, percent)
        assert found.cvar[level] == pytest.approx(SKEWED[limit >= SKEWED].mean(), rel=1e-9)
        assert found.cvar[level] < found.var[level]


def test_confidence_levels_decide_which_values_at_risk_there_are():
    """An earlier system ignored confidence_levels."""
    found = summary(SKEWED, levels=(0.9, 0.975, 0.999, 0.9))
    assert list(found.var) == list(found.cvar) == ["90", "97.5", "99.9"]
    assert found.var["97.5"] == pytest.approx(np.percentile(SKEWED, 2.5), rel=1e-14)
    assert summary(SKEWED, levels=()).var == {}


@pytest.mark.parametrize("level", [0, 1, 95, -0.5, math.nan, math.inf, "0.95", None, True])
def test_a_confidence_level_that_is_no_share_is_refused_by_its_place(level):
    with pytest.raises(BadConfidenceLevel, match=r"it must lie between 0 and 1, such as 0\.95") as refusal:
        check_confidence_levels([0.95, level])
    assert refusal.value.field == "confidence_levels[1]"


def test_too_many_confidence_levels_are_refused():
    with pytest.raises(BadConfidenceLevel, match="20 are possible"):
        check_confidence_levels([0.5 + number / 100 for number in range(21)])


def test_the_histogram_has_50_equal_bins_that_hold_every_value_once():
    found = summary(SKEWED).histogram
    assert found is not None
    counts, edges = np.histogram(SKEWED, bins=50)
    assert found.bin_edges == pytest.approx(edges, rel=1e-12, abs=1e-12)
    assert np.abs(np.array(found.counts) - counts).sum() <= 2  # a value on an edge may fall to either side
    assert sum(found.counts) == len(SKEWED)
    assert found.bin_centers == pytest.approx((edges[1:] + edges[:-1]) / 2, rel=1e-12, abs=1e-12)


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=50))
def test_no_value_is_lost_from_the_histogram(values):
    found = summary(values).histogram
    assert found is not None
    assert sum(found.counts) == len(values)
    assert (np.diff(found.bin_edges) > 0).all()


@pytest.mark.parametrize("value", [0.0, 0.1, -5e8, 1e17, 1e-300, 1e300])
def test_a_constant_has_its_value_no_spread_and_one_full_bin(value):
    found = summary(np.full(10_000, value))
    assert found.mean == found.min == found.max == found.percentiles["5"] == found.cvar["95"] == value
    assert (found.std, found.mean_standard_error) == (0.0, 0.0)
    assert found.skewness is None
    assert found.remark == "S!B1 had the same value in every iteration that gave a number."
    assert found.histogram is not None
    assert sorted(found.histogram.counts)[-2:] == [0, 10_000]
    assert all(one.correlation is None and one.swing == 0 for one in found.sensitivities)


def test_two_neighbouring_numbers_can_still_be_drawn():
    found = summary([1.0, np.nextafter(1.0, 2)] * 50).histogram
    assert found is not None
    assert sum(found.counts) == 100
    assert (np.diff(found.bin_edges) > 0).all()


def test_error_values_are_counted_by_name_and_statistics_are_over_the_numbers_alone():
    errors = np.zeros(20_000)
    errors[::4] = 2
    errors[1::100] = 7
    found = summary(SKEWED, errors)
    assert found.error_counts == {"#DIV/0!": 5_000, "#N/A": 200}
    assert found.numeric_count == 14_800
    assert found.iteration_count == 20_000
    numeric = SKEWED[errors == 0]
    assert found.mean == pytest.approx(numeric.mean(), rel=1e-12)
    assert found.std == pytest.approx(numeric.std(ddof=1), rel=1e-12)
    assert found.percentiles["50"] == pytest.approx(np.median(numeric), rel=1e-14)
    assert found.remark == (
        "S!B1 showed an error value in some iterations (#DIV/0! in 5,000, #N/A in 200); "
        "the statistics are over the others."
    )


def test_an_output_that_never_is_a_number_has_no_statistics_and_says_so():
    found = summary(np.zeros(500), np.full(500, 6))
    assert found.error_counts == {"#NUM!": 500}
    statistics = [found.mean, found.mean_standard_error, found.std, found.skewness, found.min, found.max]
    assert {*statistics, *found.percentiles.values(), *found.var.values(), *found.cvar.values()} == {None}
    assert (found.histogram, found.cdf, found.sensitivities) == (None, [], [])
    assert found.remark == "No iteration gave a number in S!B1 (#NUM! in 500), so it has no statistics."


def test_one_number_has_no_spread_and_no_shard_no_statistics():
    errors = np.full(9, 1)
    errors[3] = 0
    one = summary(np.arange(9), errors)
    assert (one.mean, one.std, one.mean_standard_error, one.min, one.numeric_count) == (
        3.0,
        None,
        None,
        3.0,
        1,
    )
    assert one.remark == "Only one iteration gave a number in S!B1, so it has no spread."
    (nothing,) = summarize(FACTS, [])
    assert (nothing.iteration_count, nothing.mean, nothing.histogram) == (0, None, None)
    assert nothing.remark == "No iteration was run, so there are no statistics."


def test_numbers_too_large_for_their_moments_leave_them_out_and_say_so():
    found = summary([1e308, -1e308, 1.5e308, -1.7e308] * 25)
    assert found.std is None
    assert found.histogram is None
    assert (found.min, found.max) == (-1.7e308, 1.5e308)
    assert found.remark == "Some values of S!B1 are too large for their statistics to be computed."


def test_sensitivities_are_tail_means_and_correlation_with_the_largest_swing_first():
    uniforms = uniform_rows(7, 2, 0, 50_000)
    values = uniforms[0] - 5 * uniforms[1]
    found = summary(values)
    assert [(one.cell, one.name) for one in found.sensitivities] == [("S!A2", None), ("S!A1", "first")]
    for one, row in zip(found.sensitivities, (1, 0), strict=True):
        low, high = values[uniforms[row] < 0.1].mean(), values[uniforms[row] >= 0.9].mean()
        assert one.low_mean == pytest.approx(low, rel=1e-9, abs=1e-9)
        assert one.high_mean == pytest.approx(high, rel=1e-9, abs=1e-9)
        assert one.swing == pytest.approx(high - low, rel=1e-9)
        assert one.correlation == pytest.approx(np.corrcoef(uniforms[row], values)[0, 1], rel=1e-9)


def test_a_mean_of_zeros_is_zero_whatever_the_sums_round_to():
    uniforms = uniform_rows(7, 2, 0, 50_000)
    found = summary(np.where(uniforms[0] < 0.1, 0.0, 700 + 300 * uniforms[1]))
    (switch,) = (one for one in found.sensitivities if one.cell == "S!A1")
    assert switch.low_mean == 0.0
    assert switch.swing == switch.high_mean


def test_an_output_without_numbers_in_a_tail_of_an_input_has_no_swing_for_it():
    uniforms = uniform_rows(7, 2, 0, 4_096)
    found = summary(uniforms[0], np.where(uniforms[1] >= 0.9, 2, 0))
    by_cell = {one.cell: one for one in found.sensitivities}
    assert by_cell["S!A2"].high_mean is None
    assert by_cell["S!A2"].swing is None
    assert by_cell["S!A1"].swing == pytest.approx(0.9, abs=0.02)


def test_a_run_with_a_gap_is_summarised_over_what_is_there():
    first, third = SKEWED[: 2 * BLOCK_ITERATIONS], SKEWED[-1_000:]
    (found,) = summarize(FACTS, [shard(third, first_block=5), shard(first)])
    both = np.concatenate([first, third])
    assert found.iteration_count == len(both)
    assert found.mean == pytest.approx(both.mean(), rel=1e-12)
    assert found.std == pytest.approx(both.std(ddof=1), rel=1e-12)


def test_shards_that_overlap_are_a_mistake_of_the_caller():
    with pytest.raises(AssertionError, match="counted twice"):
        summarize(FACTS, [shard(SKEWED[:9_000]), shard(SKEWED[:5_000], first_block=2)])


def test_the_standard_error_of_the_mean_covers_the_truth_as_often_as_it_says():
    # 400 runs of 2,000: |mean - truth| < 2 standard errors in 95.45 % of them. The count is binomial(400, 0.9545)
    # but for the skew's small effect; outside 360..396 it falls for 1 in 20,000 choices of the seed.
    truth = math.exp(0.5)
    inside = 0
    for seed in range(400):
        values = np.random.default_rng([20, seed]).lognormal(0, 1, 2_000)
        found = summary(values)
        assert found.mean is not None
        assert found.mean_standard_error is not None
        inside += abs(found.mean - truth) < 2 * found.mean_standard_error
    assert 360 <= inside <= 396


# --- beyond what fits into the bins' sample --------------------------------------------------------------

LONG = np.random.default_rng(9)
SHAPES = {
    "continuous": LONG.lognormal(0, 2, 150_000),
    "few values": LONG.integers(-3, 4, 150_000).astype(np.float64),
    "a heap at 0": np.maximum(LONG.standard_normal(150_000), 0),
    "negative zeros": np.where(LONG.random(150_000) < 0.3, -0.0, LONG.integers(0, 2, 150_000)),
    # What the first iterations show is no guide to the rest.
    "rising": np.sort(LONG.standard_normal(150_000)),
    "falling": -np.sort(LONG.standard_normal(150_000)),
    "first alike": np.where(np.arange(150_000) < 100_000, 5.0, LONG.standard_normal(150_000)),
    "two neighbours": np.where(LONG.random(150_000) < 0.5, 1.0, np.nextafter(1.0, 2)),
}


@pytest.mark.parametrize("name", SHAPES)
def test_percentiles_and_tails_are_exact_whatever_the_first_iterations_showed(name):
    values = SHAPES[name]
    (found,) = summarize(facts_of(1), cut_into(values[None, :], 3), (0.5, 0.95, 0.999), targets=[0.0, 1.0])
    for told in (found.percentiles, found.var):
        assert all(value is not None for value in told.values())
    for percent, value in found.percentiles.items():
        assert value == pytest.approx(np.percentile(values, int(percent)), rel=1e-14, abs=1e-300)
    assert [value for value, _ in found.cdf] == pytest.approx(
        np.percentile(values, np.arange(101)), rel=1e-14, abs=1e-300
    )
    for level, percent in (("50", 50), ("95", 5), ("99.9", 0.1)):
        limit = found.var[level]
        assert limit == pytest.approx(np.percentile(values, percent), rel=1e-14, abs=1e-300)
        assert found.cvar[level] == pytest.approx(values[values <= limit].mean(), rel=1e-12, abs=1e-12)
    assert [one.share_at_or_below for one in found.targets] == [(values <= 0).mean(), (values <= 1).mean()]
    assert found.histogram is not None
    assert sum(found.histogram.counts) == len(values)


def test_collecting_in_turns_finds_the_same_numbers():
    values = np.stack([SHAPES["continuous"], SHAPES["falling"], SHAPES["few values"]])
    shards = cut_into(values, 5)
    tallies = tally(shards, 150_000, total(node for one in shards for node in one.nodes), ())
    ranks = [0, 7_499, 7_500, 75_000, 149_999]
    at_once, in_turns = (
        collect(shards, tallies, [Wanted(ranks, [7_499])] * 3, values_max) for values_max in (10**9, 1)
    )
    for row, one, other in zip(np.sort(values), at_once, in_turns, strict=True):
        assert [one.at(rank) for rank in ranks] == [other.at(rank) for rank in ranks] == row[ranks].tolist()
        assert one.tail(7_499, one.at(7_500)) == other.tail(7_499, one.at(7_500))


@given(
    st.lists(st.sampled_from([-1.5, 0.0, 0.25, 3.0, 1e9, math.nan]), min_size=1, max_size=80),
    st.lists(st.floats(0.01, 0.99), max_size=4),
)
def test_tails_of_a_few_numbers_are_those_of_plain_numpy(values, levels):
    drawn = np.array(values)
    errors = np.where(np.isnan(drawn), 6, 0)
    found = summary(drawn, errors, tuple(levels))
    numbers = drawn[errors == 0]
    for level, limit in found.var.items():
        assert (limit is None) == (len(numbers) == 0)
        if limit is not None:
            assert found.cvar[level] == pytest.approx(numbers[numbers <= limit].mean(), rel=1e-12, abs=1e-9)


def test_kurtosis_is_that_of_scipy():
    assert summary(SKEWED).kurtosis == pytest.approx(stats.kurtosis(SKEWED), rel=1e-9)


@pytest.mark.parametrize(
    ("values", "mode"),
    [
        (LONG.permutation(np.repeat([3.0, 4.0, 9.0], [500, 700, 300])), 4.0),
        (np.maximum(LONG.standard_normal(50_000) + 1, 0), 0.0),
        (LONG.poisson(7.5, 50_000).astype(np.float64), 7.0),
        (np.full(10, 2.5), 2.5),
        (np.array([8.0]), 8.0),
    ],
)
def test_the_mode_is_the_most_frequent_value_where_one_stands_out(values, mode):
    assert summary(values).mode == mode


def test_the_mode_of_a_continuous_output_is_where_its_values_lie_closest():
    assert summary(LONG.gamma(4, 1, 200_000)).mode == pytest.approx(3, abs=0.2)
    assert summary(LONG.lognormal(0, 0.5, 200_000)).mode == pytest.approx(math.exp(-0.25), abs=0.05)
    # Too few for a share to mean anything: the middle of all, or of the closest ten.
    assert summary([1.0, 2.0, 9.0]).mode == 5.0
    assert summary([*np.linspace(0, 1, 10), *np.linspace(5, 90, 9)]).mode == pytest.approx(0.5, abs=0.1)
    assert -1e308 <= summary(np.array([-1.7e308, 1.7e308, 1.6e308])).mode <= 1.7e308


def test_error_values_have_shares_with_errors_and_targets_count_among_the_numbers():
    errors = np.zeros(20_000)
    errors[::4] = 2
    (found,) = summarize(FACTS, [shard(SKEWED, errors)], targets=[0.0, -1e9, 0.0])
    numeric = SKEWED[errors == 0]
    assert found.error_shares["#DIV/0!"].share == 0.25
    assert found.error_shares["#DIV/0!"].standard_error == pytest.approx(
        math.sqrt(0.25 * 0.75 / 20_000), rel=1e-3
    )
    assert [(one.value, one.share_at_or_below) for one in found.targets] == [
        (0.0, (numeric <= 0).mean()),
        (-1e9, 0.0),
    ]
    (nothing,) = summarize(FACTS, [shard(np.zeros(500), np.full(500, 6))], targets=[1.0])
    assert nothing.targets[0].share_at_or_below is None
    assert nothing.error_shares["#NUM!"].share == 1
    assert 0 < nothing.error_shares["#NUM!"].standard_error < 0.01


@pytest.mark.parametrize("target", [math.nan, math.inf, "1", None, True])
def test_a_target_that_is_no_number_is_refused_by_its_place(target):
    with pytest.raises(BadTarget, match="it must be a number") as refusal:
        check_targets([0, target])
    assert refusal.value.field == "targets[1]"


def test_too_many_targets_are_refused():
    with pytest.raises(BadTarget, match="20 are possible"):
        check_targets(range(21))
