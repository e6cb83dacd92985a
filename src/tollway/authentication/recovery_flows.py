"""Forgotten passwords, and addresses that change: by links that are mailed and spent by a form."""

from tollway.audit import operations as audit
from tollway.authentication.entities import FactorKeys
from tollway.customers import flows as customer_flows
from tollway.customers import operations as customers
from tollway.customers import profile_operations as profiles
from tollway.customers.callers import SessionCaller
from tollway.customers.entities import (
    SIGN_IN_LINK_MINUTES,
    VERIFY_LINK_HOURS,
    AddressNotVerified,
    ChallengePurpose,
    PasswordNotAccepted,
    User,
    Visit,
    email_fault,
    normal_email,
    password_fault,
)
from tollway.customers.flows import Passwords
from tollway.customers.notice_operations import send_notice
from tollway.kit.db import Database, Transaction
from tollway.kit.mail import queue_mail
from tollway.kit.problems import FieldError, Invalid
from tollway.notifications import sign_in_mail_operations as mails

# Passwords ----------------------------------------------------------------------------------------


async def request_password_reset(
    database: Database, keys: FactorKeys, base_url: str, email: str, visit: Visit
) -> None:
    """Mail a link that lets its reader choose a password; the same to the eye for an address that nobody has.

    Raises: Invalid (/email), TooManyAttempts. Writes: email_challenges, outbox_mails.
    """
    email = normal_email(email)
    if fault := email_fault(email):
        raise Invalid(fault, errors=(FieldError("/email", fault),))
    await customer_flows.count_sign_in_mail(database, email, visit)
    async with database.transaction() as tx:
        user = await customers.find_verified_user(tx, email)
        if user is None or user.disabled_at is not None:
            return
        issued = await customers.issue_challenge(
            tx, keys.code_key, user.id, ChallengePurpose.RESET_PASSWORD, visit.now
        )
        mail = mails.compose_reset_password(
            user.email,
            link=f"{base_url}/password/reset?token={issued.link_token}",
            minutes=SIGN_IN_LINK_MINUTES,
        )
        await queue_mail(tx, mail, visit.now)


async def find_user_of_reset(database: Database, link_token: str, visit: Visit) -> User:
    """Return whose password a mailed link resets, without spending it.

    Raises: LinkUnknown, LinkUsed, LinkExpired.
    """
    async with database.transaction() as tx:
        challenge = await customers.get_link(tx, link_token, ChallengePurpose.RESET_PASSWORD)
        customers.check_link(challenge, visit.now)
        return await customers.get_user(tx, challenge.user_id)


async def reset_password(
    database: Database, passwords: Passwords, link_token: str, password: str, visit: Visit
) -> User:
    """Replace a password by a mailed link, and sign its user out everywhere; they sign in with it next.

    Raises: LinkUnknown, LinkUsed, LinkExpired, PasswordNotAccepted (/password), Unavailable.
    Writes: users, email_challenges, user_sessions, outbox_mails, audit_entries.
    """
    user = await find_user_of_reset(database, link_token, visit)
    async with database.transaction() as tx:
        customer = await customers.find_customer_of(tx, user.id)
    if fault := password_fault(password, user.email, customer.company_name if customer else ""):
        raise PasswordNotAccepted(fault, errors=(FieldError("/password", fault),))
    password_hash = await passwords.hash(password)
    async with database.transaction() as tx:
        challenge = await customers.get_link(tx, link_token, ChallengePurpose.RESET_PASSWORD)
        await customers.use_link(tx, challenge, visit.now)
        await customers.give_password(tx, user, password_hash, visit.now)
        await customers.end_other_sessions(tx, user.id, visit.now)
        await _record(tx, "user.password_reset", user, customer.id if customer else None, visit)
        await send_notice(tx, user, "Your password was replaced, by a link that we mailed to you.", visit)
    return user


# Addresses ----------------------------------------------------------------------------------------


async def request_email_change(
    database: Database, keys: FactorKeys, base_url: str, caller: SessionCaller, email: str, visit: Visit
) -> None:
    """Mail a link to the new address, which changes to it, and a notice to the present one.

    An address that belongs to somebody looks the same from here; the mail to it says so.
    Raises: AddressNotVerified, Invalid (/email), TooManyAttempts.
    Writes: email_challenges, outbox_mails, audit_entries.
    """
    user, email = caller.user, normal_email(email)
    if not user.verified:
        raise AddressNotVerified("Verify your address first: enter the code that we mailed.")
    fault = email_fault(email) or ("This is your address already." if email == user.email else "")
    if fault:
        raise Invalid(fault, errors=(FieldError("/email", fault),))
    await customer_flows.count_sign_in_mail(database, email, visit)
    async with database.transaction() as tx:
        await profiles.forget_email_changes(tx, user.id, visit.now)
        issued = await customers.issue_challenge(
            tx, keys.code_key, user.id, ChallengePurpose.CHANGE_EMAIL, visit.now, email
        )
        if await customers.find_verified_user(tx, email) is not None:
            mail = mails.compose_email_taken(email, sign_in_link=f"{base_url}/signin")
        else:
            mail = mails.compose_change_email(
                email,
                present=user.email,
                link=f"{base_url}/profile/email/confirm?token={issued.link_token}",
                hours=VERIFY_LINK_HOURS,
            )
        await queue_mail(tx, mail, visit.now)
        await send_notice(
            tx, user, f"Your address is to change to {email}, once that mailbox confirms it.", visit
        )
        customer_id = caller.customer.id if caller.customer and not caller.impersonating else None
        await _record(tx, "user.email_change_asked", user, customer_id, visit)


async def find_new_email(database: Database, link_token: str, visit: Visit) -> str:
    """Return the address that a mailed link changes to, without spending it.

    Raises: LinkUnknown, LinkUsed, LinkExpired.
    """
    async with database.transaction() as tx:
        challenge = await customers.get_link(tx, link_token, ChallengePurpose.CHANGE_EMAIL)
        customers.check_link(challenge, visit.now)
    assert challenge.new_email is not None, "such a link always names an address"
    return challenge.new_email


async def confirm_email_change(database: Database, link_token: str, visit: Visit) -> str:
    """Change a user's address by the link that was mailed to the new one; return it.

    Raises: LinkUnknown, LinkUsed, LinkExpired, AddressTaken.
    Writes: users, email_challenges, outbox_mails, audit_entries.
    """
    async with database.transaction() as tx:
        challenge = await customers.get_link(tx, link_token, ChallengePurpose.CHANGE_EMAIL)
        await customers.use_link(tx, challenge, visit.now)
        assert challenge.new_email is not None, "such a link always names an address"
        user = await customers.get_user(tx, challenge.user_id)
        await profiles.change_email(tx, user, challenge.new_email, visit.now)
        customer = await customers.find_customer_of(tx, user.id)
        await _record(tx, "user.email_changed", user, customer.id if customer else None, visit)
        await send_notice(tx, user, f"Your address was changed to {challenge.new_email}.", visit)
    return challenge.new_email


async def _record(tx: Transaction, action: str, user: User, customer_id: int | None, visit: Visit) -> None:
    await audit.record_entry(
        tx,
        action=action,
        customer_id=customer_id,
        actor=f"user:{user.public_id}",
        subject=user.public_id,
        address=visit.address,
        now=visit.now,
        actor_name=user.email,
        user_id=user.id,
    )
