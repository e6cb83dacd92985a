import secrets
from datetime import datetime, timedelta
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.conftest import DESK, Help

from tollway.customers.permissions import Role
from tollway.kit.paging import encode_cursor
from tollway.lifecycle import operations as lifecycle
from tollway.plans import operations as plans
from tollway.plans.entities import SubscriptionStatus
from tollway.support import operations
from tollway.support.entities import (
    MESSAGES_PER_DAY_MAX,
    MESSAGES_PER_TICKET_MAX,
    REOPEN_DAYS,
    TICKETS_PER_DAY_MAX,
    FeedbackDraft,
    TicketFull,
    TicketLongClosed,
    TicketNotFound,
    TicketStatus,
    TooManyTickets,
)

HOUR = timedelta(hours=1)


@pytest.mark.promise("X14", "A51", "C42", "C43")
@pytest.mark.parametrize(
    ("tiers", "hours"),
    [
        ({"montecarlo": "trial"}, 4),
        ({"montecarlo": "free_existing"}, 48),
        ({"montecarlo": "starter"}, 4),
        ({"montecarlo": "professional"}, 4),
        ({"montecarlo": "enterprise"}, 4),
        ({"wallet": "free"}, 48),
        ({"wallet": "professional"}, 24),
        ({"agents": "starter"}, 4),
        ({"agents": "professional"}, 4),
        ({"montecarlo": "free_existing", "wallet": "free"}, 48),
        ({"montecarlo": "free_existing", "wallet": "professional"}, 24),
        ({"montecarlo": "starter", "wallet": "free"}, 4),
    ],
)
async def test_the_first_answer_is_due_by_the_strictest_plan_held(desk: Help, now, tiers, hours):
    caller = await desk.caller("ana@example.com", now, tiers=tiers)
    ticket = await desk.open(caller, now)
    assert ticket.response_due_at == now + timedelta(hours=hours)
    assert ticket.status is TicketStatus.OPEN


async def test_a_plan_that_ended_is_not_held_any_more(desk: Help, now):
    user, customer = await desk.customer("ana@example.com", now, tiers={"wallet": "free"})
    async with desk.database.transaction() as tx:
        await plans.subscribe(
            tx, customer.id, "montecarlo", "trial", SubscriptionStatus.TRIALING, now, now + timedelta(days=14)
        )
    caller = desk.as_caller(user, customer)
    during, after = now + timedelta(days=13), now + timedelta(days=15)
    assert (await desk.open(caller, during)).response_due_at == during + 4 * HOUR
    assert (await desk.open(caller, after)).response_due_at == after + 48 * HOUR


@pytest.mark.promise("A39", "A18", "A52")
async def test_opening_mails_staff_and_tells_the_opener_by_when_and_that_a_call_is_offered(desk: Help, now):
    caller = await desk.caller("ana@example.com", now)
    ticket = await desk.open(caller, now, subject="<b>Help</b>", message="a < b")
    to_staff, to_opener = await desk.mails()
    assert (to_staff["to_address"], to_staff["template"]) == (DESK.email, "ticket_for_staff")
    assert to_opener["to_address"] == "ana@example.com"
    for mail, link in ((to_staff, DESK.staff_link(ticket)), (to_opener, DESK.ticket_link(ticket))):
        assert "15 June 2026, 16:00 UTC" in mail["text_body"]
        for body in (mail["text_body"], mail["html_body"]):
            assert link in body
        assert "a < b" in mail["text_body"]
        assert "a &lt; b" in mail["html_body"]
        assert "<b>Help" not in mail["html_body"]
    for body in (to_opener["text_body"], to_opener["html_body"]):
        assert "Would a call help?" in body
        assert "within 4 hours" in body
    billing = await desk.open(caller, now, topic="billing")
    assert not billing.topic.offers_call
    assert "call" not in (await desk.mails())[-1]["text_body"]


