"""Cursors come back as they went out, and forged ones are refused."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.kit.paging import CURSOR_LENGTH_MAX, BadCursor, decode_cursor, encode_cursor, page_of


@given(st.integers(0, 2**63 - 1))
def test_a_cursor_comes_back_as_it_went_out(row_id: int) -> None:
    cursor = encode_cursor(row_id)
    assert decode_cursor(cursor) == row_id
    assert len(cursor) <= CURSOR_LENGTH_MAX
    assert cursor.isascii()
    assert "=" not in cursor


@pytest.mark.parametrize("first_page", [None, ""])
def test_no_cursor_is_the_first_page(first_page: str | None) -> None:
    assert decode_cursor(first_page) is None


def forged(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "cursor",
    [
        "x", "not a cursor", "ünïcödé", "\x00", "=" * 10, "A" * (CURSOR_LENGTH_MAX + 1),
        forged("before:-1"), forged("before:"), forged("before:1.5"), forged("before:1 OR 1=1"),
        forged("after:1"), forged("before:1:2"), forged(f"before:{2**63}"), forged("before:" + "9" * 60),
        base64.urlsafe_b64encode(b"\xff\xfe").decode(),
    ],
)  # fmt: skip
def test_a_forged_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(BadCursor) as refused:
        decode_cursor(cursor)
    assert refused.value.status == 422
    assert refused.value.errors[0].pointer == "/cursor"


@given(st.text(max_size=120))
def test_any_text_is_a_row_id_or_refused(cursor: str) -> None:
    try:
        row_id = decode_cursor(cursor)
    except BadCursor:
        return
    assert row_id is None or 0 <= row_id < 2**63


def test_the_row_too_many_only_tells_that_there_is_more() -> None:
    page = page_of(["e", "d", "c"], [5, 4, 3], limit=2)
    assert page.items == ["e", "d"]
    assert decode_cursor(page.next_cursor) == 4


@pytest.mark.parametrize("rows", [[], ["a"], ["a", "b"]])
def test_a_last_page_has_no_next_one(rows: list[str]) -> None:
    page = page_of(rows, list(range(len(rows))), limit=2)
    assert page.items == rows
    assert page.next_cursor is None
