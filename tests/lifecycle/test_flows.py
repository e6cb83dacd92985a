"""Verification, sign-in and their limits, as a page would drive them."""

import asyncio
from datetime import timedelta

import pytest
from tests.lifecycle.conftest import BASE, code_in, link_token_in

from tollway.customers import flows as customer_flows
from tollway.customers.entities import (
    AddressTaken,
    CodeExpired,
    CodeUsedUp,
    CodeWrong,
    LinkExpired,
    LinkUsed,
    SignInRefused,
    TooManyAttempts,
)
from tollway.customers.flows import Passwords
from tollway.kit.idempotency import BadIdempotencyKey, IdempotencyKeyReused
from tollway.kit.problems import Invalid
from tollway.lifecycle import flows
from tollway.lifecycle.entities import SignUpForm

PASSWORD = "correct horse battery"


@pytest.fixture
def passwords():
    opened = Passwords()
    yield opened
    opened.close()


async def sign_up_again(town, key, *, company="Example Ltd", address="192.0.2.7"):
    form = SignUpForm("ana@example.com", company, "Other")
    return await flows.sign_up(
        town.database, town.parts, form, town.visit(address=address), idempotency_key=key
    )


def wrong(code):
    return f"{(int(code) + 1) % 1_000_000:06}"


# Sign-up ------------------------------------------------------------------------------------------


async def test_a_sign_up_that_is_sent_twice_makes_one_customer(town):
    first, second = [await sign_up_again(town, "7f3c") for _ in range(2)]
    assert first.customer == second.customer
    assert len(await town.mails()) == 1
    for signed_up in (first, second):
        assert (await town.caller(signed_up.session_secret)).user == first.user
    with pytest.raises(IdempotencyKeyReused):
        await sign_up_again(town, "7f3c", company="Another Ltd")
    with pytest.raises(BadIdempotencyKey):
        await sign_up_again(town, "")
    elsewhere = await sign_up_again(town, "7f3c", address="198.51.100.1")
    assert elsewhere.customer != first.customer


async def test_sign_ups_at_the_same_time_with_one_key_make_one_customer(town):
    answers = await asyncio.gather(*(sign_up_again(town, "7f3c") for _ in range(4)))
    assert len({answer.customer.id for answer in answers}) == 1
    assert len(await town.mails()) == 1


async def test_a_repeated_sign_up_signs_nobody_in_once_the_address_is_proven(town):
    first = await sign_up_again(town, "7f3c")
    link_token = link_token_in(await town.newest_mail())
    await flows.verify_by_link(town.database, town.parts, link_token, None, town.visit())
    again = await sign_up_again(town, "7f3c")
    assert again.customer == first.customer
    assert again.session_secret is None


async def test_nobodys_mailbox_is_filled_by_sign_ups(town):
    for _ in range(6):
        await town.sign_up()
    with pytest.raises(TooManyAttempts) as refused:
        await town.sign_up()
    assert "6 mails that verify one address" in refused.value.message
    assert len(await town.mails()) == 6


# Verification -------------------------------------------------------------------------------------


@pytest.mark.promise("A29")
async def test_wrong_codes_stay_counted_though_they_are_refused(town):
    caller = await town.caller((await town.sign_up()).session_secret)
    code = code_in(await town.newest_mail())
    for _ in range(4):
        with pytest.raises(CodeWrong):
            await flows.verify_by_code(town.database, town.parts, caller, wrong(code), town.visit())
    for tried in (wrong(code), code):
        with pytest.raises(CodeUsedUp):
            await flows.verify_by_code(town.database, town.parts, caller, tried, town.visit())


@pytest.mark.promise("X4")
async def test_guessing_codes_feels_the_same_for_a_known_address(town):
    await town.verified()
    told = {}
    for email in ("ana@example.com", "bob@example.com"):
        caller = await town.caller((await town.sign_up(email)).session_secret)
        (challenge,) = await town.rows(
            f"SELECT id FROM email_challenges WHERE user_id = {caller.user.id} AND used_at IS NULL"
        )
        assert challenge
        told[email] = []
        for _ in range(6):
            with pytest.raises((CodeWrong, CodeUsedUp)) as refused:
                # No code has letters only, so this one is wrong for certain.
                await flows.verify_by_code(town.database, town.parts, caller, "abcdef", town.visit())
            told[email].append((refused.value.code, refused.value.message))
    assert told["ana@example.com"] == told["bob@example.com"]