async def test_nobody_mails_texts_of_theirs_to_a_stranger_through_us(desk: Help, now):
    caller = await desk.caller("ana@example.com", now, verified=False)
    await desk.open(caller, now)
    assert [mail["to_address"] for mail in await desk.mails()] == [DESK.email]


@pytest.mark.promise("A39")
async def test_a_ticket_goes_from_question_to_answer_to_its_end(desk: Help, now):
    caller, staff = await desk.caller("ana@example.com", now), await desk.administrator(now)
    ticket = await desk.open(caller, now)
    answered = await desk.answer(staff, ticket, now + HOUR, "Send a <smaller> file.")
    assert (answered.status, answered.responded_at) == (TicketStatus.ANSWERED, now + HOUR)
    mail = (await desk.mails())[-1]
    assert (mail["to_address"], mail["template"]) == ("ana@example.com", "ticket_answered")
    assert "Send a <smaller> file." in mail["text_body"]
    assert "Send a &lt;smaller&gt; file." in mail["html_body"]
    assert "two or three times that suit you" in mail["text_body"]

    replied = await desk.reply(caller, ticket, now + 2 * HOUR)
    assert replied.status is TicketStatus.OPEN
    again = await desk.answer(staff, ticket, now + 3 * HOUR)
    assert again.responded_at == now + HOUR
    async with desk.database.transaction() as tx:
        closed = await operations.close_as_staff(tx, DESK, staff, ticket.public_id, now + 4 * HOUR)
        messages = await operations.list_messages(tx, closed)
    assert (closed.status, closed.closed_at) == (TicketStatus.CLOSED, now + 4 * HOUR)
    mail = (await desk.mails())[-1]
    assert (mail["to_address"], mail["template"]) == ("ana@example.com", "ticket_closed")
    for body in (mail["text_body"], mail["html_body"]):
        assert "within 30 days" in body
        assert DESK.ticket_link(ticket) in body
    assert [one.shown_author for one in messages] == [
        "ana@example.com",
        "Support",
        "ana@example.com",
        "Support",
    ]
    actions = await desk.rows(
        "SELECT action, actor FROM audit_entries WHERE starts_with(action, 'ticket.') ORDER BY id"
    )
    assert [row["action"] for row in actions] == [
        "ticket.opened",
        "ticket.answered",
        "ticket.replied",
        "ticket.answered",
        "ticket.closed",
    ]
    assert actions[0]["actor"] == caller.actor
    assert actions[1]["actor"] == staff.actor


async def test_a_ticket_is_closed_once_and_whoever_closes_it_gets_no_mail(desk: Help, now):
    caller = await desk.caller("ana@example.com", now)
    ticket = await desk.open(caller, now)
    before = len(await desk.mails())
    closed = await desk.close(caller, ticket, now + HOUR)
    assert await desk.close(caller, ticket, now + 2 * HOUR) == closed
    assert len(await desk.mails()) == before
    closings = await desk.rows("SELECT id FROM audit_entries WHERE action = 'ticket.closed'")
    assert len(closings) == 1


async def test_a_reply_reopens_within_thirty_days_and_a_first_answer_is_then_due_anew(desk: Help, now):
    caller, staff = await desk.caller("ana@example.com", now), await desk.administrator(now)
    unanswered, answered = await desk.open(caller, now), await desk.open(caller, now)
    await desk.answer(staff, answered, now + HOUR)
    for ticket in (unanswered, answered):
        await desk.close(caller, ticket, now + HOUR)
    later = now + timedelta(days=20)
    reopened = await desk.reply(caller, unanswered, later)
    assert (reopened.status, reopened.closed_at) == (TicketStatus.OPEN, None)
    assert reopened.response_due_at == later + 4 * HOUR
    assert not reopened.is_overdue(later)
    assert (await desk.reply(caller, answered, later)).response_due_at == now + 4 * HOUR
    await desk.close(caller, answered, later)
    with pytest.raises(TicketLongClosed, match="more than 30 days ago"):
        await desk.reply(caller, answered, later + timedelta(days=REOPEN_DAYS))


