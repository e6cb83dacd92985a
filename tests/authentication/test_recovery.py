"""Forgotten passwords, changed addresses, and proving once more who one is."""

import re
from datetime import timedelta

import pytest
from tests.authentication.conftest import FACTOR_KEYS, Person, make_person

from tollway.authentication import flows, recovery_flows
from tollway.authentication.entities import SecondFactorCodeWrong, totp_code
from tollway.customers import admin_operations as administration
from tollway.customers import flows as customer_flows
from tollway.customers import operations as customers
from tollway.customers.entities import (
    AddressTaken,
    ChallengePurpose,
    LinkExpired,
    LinkUsed,
    PasswordNotAccepted,
    SignInAgain,
    TooManyAttempts,
)
from tollway.customers.flows import Passwords
from tollway.kit.problems import Invalid

BASE = "http://localhost:6789"
PASSWORD = "correct horse battery"
HOUR = timedelta(hours=1)


async def newest_mail(person: Person, to: str) -> dict:
    (mail,) = await person.rows(
        f"SELECT template, text_body FROM outbox_mails WHERE to_address = '{to}' ORDER BY id DESC LIMIT 1"
    )
    return mail


def token_in(mail: dict) -> str:
    return re.search(r"token=([\w-]+)", mail["text_body"]).group(1)


async def ask_reset(person: Person, email: str | None = None) -> None:
    await recovery_flows.request_password_reset(
        person.database, FACTOR_KEYS, BASE, email or person.user.email, person.visit()
    )


async def test_a_reset_by_mail_replaces_the_password_once_and_ends_every_session(
    person: Person, passwords: Passwords
) -> None:
    session = await person.sign_in()
    await ask_reset(person)
    token = token_in(await newest_mail(person, person.user.email))
    for _ in range(2):
        assert (
            await recovery_flows.find_user_of_reset(person.database, token, person.visit())
        ).id == person.user.id
    with pytest.raises(PasswordNotAccepted):
        await recovery_flows.reset_password(person.database, passwords, token, "short", person.visit())
    assert await person.caller(session)
    await recovery_flows.reset_password(person.database, passwords, token, PASSWORD, person.visit())
    assert await person.caller(session) is None
    assert await customer_flows.check_password(person.database, passwords, person.user.email, PASSWORD)
    assert (await newest_mail(person, person.user.email))["template"] == "security_notice"
    with pytest.raises(LinkUsed):
        await recovery_flows.reset_password(
            person.database, passwords, token, "another horse battery", person.visit()
        )


async def test_a_reset_link_is_too_old_after_a_quarter_of_an_hour(
    person: Person, passwords: Passwords
) -> None:
    await ask_reset(person)
    token = token_in(await newest_mail(person, person.user.email))
    with pytest.raises(LinkExpired):
        await recovery_flows.reset_password(
            person.database, passwords, token, PASSWORD, person.visit(person.now + timedelta(minutes=15))
        )


async def test_asking_for_a_reset_tells_nothing_about_addresses_and_fills_no_mailbox(person: Person) -> None:
    for email in (person.user.email, "nobody@example.org"):
        await ask_reset(person, email)
        with pytest.raises(TooManyAttempts):
            await ask_reset(person, email)
    assert len(await person.rows("SELECT id FROM outbox_mails")) == 1


async def ask_email(person: Person, email: str) -> None:
    caller = await person.caller(await person.sign_in())
    await recovery_flows.request_email_change(
        person.database, FACTOR_KEYS, BASE, caller, email, person.visit()
    )


async def test_an_address_changes_once_the_new_mailbox_confirms_it(person: Person) -> None:
    await ask_reset(person)
    reset = token_in(await newest_mail(person, person.user.email))
    await ask_email(person, " New@Example.ORG ")
    assert "new@example.org" in (await newest_mail(person, person.user.email))["text_body"]
    token = token_in(await newest_mail(person, "new@example.org"))
    assert await recovery_flows.find_new_email(person.database, token, person.visit()) == "new@example.org"
    await recovery_flows.confirm_email_change(person.database, token, person.visit())
    async with person.database.transaction() as tx:
        assert (await customers.find_verified_user(tx, "new@example.org")).id == person.user.id
        assert await customers.find_verified_user(tx, person.user.email) is None
    assert "was changed to new@example.org" in (await newest_mail(person, person.user.email))["text_body"]
    # What went to the earlier mailbox opens nothing any more.
    with pytest.raises(LinkUsed):
        await recovery_flows.find_user_of_reset(person.database, reset, person.visit())
    with pytest.raises(LinkUsed):
        await recovery_flows.confirm_email_change(person.database, token, person.visit())


