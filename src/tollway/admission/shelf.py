"""The buckets of one process, by whose they are: the same object each time, and not for ever."""

import sys
from collections.abc import Callable, Iterator

from tollway.admission.buckets import Bucket
from tollway.admission.centre import KEY_LENGTH_MAX
from tollway.admission.rates import RateLimit

# Above this, subjects that are not known yet share one bucket: nobody makes us forget what others have spent.
BUCKETS_MAX = 200_000
OTHERS = "(others)"
# Longer ones would not fit where the centre keeps them; two that begin alike share a bucket then.
SUBJECT_LENGTH_MAX = KEY_LENGTH_MAX - 100


class Shelf:
    """Buckets by subject and name of the limit.

    Args:
        make: makes the bucket of a key, at a moment of the monotonic clock.
    """

    def __init__(self, make: Callable[[str, RateLimit, int], Bucket], buckets_max: int) -> None:
        self._make = make
        self._buckets_max = buckets_max
        self._buckets: dict[tuple[str, str], Bucket] = {}

    def find(self, subject: str, limit: RateLimit) -> Bucket | None:
        """Return the bucket that is there already."""
        return self._buckets.get((subject, limit.name))

    def add(self, subject: str, limit: RateLimit, now_ns: int) -> Bucket:
        """Make the bucket of a subject that has none; where there is no room for it, that of all others."""
        self._forget_idle(now_ns)
        if len(self._buckets) >= self._buckets_max:
            subject = OTHERS
            if (found := self.find(subject, limit)) is not None:
                return found
        made = self._buckets[subject, limit.name] = self._make(key_of(subject, limit.name), limit, now_ns)
        return made

    def __iter__(self) -> Iterator[Bucket]:
        return iter(self._buckets.values())

    def _forget_idle(self, now_ns: int) -> None:
        """Look at two buckets for each new one, so that those of subjects who went do not pile up."""
        for _ in range(min(2, len(self._buckets))):
            place = next(iter(self._buckets))
            bucket = self._buckets.pop(place)
            # Two references are the variable here and the argument of the question. Whoever holds a third may spend
            # from it, and a second bucket would give the same units again.
            if not bucket.is_idle(now_ns) or sys.getrefcount(bucket) > 2:
                self._buckets[place] = bucket


def key_of(subject: str, name: str) -> str:
    """Return what the centre knows a limit of a subject by."""
    return f"{name}:{subject[:SUBJECT_LENGTH_MAX]}"
