"""Hashing passwords without starving everything else: a few threads, a short queue, then a clear no."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from tollway.kit.crypto import hash_password, password_matches
from tollway.kit.problems import Unavailable

HASHES_AT_ONCE_MAX = 2
HASHES_WAITING_MAX = 20

Result = TypeVar("Result")


class Passwords:
    """Hashes and checks passwords with argon2id on threads of its own; one for each process."""

    def __init__(self, at_once_max: int = HASHES_AT_ONCE_MAX, waiting_max: int = HASHES_WAITING_MAX) -> None:
        self._threads = ThreadPoolExecutor(at_once_max, thread_name_prefix="passwords")
        self._places = at_once_max + waiting_max
        self._taken = 0

    async def hash(self, password: str) -> str:
        """Hash a password; raises Unavailable where too many wait already."""
        return await self._run(lambda: hash_password(password))

    async def matches(self, password: str, password_hash: str | None) -> bool:
        """Say whether the password is the one that was hashed; takes as long where there is no hash.

        Raises: Unavailable where too many wait already.
        """
        return await self._run(lambda: password_matches(password, password_hash))

    def close(self) -> None:
        """Let the threads go, once they finished what they began."""
        self._threads.shutdown(cancel_futures=True)

    async def _run(self, work: Callable[[], Result]) -> Result:
        if self._taken >= self._places:
            raise Unavailable(
                "Too many people sign in at this moment. Try again in a few seconds.", retry_after_seconds=3
            )
        self._taken += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._taken -= 1
