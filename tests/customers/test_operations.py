import asyncio
from datetime import timedelta

import pytest

from tollway.customers import flows, operations
from tollway.customers import retention_operations as retention
from tollway.customers.attempts import (
    SIGN_IN_MAILS_PER_HOUR,
    SIGN_IN_MAILS_PER_MINUTE,
    SIGN_INS_PER_EMAIL,
    SIGN_INS_PER_NETWORK,
    SIGN_UPS_PER_NETWORK,
    VERIFY_MAILS_PER_EMAIL,
    sign_in_attempts,
)
from tollway.customers.challenges import CodeVerdict
from tollway.customers.entities import (
    AddressTaken,
    ChallengePurpose,
    CodeExpired,
    CodeUsedUp,
    CodeWrong,
    LinkExpired,
    LinkUnknown,
    LinkUsed,
    TooManyAttempts,
    Visit,
)
from tollway.customers.permissions import UserType
from tollway.kit.problems import Invalid, NotFound

CODE_KEY = b"thirty-two bytes for code hashes"
VERIFY, SIGN_IN = ChallengePurpose.VERIFY, ChallengePurpose.SIGN_IN


def visit_at(now, address="192.0.2.7"):
    return Visit(address, "a browser", now)


async def make_user(database, now, email="ana@example.com"):
    async with database.transaction() as tx:
        user, _ = await operations.create_user_and_customer(tx, email, "Example Ltd", "Other", now)
    return user


async def issue(database, user, now, purpose=VERIFY):
    async with database.transaction() as tx:
        return await operations.issue_challenge(tx, CODE_KEY, user.id, purpose, now)


async def try_code(database, user, code, now, purpose=VERIFY):
    async with database.transaction() as tx:
        return await operations.try_code(tx, CODE_KEY, user.id, purpose, code, now)


async def open_link(database, link_token, now, purpose=VERIFY):
    async with database.transaction() as tx:
        await operations.use_link(tx, await operations.get_link(tx, link_token, purpose), now)


