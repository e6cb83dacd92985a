"""The second factor: codes that work once, recovery codes, and what setting it up and removing it does."""

import asyncio
from datetime import datetime, timedelta

import pytest
from tests.authentication.conftest import FACTOR_KEYS, Person, make_person

from tollway.authentication import flows
from tollway.authentication import second_factor_operations as second_factor
from tollway.authentication.entities import (
    RECOVERY_CODE_COUNT,
    SecondFactorCodeWrong,
    SecondFactorKept,
    SecondFactorThere,
    Shown,
    totp_code,
    totp_step_of,
)
from tollway.customers.entities import SignInRefused, TooManyAttempts
from tollway.customers.permissions import UserType
from tollway.kit.crypto import CannotOpen, Sealer
from tollway.kit.db import Database

LATER = timedelta(minutes=5)


async def show(person: Person, code: str, now: datetime) -> Shown | None:
    async with person.database.transaction() as tx:
        return await second_factor.show_factor(tx, FACTOR_KEYS, person.user, code, now)


def test_codes_are_those_of_rfc_6238(now: datetime) -> None:
    # Appendix B of the RFC has eight digits; six are their end.
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    for seconds, code in ((59, "287082"), (1111111109, "081804"), (20000000000, "353130")):
        assert totp_code(secret, datetime.fromtimestamp(seconds, now.tzinfo)) == code


@pytest.mark.parametrize(("aside", "works"), [(-60, False), (-30, True), (0, True), (30, True), (60, False)])
def test_a_code_of_the_step_before_or_after_still_works(now: datetime, aside: int, works: bool) -> None:
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    code = totp_code(secret, now + timedelta(seconds=aside))
    assert (totp_step_of(secret, code, now) is not None) is works


async def test_one_code_works_once_in_parallel(person: Person) -> None:
    secret = await person.set_up_factor()
    now = person.now + LATER
    code = totp_code(secret, now)
    shown = await asyncio.gather(*(show(person, code, now) for _ in range(8)))
    assert shown.count(Shown.TOTP) == 1
    assert await show(person, code, now) is None
    # Neither does one of a step before the one that was used.
    assert await show(person, totp_code(secret, now - timedelta(seconds=30)), now) is None
    following = now + timedelta(seconds=30)
    assert await show(person, totp_code(secret, following), following) is Shown.TOTP


async def test_the_code_that_set_it_up_does_not_sign_in(person: Person) -> None:
    secret = await person.set_up_factor()
    assert await show(person, totp_code(secret, person.now), person.now) is None


async def test_recovery_codes_work_once_each_and_new_ones_replace_them(person: Person) -> None:
    await person.set_up_factor()
    caller = await person.caller(await person.sign_in(second_factor=True))
    async with person.database.transaction() as tx:
        codes = await second_factor.renew_recovery_codes(tx, FACTOR_KEYS, caller, person.visit())
    assert len(set(codes)) == RECOVERY_CODE_COUNT
    pasted = codes[0].replace("-", " ").upper()
    shown = await asyncio.gather(*(show(person, pasted, person.now) for _ in range(4)))
    assert shown.count(Shown.RECOVERY_CODE) == 1
    async with person.database.transaction() as tx:
        assert await second_factor.count_recovery_codes(tx, person.user.id) == RECOVERY_CODE_COUNT - 1
        await second_factor.renew_recovery_codes(tx, FACTOR_KEYS, caller, person.visit())
    assert await show(person, codes[1], person.now) is None


async def test_another_users_code_is_worth_nothing(person: Person) -> None:
    await person.set_up_factor()
    other = await make_person(person.database, person.now)
    secret = await other.set_up_factor()
    now = person.now + LATER
    assert await show(person, totp_code(secret, now), now) is None