async def test_another_customers_ticket_is_not_there(desk: Help, now):
    ana, ben = await desk.caller("ana@example.com", now), await desk.caller("ben@example.com", now)
    ticket = await desk.open(ana, now)
    with pytest.raises(TicketNotFound):
        await desk.reply(ben, ticket, now)
    with pytest.raises(TicketNotFound):
        await desk.close(ben, ticket, now)
    async with desk.database.transaction() as tx:
        with pytest.raises(TicketNotFound):
            await operations.get_ticket(tx, ben.owner_id, ticket.public_id)
        assert (await operations.list_tickets(tx, ben.owner_id)).items == []


async def test_answers_go_to_the_owners_once_the_opener_left_or_was_a_key(desk: Help, now):
    user, customer = await desk.customer("ana@example.com", now)
    staff = await desk.administrator(now)
    colleague = await desk.colleague(customer, "dev@example.com", Role.DEVELOPER, now)
    ticket = await desk.open(desk.as_caller(colleague, customer, Role.DEVELOPER), now)
    await desk.answer(staff, ticket, now)
    assert (await desk.mails())[-1]["to_address"] == "dev@example.com"
    async with desk.database.transaction() as tx:
        await tx.execute("DELETE FROM customer_members WHERE user_id = %(id)s", {"id": colleague.id})
    await desk.answer(staff, ticket, now)
    assert (await desk.mails())[-1]["to_address"] == user.email


@pytest.mark.promise("A51")
async def test_staff_is_told_an_hour_before_and_when_a_first_answer_is_overdue_once_each(desk: Help, now):
    caller = await desk.caller("ana@example.com", now)
    ticket = await desk.open(caller, now)
    before = len(await desk.mails())

    async def told(moment: datetime) -> int:
        async with desk.database.transaction() as tx:
            return await operations.tell_deadlines(tx, DESK, moment, 50)

    moments = [now + 2 * HOUR, now + 3 * HOUR, now + 3 * HOUR, now + 4 * HOUR, now + 5 * HOUR]
    assert [await told(moment) for moment in moments] == [0, 1, 0, 1, 0]
    soon, overdue = (await desk.mails())[before:]
    assert soon["to_address"] == overdue["to_address"] == DESK.email
    assert soon["subject"].startswith("Due within the hour: ")
    assert overdue["subject"].startswith("Overdue: ")
    for mail in (soon, overdue):
        for body in (mail["text_body"], mail["html_body"]):
            assert "15 June 2026, 16:00 UTC" in body
            assert DESK.staff_link(ticket) in body


async def test_a_watch_that_stood_still_tells_that_it_is_overdue_and_nothing_else(desk: Help, now):
    caller, staff = await desk.caller("ana@example.com", now), await desk.administrator(now)
    await desk.open(caller, now)
    answered, closed = await desk.open(caller, now), await desk.open(caller, now)
    await desk.answer(staff, answered, now)
    await desk.close(caller, closed, now)
    before = len(await desk.mails())
    for _ in range(2):
        async with desk.database.transaction() as tx:
            await operations.tell_deadlines(tx, DESK, now + 9 * HOUR, 50)
    assert [mail["subject"].split(":")[0] for mail in (await desk.mails())[before:]] == ["Overdue"]


async def test_two_workers_at_once_tell_a_deadline_once(desk: Help, now):
    await desk.open(await desk.caller("ana@example.com", now), now)
    async with desk.database.transaction() as first, desk.database.transaction() as second:
        told = [
            await operations.tell_deadlines(first, DESK, now + 4 * HOUR, 50),
            await operations.tell_deadlines(second, DESK, now + 4 * HOUR, 50),
        ]
    assert told == [1, 0]