async def test_a_new_code_replaces_a_spent_one_once_a_minute(town):
    caller = await town.caller((await town.sign_up()).session_secret)
    old_code = code_in(await town.newest_mail())
    with pytest.raises(TooManyAttempts) as refused:
        await flows.resend_verification(town.database, town.parts, caller.user.id, town.visit())
    assert refused.value.retry_after_seconds == 60
    minute_later = town.visit(town.now + timedelta(minutes=1))
    assert await flows.resend_verification(town.database, town.parts, caller.user.id, minute_later)
    new_code = code_in(await town.newest_mail())
    if new_code != old_code:
        with pytest.raises(CodeWrong):
            await flows.verify_by_code(town.database, town.parts, caller, old_code, minute_later)
    await flows.verify_by_code(town.database, town.parts, caller, new_code, minute_later)
    assert not await flows.resend_verification(town.database, town.parts, caller.user.id, minute_later)


async def test_at_most_five_more_mails_an_hour(town):
    user_id = (await town.sign_up()).user.id
    for minute in range(1, 6):
        visit = town.visit(town.now + timedelta(minutes=minute))
        await flows.resend_verification(town.database, town.parts, user_id, visit)
    with pytest.raises(TooManyAttempts) as refused:
        await flows.resend_verification(
            town.database, town.parts, user_id, town.visit(town.now + timedelta(minutes=6))
        )
    assert refused.value.retry_after_seconds == 54 * 60
    assert len(await town.mails()) == 6


async def test_a_link_that_is_too_old_is_told_so_and_replaced(town):
    await town.sign_up()
    link_token = link_token_in(await town.newest_mail())
    next_day = town.visit(town.now + timedelta(hours=24))
    with pytest.raises(LinkExpired, match="Ask for a new one"):
        await flows.verify_by_link(town.database, town.parts, link_token, None, next_day)
    assert await flows.resend_by_link(town.database, town.parts, link_token, next_day)
    fresh = link_token_in(await town.newest_mail())
    verified = await flows.verify_by_link(town.database, town.parts, fresh, None, next_day)
    assert verified.user.verified


async def test_a_link_that_was_used_confirms_but_signs_nobody_in(town):
    await town.sign_up()
    link_token = link_token_in(await town.newest_mail())
    first = await flows.verify_by_link(town.database, town.parts, link_token, None, town.visit())
    again = await flows.verify_by_link(town.database, town.parts, link_token, None, town.visit())
    assert first.session_secret is not None
    assert again.session_secret is None
    assert again.user == first.user
    assert [mail.template for mail in await town.mails()] == ["verify_address", "welcome"]


async def test_typing_the_code_again_changes_nothing(town):
    caller = await town.caller((await town.sign_up()).session_secret)
    code = code_in(await town.newest_mail())
    await flows.verify_by_code(town.database, town.parts, caller, code, town.visit())
    again = await flows.verify_by_code(town.database, town.parts, caller, code, town.visit())
    assert again.session_secret is None
    assert len(await town.mails()) == 2


async def test_two_verifications_of_one_address_at_once_have_one_winner(town):
    callers, codes = [], []
    for _ in range(3):
        callers.append(await town.caller((await town.sign_up()).session_secret))
        codes.append(code_in(await town.newest_mail()))
    answers = await asyncio.gather(
        *(
            flows.verify_by_code(town.database, town.parts, caller, code, town.visit())
            for caller, code in zip(callers, codes, strict=True)
        ),
        return_exceptions=True,
    )
    refusals = [answer for answer in answers if isinstance(answer, AddressTaken)]
    assert len(refusals) == 2
    assert "already has a customer" in refusals[0].message
    assert len(await town.rows("SELECT id FROM users WHERE email_verified_at IS NOT NULL")) == 1
    assert [mail.template for mail in await town.mails()].count("welcome") == 1
    assert len(await town.rows("SELECT id FROM api_subscriptions WHERE status = 'trialing'")) == 1


# Sign-in ------------------------------------------------------------------------------------------


@pytest.mark.promise("X4")
async def test_a_mailed_link_signs_in_once_and_the_browser_gets_a_new_session(town):
    before = await town.verified()
    await flows.request_sign_in(town.database, town.parts, "ANA@example.com ", town.visit())
    mail = await town.newest_mail()
    assert (mail.template, mail.to_address) == ("sign_in", "ana@example.com")
    assert f"{BASE}/signin/link?token=" in mail.text_body
    link_token = link_token_in(mail)
    signed_in = await flows.sign_in_by_link(town.database, town.parts, link_token, before, town.visit())
    assert (await town.caller(signed_in.session_secret)).user == before.user
    alive = await town.rows("SELECT id FROM user_sessions WHERE ended_at IS NULL")
    assert before.session.id not in [row["id"] for row in alive]
    with pytest.raises(LinkUsed):
        await flows.sign_in_by_link(town.database, town.parts, link_token, None, town.visit())


