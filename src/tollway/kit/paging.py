"""Lists are paged by cursor: a page, and where the next one begins. Stable while rows come and go."""

import base64
import binascii
from dataclasses import dataclass
from typing import Generic, TypeVar

from tollway.kit.problems import FieldError, Invalid

Item = TypeVar("Item")

PAGE_SIZE = 20
PAGE_SIZE_MAX = 100
CURSOR_LENGTH_MAX = 100


class BadCursor(Invalid):
    """A cursor that we did not make."""

    code = "bad-cursor"
    title = "That cursor is not one of ours"


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Some items, newest first, and the cursor of the next page where there is one."""

    items: list[Item]
    next_cursor: str | None


def page_of(rows: list[Item], row_ids: list[int], limit: int) -> Page[Item]:
    """Make a page from up to `limit + 1` rows: the one too many only tells that there is more."""
    more = len(rows) > limit
    return Page(rows[:limit], encode_cursor(row_ids[limit - 1]) if more else None)


def encode_cursor(row_id: int) -> str:
    """Write the identity of a page's last row as an opaque text."""
    return base64.urlsafe_b64encode(f"before:{row_id}".encode()).decode().rstrip("=")


def decode_cursor(cursor: str | None) -> int | None:
    """Read a cursor back; None and the empty text mean the first page. Raises BadCursor.

    A forged cursor can only skip rows of the caller's own list, so it needs no signature.
    """
    if not cursor:
        return None
    try:
        if len(cursor) > CURSOR_LENGTH_MAX:
            raise ValueError
        kind, _, number = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().partition(":")
        if kind != "before" or not number.isdecimal() or int(number) >= 2**63:
            raise ValueError
        return int(number)
    except (ValueError, binascii.Error) as failure:
        raise BadCursor(
            "The cursor was not made by this API. Use the `next_cursor` of the page before, or leave it out.",
            errors=(FieldError("/cursor", "is not a cursor of this API"),),
        ) from failure
