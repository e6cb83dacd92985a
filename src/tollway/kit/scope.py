"""What belongs to the request or job under way: its id, and whether a transaction is open.

Context variables, so that a task started inside a request inherits them and none other sees them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

request_id: ContextVar[str] = ContextVar("request_id", default="")

_open_transactions: ContextVar[int] = ContextVar("open_transactions", default=0)


@contextmanager
def transaction_open() -> Iterator[None]:
    """Mark the enclosed code as holding a transaction, so that `kit.net` refuses to work inside it."""
    reset = _open_transactions.set(_open_transactions.get() + 1)
    try:
        yield
    finally:
        _open_transactions.reset(reset)


def in_transaction() -> bool:
    """Say whether the running task holds a transaction."""
    return _open_transactions.get() > 0
