"""Sign up, verify, and forget whoever never verified: each in one transaction over several domains."""

from datetime import datetime, timedelta

from tollway.administration.action_operations import end_impersonation
from tollway.audit import operations as audit
from tollway.customers import details_operations as details
from tollway.customers import member_operations as members
from tollway.customers import operations as customers
from tollway.customers import profile_operations as profiles
from tollway.customers import retention_operations as retention
from tollway.customers import session_operations as sessions
from tollway.customers.callers import SessionCaller, SessionKind, UserSession
from tollway.customers.entities import (
    CODE_MINUTES,
    SIGN_IN_LINK_MINUTES,
    VERIFY_LINK_HOURS,
    ChallengePurpose,
    Customer,
    Mode,
    User,
    Visit,
    browser_of,
)
from tollway.keys import operations as keys
from tollway.kit.db import Transaction
from tollway.kit.mail import queue_mail
from tollway.lifecycle import store
from tollway.lifecycle.entities import (
    API_KEY_NAME,
    FREE_TRIAL_TIER,
    ORIGIN_LENGTH_MAX,
    PRODUCT,
    UNVERIFIED_KEPT_DAYS,
    LifecycleParts,
    SignedIn,
    SignedUp,
    SignUpForm,
    Verified,
)
from tollway.metering import operations as metering
from tollway.metering import usage_operations
from tollway.notifications import operations as notifications
from tollway.notifications import sign_in_mail_operations as mails
from tollway.plans import operations as plans
from tollway.plans.entities import SubscriptionStatus


async def sign_up(tx: Transaction, parts: LifecycleParts, form: SignUpForm, visit: Visit) -> SignedUp:
    """Make a customer of a stranger, with a session and a test key, in the order of A33.

    Nothing here depends on whether the address is known but the words of the mail, so the answer gives
    nothing away (X4).

    Raises: Invalid with pointers /email, /company, /use_case.
    Writes: users, api_customers, api_keys, api_subscriptions, usage_quotas, outbox_mails,
    analytics_events, user_sessions, audit_entries. Defers: the verification mail.

    INVARIANT: record, key, limits, mail, event, in this order
    (tests/lifecycle/test_operations.py::test_sign_up_writes_in_the_order_that_was_promised).
    """
    user, customer = await make_customer(tx, parts, form, visit)
    return SignedUp(user, customer, await customers.create_session(tx, user.id, visit))


async def make_customer(
    tx: Transaction, parts: LifecycleParts, form: SignUpForm, visit: Visit
) -> tuple[User, Customer]:
    """Make a customer of a stranger with a test key, and sign nobody in; see `sign_up`."""
    now = visit.now
    user, customer = await customers.create_user_and_customer(
        tx, form.email, form.company, form.use_case, now
    )
    await _issue_test_key(tx, parts, customer, now)
    await plans.subscribe(
        tx, customer.id, PRODUCT, FREE_TRIAL_TIER, SubscriptionStatus.PENDING_VERIFICATION, now
    )
    entitlement = await plans.get_entitlement(tx, customer.id, PRODUCT, now)
    await plans.get_quota(tx, entitlement, Mode.TEST, now)
    await customers.begin_verify_mail_wait(tx, user, now)
    await send_verification(tx, parts, user, now)
    await metering.track_event(
        tx,
        "customer_signup",
        customer.id,
        now,
        referrer=form.referrer[:ORIGIN_LENGTH_MAX],
        campaign=form.campaign[:ORIGIN_LENGTH_MAX],
        properties={"use_case": customer.use_case.value},
    )
    await _record(tx, "customer.signed_up", user, customer, visit)
    return user, customer


async def start_customer(
    tx: Transaction, parts: LifecycleParts, user: User, company: str, use_case: str, visit: Visit
) -> Customer:
    """Make a customer for a verified user who belongs to none, with a test key and a free trial that runs.

    Raises: Invalid (/company, /use_case), CustomerFounded.
    Writes: as `sign_up`, but for the mail.
    """
    now = visit.now
    customer = await customers.add_customer(tx, user, company, now, use_case)
    await _issue_test_key(tx, parts, customer, now)
    await plans.subscribe(
        tx, customer.id, PRODUCT, FREE_TRIAL_TIER, SubscriptionStatus.PENDING_VERIFICATION, now
    )
    await plans.start_free_trial(tx, customer.id, PRODUCT, parts.free_trial_days, now)
    await metering.track_event(tx, "customer_signup", customer.id, now, properties={"use_case": use_case})
    await _record(tx, "customer.signed_up", user, customer, visit)
    return customer


