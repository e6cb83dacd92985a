"""Adds up many calls: which sums they belong to, and by how much each grows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tollway.metering.entities import LATENCY_BOUNDS_MS, UsageBatch

Integers = NDArray[np.int64]

MICROSECONDS_PER_HOUR = 3_600_000_000
HOURS_PER_DAY = 24
CLASSES = ("succeeded", "limited", "refused", "failed")
LATENCY_CLASSES = len(LATENCY_BOUNDS_MS) + 1
_BOUNDS = np.array(LATENCY_BOUNDS_MS)
# Numbers without a pattern: keys of several columns become one number by them.
_MIXERS = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x27D4EB2F165667C5)


@dataclass(frozen=True, slots=True)
class Sums:
    """Rows to add: arrays of integers of one length, by the names of the columns, and the texts that they name.

    `latencies` has as many for each row as there are classes. Empty where nothing is to be added.
    """

    hours: dict[str, Any]
    days: dict[str, Any]
    totals: dict[str, Any]


def class_of(status_code: int) -> int:
    """Return the place in CLASSES of a call that was answered so."""
    if status_code < 400:
        return 0
    if status_code in (402, 429):
        return 1
    return 2 if status_code < 500 else 3


_CLASS_OF_STATUS = np.array([class_of(status) for status in range(1000)])


def add_up(batch: UsageBatch) -> Sums:
    """Add calls up by hour, by day and since the beginning.

    What is given back, with negative units, is no call: only its units and credits are added, and no totals.
    """
    if not len(batch):
        return Sums({}, {}, {})
    batch = _with_one_number_each(batch)
    calls = batch.calls
    is_call = calls["units"] >= 0
    response_ms = response_ms_of(calls)
    latency = np.searchsorted(_BOUNDS, response_ms)
    by_hour = [
        calls["timestamp_us"] // MICROSECONDS_PER_HOUR,
        calls["customer_id"],
        calls["api_key_id"],
        packed(calls, "product", "live", "method", "endpoint"),
    ]
    first, group = group_rows(by_hour)
    size = len(first)
    classes = _CLASS_OF_STATUS[np.minimum(calls["status"], 999)]
    latencies = _spread(LATENCY_CLASSES, group, latency, is_call, size)
    counts = {
        **dict(zip(CLASSES, _spread(len(CLASSES), group, classes, is_call, size).T, strict=True)),
        "units": _sum(group, calls["units"], size),
        "credits": _sum(group, calls["credits"], size),
        "response_ms": _sum(group, np.where(is_call, response_ms, 0), size),
    }
    hour, *others = (column[first] for column in by_hour)
    hours = {"hour": hour, **_names_of(batch, first), **counts, "latencies": latencies.ravel()}

    by_day = [hour // HOURS_PER_DAY, *others]
    day_first, day_group = group_rows(by_day)
    day_counts = {name: _sum(day_group, column, len(day_first)) for name, column in counts.items()}
    day_latencies = np.zeros((len(day_first), LATENCY_CLASSES), np.int64)
    np.add.at(day_latencies, day_group, latencies)
    days = {
        "day": by_day[0][day_first],
        **_names_of(batch, first[day_first]),
        **day_counts,
        "latencies": day_latencies.ravel(),
    }
    return Sums(hours, days, _totals(batch, is_call, response_ms, latency))


def _with_one_number_each(batch: UsageBatch) -> UsageBatch:
    """Return the batch with one number for each text: sums go by texts, and all whose text was lost share one."""
    first: dict[str, int] = {}
    same: dict[int, int] = {}
    for name in ("product", "endpoint", "problem"):
        for number in np.bincount(batch.calls[name]).nonzero()[0].tolist():
            one = first.setdefault(batch.text(number), number)
            if one != number:
                same[number] = one
    if not same:
        return batch
    calls = batch.calls.copy()
    for number, one in same.items():
        for name in ("product", "endpoint", "problem"):
            calls[name][calls[name] == number] = one
    return replace(batch, calls=calls)


def response_ms_of(calls: NDArray[Any]) -> Integers:
    """Return response times in whole milliseconds, rounded."""
    rounded: Integers = (calls["response_us"].astype(np.int64) + 500) // 1000
    return rounded


def packed(calls: NDArray[Any], *names: str) -> Integers:
    """Return columns of small numbers (below 65,536 each, four at most) as one."""
    assert len(names) <= 4, names
    joined = np.zeros(len(calls), np.int64)
    for name in names:
        joined = joined << 16 | calls[name]
    return joined


def group_rows(columns: Sequence[Integers]) -> tuple[Integers, Integers]:
    """Find equal rows of integers: where each kind first stands, and of which kind each row is."""
    mixed = np.zeros(len(columns[0]), np.uint64)
    for column, mixer in zip(columns, _MIXERS, strict=False):
        # A multiplication alone would let different rows fall together too easily.
        mixed = (mixed ^ column.astype(np.uint64)) * np.uint64(mixer)
        mixed ^= mixed >> np.uint64(29)
    # As numpy's unique does it, but with the faster of its sorts: where a kind first stands is found afterwards.
    order = mixed.argsort()
    begins = np.diff(mixed[order], prepend=~mixed[order[:1]]) != 0
    first = np.minimum.reduceat(order, begins.nonzero()[0])
    group = np.empty(len(order), np.int64)
    group[order] = begins.cumsum() - 1
    if all((column == column[first][group]).all() for column in columns):
        return first, group
    # Two different rows became one number: rarer than once in the life of a disk, but then sums would be wrong.
    _kinds, first, group = np.unique(np.stack(columns, 1), axis=0, return_index=True, return_inverse=True)
    return first, group


def _totals(
    batch: UsageBatch, is_call: NDArray[np.bool_], response_ms: Integers, latency: Integers
) -> dict[str, Any]:
    chosen = is_call.nonzero()[0]
    if not len(chosen):
        return {}
    calls = batch.calls
    columns = [packed(calls, "product", "method", "endpoint", "status"), calls["problem"].astype(np.int64)]
    first, group = group_rows([column[chosen] for column in columns])
    size, places = len(first), chosen[first]
    everyone = np.ones(len(chosen), bool)
    return {
        **_names_of(batch, places),
        "status_code": calls["status"][places].astype(np.int64),
        "calls": np.bincount(group, minlength=size),
        "response_ms": _sum(group, response_ms[chosen], size),
        "latencies": _spread(LATENCY_CLASSES, group, latency[chosen], everyone, size).ravel(),
    }


def _names_of(batch: UsageBatch, places: Integers) -> dict[str, Any]:
    """Return what the sums of these calls are kept by; texts as their place, from 1 on, in a list of few."""
    calls = batch.calls
    texts: dict[str, int] = {}
    found: dict[str, Any] = {
        "customer_id": calls["customer_id"][places],
        "live": calls["live"][places].astype(np.int64),
        "api_key_id": calls["api_key_id"][places],
    }
    for name in ("product", "method", "endpoint", "problem"):
        numbers, which = np.unique(calls[name][places], return_inverse=True)
        words = [batch.methods[one] if name == "method" else batch.text(one) for one in numbers.tolist()]
        found[name] = np.array([texts.setdefault(word, len(texts) + 1) for word in words])[which]
    return found | {"texts": list(texts)}


def _sum(group: Integers, values: NDArray[Any], size: int) -> Integers:
    """Add values up by group; exact below 2**53, which no batch reaches."""
    return np.rint(np.bincount(group, values, size)).astype(np.int64)


def _spread(kinds: int, group: Integers, kind: Integers, counted: NDArray[np.bool_], size: int) -> Integers:
    """Count the rows of each group by kind: a row for each group, a column for each kind."""
    flat = np.bincount((group * kinds + kind)[counted], minlength=size * kinds)
    return flat.reshape(size, kinds)
