"""How many shards are computed at once, and by whom: places for everybody, and places that are reserved."""

import asyncio
from collections import deque

from tollway.simulation.execution import Crew


class Places:
    """One place for each shard that the workers compute at once; workers of a cluster may come and go.

    `reserved_max`: so many places are for runs of plans with reserved workers; one is always left for everybody.
    """

    def __init__(self, workers: Crew, reserved_max: int) -> None:
        self._workers = workers
        self._reserved_max = reserved_max
        self._taken = {False: 0, True: 0}
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def take(self, *, reserved: bool) -> bool:
        """Take a place if one is free; False where none is."""
        place_count = await self._workers.count_places()
        reserved_count = max(0, min(self._reserved_max, place_count - 1))
        free = (reserved_count if reserved else place_count - reserved_count) - self._taken[reserved]
        if free <= 0:
            return False
        self._taken[reserved] += 1
        return True

    def give_back(self, *, reserved: bool, is_news: bool = True) -> None:
        """Leave a place to whoever waits longest; `is_news`: whether it is worth their looking."""
        self._taken[reserved] -= 1
        while is_news and self._waiting:
            first = self._waiting.popleft()
            if not first.done():
                first.set_result(None)
                return

    async def wait(self, seconds: float) -> None:
        """Wait until a place was given back, and at most some seconds: more of them may come meanwhile."""
        mine = asyncio.get_running_loop().create_future()
        self._waiting.append(mine)
        try:
            async with asyncio.timeout(seconds):
                await mine
        except TimeoutError:
            self._waiting.remove(mine)
