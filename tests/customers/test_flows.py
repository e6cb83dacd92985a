import asyncio
import threading
from datetime import timedelta

import pytest

from tollway.customers import flows, operations
from tollway.customers.entities import (
    AddressNotVerified,
    PasswordNotAccepted,
    SignInAgain,
    TooManyAttempts,
    Visit,
)
from tollway.customers.passwords import Passwords
from tollway.kit.problems import Unavailable

PASSWORD = "correct horse battery"


@pytest.fixture
def passwords():
    opened = Passwords()
    yield opened
    opened.close()


def visit_at(now):
    return Visit("192.0.2.7", "a browser", now)


async def make_caller(database, now, *, verified=True, email="ana@example.com"):
    async with database.transaction() as tx:
        user, _ = await operations.create_user_and_customer(tx, email, "Example Limited", "Other", now)
        if verified:
            await operations.mark_verified(tx, user.id, now)
        secret = await operations.create_session(tx, user.id, visit_at(now))
        return await operations.find_session_caller(tx, secret, now)


async def set_password(database, passwords, caller, now, password=PASSWORD, **more):
    await flows.set_password(database, passwords, caller, password, visit_at(now), **more)


async def test_a_password_that_was_set_is_recognised_and_stored_as_a_hash(database, passwords, now):
    caller = await make_caller(database, now)
    await set_password(database, passwords, caller, now)
    user = await flows.check_password(database, passwords, " ANA@example.com", PASSWORD)
    assert user.id == caller.user.id
    assert user.has_password
    async with database.transaction() as tx:
        kept = await tx.list_rows("SELECT * FROM users, audit_entries")
    assert PASSWORD not in repr(kept)


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("ana@example.com", "correct horse batterz"),
        ("ana@example.com", ""),
        ("ana@example.com", "x" * 5000),
        ("bob@example.com", PASSWORD),
        ("not an address\x00", PASSWORD),
        ("", ""),
    ],
)
async def test_anything_else_is_nobodys(database, passwords, now, email, password):
    await set_password(database, passwords, await make_caller(database, now), now)
    assert await flows.check_password(database, passwords, email, password) is None


async def test_an_address_that_nobody_proved_signs_nobody_in(database, passwords, now):
    caller = await make_caller(database, now, verified=False)
    with pytest.raises(AddressNotVerified):
        await set_password(database, passwords, caller, now)
    assert await flows.check_password(database, passwords, "ana@example.com", PASSWORD) is None


@pytest.mark.parametrize("email", ["ana@example.com", "nobody@example.com", "no address"])
async def test_an_unknown_address_costs_a_hash_as_a_known_one_does(database, now, email):
    """With the one place taken and none to wait in, exactly those who need a hash are refused."""
    passwords, done = Passwords(at_once_max=1, waiting_max=0), threading.Event()
    await make_caller(database, now)
    occupant = asyncio.create_task(passwords._run(done.wait))
    await asyncio.sleep(0)
    try:
        with pytest.raises(Unavailable):
            await flows.check_password(database, passwords, email, PASSWORD)
    finally:
        done.set()
        await occupant
        passwords.close()


@pytest.mark.parametrize("password", ["short", "x" * 201, "ana@example.com", "EXAMPLE LIMITED"])
async def test_a_weak_password_is_refused_beside_its_field(database, passwords, now, password):
    caller = await make_caller(database, now)
    with pytest.raises(PasswordNotAccepted) as refused:
        await set_password(database, passwords, caller, now, password)
    assert [error.pointer for error in refused.value.errors] == ["/password"]


async def test_a_first_password_is_set_only_soon_after_signing_in(database, passwords, now):
    caller = await make_caller(database, now)
    with pytest.raises(SignInAgain):
        await set_password(database, passwords, caller, now + timedelta(minutes=16))
    assert await flows.check_password(database, passwords, "ana@example.com", PASSWORD) is None


async def test_a_borrowed_browser_does_not_guess_the_password_for_ever(database, passwords, now):
    caller = await make_caller(database, now)
    await set_password(database, passwords, caller, now)
    later = now + timedelta(minutes=16)
    for _ in range(10):
        with pytest.raises(SignInAgain):
            await set_password(database, passwords, caller, later, "another good one", current_password="no")
    with pytest.raises(TooManyAttempts):
        await set_password(database, passwords, caller, later, "another good one", current_password=PASSWORD)


async def test_a_password_is_changed_by_whoever_knows_it_or_just_signed_in(database, passwords, now):
    caller = await make_caller(database, now)
    await set_password(database, passwords, caller, now)
    later = now + timedelta(minutes=16)
    for wrong in ("", "correct horse batterz"):
        with pytest.raises(SignInAgain) as refused:
            await set_password(database, passwords, caller, later, "another good one", current_password=wrong)
        assert refused.value.errors[0].pointer == "/current_password"
    await set_password(database, passwords, caller, later, "another good one", current_password=PASSWORD)
    assert await flows.check_password(database, passwords, "ana@example.com", PASSWORD) is None
    assert await flows.check_password(database, passwords, "ana@example.com", "another good one")

    async with database.transaction() as tx:
        secret = await operations.create_session(tx, caller.user.id, visit_at(later))
        fresh = await operations.find_session_caller(tx, secret, later)
    await set_password(database, passwords, fresh, later, "a third good one")
    assert await flows.check_password(database, passwords, "ana@example.com", "a third good one")


async def test_a_new_password_signs_every_other_browser_out_and_is_on_record(database, passwords, now):
    caller = await make_caller(database, now)
    async with database.transaction() as tx:
        elsewhere = await operations.create_session(tx, caller.user.id, visit_at(now))
    await set_password(database, passwords, caller, now)
    async with database.transaction() as tx:
        assert await operations.find_session_caller(tx, elsewhere, now) is None
        alive = await tx.list_rows("SELECT id FROM user_sessions WHERE ended_at IS NULL")
        entries = await tx.list_rows("SELECT action, actor, customer_id FROM audit_entries")
    assert alive == [{"id": caller.session.id}]
    assert entries == [
        {
            "action": "user.password_set",
            "actor": f"user:{caller.user.public_id}",
            "customer_id": caller.customer.id,
        }
    ]
