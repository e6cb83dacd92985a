"""Distributions of counts, and counts of arrangements. Source of each: Microsoft's page of that function."""

from __future__ import annotations

import math

from tollway.engine.functions.registry import Argument, function, whole
from tollway.engine.functions.statistical.incomplete import beta_tails, gamma_tails
from tollway.engine.functions.statistical.saddle_point import binomial_term, poisson_term
from tollway.engine.functions.statistical.samples import pairs_of_numbers, probability, require
from tollway.engine.values import ErrorValue

# A range of outcomes is summed term by term up to here, and is a difference of two sums beyond.
_TERMS_MAX = 20_000
# How far the probabilities given to PROB may miss 1.
_SUM_TOLERANCE = 1e-9


@function("BINOM.DIST", "number number number logical")
@function("BINOMDIST", "number number number logical")
def binomial(successes: float, trials: float, chance: float, is_cumulative: bool) -> float:
    """The probability of a number of successes, or of at most that many.

    successes, trials: cut to whole numbers. chance: the probability of success in each trial.
    Errors: #NUM! for successes outside 0 to trials, or a probability outside 0 to 1.
    """
    count, total = _count(successes), _count(trials)
    require(0 <= count <= total)
    probability(chance)
    return _binomial_sum(count, total, chance) if is_cumulative else _binomial(count, total, chance)


def _count(value: float) -> int:
    """A number rounded down, so that anything below 0 stays below 0, as Excel counts."""
    return whole(math.floor(value))


def _binomial(count: int, total: int, chance: float) -> float:
    return binomial_term(float(count), float(total - count), chance, 1.0 - chance)


def _binomial_sum(count: int, total: int, chance: float) -> float:
    if count < 0:
        return 0.0
    if count >= total:
        return 1.0
    return beta_tails(count + 1.0, float(total - count), chance, 1.0 - chance)[1]


@function("BINOM.DIST.RANGE", "number number number [number]")
def binomial_range(trials: float, chance: float, lowest: float, highest: float | None = None) -> float:
    """The probability that the number of successes lies between two numbers, both included.

    trials, lowest, highest: cut to whole numbers; without highest, it is that of exactly the lowest.
    Errors: #NUM! for a probability outside 0 to 1, or unless 0 <= lowest <= highest <= trials.
    """
    total, first = _count(trials), _count(lowest)
    last = first if highest is None else _count(highest)
    require(0 <= first <= last <= total)
    probability(chance)
    if last - first < _TERMS_MAX:
        return min(1.0, math.fsum(_binomial(count, total, chance) for count in range(first, last + 1)))
    return _binomial_sum(last, total, chance) - _binomial_sum(first - 1, total, chance)


@function("BINOM.INV", "number number number")
@function("CRITBINOM", "number number number")
def binomial_inverse(trials: float, chance: float, alpha: float) -> float:
    """The smallest number of successes whose cumulative probability reaches alpha.

    trials: cut to a whole number. chance: the probability of success in each trial.
    Errors: #NUM! for negative trials, or unless probability and alpha lie between 0 and 1.
    """
    total = _count(trials)
    require(total >= 0)
    probability(chance, zero=False, one=False)
    probability(alpha, zero=False, one=False)
    low, high = 0, total
    while low < high:
        middle = (low + high) // 2
        if _binomial_sum(middle, total, chance) >= alpha:
            high = middle
        else:
            low = middle + 1
    return float(low)


@function("NEGBINOM.DIST", "number number number logical")
def negative_binomial(failures: float, successes: float, chance: float, is_cumulative: bool) -> float:
    """The probability of a number of failures before a number of successes, or of at most that many failures.

    failures, successes: cut to whole numbers. chance: the probability of success in each trial.
    Errors: #NUM! for negative failures, successes below 1, or unless 0 < probability < 1.
    """
    failed, reached = _count(failures), _count(successes)
    require(failed >= 0 and reached >= 1)
    probability(chance, zero=False, one=False)
    if is_cumulative:
        return beta_tails(float(reached), failed + 1.0, chance, 1.0 - chance)[0]
    share = reached / (reached + failed)
    return share * binomial_term(float(reached), float(failed), chance, 1.0 - chance)


@function("NEGBINOMDIST", "number number number")
def negative_binomial_term(failures: float, successes: float, chance: float) -> float:
    """The probability of a number of failures before a number of successes.

    failures, successes: cut to whole numbers. chance: the probability of success in each trial.
    Errors: #NUM! for negative failures, successes below 1, or unless 0 < probability < 1.
    """
    return float(negative_binomial(failures, successes, chance, False))