async def until_it_waits(database, work):
    """Start `work` and return it once it waits for a lock that somebody else holds, or ended without."""
    task = asyncio.ensure_future(work)
    while not task.done():
        async with database.transaction() as tx:
            if await tx.find_value("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                break
    return task


def wrong(code):
    return f"{(int(code) + 1) % 1_000_000:06}"


# Users and customers ------------------------------------------------------------------------------


@pytest.mark.promise("A12", "A41")
async def test_a_user_and_a_customer_are_made_together(database, now):
    async with database.transaction() as tx:
        user, customer = await operations.create_user_and_customer(
            tx, "Ana@Example.com", " Example Ltd ", "Portfolio Risk Analysis", now
        )
        assert await operations.get_user(tx, user.id) == user
        assert await operations.get_customer(tx, customer.id) == customer
        assert await operations.find_customer_of(tx, user.id) == customer
        assert await operations.find_verified_user(tx, "ana@example.com") is None
    assert (user.email, user.user_type, user.verified, user.has_password) == (
        "ana@example.com",
        UserType.API_CUSTOMER,
        False,
        False,
    )
    assert (customer.company_name, customer.billing_email) == ("Example Ltd", "ana@example.com")
    assert user.public_id.startswith("usr_")
    assert customer.public_id.startswith("cus_")


async def test_nobody_is_not_found(database):
    async with database.transaction() as tx:
        with pytest.raises(NotFound):
            await operations.get_user(tx, 1)
        with pytest.raises(NotFound):
            await operations.get_customer(tx, 1)
        with pytest.raises(NotFound):
            await operations.mark_verified(tx, 1, None)
        assert await operations.find_verified_user(tx, "no address\x00") is None


@pytest.mark.promise("X4")
async def test_an_address_may_be_shared_until_one_user_proves_it(database, now):
    first, second = await make_user(database, now), await make_user(database, now)
    async with database.transaction() as tx:
        _, changed = await operations.mark_verified(tx, first.id, now)
        assert changed
    async with database.transaction() as tx:
        _, changed = await operations.mark_verified(tx, first.id, now)
        assert not changed
    with pytest.raises(AddressTaken):
        async with database.transaction() as tx:
            await operations.mark_verified(tx, second.id, now)
    async with database.transaction() as tx:
        assert (await operations.find_verified_user(tx, " ANA@example.com")).id == first.id
        assert not (await operations.get_user(tx, second.id)).verified


async def test_of_two_verifications_at_once_one_wins(database, now):
    users = [await make_user(database, now) for _ in range(6)]

    async def verify(user):
        async with database.transaction() as tx:
            await operations.mark_verified(tx, user.id, now)

    answers = await asyncio.gather(*(verify(user) for user in users), return_exceptions=True)
    assert answers.count(None) == 1
    assert sum(isinstance(answer, AddressTaken) for answer in answers) == 5


async def test_an_administrator_is_verified_is_no_customer_and_is_on_record(database, now):
    async with database.transaction() as tx:
        user = await operations.create_administrator(tx, "Owner@example.com", UserType.ADMIN, now)
        assert user.verified
        assert user.user_type.administers
        assert await operations.find_customer_of(tx, user.id) is None
        entries = await tx.list_rows("SELECT action, subject FROM audit_entries")
    assert entries == [{"action": "user.made_administrator", "subject": user.public_id}]
    with pytest.raises(AddressTaken):
        async with database.transaction() as tx:
            await operations.create_administrator(tx, "owner@example.com", UserType.ADMIN, now)
    async with database.transaction() as tx:
        with pytest.raises(Invalid):
            await operations.create_administrator(tx, "owner", UserType.ADMIN, now)


# Links and codes ----------------------------------------------------------------------------------


@pytest.mark.promise("A29")
async def test_a_code_works_once(database, now):
    user = await make_user(database, now)
    issued = await issue(database, user, now)
    assert (await try_code(database, user, issued.code, now)).refusal() is None
    assert isinstance((await try_code(database, user, issued.code, now)).refusal(), CodeExpired)


async def test_a_code_is_worthless_after_five_guesses(database, now):
    user = await make_user(database, now)
    issued = await issue(database, user, now)
    lefts = []
    for _ in range(4):
        refusal = (await try_code(database, user, wrong(issued.code), now)).refusal()
        assert isinstance(refusal, CodeWrong)
        assert refusal.errors[0].pointer == "/code"
        lefts.append(refusal.message.split("; ")[1])
    assert lefts == [
        "4 more tries are left.",
        "3 more tries are left.",
        "2 more tries are left.",
        "1 more try is left.",
    ]
    for code in (wrong(issued.code), issued.code):
        assert isinstance((await try_code(database, user, code, now)).refusal(), CodeUsedUp)


async def test_guesses_at_the_same_time_are_counted_one_by_one(database, now):
    user = await make_user(database, now)
    issued = await issue(database, user, now)
    guess = wrong(issued.code)
    async with database.transaction() as tx:
        first = await operations.try_code(tx, CODE_KEY, user.id, VERIFY, guess, now)
        second = await until_it_waits(database, try_code(database, user, guess, now))
    assert (first.attempts_left, (await second).attempts_left) == (4, 3)


async def test_a_code_dies_after_fifteen_minutes_and_its_link_after_a_day(database, now):
    user = await make_user(database, now)
    issued = await issue(database, user, now)
    just_before, after = now + timedelta(minutes=14, seconds=59), now + timedelta(minutes=15)
    assert (await try_code(database, user, wrong(issued.code), just_before)).verdict is CodeVerdict.WRONG
    assert (await try_code(database, user, issued.code, after)).verdict is CodeVerdict.EXPIRED
    with pytest.raises(LinkExpired):
        await open_link(database, issued.link_token, now + timedelta(hours=24))
    await open_link(database, issued.link_token, now + timedelta(hours=23, minutes=59))


async def test_a_sign_in_link_dies_with_its_code(database, now):
    user = await make_user(database, now)
    issued = await issue(database, user, now, SIGN_IN)
    with pytest.raises(LinkExpired):
        await open_link(database, issued.link_token, now + timedelta(minutes=15), SIGN_IN)
    await open_link(database, issued.link_token, now + timedelta(minutes=14), SIGN_IN)


async def test_only_the_newest_code_works_but_any_young_link(database, now):
    user = await make_user(database, now)
    first = await issue(database, user, now)
    second = await issue(database, user, now)
    if first.code != second.code:
        assert (await try_code(database, user, first.code, now)).verdict is CodeVerdict.WRONG
    await open_link(database, first.link_token, now)
    with pytest.raises(LinkUsed):
        await open_link(database, second.link_token, now)
    assert (await try_code(database, user, second.code, now)).verdict is CodeVerdict.EXPIRED


async def test_a_link_works_once_even_when_it_is_opened_twice_at_once(database, now):
    user = await make_user(database, now)
    issued = await issue(database, user, now)
    async with database.transaction() as tx:
        await operations.use_link(tx, await operations.get_link(tx, issued.link_token, VERIFY), now)
        second = await until_it_waits(database, open_link(database, issued.link_token, now))
    with pytest.raises(LinkUsed):
        await second


async def test_a_link_is_good_for_its_own_purpose_alone(database, now):
    user = await make_user(database, now)
    issued = await issue(database, user, now, VERIFY)
    for link_token, purpose in [(issued.link_token, SIGN_IN), ("x" * 5000, VERIFY), ("", VERIFY)]:
        with pytest.raises(LinkUnknown):
            await open_link(database, link_token, now, purpose)
    assert (await try_code(database, user, issued.code, now, SIGN_IN)).verdict is CodeVerdict.EXPIRED


async def test_one_users_code_is_nobody_elses(database, now):
    ana, bob = await make_user(database, now), await make_user(database, now, "bob@example.com")
    of_ana, of_bob = await issue(database, ana, now), await issue(database, bob, now)
    if of_ana.code != of_bob.code:
        assert (await try_code(database, bob, of_ana.code, now)).verdict is CodeVerdict.WRONG


async def test_neither_link_nor_code_nor_session_secret_stands_in_the_database(database, now):
    user = await make_user(database, now)
    issued = await issue(database, user, now)
    async with database.transaction() as tx:
        secret = await operations.create_session(tx, user.id, visit_at(now))
        rows = await tx.list_rows("SELECT * FROM email_challenges, user_sessions")
    kept = repr(rows) + repr(issued)
    assert len(secret) == len(issued.link_token) == 43
    for hidden in (secret, issued.link_token, issued.code):
        assert hidden not in kept.replace(user.public_id, "").replace(issued.public_id, "")


# Attempts -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "limit"),
    [
        (flows.count_sign_up, VERIFY_MAILS_PER_EMAIL),
        (flows.count_sign_in, SIGN_INS_PER_EMAIL),
        (flows.count_sign_in_mail, SIGN_IN_MAILS_PER_MINUTE),
    ],
)
async def test_what_is_tried_too_often_for_one_address_is_refused_until_the_window_ends(
    database, now, count, limit
):
    for _ in range(limit.attempts_max):
        await count(database, "ana@example.com", visit_at(now))
    later = now + limit.window - timedelta(seconds=30)
    with pytest.raises(TooManyAttempts) as refused:
        await count(database, " ANA@example.com", visit_at(later, "198.51.100.1"))
    assert refused.value.retry_after_seconds == 30
    assert "Try again in 30 seconds." in refused.value.message
    assert refused.value.members["limit"] == limit.name
    await count(database, "bob@example.com", visit_at(later))
    await count(database, "ana@example.com", visit_at(now + limit.window))


