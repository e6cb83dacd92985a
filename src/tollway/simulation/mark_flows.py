"""Reads the distributions that a request or a form gives, within a bound of time."""

import time
from collections.abc import Callable
from typing import Any

from tollway.engine import BadDistribution, Distribution, parse_distribution, parse_distribution_text

# Hundreds of shapes are read in less, unless they are given by percentiles that are hard to solve.
DISTRIBUTIONS_SECONDS_MAX = 10.0


class DistributionReader:
    """Reads the distributions of one request or one form, which share the time for solving percentiles and moments.

    Distributions given by their parameters are read even when that time is used up.
    """

    def __init__(self, seconds_max: float = DISTRIBUTIONS_SECONDS_MAX) -> None:
        self._seconds_max = self._seconds_left = seconds_max

    def read(self, given: object) -> Distribution:
        """Read the JSON form. Raises: BadDistribution naming the parameter, or saying that time is up."""
        return self._timed(parse_distribution, given)

    def read_text(self, text: str) -> Distribution:
        """Read it as pages and the command line write it. Raises: what `read` raises."""
        return self._timed(parse_distribution_text, text)

    def _timed(self, parse: Callable[..., Distribution], given: Any) -> Distribution:
        started = time.perf_counter()
        deadline = started + self._seconds_left
        try:
            return parse(given, on_step=lambda: self._assert_before(deadline))
        finally:
            self._seconds_left -= time.perf_counter() - started

    def _assert_before(self, deadline: float) -> None:
        if time.perf_counter() < deadline:
            return
        raise BadDistribution(
            f"The parameters of this distribution were not found within {self._seconds_max:g} seconds, the time for "
            "all that are given by percentiles, mean or standard deviation together; write it by its parameters.",
            field="distribution",
        )
