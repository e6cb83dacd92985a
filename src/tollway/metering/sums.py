"""Adds up many calls: which sums they belong to, and by how much each grows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tollway.metering.entities import LATENCY_BOUNDS_MS, UsageBatch

Integers = NDArray[np.int64]

SECONDS_PER_HOUR = 3600
HOURS_PER_DAY = 24
CLASSES = ("succeeded", "limited", "refused", "failed")
LATENCY_CLASSES = len(LATENCY_BOUNDS_MS) + 1
_BOUNDS = np.array(LATENCY_BOUNDS_MS)
# Odd numbers without a pattern: keys of several columns become one number by them.
_MIXERS = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x27D4EB2F165667C5, 0xFF51AFD7ED558CCD,
           0xC4CEB9FE1A85EC53, 0x2545F4914F6CDD1D)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sums:
    """Rows to add: lists of texts and arrays of integers, all of one length, by the names of the columns."""

    hours: dict[str, Any]
    days: dict[str, Any]
    totals: dict[str, Any]


def add_up(batch: UsageBatch) -> Sums:
    """Add calls up by hour, by day and since the beginning.

    What is given back, with negative units, is no call: only its units and credits are added, and no totals.
    """
    calls = batch.calls
    is_call = calls["units"] >= 0
    status = calls["status"].astype(np.int64)
    response_ms = response_ms_of(calls)
    latency = np.searchsorted(_BOUNDS, response_ms)
    counted = np.where(is_call, response_ms, 0)
    hour = calls["timestamp_us"] // (SECONDS_PER_HOUR * 1_000_000)
    by_hour = [hour] + [
        calls[name].astype(np.int64)
        for name in ("customer_id", "product", "live", "api_key_id", "method", "endpoint")
    ]
    first, group = group_rows(by_hour)
    size = len(first)
    classes = np.select([status < 400, (status == 402) | (status == 429), status < 500], [0, 1, 2], 3)
    counts = {
        **_spread(CLASSES, group, classes, is_call, size),
        "units": _sum(group, calls["units"], size),
        "credits": _sum(group, calls["credits"], size),
        "response_ms": _sum(group, counted, size),
        **_spread(_latency_names(), group, latency, is_call, size),
    }
    keys = [column[first] for column in by_hour]
    hours = {"hour": keys[0], **_names_of(batch, keys[1:]), **counts}

    by_day = [keys[0] // HOURS_PER_DAY, *keys[1:]]
    day_first, day_group = group_rows(by_day)
    day_keys = [column[day_first] for column in by_day]
    day_counts = {name: _sum(day_group, column, len(day_first)) for name, column in counts.items()}
    days = {"day": day_keys[0], **_names_of(batch, day_keys[1:]), **day_counts}

    return Sums(hours, days, _totals(batch, is_call, response_ms, latency))


def response_ms_of(calls: NDArray[Any]) -> Integers:
    """Return response times in whole milliseconds, rounded."""
    rounded: Integers = (calls["response_us"].astype(np.int64) + 500) // 1000
    return rounded


def group_rows(columns: Sequence[Integers]) -> tuple[Integers, Integers]:
    """Find equal rows of integers: where each kind first stands, and of which kind each row is."""
    mixed = np.zeros(len(columns[0]), np.uint64)
    for column, mixer in zip(columns, _MIXERS, strict=False):
        # A multiplication alone would let sums of different rows fall together too easily.
        mixed = (mixed ^ column.astype(np.uint64)) * np.uint64(mixer)
        mixed ^= mixed >> np.uint64(29)
    _kinds, first, group = np.unique(mixed, return_index=True, return_inverse=True)
    if all((column == column[first][group]).all() for column in columns):
        return first, group
    # Two different rows became one number: rarer than once in the life of a disk, but then sums would be wrong.
    _kinds, first, group = np.unique(np.stack(columns, 1), axis=0, return_index=True, return_inverse=True)
    return first, group


def _totals(
    batch: UsageBatch, is_call: NDArray[np.bool_], response_ms: Integers, latency: Integers
) -> dict[str, Any]:
    calls = batch.calls[is_call]
    columns = [
        calls[name].astype(np.int64) for name in ("product", "method", "endpoint", "status", "problem")
    ]
    if not len(calls):
        return {}
    first, group = group_rows(columns)
    product, method, endpoint, status, problem = (column[first] for column in columns)
    everyone = np.ones(len(calls), bool)
    return {
        "product": _texts_of(batch, product),
        "method": [batch.methods[one] for one in method.tolist()],
        "endpoint": _texts_of(batch, endpoint),
        "status_code": status,
        "problem_code": _texts_of(batch, problem),
        "calls": np.bincount(group, minlength=len(first)),
        "response_ms": _sum(group, response_ms[is_call], len(first)),
        **_spread(_latency_names(), group, latency[is_call], everyone, len(first)),
    }


def _names_of(batch: UsageBatch, keys: Sequence[Integers]) -> dict[str, Any]:
    customer_id, product, live, api_key_id, method, endpoint = keys
    return {
        "customer_id": customer_id,
        "product": _texts_of(batch, product),
        "mode": ["live" if one else "test" for one in live.tolist()],
        "api_key_id": api_key_id,
        "method": [batch.methods[one] for one in method.tolist()],
        "endpoint": _texts_of(batch, endpoint),
    }


def _texts_of(batch: UsageBatch, numbers: Integers) -> list[str]:
    texts = {number: batch.text(number) for number in set(numbers.tolist())}
    return [texts[number] for number in numbers.tolist()]


def _sum(group: Integers, values: NDArray[Any], size: int) -> Integers:
    """Add values up by group; exact below 2**53, which no batch reaches."""
    return np.rint(np.bincount(group, values, size)).astype(np.int64)


def _spread(
    names: Sequence[str], group: Integers, kind: Integers, counted: NDArray[np.bool_], size: int
) -> dict[str, Integers]:
    """Count the rows of each group by kind, one column for each name."""
    flat = np.bincount((group * len(names) + kind)[counted], minlength=size * len(names))
    return dict(zip(names, flat.reshape(size, len(names)).T, strict=True))


def _latency_names() -> tuple[str, ...]:
    return tuple(f"l{position}" for position in range(1, LATENCY_CLASSES + 1))