@function("POISSON", "number number logical")
@function("POISSON.DIST", "number number logical")
def poisson(value: float, mean: float, is_cumulative: bool) -> float:
    """The probability of a number of events, or of at most that many.

    value: cut to a whole number. mean: how many are expected.
    Errors: #NUM! for a negative value or mean; but for exactly 0 events Excel takes a negative mean all the
    same, and what comes of it is no probability (HyperFormula's list of differences).
    """
    count = _count(value)
    require(count >= 0)
    if count == 0 and not is_cumulative:
        return math.exp(-mean)
    require(mean >= 0.0)
    return gamma_tails(count + 1.0, mean)[1] if is_cumulative else poisson_term(float(count), mean)


@function("HYPGEOM.DIST", "number number number number logical")
def hypergeometric(
    sample_successes: float, sample: float, successes: float, population: float, is_cumulative: bool
) -> float:
    """The probability of a number of successes in a sample drawn without putting back, or of at most that many.

    sample_successes: in the sample. sample: its size. successes: in the population. population: its size. All
    are cut to whole numbers.
    Errors: #NUM! for a negative number, a sample or successes larger than the population, and a number of
    successes that such a sample cannot have.
    """
    count, drawn, good, size = (_count(value) for value in (sample_successes, sample, successes, population))
    require(size > 0 and 0 < drawn <= size and 0 < good <= size)
    lowest, highest = max(0, drawn - (size - good)), min(drawn, good)
    require(count >= 0 and lowest <= count <= highest)
    term = _hypergeometric(count, drawn, good, size)
    if not is_cumulative:
        return term
    if count == highest:
        return 1.0
    # The tail on the nearer side of the mean is small; the other one is what is left.
    if count * size <= drawn * good:
        return term * _tail_of_ratios(count, lowest, drawn, good, size)
    term = _hypergeometric(count + 1, drawn, good, size)
    mirrored = (drawn - count - 1, drawn - highest, drawn, size - good, size)
    return 1.0 - term * _tail_of_ratios(*mirrored)


def _hypergeometric(count: int, drawn: int, good: int, size: int) -> float:
    """By three binomial terms with the same chance, which cancels. Source: C. Loader (2000)."""
    chance, against = drawn / size, (size - drawn) / size
    bad = size - good
    return (
        binomial_term(float(count), float(good - count), chance, against)
        * binomial_term(float(drawn - count), float(bad - drawn + count), chance, against)
        / binomial_term(float(drawn), float(size - drawn), chance, against)
    )


def _tail_of_ratios(count: int, lowest: int, drawn: int, good: int, size: int) -> float:
    """The sum of the terms from one count down to the lowest, over the first of them."""
    total = ratio = 1.0
    for k in range(count, lowest, -1):
        ratio *= k * (size - good - drawn + k) / ((good - k + 1) * (drawn - k + 1))
        total += ratio
        if ratio < total * 1e-18:
            break
    return total


@function("HYPGEOMDIST", "number number number number")
def hypergeometric_term(sample_successes: float, sample: float, successes: float, population: float) -> float:
    """The probability of a number of successes in a sample drawn without putting back.

    sample_successes: in the sample. sample: its size. successes: in the population. population: its size. All
    are cut to whole numbers.
    Errors: #NUM! for a negative number, a sample or successes larger than the population, and a number of
    successes that such a sample cannot have.
    """
    return float(hypergeometric(sample_successes, sample, successes, population, False))


@function("PROB", "array array number [number]")
def probability_between(
    values: Argument, chances: Argument, lowest: float, highest: float | None = None
) -> float:
    """The probability that a value lies between two limits, both included.

    values: what can happen. chances: how likely each of them is; they make 1 together. Without a highest
    value, it is the probability of exactly the lowest.
    Errors: #N/A when the arrays differ in size; #DIV/0! when no place holds two numbers; #NUM! for a chance
    not above 0 or above 1, or when they do not make 1.
    """
    pairs = pairs_of_numbers(values, chances)
    require(bool(pairs), ErrorValue.DIV0)
    require(all(0.0 < chance <= 1.0 for _, chance in pairs))
    require(abs(math.fsum(chance for _, chance in pairs) - 1.0) <= _SUM_TOLERANCE)
    last = lowest if highest is None else highest
    return math.fsum(chance for value, chance in pairs if lowest <= value <= last)


@function("PERMUT", "number number")
def permutations(number: float, chosen: float) -> float:
    """How many ways there are to choose and order some of a number of things.

    number, chosen: cut to whole numbers.
    Errors: #NUM! unless 0 <= chosen <= number and the number is above 0, and where the result is too large.
    """
    total, picked = _count(number), _count(chosen)
    require(total > 0 and 0 <= picked <= total)
    result = 1.0
    for factor in range(total, total - picked, -1):
        result *= factor
        require(result < math.inf)
    return result


@function("PERMUTATIONA", "number number")
def permutations_with_repetition(number: float, chosen: float) -> float:
    """How many ordered choices there are of a number of things, where each may be chosen again.

    number, chosen: cut to whole numbers.
    Errors: #NUM! for a negative number, and where the result is too large.
    """
    total, picked = _count(number), _count(chosen)
    require(total >= 0 and picked >= 0)
    return math.pow(float(total), float(picked))
