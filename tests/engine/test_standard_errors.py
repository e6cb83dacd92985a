"""Standard errors, by counting: each statistic lies within 1.96 of its own in as many runs as it says."""

import math

import numpy as np
import pytest
from scipy import stats
from tests.engine.runs_of import cut_into, facts_of, summaries_of

from tollway.engine import OutputSummary, Sampling, SamplingMethod, summarize
from tollway.engine.runs.standard_errors import NORMAL_QUANTILE, error_of_share
from tollway.engine.sampling.draws import uniform_rows

RUNS, ITERATIONS, AT_ONCE = 1_000, 2_000, 50
# The truth: a skewed shape whose moments of every order exist, so that none of the errors is itself a matter of chance.
TRUTH = stats.beta(2, 5)
TARGET = float(TRUTH.ppf(0.2))
# An iteration shows an error value with this probability.
ERROR_SHARE = 0.02


def true_tail_mean(share: float) -> float:
    """Mean of the outcomes below a percentile: a / (a + b) * I(q; a + 1, b) / p."""
    return float(2 / 7 * stats.beta(3, 5).cdf(TRUTH.ppf(share)) / share)


@pytest.fixture(scope="module")
def runs() -> list[OutputSummary]:
    found = []
    for seed in range(RUNS // AT_ONCE):
        chance = np.random.default_rng([2026, seed])
        values = chance.beta(2, 5, (AT_ONCE, ITERATIONS))
        errors = np.where(chance.random(values.shape) < ERROR_SHARE, 7, 0)
        found += summarize(facts_of(AT_ONCE), cut_into(values, 1, errors), targets=[TARGET])
    return found


MEAN, VARIANCE, SKEWNESS, KURTOSIS = (float(one) for one in TRUTH.stats("mvsk"))
STATISTICS = {
    "mean": (lambda run: (run.mean, run.standard_errors.mean), MEAN),
    "std": (lambda run: (run.std, run.standard_errors.std), math.sqrt(VARIANCE)),
    "skewness": (lambda run: (run.skewness, run.standard_errors.skewness), SKEWNESS),
    "kurtosis": (lambda run: (run.kurtosis, run.standard_errors.kurtosis), KURTOSIS),
    "p5": (lambda run: (run.percentiles["5"], run.standard_errors.percentiles["5"]), TRUTH.ppf(0.05)),
    "p25": (lambda run: (run.percentiles["25"], run.standard_errors.percentiles["25"]), TRUTH.ppf(0.25)),
    "p50": (lambda run: (run.percentiles["50"], run.standard_errors.percentiles["50"]), TRUTH.ppf(0.5)),
    "p95": (lambda run: (run.percentiles["95"], run.standard_errors.percentiles["95"]), TRUTH.ppf(0.95)),
    "var_95": (lambda run: (run.var["95"], run.standard_errors.var["95"]), TRUTH.ppf(0.05)),
    "cvar_95": (lambda run: (run.cvar["95"], run.standard_errors.cvar["95"]), true_tail_mean(0.05)),
    "target": (lambda run: (run.targets[0].share_at_or_below, run.targets[0].standard_error), 0.2),
    "error": (
        lambda run: (run.error_shares["#N/A"].share, run.error_shares["#N/A"].standard_error),
        ERROR_SHARE,
    ),
}
# How many of 1,000 runs may be inside: binomial(1000, 0.95) leaves this range with probability 6e-8, so any of the
# twelve counts does with less than 1e-6, were the errors exact. The seeds are fixed: the test is one draw of that.
# A wrong formula shows: errors too small by a factor of 1.3 cover 86.8 % (868), too large by 1.3 98.9 % (989).
INSIDE_MIN, INSIDE_MAX = 910, 984


@pytest.mark.parametrize("name", STATISTICS)
def test_a_statistic_is_within_its_standard_error_as_often_as_that_says(runs, name):
    read, truth = STATISTICS[name]
    told = [read(run) for run in runs]
    inside = sum(abs(value - truth) < NORMAL_QUANTILE * error for value, error in told)
    assert INSIDE_MIN <= inside <= INSIDE_MAX, f"{inside} of {RUNS}"


def test_the_range_of_counts_is_what_its_comment_says():
    within = stats.binom(RUNS, 0.95)
    outside = within.cdf(INSIDE_MIN - 1) + within.sf(INSIDE_MAX)
    assert len(STATISTICS) * outside < 1e-6
    for factor in (1 / 1.3, 1.3):
        wrong = stats.binom(RUNS, 2 * stats.norm.cdf(NORMAL_QUANTILE * factor) - 1)
        assert wrong.cdf(INSIDE_MAX) - wrong.cdf(INSIDE_MIN - 1) < 0.12


def test_standard_errors_are_those_of_the_textbook_for_a_normal_distribution():
    (found,) = summaries_of(np.random.default_rng(1).standard_normal((1, 1_000_000)))
    errors, root = found.standard_errors, math.sqrt(1_000_000)
    # Within 2 %, but for those that are read off a density, within 10 %.
    assert errors.mean == pytest.approx(1 / root, rel=0.02)
    assert errors.std == pytest.approx(1 / math.sqrt(2) / root, rel=0.02)
    assert errors.skewness == pytest.approx(math.sqrt(6) / root, rel=0.02)
    assert errors.kurtosis == pytest.approx(math.sqrt(24) / root, rel=0.02)
    density = stats.norm.pdf(stats.norm.ppf(0.05))
    assert errors.percentiles["5"] == pytest.approx(math.sqrt(0.05 * 0.95) / density / root, rel=0.1)
    assert errors.percentiles["50"] == pytest.approx(math.sqrt(math.pi / 2) / root, rel=0.1)
    # Of the mean below q: its tail has variance 1 + q m - m^2 with m = phi(q) / p, measured upwards.
    q, m = -stats.norm.ppf(0.05), density / 0.05
    assert errors.cvar["95"] == pytest.approx(
        math.sqrt((1 + q * m - m * m + 0.95 * (m - q) ** 2) / 0.05) / root, rel=0.02
    )


@pytest.mark.parametrize("cases", [0, 1_000])
def test_a_share_of_nothing_or_of_everything_is_not_taken_for_certain(cases):
    # Were the share truly three thousandths away, such a run would still come once in 20.
    assert 0.0005 < error_of_share(1_000, cases) < 0.003
    (found,) = summaries_of(np.arange(1_000.0)[None, :], targets=[-1.0 if cases == 0 else 1e9])
    assert found.targets[0].share_at_or_below == cases / 1_000
    assert found.targets[0].standard_error == error_of_share(1_000, cases)


def test_shares_away_from_the_ends_have_the_binomial_s_error():
    assert error_of_share(100_000, 5_000) == pytest.approx(math.sqrt(0.05 * 0.95 / 100_000), rel=1e-3)


def test_a_percentile_inside_a_step_has_no_error_and_one_at_a_jump_has_a_large_one():
    values = np.repeat([0.0, 1.0], [5_000, 5_000])[None, :]
    (found,) = summaries_of(values)
    assert found.standard_errors.percentiles["25"] == 0
    assert found.standard_errors.percentiles["50"] > 0.1


def test_one_number_and_constants_have_what_can_be_said():
    (one,) = summaries_of(np.array([[3.0]]))
    assert one.standard_errors.mean is None
    assert one.standard_errors.percentiles["5"] is None
    assert one.standard_errors.cvar["95"] is None
    (constant,) = summaries_of(np.full((1, 10_000), 3.0))
    assert constant.standard_errors.mean == constant.standard_errors.std == 0
    assert constant.standard_errors.cvar["95"] == constant.standard_errors.percentiles["50"] == 0
    assert constant.standard_errors.skewness is None
    assert constant.kurtosis is None


@pytest.mark.parametrize("method", [SamplingMethod.LATIN_HYPERCUBE, SamplingMethod.SOBOL])
def test_under_even_sampling_standard_errors_are_upper_bounds(method):
    seeds, iterations = 60, 4_096
    values = np.empty((seeds, iterations))
    for seed in range(seeds):
        first, second, third = uniform_rows(seed, 3, 0, iterations, Sampling(method, iterations))
        values[seed] = first + second**2 + np.sqrt(third)
    found = summaries_of(values)
    for read in (
        lambda run: (run.mean, run.standard_errors.mean),
        lambda run: (run.std, run.standard_errors.std),
        lambda run: (run.percentiles["5"], run.standard_errors.percentiles["5"]),
        lambda run: (run.percentiles["50"], run.standard_errors.percentiles["50"]),
        lambda run: (run.cvar["95"], run.standard_errors.cvar["95"]),
    ):
        told = np.array([read(run) for run in found])
        # How far runs lie apart is known to 9 % from 60 of them: beyond 1.5 it would be by chance once in 10^7.
        assert told[:, 0].std(ddof=1) < 1.5 * told[:, 1].mean()
    # The mean of a smooth output gains most.
    assert np.std([run.mean for run in found]) < 0.3 * found[0].standard_errors.mean