async def test_a_mailed_code_signs_in_once(town):
    caller = await town.verified()
    await flows.request_sign_in(town.database, town.parts, "ana@example.com", town.visit())
    code = code_in(await town.newest_mail())
    signed_in = await flows.sign_in_by_code(
        town.database, town.parts, "Ana@example.com", code, None, town.visit()
    )
    assert signed_in.user == caller.user
    with pytest.raises(SignInRefused):
        await flows.sign_in_by_code(town.database, town.parts, "ana@example.com", code, None, town.visit())


async def test_every_refused_sign_in_reads_the_same_whatever_was_wrong(town, passwords):
    caller = await town.verified()
    await customer_flows.set_password(town.database, passwords, caller, PASSWORD, town.visit())
    await flows.request_sign_in(town.database, town.parts, "ana@example.com", town.visit())
    code = code_in(await town.newest_mail())
    by_code, by_password = set(), set()
    for email, tried in [("ana@example.com", wrong(code)), ("bob@example.com", code), ("no address", code)]:
        with pytest.raises(SignInRefused) as refused:
            await flows.sign_in_by_code(town.database, town.parts, email, tried, None, town.visit())
        by_code.add(refused.value.message)
    for email, tried in [("ana@example.com", "wrong"), ("bob@example.com", PASSWORD), ("\x00", PASSWORD)]:
        with pytest.raises(SignInRefused) as refused:
            await flows.sign_in_by_password(
                town.database, town.parts, passwords, email, tried, None, town.visit()
            )
        by_password.add(refused.value.message)
    assert len(by_code) == len(by_password) == 1


async def test_a_password_signs_in_and_ends_the_session_before(town, passwords):
    caller = await town.verified()
    await customer_flows.set_password(town.database, passwords, caller, PASSWORD, town.visit())
    signed_in = await flows.sign_in_by_password(
        town.database, town.parts, passwords, "ana@example.com", PASSWORD, caller, town.visit()
    )
    alive = await town.rows("SELECT id FROM user_sessions WHERE ended_at IS NULL")
    assert [row["id"] for row in alive] == [(await town.caller(signed_in.session_secret)).session.id]
    entries = await town.rows("SELECT details FROM audit_entries WHERE action = 'user.signed_in'")
    assert entries == [{"details": {"method": "password"}}]


async def test_guessing_a_password_is_bounded_even_for_an_address_that_nobody_has(town, passwords):
    for email in ("nobody@example.com", "ana@example.com"):
        for _ in range(10):
            with pytest.raises(SignInRefused):
                await flows.sign_in_by_password(
                    town.database, town.parts, passwords, email, "wrong", None, town.visit()
                )
        with pytest.raises(TooManyAttempts) as refused:
            await flows.sign_in_by_password(
                town.database,
                town.parts,
                passwords,
                email,
                PASSWORD,
                None,
                town.visit(address="198.51.100.1"),
            )
        assert refused.value.retry_after_seconds == 15 * 60


async def test_sign_in_codes_bear_five_guesses(town):
    await town.verified()
    await flows.request_sign_in(town.database, town.parts, "ana@example.com", town.visit())
    code = code_in(await town.newest_mail())
    for tried in [wrong(code)] * 5 + [code]:
        with pytest.raises(SignInRefused):
            await flows.sign_in_by_code(
                town.database, town.parts, "ana@example.com", tried, None, town.visit()
            )


async def test_asking_for_a_sign_in_mail_looks_alike_for_every_address(town):
    await town.verified()
    mail_count = len(await town.mails())
    told = {}
    for email in ("ana@example.com", "nobody@example.com"):
        told[email] = [await flows.request_sign_in(town.database, town.parts, email, town.visit())]
        with pytest.raises(TooManyAttempts) as refused:
            await flows.request_sign_in(town.database, town.parts, email, town.visit())
        told[email].append((refused.value.message, refused.value.retry_after_seconds))
    assert told["ana@example.com"] == told["nobody@example.com"]
    assert [mail.template for mail in (await town.mails())[mail_count:]] == ["sign_in"]
    with pytest.raises(Invalid) as refused:
        await flows.request_sign_in(town.database, town.parts, "no address", town.visit())
    assert refused.value.errors[0].pointer == "/email"


async def test_an_address_that_was_never_proven_gets_no_sign_in_mail(town):
    await town.sign_up()
    await flows.request_sign_in(town.database, town.parts, "ana@example.com", town.visit())
    assert [mail.template for mail in await town.mails()] == ["verify_address"]


async def test_an_old_code_does_not_sign_in(town):
    caller = await town.caller((await town.sign_up()).session_secret)
    code = code_in(await town.newest_mail())
    with pytest.raises(CodeExpired):
        await flows.verify_by_code(
            town.database, town.parts, caller, code, town.visit(town.now + timedelta(minutes=15))
        )
