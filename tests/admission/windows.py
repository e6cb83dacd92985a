"""The one question that all tests of rate limits ask: how full was the fullest window?"""

from collections.abc import Iterable

from tollway.admission.rates import RateLimit

SECOND_NS = 1_000_000_000


def fullest(passed: Iterable[tuple[int, int]], limit: RateLimit) -> float:
    """How many units the worst window holds, beyond those that come in while it lasts.

    Over every window from one call to a later one: its units minus count * t / seconds. What the limit promises is
    that this is never above its count. Times in nanoseconds, in order.
    """
    # In units * seconds * 1e9, so that every number is whole.
    level, worst, last_ns = 0, 0, None
    for at_ns, units in passed:
        if last_ns is not None:
            level = max(0, level - (at_ns - last_ns) * limit.count)
        last_ns = at_ns
        level += units * limit.seconds * SECOND_NS
        worst = max(worst, level)
    return worst / (limit.seconds * SECOND_NS)