async def test_the_queue_shows_what_is_most_urgent_first_page_by_page(desk: Help, now):
    slow = await desk.caller("slow@example.com", now, tiers={"wallet": "free"})
    fast, staff = await desk.caller("fast@example.com", now), await desk.administrator(now)
    patient = await desk.open(slow, now - 2 * HOUR)
    urgent = await desk.open(fast, now)
    again = await desk.open(fast, now - 3 * HOUR)
    await desk.answer(staff, again, now)
    await desk.reply(fast, again, now)
    ours = await desk.open(fast, now - 3 * HOUR)
    await desk.answer(staff, ours, now)
    over = await desk.open(fast, now - 3 * HOUR)
    await desk.close(fast, over, now)
    wanted = [one.public_id for one in (urgent, patient, again, ours, over)]
    found, cursor = [], None
    async with desk.database.transaction() as tx:
        for _ in range(3):
            page = await operations.list_queue(tx, cursor=cursor, limit=2)
            found += [one.public_id for one in page.items]
            cursor = page.next_cursor
        waiting = await operations.list_queue(tx, TicketStatus.OPEN)
        of_slow = await operations.list_queue(tx, customer_id=slow.customer_id)
        nothing = await operations.list_queue(tx, cursor=encode_cursor(10**9))
    assert found == wanted
    assert cursor is None
    assert [one.public_id for one in waiting.items] == wanted[:3]
    assert [one.public_id for one in of_slow.items] == [patient.public_id]
    assert nothing.items == []


@pytest.mark.promise("B60")
async def test_the_volume_counts_what_came_and_how_fast_it_was_answered(desk: Help, now):
    caller, staff = await desk.caller("ana@example.com", now), await desk.administrator(now)
    async with desk.database.transaction() as tx:
        nothing = await operations.get_volume(tx, now)
    assert (nothing.opened_count, nothing.median_response_hours, nothing.in_time_share) == (0, None, None)
    await desk.open(caller, now - timedelta(days=40))
    for hours in (1, 3, 6):
        await desk.answer(staff, await desk.open(caller, now), now + hours * HOUR)
    await desk.close(caller, await desk.open(caller, now), now)
    await desk.open(caller, now)
    async with desk.database.transaction() as tx:
        volume = await operations.get_volume(tx, now + 9 * HOUR)
    assert (volume.opened_count, volume.closed_count) == (5, 1)
    assert (volume.answered_count, volume.answered_in_time_count) == (3, 2)
    assert volume.median_response_hours == pytest.approx(3.0)
    assert (volume.waiting_count, volume.overdue_count) == (2, 2)


async def test_a_day_holds_so_many_tickets_and_messages_and_says_when_the_next_may_come(desk: Help, now):
    caller = await desk.caller("ana@example.com", now)
    for _ in range(TICKETS_PER_DAY_MAX):
        ticket = await desk.open(caller, now)
    with pytest.raises(TooManyTickets, match="20 tickets opened") as raised:
        await desk.open(caller, now + 23 * HOUR)
    assert raised.value.retry_after_seconds == 3_600
    for _ in range(MESSAGES_PER_DAY_MAX - TICKETS_PER_DAY_MAX):
        await desk.reply(caller, ticket, now)
    with pytest.raises(TooManyTickets, match="200 messages written"):
        await desk.reply(caller, ticket, now)
    tomorrow = now + 24 * HOUR
    await desk.open(caller, tomorrow)
    await desk.reply(caller, ticket, tomorrow)


async def test_a_ticket_holds_so_many_messages(desk: Help, now):
    caller, staff = await desk.caller("ana@example.com", now), await desk.administrator(now)
    ticket = await desk.open(caller, now)
    async with desk.database.transaction() as tx:
        await tx.execute(
            """
            INSERT INTO ticket_messages (public_id, ticket_id, from_staff, body, created_at)
            SELECT 'msg_' || n, %(id)s, true, 'x', %(now)s FROM generate_series(2, %(most)s) n
            """,
            {"id": ticket.id, "now": now, "most": MESSAGES_PER_TICKET_MAX},
        )
    with pytest.raises(TicketFull, match="500 messages"):
        await desk.reply(caller, ticket, now)
    with pytest.raises(TicketFull):
        await desk.answer(staff, ticket, now)