async def test_an_address_that_is_taken_looks_the_same_from_outside(person: Person) -> None:
    other = await make_person(person.database, person.now)
    await ask_email(person, other.user.email)
    mail = await newest_mail(person, other.user.email)
    assert mail["template"] == "email_taken"
    assert "token=" not in mail["text_body"]


async def test_an_address_that_was_taken_meanwhile_stays_its_owners(person: Person) -> None:
    other = await make_person(person.database, person.now)
    for one in (person, other):
        caller = await one.caller(await one.sign_in())
        await recovery_flows.request_email_change(
            one.database,
            FACTOR_KEYS,
            BASE,
            caller,
            "new@example.org",
            one.visit(one.now + one.user.id * HOUR),
        )
    first, second = [
        token_in(row)
        for row in await person.rows(
            "SELECT text_body FROM outbox_mails WHERE to_address = 'new@example.org' ORDER BY id"
        )
    ]
    later = person.visit(person.now + 2 * HOUR)
    await recovery_flows.confirm_email_change(person.database, second, later)
    with pytest.raises(AddressTaken):
        await recovery_flows.confirm_email_change(person.database, first, later)


async def test_only_the_newest_wish_for_another_address_counts(person: Person) -> None:
    await ask_email(person, "first@example.org")
    await ask_email(person, "second@example.org")
    token = token_in(await newest_mail(person, "first@example.org"))
    with pytest.raises(LinkUsed):
        await recovery_flows.confirm_email_change(person.database, token, person.visit())


@pytest.mark.parametrize("how", ["reset", "set", "disabled"])
async def test_whoever_shuts_a_thief_out_shuts_their_change_of_address_out(
    person: Person, passwords: Passwords, how: str
) -> None:
    await ask_reset(person)
    reset = token_in(await newest_mail(person, person.user.email))
    await ask_email(person, "thief@example.org")
    token = token_in(await newest_mail(person, "thief@example.org"))
    if how == "reset":
        await recovery_flows.reset_password(person.database, passwords, reset, PASSWORD, person.visit())
    elif how == "set":
        caller = await person.caller(await person.sign_in())
        await customer_flows.set_password(person.database, passwords, caller, PASSWORD, person.visit())
    else:
        async with person.database.transaction() as tx:
            await administration.disable_user(tx, person.user, person.now)
            await administration.enable_user(tx, await customers.get_user(tx, person.user.id), person.now)
    with pytest.raises(LinkUsed):
        await recovery_flows.confirm_email_change(person.database, token, person.visit())


@pytest.mark.parametrize("email", ["", "nothing", "same"])
async def test_an_address_that_cannot_be_used_is_refused(person: Person, email: str) -> None:
    with pytest.raises(Invalid) as refused:
        await ask_email(person, person.user.email if email == "same" else email)
    assert [one.pointer for one in refused.value.errors] == ["/email"]


# Once more ----------------------------------------------------------------------------------------


async def test_a_session_is_proven_by_password_and_the_second_factor(
    person: Person, passwords: Passwords
) -> None:
    secret = await person.set_up_factor()
    async with person.database.transaction() as tx:
        await customers.give_password(tx, person.user, await passwords.hash(PASSWORD), person.now)
    session, later = await person.sign_in(second_factor=True), person.now + HOUR
    caller = await person.caller(session, later)
    assert not caller.session.is_fresh(later)

    async def prove(password: str, code: str) -> None:
        await flows.prove_again(
            person.database,
            passwords,
            FACTOR_KEYS,
            caller,
            person.visit(later),
            password=password,
            factor_code=code,
        )

    with pytest.raises(SignInAgain):
        await prove("wrong password", totp_code(secret, later))
    with pytest.raises(SecondFactorCodeWrong):
        await prove(PASSWORD, "")
    assert not (await person.caller(session, later)).session.is_fresh(later)
    await prove(PASSWORD, totp_code(secret, later))
    assert (await person.caller(session, later)).session.is_fresh(later)


async def test_a_session_without_a_password_is_proven_by_a_mailed_code(
    person: Person, passwords: Passwords
) -> None:
    session, later = await person.sign_in(), person.now + HOUR
    caller = await person.caller(session, later)
    async with person.database.transaction() as tx:
        issued = await customers.issue_challenge(
            tx, FACTOR_KEYS.code_key, person.user.id, ChallengePurpose.SIGN_IN, later
        )

    async def prove(**shown: str) -> None:
        await flows.prove_again(person.database, passwords, FACTOR_KEYS, caller, person.visit(later), **shown)

    for wrong in ({"password": ""}, {"mailed_code": f"{(int(issued.code) + 1) % 1_000_000:06}"}):
        with pytest.raises(SignInAgain):
            await prove(**wrong)
    await prove(mailed_code=issued.code)
    assert (await person.caller(session, later)).session.is_fresh(later)
    with pytest.raises(SignInAgain):
        await prove(mailed_code=issued.code)
