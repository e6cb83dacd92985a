import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.kit.problems import Invalid
from tollway.support.entities import (
    LINE_PATTERN,
    MESSAGE_LENGTH_MAX,
    REOPEN_DAYS,
    SUBJECT_LENGTH_MAX,
    TEXT_PATTERN,
    FeedbackDraft,
    Ticket,
    TicketDraft,
    TicketLongClosed,
    TicketStatus,
    TicketVolume,
    Topic,
    checked_message,
)

NOON = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)


def ticket(
    status: TicketStatus, *, closed_at: datetime | None = None, responded_at: datetime | None = None
) -> Ticket:
    return Ticket(
        id=1,
        public_id="tkt_1",
        customer_id=1,
        opened_by=None,
        opener_email=None,
        topic=Topic.OTHER,
        subject="s",
        status=status,
        created_at=NOON,
        updated_at=NOON,
        response_due_at=NOON + timedelta(hours=4),
        responded_at=responded_at,
        closed_at=closed_at,
    )


def pointers(failure: Invalid) -> list[str]:
    return [one.pointer for one in failure.errors]


def test_what_cannot_be_used_is_told_part_by_part():
    with pytest.raises(Invalid) as raised:
        TicketDraft.checked("gossip", " ", "m" * (MESSAGE_LENGTH_MAX + 1))
    assert pointers(raised.value) == ["/topic", "/subject", "/message"]
    assert "5,000 characters; this has 5,001" in raised.value.message
    with pytest.raises(Invalid) as raised:
        TicketDraft.checked("other", "two\nlines", "m")
    assert pointers(raised.value) == ["/subject"]
    with pytest.raises(Invalid) as raised:
        FeedbackDraft.checked("", 6, "")
    assert pointers(raised.value) == ["/feature", "/rating", "/feedback"]
    for empty in ("", " \n\t ", "\u200b", "a\0b"):
        with pytest.raises(Invalid):
            checked_message(empty)


def test_a_text_that_just_fits_is_taken_and_line_ends_are_one_character():
    draft = TicketDraft.checked(
        "billing", "s" * SUBJECT_LENGTH_MAX, "a\r\nb" + "m" * (MESSAGE_LENGTH_MAX - 3)
    )
    assert draft.topic is Topic.BILLING
    assert draft.message.startswith("a\nb")
    assert len(draft.message) == MESSAGE_LENGTH_MAX


@given(st.text(max_size=60))
def test_what_the_schema_of_the_api_takes_is_taken(text: str):
    """Whoever keeps to the published pattern is never refused for it."""
    if re.search(TEXT_PATTERN, text):
        assert checked_message(text)
    if re.search(LINE_PATTERN, text):
        assert TicketDraft.checked("other", text, "m").subject == text.strip()


@pytest.mark.parametrize("status", TicketStatus)
def test_a_message_of_the_customer_makes_it_our_turn(status):
    closed_at = NOON if status is TicketStatus.CLOSED else None
    last = NOON + timedelta(days=REOPEN_DAYS) - timedelta(microseconds=1)
    assert ticket(status, closed_at=closed_at).after_reply(last) is TicketStatus.OPEN


def test_thirty_days_after_its_end_a_ticket_stays_closed():
    closed = ticket(TicketStatus.CLOSED, closed_at=NOON)
    with pytest.raises(TicketLongClosed):
        closed.after_reply(NOON + timedelta(days=REOPEN_DAYS))


def test_only_an_open_ticket_without_an_answer_is_overdue_and_from_its_deadline_on():
    due = NOON + timedelta(hours=4)
    waiting = ticket(TicketStatus.OPEN)
    assert not waiting.is_overdue(due - timedelta(microseconds=1))
    assert waiting.is_overdue(due)
    assert not ticket(TicketStatus.OPEN, responded_at=NOON).is_overdue(due)
    assert not ticket(TicketStatus.CLOSED, closed_at=NOON).is_overdue(due)


def test_a_share_of_nothing_is_not_told():
    assert TicketVolume(0, 0, 0, 0, None, 0, 0).in_time_share is None
    assert TicketVolume(5, 2, 4, 3, 1.5, 1, 0).in_time_share == 0.75