@pytest.mark.parametrize(
    ("count", "limit"),
    [(flows.count_sign_up, SIGN_UPS_PER_NETWORK), (flows.count_sign_in, SIGN_INS_PER_NETWORK)],
)
async def test_what_is_tried_too_often_from_one_network_is_refused_there_alone(database, now, count, limit):
    for number in range(limit.attempts_max):
        await count(database, f"user{number}@example.com", visit_at(now, f"2001:db8::{number + 1:x}"))
    with pytest.raises(TooManyAttempts) as refused:
        await count(database, "ana@example.com", visit_at(now, "2001:db8::ffff"))
    assert refused.value.members["limit"] == limit.name
    await count(database, "ana@example.com", visit_at(now, "2001:db8:0:1::1"))


async def test_first_attempts_at_the_same_time_share_one_window(database, now):
    attempts = sign_in_attempts("ana@example.com", "192.0.2.7")
    async with database.transaction() as tx:
        assert await operations.count_attempts(tx, attempts, now) is None
        a_moment_later = visit_at(now + timedelta(microseconds=1))
        second = await until_it_waits(
            database, flows.count_sign_in(database, "ana@example.com", a_moment_later)
        )
    await second
    async with database.transaction() as tx:
        counts = await tx.list_rows("SELECT attempts, window_start FROM attempt_counts")
    assert counts == [{"attempts": 2, "window_start": now}] * 2