async def send_verification(tx: Transaction, parts: LifecycleParts, user: User, now: datetime) -> None:
    """Mail a link and a code; to an address that has an account already, the advice to sign in instead.

    The challenge is made either way, so that guessing codes feels the same too.
    Writes: email_challenges, outbox_mails. Defers: the mail.
    """
    issued = await customers.issue_challenge(tx, parts.code_key, user.id, ChallengePurpose.VERIFY, now)
    if await customers.find_verified_user(tx, user.email) is not None:
        mail = notifications.compose_address_known(user.email, sign_in_link=parts.page("/signin"))
    else:
        mail = notifications.compose_verify_address(
            user.email,
            link=parts.verify_link(issued.link_token),
            code=issued.code,
            link_hours=VERIFY_LINK_HOURS,
            code_minutes=CODE_MINUTES,
        )
    await queue_mail(tx, mail, now)


async def send_sign_in(tx: Transaction, parts: LifecycleParts, email: str, now: datetime) -> None:
    """Mail a link and a code that sign in, where a verified user has the address; else do nothing.

    Writes: email_challenges, outbox_mails. Defers: the mail.
    """
    user = await customers.find_verified_user(tx, email)
    if user is None:
        return
    issued = await customers.issue_challenge(tx, parts.code_key, user.id, ChallengePurpose.SIGN_IN, now)
    mail = notifications.compose_sign_in(
        user.email,
        link=parts.sign_in_link(issued.link_token),
        code=issued.code,
        minutes=SIGN_IN_LINK_MINUTES,
    )
    await queue_mail(tx, mail, now)


async def verify_user(
    tx: Transaction, parts: LifecycleParts, user_id: int, visit: Visit
) -> tuple[User, Customer]:
    """Take an address as proven: begin the free trial, lift the cap, send the welcome mail (A32, A42).

    Doing it twice changes nothing and mails nothing.

    Raises: AddressTaken. Writes: users, email_challenges, api_subscriptions, usage_quotas, outbox_mails,
    analytics_events, audit_entries. Defers: the welcome mail.
    """
    now = visit.now
    user, changed = await customers.mark_verified(tx, user_id, now)
    customer = await customers.find_customer_of(tx, user.id)
    assert customer is not None, "whoever signs up is a customer, and administrators are made verified"
    if not changed:
        return user, customer
    entitlement = await plans.start_free_trial(tx, customer.id, PRODUCT, parts.free_trial_days, now)
    await plans.lift_quota(tx, entitlement, Mode.TEST, now)
    await plans.end_verification_wait(tx, customer.id, now)
    api_key = await keys.find_default_test_key(tx, customer.id)
    if api_key is None:
        secret = await _issue_test_key(tx, parts, customer, now)
    else:
        secret = await keys.reveal_test_key(tx, parts.sealer, api_key)
    mail = notifications.compose_welcome(
        user.email,
        name=user.name or customer.company_name,
        api_key=secret,
        base_url=parts.base_url,
        requests_included=entitlement.requests_included,
        free_trial_days=parts.free_trial_days,
        dashboard_link=parts.page("/dashboard"),
        sample_link=parts.page("/samples/portfolio.xlsx"),
        docs_link=parts.page("/docs"),
        support_link=parts.page("/support"),
    )
    await queue_mail(tx, mail, now)
    await metering.track_event(tx, "email_verified", customer.id, now)
    await _record(tx, "user.email_verified", user, customer, visit)
    return user, customer


async def verify_by_link(
    tx: Transaction, parts: LifecycleParts, link_token: str, caller: SessionCaller | None, visit: Visit
) -> Verified:
    """Prove an address by the link that was mailed to it, and sign this browser in.

    A link opened where nobody signed up proves the mailbox, but not that whoever signed up reads it. Then
    every session, key and password from before end, people who were brought in leave, and the company's details
    are forgotten, so that nobody can sign up with another's address, wait, and look into what its owner makes later.

    Args:
        caller: who this browser belonged to so far.

    Raises: LinkUnknown, LinkUsed, LinkExpired, AddressTaken.
    """
    challenge = await customers.get_link(tx, link_token, ChallengePurpose.VERIFY)
    user = await customers.get_user(tx, challenge.user_id)
    if not user.verified:
        await customers.use_link(tx, challenge, visit.now)
        if caller is None or caller.user.id != user.id:
            await _forget_whoever_signed_up(tx, user, visit.now)
        return await verify_and_sign_in(tx, parts, user.id, visit)
    customer = await customers.find_customer_of(tx, user.id)
    assert customer is not None, "whoever has a verification link signed up"
    return Verified(user, customer, session_secret=None)


async def verify_and_sign_in(tx: Transaction, parts: LifecycleParts, user_id: int, visit: Visit) -> Verified:
    """Take an address as proven, end every session from before, and sign this browser in anew."""
    user, customer = await verify_user(tx, parts, user_id, visit)
    await customers.end_other_sessions(tx, user.id, visit.now)
    return Verified(user, customer, await customers.create_session(tx, user.id, visit))


