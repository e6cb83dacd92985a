"""The headers that tell a client how much is left: RateLimit and RateLimit-Policy, and the older X-RateLimit ones.

Source: draft-ietf-httpapi-ratelimit-headers-10, a draft: names and syntax may still change. `X-RateLimit-Reset` is in
seconds since 1970, as the specification's clients read it.
"""

import math

from tollway.admission.buckets import Bucket
from tollway.admission.core import Snapshot
from tollway.admission.entities import LIMIT_PER_PERIOD
from tollway.kit.problems import Problem

Headers = list[tuple[bytes, bytes]]


def limit_headers(snapshot: Snapshot, now_ns: int, now_seconds: float) -> Headers:
    """Tell of the limit a minute that has least left, or without one of the requests of the period."""
    buckets = snapshot.buckets
    if not buckets:
        return _quota_headers(snapshot, now_seconds)
    bucket = buckets[0]
    level = bucket.level(now_ns)
    for other in buckets[1:]:
        others_level = other.level(now_ns)
        if others_level[0] < level[0]:
            bucket, level = other, others_level
    told, resets_at = bucket.told, int(now_seconds) + level[1]
    if told is None or told[0] != level or told[1] != resets_at:
        told = bucket.told = level, resets_at, _tell(bucket, level, resets_at)
    return told[2]


def refusal_headers(problem: Problem, now_seconds: float) -> Headers:
    """Tell of the limit that refused a call; nothing where it was none."""
    name, most = problem.members.get("limit"), problem.members.get("limit_value")
    if name is None or most is None or problem.retry_after_seconds is None:
        return []
    # Days and periods tell their length with the refusal.
    seconds = problem.members.get("window_seconds", 60 if "per_minute" in name else None)
    window = f";w={seconds}" if seconds else ""
    wait = problem.retry_after_seconds
    return [
        (b"ratelimit-policy", f'"{name}";q={most}{window}'.encode()),
        (b"ratelimit", f'"{name}";r=0;t={wait}'.encode()),
        (b"x-ratelimit-limit", b"%d" % most),
        (b"x-ratelimit-remaining", b"0"),
        (b"x-ratelimit-reset", b"%d" % math.ceil(now_seconds + wait)),
    ]


def _tell(bucket: Bucket, level: tuple[int, int], resets_at: int) -> Headers:
    limit, remaining, seconds = bucket.limit, *level
    if bucket.told is None:
        policy = (b"ratelimit-policy", f'"{limit.name}";q={limit.count};w={limit.seconds}'.encode())
        most = (b"x-ratelimit-limit", b"%d" % limit.count)
    else:
        policy, _, most, *_ = bucket.told[2]
    return [
        policy,
        (b"ratelimit", f'"{limit.name}";r={remaining};t={seconds}'.encode()),
        most,
        (b"x-ratelimit-remaining", b"%d" % remaining),
        (b"x-ratelimit-reset", b"%d" % resets_at),
    ]


def _quota_headers(snapshot: Snapshot, now_seconds: float) -> Headers:
    quota = snapshot.quota
    if quota is None or quota.requests_included is None:
        return []
    most = quota.requests_included if quota.requests_max is None else quota.requests_max
    remaining = max(0, most - quota.requests_used - quota.requests_leased)
    end = quota.period_end.timestamp()
    seconds = int(end - quota.period_start.timestamp())
    return [
        (b"ratelimit-policy", f'"{LIMIT_PER_PERIOD}";q={most};w={seconds}'.encode()),
        (b"ratelimit", f'"{LIMIT_PER_PERIOD}";r={remaining};t={max(0, int(end - now_seconds))}'.encode()),
        (b"x-ratelimit-limit", b"%d" % most),
        (b"x-ratelimit-remaining", b"%d" % remaining),
        (b"x-ratelimit-reset", b"%d" % int(end)),
    ]
