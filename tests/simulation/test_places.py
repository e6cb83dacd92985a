"""Places follow the workers that come and go, and one is always left for everybody."""

import asyncio

from tollway.simulation.places import Places


class Crowd:
    """Workers that come and go."""

    def __init__(self, count: int) -> None:
        self.count = count

    async def count_places(self) -> int:
        return self.count


async def taken(places: Places, *, reserved: bool) -> int:
    """Take every place that is free."""
    count = 0
    while await places.take(reserved=reserved):
        count += 1
    return count


async def test_workers_that_join_have_places_and_those_that_leave_have_none() -> None:
    crowd = Crowd(2)
    places = Places(crowd, 0)
    assert await taken(places, reserved=False) == 2
    crowd.count = 5
    assert await taken(places, reserved=False) == 3
    crowd.count = 1
    for _ in range(4):
        places.give_back(reserved=False)
        assert not await places.take(reserved=False)
    places.give_back(reserved=False)
    assert await taken(places, reserved=False) == 1
    crowd.count = 0
    places.give_back(reserved=False)
    assert not await places.take(reserved=False)


async def test_one_place_is_always_left_for_everybody() -> None:
    for count, reserved, common in ((0, 0, 0), (1, 0, 1), (2, 1, 1), (3, 2, 1), (9, 3, 6)):
        places = Places(Crowd(count), 3)
        assert (await taken(places, reserved=True), await taken(places, reserved=False)) == (reserved, common)


async def test_whoever_waits_longest_is_told_first_and_nobody_of_what_is_no_news() -> None:
    places = Places(Crowd(2), 1)
    assert await places.take(reserved=False)
    assert await places.take(reserved=True)
    first = asyncio.ensure_future(places.wait(60))
    second = asyncio.ensure_future(places.wait(60))
    done, _ = await asyncio.wait({first, second}, timeout=0)
    assert not done
    places.give_back(reserved=True, is_news=False)
    done, _ = await asyncio.wait({first, second}, timeout=0)
    assert not done
    places.give_back(reserved=False)
    await first
    assert not second.done()
    second.cancel()
    # It waits no more: what comes back next is told to nobody, and nothing breaks.
    assert await places.take(reserved=False)
    places.give_back(reserved=False)
    async with asyncio.timeout(10):
        await places.wait(0.01)