async def sign_in(
    tx: Transaction,
    parts: LifecycleParts,
    user: User,
    method: str,
    caller: SessionCaller | None,
    visit: Visit,
) -> SignedIn:
    """Give a user who proved who they are a new session; the one this browser had before ends.

    Where they have a second factor, the session is nobody's until they show it.

    Args:
        method: what they proved it with: `link`, `code` or `password`.

    Raises: SignInRefused where the user is disabled. Writes: user_sessions, outbox_mails, audit_entries.
    """
    if caller is not None:
        await customers.end_session(tx, caller.session.id, visit.now)
    secret, session = await customers.open_session(tx, user.id, SessionKind.BROWSER, visit)
    await note_sign_in(tx, parts, user, session, method, visit)
    return SignedIn(user, secret)


async def note_sign_in(
    tx: Transaction, parts: LifecycleParts, user: User, session: UserSession, method: str, visit: Visit
) -> None:
    """Write a sign-in down, and mail its user where it came from somewhere new.

    Writes: audit_entries, outbox_mails. Defers: the mail.
    """
    customer = await customers.find_customer_of(tx, user.id)
    await _record(tx, "user.signed_in", user, customer, visit, details={"method": method})
    if await sessions.is_place_known(tx, session, visit):
        return
    mail = mails.compose_new_place(
        user.email,
        at=visit.now,
        address=visit.address,
        browser=browser_of(visit),
        security_link=parts.page("/security"),
    )
    await queue_mail(tx, mail, visit.now)


async def sign_out(tx: Transaction, caller: SessionCaller, visit: Visit) -> None:
    """End the session of one browser. Writes: user_sessions, audit_entries."""
    if caller.impersonating:
        await end_impersonation(tx, caller.as_caller(visit.address), visit.now)
    await customers.end_session(tx, caller.session.id, visit.now)
    own = None if caller.impersonating else caller.customer
    await _record(tx, "user.signed_out", caller.user, own, visit)


async def list_unverified(tx: Transaction, now: datetime, limit: int) -> list[Customer]:
    """List customers who had a month to verify their address and did not."""
    return await retention.list_unverified_customers(tx, now - timedelta(days=UNVERIFIED_KEPT_DAYS), limit)


async def delete_unverified(tx: Transaction, customer: Customer, now: datetime) -> bool:
    """Delete a customer who never verified, with everything they made; False where they just did verify.

    Counts of sign-ups stay right: the events of the funnel stay, without the customer.
    """
    # Calls that lie in a journal still arrive later, and then without address and user agent.
    await usage_operations.hold_arrivals(tx)
    user = await customers.lock_user(tx, customer.user_id)
    if user is None or user.verified:
        return False
    await store.delete_everything_of(tx, customer.id, now)
    await audit.erase_persons(tx, customer_id=customer.id)
    await audit.erase_persons(tx, customer_id=customer.id, user_id=user.id)
    await retention.delete_customer(tx, customer)
    return True


async def _issue_test_key(tx: Transaction, parts: LifecycleParts, customer: Customer, now: datetime) -> str:
    issued = await keys.issue_api_key(
        tx,
        parts.sealer,
        customer.id,
        product=PRODUCT,
        mode=Mode.TEST,
        name=API_KEY_NAME,
        tier=FREE_TRIAL_TIER,
        now=now,
    )
    return issued.secret


async def _forget_whoever_signed_up(tx: Transaction, user: User, now: datetime) -> None:
    """Make worthless what a stranger may have left who signed up with somebody else's address."""
    await profiles.forget_password(tx, user.id, now)
    customer = await customers.find_customer_of(tx, user.id)
    if customer is None:
        return
    await customers.lock_customer(tx, customer.id)
    for member in await members.list_members(tx, customer.id):
        if member.user_id != user.id:
            await members.remove_member(tx, member)
    for api_key in await keys.list_api_keys(tx, customer.id):
        await keys.revoke_api_key(tx, api_key, now)
    # Else mails went on to the stranger's mailbox, or a customer that was closed meanwhile stayed so.
    await details.forget_details(tx, customer.id, user.email, now)


async def _record(
    tx: Transaction,
    action: str,
    user: User,
    customer: Customer | None,
    visit: Visit,
    details: dict[str, str] | None = None,
) -> None:
    await audit.record_entry(
        tx,
        action=action,
        customer_id=customer.id if customer else None,
        actor=f"user:{user.public_id}",
        subject=customer.public_id if customer and action.startswith("customer.") else user.public_id,
        address=visit.address,
        now=visit.now,
        details=details,
        actor_name=user.email,
        user_id=user.id,
    )