@pytest.mark.promise("A23")
async def test_feedback_is_kept_with_who_gave_it_and_listed_newest_first(desk: Help, now):
    caller, staff = await desk.caller("ana@example.com", now), await desk.administrator(now)
    async with desk.database.transaction() as tx:
        await operations.give_feedback(tx, caller, FeedbackDraft.checked("Charts", 5, "Fine."), now)
        await operations.give_feedback(tx, staff, FeedbackDraft.checked("Keys", None, "Slow."), now)
        page = await operations.list_feedback(tx, limit=1)
        rest = await operations.list_feedback(tx, page.next_cursor)
    (newest,), (oldest,) = page.items, rest.items
    assert (newest.feature, newest.rating, newest.customer_public_id) == ("Keys", None, None)
    assert (oldest.feature, oldest.rating, oldest.user_email) == ("Charts", 5, "ana@example.com")
    assert oldest.customer_public_id == caller.customer.public_id


async def test_feedback_of_one_person_is_bounded(desk: Help, now):
    caller = await desk.caller("ana@example.com", now)
    draft = FeedbackDraft.checked("Charts", 5, "Fine.")
    async with desk.database.transaction() as tx:
        for _ in range(20):
            await operations.give_feedback(tx, caller, draft, now)
        with pytest.raises(TooManyTickets, match="20 entries of feedback"):
            await operations.give_feedback(tx, caller, draft, now)


async def test_who_never_verified_is_forgotten_with_what_they_asked(desk: Help, now):
    caller, other = (
        await desk.caller("ana@example.com", now, verified=False),
        await desk.caller("b@example.com", now),
    )
    await desk.open(caller, now)
    await desk.open(other, now)
    async with desk.database.transaction() as tx:
        await operations.give_feedback(tx, caller, FeedbackDraft.checked("Charts", 5, "Fine."), now)
        assert await lifecycle.delete_unverified(tx, caller.customer, now)
    left = await desk.rows("SELECT customer_id FROM support_tickets")
    assert left == [{"customer_id": other.customer_id}]
    assert await desk.rows("SELECT id FROM feedback_entries") == []


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["reply", "answer", "close", "close_as_staff"]), st.integers(0, 20)),
        max_size=8,
    )
)
async def test_no_sequence_of_steps_leaves_a_ticket_that_contradicts_itself(desk: Help, now, steps):
    people = SimpleNamespace(
        caller=await desk.caller(f"{secrets.token_hex(6)}@example.com", now),
        staff=desk.as_caller((await desk.customer("s@example.com", now, verified=False))[0], None),
    )
    ticket, moment, answers = await desk.open(people.caller, now), now, []
    for step, days in steps:
        moment += timedelta(days=days)
        before = ticket
        try:
            match step:
                case "reply":
                    ticket = await desk.reply(people.caller, ticket, moment)
                case "answer":
                    ticket = await desk.answer(people.staff, ticket, moment)
                    answers.append(moment)
                case "close":
                    ticket = await desk.close(people.caller, ticket, moment)
                case _:
                    async with desk.database.transaction() as tx:
                        ticket = await operations.close_as_staff(
                            tx, DESK, people.staff, ticket.public_id, moment
                        )
        except TicketLongClosed:
            assert before.closed_at <= moment - timedelta(days=REOPEN_DAYS)
        assert (ticket.status is TicketStatus.CLOSED) == (ticket.closed_at is not None)
        assert ticket.responded_at == (answers[0] if answers else None)
        assert ticket.response_due_at > ticket.created_at
        assert ticket.updated_at <= moment
