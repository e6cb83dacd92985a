"""Kill loops of admission and metering: every part dies many times under load."""

import random

import pytest
from tests.admission.kills import kill_and_check

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3600)]


@pytest.mark.parametrize("attempt", [1, 2, 3])
async def test_many_kills_of_every_part_lose_nothing_double_nothing_and_admit_nothing_more(
    attempt: int,
) -> None:
    await kill_and_check(attempt * 10**6 + random.randrange(10**6), rounds=10, pause_seconds=0)