async def test_impatience_uses_up_the_minute_and_not_the_hour(database, now):
    """A refused wish for a mail must not count towards the limit that it never reached."""
    for minute in range(SIGN_IN_MAILS_PER_HOUR.attempts_max):
        moment = visit_at(now + timedelta(minutes=minute))
        await flows.count_sign_in_mail(database, "ana@example.com", moment)
        for _ in range(3):
            with pytest.raises(TooManyAttempts) as refused:
                await flows.count_sign_in_mail(database, "ana@example.com", moment)
            assert refused.value.members["limit"] == SIGN_IN_MAILS_PER_MINUTE.name
    with pytest.raises(TooManyAttempts) as refused:
        await flows.count_sign_in_mail(database, "ana@example.com", visit_at(now + timedelta(minutes=6)))
    assert refused.value.members["limit"] == SIGN_IN_MAILS_PER_HOUR.name
    assert refused.value.message == (
        "At most 5 sign-in mails to one address are allowed within 60 minutes. Try again in 54 minutes."
    )


async def test_what_cannot_be_an_address_is_counted_all_the_same(database, now):
    texts = ("\x00", "ana", "ana@", "", "a b@example.com") * 2
    assert len(texts) == SIGN_INS_PER_EMAIL.attempts_max
    for text in texts:
        await flows.count_sign_in(database, text, visit_at(now))
    with pytest.raises(TooManyAttempts):
        await flows.count_sign_in(database, "bob", visit_at(now))


# Sessions -----------------------------------------------------------------------------------------


async def start_session(database, user, now):
    async with database.transaction() as tx:
        return await operations.create_session(tx, user.id, visit_at(now))


async def find(database, secret, now):
    async with database.transaction() as tx:
        return await operations.find_session_caller(tx, secret, now)


async def test_a_session_tells_who_its_browser_belongs_to(database, now):
    user = await make_user(database, now)
    secret = await start_session(database, user, now)
    found = await find(database, secret, now)
    assert found.user == user
    assert found.customer.user_id == user.id
    caller = found.as_caller("192.0.2.7")
    assert (caller.owner_id, caller.user_id, caller.api_key_id) == (found.customer.id, user.id, None)
    for stranger in ("", "x", secret[:-1], secret + "x", "y" * 100_000):
        assert await find(database, stranger, now) is None


async def test_a_session_ends_after_thirty_days(database, now):
    secret = await start_session(database, await make_user(database, now), now)
    assert await find(database, secret, now + timedelta(days=30, seconds=-1)) is not None
    assert await find(database, secret, now + timedelta(days=30)) is None


async def test_a_session_ends_where_its_user_ends_it_and_nowhere_else(database, now):
    user = await make_user(database, now)
    here, there = await start_session(database, user, now), await start_session(database, user, now)
    found = await find(database, here, now)
    async with database.transaction() as tx:
        await operations.end_session(tx, found.session.id, now)
        await operations.end_session(tx, found.session.id, now)
    assert await find(database, here, now) is None
    assert await find(database, there, now) is not None


async def test_a_user_can_be_signed_out_everywhere_else(database, now):
    user, other = await make_user(database, now), await make_user(database, now, "bob@example.com")
    secrets = [await start_session(database, user, now) for _ in range(3)]
    of_other = await start_session(database, other, now)
    kept = (await find(database, secrets[1], now)).session.id
    async with database.transaction() as tx:
        assert await operations.end_other_sessions(tx, user.id, now, kept_session_id=kept) == 2
    alive = [await find(database, secret, now) is not None for secret in (*secrets, of_other)]
    assert alive == [False, True, False, True]


async def test_a_session_is_touched_once_a_minute_at_most(database, now):
    secret = await start_session(database, await make_user(database, now), now)
    seen = []
    for seconds in (0, 59, 60, 90, 121):
        await find(database, secret, now + timedelta(seconds=seconds))
        async with database.transaction() as tx:
            seen.append((await tx.find_value("SELECT last_seen_at FROM user_sessions") - now).seconds)
    assert seen == [0, 0, 60, 60, 121]


async def test_what_ended_long_ago_is_deleted_and_nothing_else(database, now):
    user = await make_user(database, now)
    long_ago = now - timedelta(days=61)
    for moment in (long_ago, now):
        await issue(database, user, moment)
        await start_session(database, user, moment)
        await flows.count_sign_in(database, "ana@example.com", visit_at(moment))
    async with database.transaction() as tx:
        assert await retention.delete_ended(tx, now) == 4
        assert await retention.delete_ended(tx, now) == 0
