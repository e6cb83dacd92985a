"""Every part is killed under load, and no call is lost, counted twice, or let in beyond a bound."""

import random

import pytest
from tests.admission.kills import kill_and_check

pytestmark = [pytest.mark.xdist_group("processes"), pytest.mark.timeout(300)]


@pytest.mark.promise("C32")
async def test_kills_of_every_part_lose_nothing_double_nothing_and_admit_nothing_more() -> None:
    await kill_and_check(random.randrange(10**6), rounds=1, pause_seconds=0.02)
