"""Who may join a customer, as what, and for how long."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from tests.parties import Party, make_party
from tests.teams.conftest import link_mailed_to, owner_of

from tollway.audit import operations as audit
from tollway.customers import member_operations as members
from tollway.customers import operations as customers
from tollway.customers.attempts import INVITATIONS_PER_CUSTOMER, INVITATIONS_PER_EMAIL
from tollway.customers.entities import LastOwner, TooManyAttempts, User
from tollway.customers.permissions import Role, UserType
from tollway.kit.db import Database
from tollway.kit.problems import Invalid, NotFound
from tollway.teams import operations as teams
from tollway.teams.entities import (
    INVITATION_DAYS,
    INVITATIONS_OPEN_MAX,
    InvitationNotYours,
    InvitationOver,
    InvitationUnknown,
    MemberAlready,
    TeamFull,
)

COLLEAGUE = "colleague@example.com"


async def invited(database: Database, party: Party, now: datetime, role: str = "developer") -> str:
    """Invite a colleague and return the secret of the mailed link."""
    async with database.transaction() as tx:
        owner = await owner_of(tx, party)
        await teams.invite(tx, owner, COLLEAGUE, role, base_url="http://localhost", now=now)
        return await link_mailed_to(tx, COLLEAGUE)


async def accept(database: Database, link: str, now: datetime, user: User | None = None) -> User:
    async with database.transaction() as tx:
        return await teams.accept(tx, link, user, "203.0.113.9", now)


@pytest.mark.parametrize(
    ("role", "user_type"),
    [
        ("owner", UserType.API_CUSTOMER),
        ("developer", UserType.API_CUSTOMER),
        ("billing", UserType.REGULAR),
        ("viewer", UserType.REGULAR),
    ],
)
async def test_whoever_was_invited_joins_in_that_role(
    database: Database, party: Party, now: datetime, role: str, user_type: UserType
) -> None:
    user = await accept(database, await invited(database, party, now, role), now)
    assert user.verified
    assert user.user_type is user_type
    async with database.transaction() as tx:
        member = await members.get_member(tx, party.customer_id, user.public_id)
        customer = await customers.find_customer_of(tx, user.id)
        entries = await audit.list_entries(tx, party.customer_id)
    assert member.role is Role(role)
    assert customer is not None
    assert customer.id == party.customer_id
    assert [one.action for one in entries.items[:2]] == ["team.joined", "team.invited"]


async def test_an_invitation_works_once(database: Database, party: Party, now: datetime) -> None:
    link = await invited(database, party, now)
    await accept(database, link, now)
    with pytest.raises(InvitationOver):
        await accept(database, link, now)


async def test_two_at_once_join_once(database: Database, party: Party, now: datetime) -> None:
    link = await invited(database, party, now)
    results = await asyncio.gather(*(accept(database, link, now) for _ in range(5)), return_exceptions=True)
    assert sum(isinstance(one, User) for one in results) == 1
    assert all(isinstance(one, User | InvitationOver) for one in results)


async def test_an_invitation_is_over_after_a_week(database: Database, party: Party, now: datetime) -> None:
    link = await invited(database, party, now)
    end = now + timedelta(days=INVITATION_DAYS)
    with pytest.raises(InvitationOver):
        await accept(database, link, end)
    await accept(database, link, end - timedelta(seconds=1))


async def test_a_second_invitation_replaces_the_first(
    database: Database, party: Party, now: datetime
) -> None:
    first = await invited(database, party, now, "owner")
    second = await invited(database, party, now, "viewer")
    with pytest.raises(InvitationUnknown):
        await accept(database, first, now)
    user = await accept(database, second, now)
    async with database.transaction() as tx:
        assert (await members.get_member(tx, party.customer_id, user.public_id)).role is Role.VIEWER


async def test_what_was_taken_back_does_not_work(database: Database, party: Party, now: datetime) -> None:
    link = await invited(database, party, now)
    async with database.transaction() as tx:
        owner = await owner_of(tx, party)
        (invitation,) = await teams.list_invitations(tx, party.customer_id)
        await teams.revoke_invitation(tx, owner, invitation.public_id, now)
    with pytest.raises(InvitationUnknown):
        await accept(database, link, now)


async def test_somebody_elses_link_lets_nobody_in(database: Database, party: Party, now: datetime) -> None:
    link = await invited(database, party, now)
    other = await make_party(database, now)
    async with database.transaction() as tx:
        stranger = (await owner_of(tx, other)).user
    with pytest.raises(InvitationNotYours):
        await accept(database, link, now, stranger)


async def test_a_user_with_that_address_has_to_sign_in_first(
    database: Database, party: Party, now: datetime
) -> None:
    link = await invited(database, party, now)
    async with database.transaction() as tx:
        user = await customers.create_verified_user(tx, COLLEAGUE, UserType.REGULAR, now)
    with pytest.raises(InvitationNotYours):
        await accept(database, link, now)
    joined = await accept(database, link, now, user)
    assert joined.id == user.id


async def test_who_is_in_the_team_is_not_invited(database: Database, party: Party, now: datetime) -> None:
    await accept(database, await invited(database, party, now), now)
    with pytest.raises(MemberAlready):
        await invited(database, party, now)


@pytest.mark.parametrize(
    ("email", "role", "pointer"), [("nobody", "viewer", "/email"), (COLLEAGUE, "king", "/role")]
)
async def test_what_is_no_address_or_no_role_is_refused(
    database: Database, party: Party, now: datetime, email: str, role: str, pointer: str
) -> None:
    async with database.transaction() as tx:
        owner = await owner_of(tx, party)
        with pytest.raises(Invalid) as refused:
            await teams.invite(tx, owner, email, role, base_url="http://localhost", now=now)
    assert refused.value.errors[0].pointer == pointer


async def test_open_invitations_have_a_limit(database: Database, party: Party, now: datetime) -> None:
    async with database.transaction() as tx:
        owner = await owner_of(tx, party)
        for number in range(INVITATIONS_OPEN_MAX):
            await teams.invite(
                tx, owner, f"person{number}@example.com", "viewer", base_url="http://localhost", now=now
            )
        with pytest.raises(TeamFull):
            await teams.invite(tx, owner, COLLEAGUE, "viewer", base_url="http://localhost", now=now)


async def test_a_customer_is_never_left_without_an_owner(
    database: Database, party: Party, now: datetime
) -> None:
    async with database.transaction() as tx:
        owner = await owner_of(tx, party)
        assert owner.user
        with pytest.raises(LastOwner):
            await teams.change_role(tx, owner, owner.user.public_id, "viewer", now)
        with pytest.raises(LastOwner):
            await teams.remove_member(tx, owner, owner.user.public_id, now)


async def test_two_owners_cannot_both_leave_at_once(database: Database, party: Party, now: datetime) -> None:
    second = await accept(database, await invited(database, party, now, "owner"), now)

    async def leave(user_public_id: str) -> None:
        async with database.transaction() as tx:
            await teams.remove_member(tx, await owner_of(tx, party), user_public_id, now)

    async with database.transaction() as tx:
        first = (await owner_of(tx, party)).user
    assert first
    results = await asyncio.gather(leave(first.public_id), leave(second.public_id), return_exceptions=True)
    assert sorted(type(one).__name__ for one in results) == ["LastOwner", "NoneType"]
    async with database.transaction() as tx:
        assert len(await members.list_owner_emails(tx, party.customer_id)) == 1


async def test_another_customers_people_are_not_there(
    database: Database, party: Party, now: datetime
) -> None:
    other = await make_party(database, now)
    async with database.transaction() as tx:
        owner, stranger = await owner_of(tx, party), (await owner_of(tx, other)).user
        assert stranger
        with pytest.raises(NotFound):
            await teams.change_role(tx, owner, stranger.public_id, "viewer", now)
        with pytest.raises(NotFound):
            await teams.remove_member(tx, owner, stranger.public_id, now)


@pytest.mark.parametrize("how", ["removed", "demoted"])
async def test_an_owner_who_is_none_any_more_comes_back_by_no_invitation_of_theirs(
    database: Database, party: Party, now: datetime, how: str
) -> None:
    second = await accept(database, await invited(database, party, now, "owner"), now)
    async with database.transaction() as tx:
        first = await owner_of(tx, party)
        leaving = replace(first, user_id=second.id, user=second)
        await teams.invite(tx, leaving, "myself@example.org", "owner", base_url="http://localhost", now=now)
        await teams.invite(tx, first, "new@example.org", "viewer", base_url="http://localhost", now=now)
        theirs = await link_mailed_to(tx, "myself@example.org")
        others = await link_mailed_to(tx, "new@example.org")
        if how == "removed":
            await teams.remove_member(tx, first, second.public_id, now)
        else:
            await teams.change_role(tx, first, second.public_id, "viewer", now)
    with pytest.raises(InvitationUnknown):
        await accept(database, theirs, now)
    await accept(database, others, now)


async def test_nobodys_mailbox_is_filled_with_invitations(
    database: Database, party: Party, now: datetime
) -> None:
    """Inviting, taking back and inviting again mails each time."""

    async def invite(email: str, at: datetime = now) -> None:
        async with database.transaction() as tx:
            owner = await owner_of(tx, party)
            made = await teams.invite(tx, owner, email, "viewer", base_url="http://localhost", now=at)
            await teams.revoke_invitation(tx, owner, made.public_id, at)

    for _ in range(INVITATIONS_PER_EMAIL.attempts_max):
        await invite(COLLEAGUE)
    with pytest.raises(TooManyAttempts):
        await invite(COLLEAGUE.upper())
    for number in range(INVITATIONS_PER_CUSTOMER.attempts_max - INVITATIONS_PER_EMAIL.attempts_max):
        await invite(f"{number}@example.org")
    with pytest.raises(TooManyAttempts):
        await invite("one-more@example.org")
    await invite(COLLEAGUE, now + timedelta(hours=1))