async def test_the_secret_is_sealed_and_opens_for_its_user_alone(person: Person) -> None:
    secret = await person.set_up_factor()
    other = await make_person(person.database, person.now)
    await other.set_up_factor()
    (row,) = await person.rows(f"SELECT totp_sealed FROM users WHERE id = {person.user.id}")
    assert secret.encode() not in bytes(row["totp_sealed"])
    async with person.database.transaction() as tx:
        await tx.execute(
            "UPDATE users SET totp_sealed = %(sealed)s WHERE id = %(id)s",
            {"sealed": row["totp_sealed"], "id": other.user.id},
        )
    with pytest.raises(CannotOpen):
        await show(other, "123456", person.now)
    assert repr(FACTOR_KEYS).count("bytes") == 0
    assert isinstance(FACTOR_KEYS.sealer, Sealer)


async def test_a_session_is_nobodys_until_the_factor_is_shown_and_then_has_another_secret(
    person: Person,
) -> None:
    secret = await person.set_up_factor()
    now = person.now + LATER
    session = await person.sign_in(now=now)
    assert await person.caller(session, now) is None
    admitted = await flows.show_second_factor(
        person.database, FACTOR_KEYS, session, totp_code(secret, now), person.visit(now)
    )
    assert admitted.session_secret != session
    caller = await person.caller(admitted.session_secret, now)
    assert caller
    assert caller.as_caller("192.0.2.7").second_factor
    assert await person.caller(session, now) is None
    with pytest.raises(SignInRefused):
        await flows.show_second_factor(person.database, FACTOR_KEYS, session, "123456", person.visit(now))


async def test_guesses_at_a_second_factor_are_bounded_by_session_and_by_user(person: Person) -> None:
    secret = await person.set_up_factor()
    now = person.now + LATER
    tried = 0
    for _ in range(3):
        session = await person.sign_in(now=now)
        for _ in range(5):
            try:
                await flows.show_second_factor(
                    person.database, FACTOR_KEYS, session, "abcdefgh", person.visit(now)
                )
            except SecondFactorCodeWrong:
                tried += 1
            except TooManyAttempts:
                break
    assert tried == 10
    with pytest.raises(TooManyAttempts):
        await flows.show_second_factor(
            person.database, FACTOR_KEYS, session, totp_code(secret, now), person.visit(now)
        )
    freed = now + timedelta(minutes=15)
    session = await person.sign_in(now=freed)
    await flows.show_second_factor(
        person.database, FACTOR_KEYS, session, totp_code(secret, freed), person.visit(freed)
    )


async def test_setting_it_up_ends_every_other_session_and_is_mailed(person: Person) -> None:
    elsewhere = await person.sign_in()
    await person.set_up_factor()
    assert await person.rows(
        f"SELECT 1 AS one FROM user_sessions WHERE user_id = {person.user.id} AND ended_at IS NOT NULL"
    )
    assert await person.caller(elsewhere) is None
    (mail,) = await person.rows("SELECT text_body FROM outbox_mails WHERE template = 'security_notice'")
    assert "second factor was set up" in mail["text_body"]


async def test_a_second_one_cannot_be_set_up_beside_it(person: Person) -> None:
    await person.set_up_factor()
    async with person.database.transaction() as tx:
        with pytest.raises(SecondFactorThere):
            await second_factor.begin_second_factor(tx, FACTOR_KEYS, person.user, person.now)


async def test_removing_it_takes_a_code_and_signs_in_without_it_from_then_on(person: Person) -> None:
    secret = await person.set_up_factor()
    now = person.now + LATER
    caller = await person.caller(await person.sign_in(second_factor=True, now=now), now)
    with pytest.raises(SecondFactorCodeWrong):
        await flows.remove_second_factor(person.database, FACTOR_KEYS, caller, "zzzzz", person.visit(now))
    await flows.remove_second_factor(
        person.database, FACTOR_KEYS, caller, totp_code(secret, now), person.visit(now)
    )
    session = await person.sign_in(now=now)
    assert await person.caller(session, now)


@pytest.mark.promise("B4")
async def test_administrators_keep_it(database: Database, now: datetime) -> None:
    person = await make_person(database, now, UserType.ADMIN)
    secret = await person.set_up_factor()
    later = now + LATER
    caller = await person.caller(await person.sign_in(second_factor=True, now=later), later)
    with pytest.raises(SecondFactorKept):
        await flows.remove_second_factor(
            database, FACTOR_KEYS, caller, totp_code(secret, later), person.visit(later)
        )
