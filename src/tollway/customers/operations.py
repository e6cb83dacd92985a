"""Make users and customers, prove addresses, open and end sessions."""

import ipaddress
import secrets
from datetime import datetime, timedelta

from psycopg.errors import UniqueViolation

from tollway.audit import operations as audit
from tollway.customers import session_store, store
from tollway.customers.attempts import (
    VERIFY_MAILS_PER_USER,
    Attempt,
    too_many,
)
from tollway.customers.callers import SessionCaller, SessionKind, UserSession
from tollway.customers.challenges import CodeTrial, CodeVerdict, EmailChallenge, hash_of_code, normal_code
from tollway.customers.entities import (
    CODE_ATTEMPTS_MAX,
    CODE_LENGTH,
    SESSION_DAYS,
    USER_AGENT_LENGTH_MAX,
    AddressTaken,
    ChallengePurpose,
    Customer,
    CustomerFounded,
    IssuedChallenge,
    LinkExpired,
    LinkUnknown,
    LinkUsed,
    SignInRefused,
    SignUp,
    TooManyAttempts,
    UseCase,
    User,
    Visit,
    email_fault,
    normal_email,
)
from tollway.customers.permissions import UserType
from tollway.kit.crypto import sha256
from tollway.kit.db import Transaction
from tollway.kit.ids import new_id
from tollway.kit.problems import FieldError, Invalid, NotFound

# Links and session secrets: 256 bits, so an unkeyed fast hash of them can be stored.
SECRET_BYTES = 32
SECRET_LENGTH_MAX = 100
SEEN_AGAIN_SECONDS = 60

SESSIONS_LISTED_MAX = 100


# Users and customers ------------------------------------------------------------------------------


async def create_user_and_customer(
    tx: Transaction, email: str, company: str, use_case: str, now: datetime
) -> tuple[User, Customer]:
    """Make a user whose address is not proven yet, and the customer that pays and owns (X4).

    Raises: Invalid with pointers /email, /company, /use_case. Writes: users, api_customers.
    """
    sign_up = SignUp.checked(email, company, use_case)
    user = await store.insert_user(
        tx,
        new_id("usr"),
        sign_up.email,
        UserType.API_CUSTOMER,
        api_enabled=True,
        verified_at=None,
        now=now,
    )
    customer = await store.insert_customer(
        tx, new_id("cus"), user.id, sign_up.company, sign_up.email, sign_up.use_case.value, now
    )
    return user, customer


async def create_verified_user(tx: Transaction, email: str, user_type: UserType, now: datetime) -> User:
    """Make a user whose address is proven by the link they came with; raises AddressTaken. Writes: users."""
    try:
        return await store.insert_user(
            tx,
            new_id("usr"),
            email,
            user_type,
            api_enabled=user_type is not UserType.REGULAR,
            verified_at=now,
            now=now,
        )
    except UniqueViolation as failure:
        raise AddressTaken(f"{email} already belongs to a user who verified it.") from failure


async def create_administrator(tx: Transaction, email: str, user_type: UserType, now: datetime) -> User:
    """Make a user who administers and is no customer; only the command line calls this.

    Raises: Invalid, and AddressTaken where a verified user has the address. Writes: users, audit_entries.
    """
    assert user_type.administers, user_type
    email = normal_email(email)
    if fault := email_fault(email):
        raise Invalid(fault, errors=(FieldError("/email", fault),))
    user = await create_verified_user(tx, email, user_type, now)
    await audit.record_entry(
        tx,
        action="user.made_administrator",
        customer_id=None,
        actor="system:command_line",
        subject=user.public_id,
        address=None,
        now=now,
        details={"user_type": user_type.value},
    )
    return user


async def add_customer(
    tx: Transaction, user: User, company: str, now: datetime, use_case: str = UseCase.OTHER.value
) -> Customer:
    """Make a customer that a user owns who signed up for none: an administrator, or somebody who was invited.

    Raises: Invalid (/company, /use_case), CustomerFounded where the user made one before.
    Writes: api_customers, customer_members.
    """
    checked = SignUp.checked(user.email, company, use_case)
    await store.lock_user(tx, user.id)
    if await store.has_founded(tx, user.id):
        raise CustomerFounded(
            "You made a customer before, and everybody makes one by themselves. Write to support for another."
        )
    return await store.insert_customer(
        tx, new_id("cus"), user.id, checked.company, user.email, checked.use_case.value, now
    )


async def give_password(tx: Transaction, user: User, password_hash: str, now: datetime) -> None:
    """Give a user a password that was hashed before, without asking for an earlier one.

    Whoever shuts somebody out by another password shuts them out whole: a change of address that waits to be
    confirmed is forgotten too. Writes: users, email_challenges.
    """
    await store.update_password_hash(tx, user.id, password_hash, now)
    await store.update_challenges_used(tx, user.id, ChallengePurpose.CHANGE_EMAIL, now)


async def count_administrators(tx: Transaction) -> int:
    """Count the users who administer this installation."""
    return await store.count_administrators(tx)


async def get_user(tx: Transaction, user_id: int) -> User:
    """Return a user; raises NotFound."""
    user = await store.find_user(tx, user_id)
    if user is None:
        raise NotFound("There is no such user.")
    return user


async def lock_user(tx: Transaction, user_id: int) -> User | None:
    """Return a user and keep others from changing it until this transaction ends."""
    return await store.lock_user(tx, user_id)


async def find_verified_user(tx: Transaction, email: str) -> User | None:
    """Return the one user whom an address is proven to belong to; what is no address is nobody's."""
    email = normal_email(email)
    return None if email_fault(email) else await store.find_verified_user(tx, email)


async def get_customer(tx: Transaction, customer_id: int) -> Customer:
    """Return a customer; raises NotFound."""
    customer = await store.find_customer(tx, customer_id)
    if customer is None:
        raise NotFound("There is no such customer.")
    return customer


async def find_customer(tx: Transaction, public_id: str) -> Customer | None:
    """Return a customer by the id that is shown, or None."""
    return await store.find_customer_by_public_id(tx, public_id)


async def lock_customer(tx: Transaction, customer_id: int) -> Customer:
    """Return a customer and hold the row until the transaction ends; raises NotFound.

    Whatever changes a balance, a subscription, the members or the state does this first.
    """
    customer = await store.lock_customer(tx, customer_id)
    if customer is None:
        raise NotFound("There is no such customer.")
    return customer


async def find_customer_of(tx: Transaction, user_id: int) -> Customer | None:
    """Return the customer of a user; an administrator may have none."""
    return await store.find_customer_of(tx, user_id)


async def mark_verified(tx: Transaction, user_id: int, now: datetime) -> tuple[User, bool]:
    """Record that an address is its user's; return the user, and whether this call changed it.

    Raises: AddressTaken where another user proved the same address first. Writes: users, email_challenges.
    """
    user = await store.lock_user(tx, user_id)
    if user is None:
        raise NotFound("There is no such user.")
    if user.verified:
        return user, False
    try:
        user = await store.update_to_verified(tx, user_id, now)
    except UniqueViolation as failure:
        raise AddressTaken(
            "This address already has a customer. Sign in with it instead; what you made here is not lost "
            "to you until this browser signs out."
        ) from failure
    await store.update_challenges_used(tx, user_id, ChallengePurpose.VERIFY, now)
    return user, True


# Links and codes ----------------------------------------------------------------------------------


async def issue_challenge(
    tx: Transaction,
    code_key: bytes,
    user_id: int,
    purpose: ChallengePurpose,
    now: datetime,
    new_email: str | None = None,
) -> IssuedChallenge:
    """Make a link and a code for a mail. Only the newest code of a user works. Writes: email_challenges.

    Args:
        code_key: 32 bytes that the codes' hashes are keyed with.
        new_email: what a link of CHANGE_EMAIL changes to.
    """
    issued = IssuedChallenge(
        public_id=new_id("chl"),
        link_token=secrets.token_urlsafe(SECRET_BYTES),
        code=f"{secrets.randbelow(10**CODE_LENGTH):0{CODE_LENGTH}}",
    )
    await store.insert_challenge(
        tx,
        issued.public_id,
        user_id,
        purpose,
        sha256(issued.link_token),
        hash_of_code(code_key, issued.public_id, issued.code),
        CODE_ATTEMPTS_MAX,
        now + purpose.link_lifetime,
        now,
        new_email,
    )
    return issued


async def try_code(
    tx: Transaction, code_key: bytes, user_id: int, purpose: ChallengePurpose, code: str, now: datetime
) -> CodeTrial:
    """Try a code; a right one is spent. The caller commits whatever the verdict, or guesses would not count.

    INVARIANT: no challenge bears more than CODE_ATTEMPTS_MAX guesses, however many arrive at once
    (tests/customers/test_operations.py::test_guesses_at_the_same_time_are_counted_one_by_one).
    """
    challenge = await store.lock_newest_challenge(tx, user_id, purpose)
    if challenge is None or challenge.used_at is not None or challenge.code_expired(now):
        return CodeTrial(CodeVerdict.EXPIRED)
    if challenge.attempts_left == 0:
        return CodeTrial(CodeVerdict.USED_UP)
    if challenge.code_matches(code_key, normal_code(code)):
        await store.update_challenges_used(tx, user_id, purpose, now)
        return CodeTrial(CodeVerdict.RIGHT)
    left = challenge.attempts_left - 1
    await store.update_attempts_left(tx, challenge.id, left)
    return CodeTrial(CodeVerdict.WRONG, left) if left else CodeTrial(CodeVerdict.USED_UP)


async def get_link(tx: Transaction, link_token: str, purpose: ChallengePurpose) -> EmailChallenge:
    """Return what a mailed link stands for, held until the transaction ends; raises LinkUnknown."""
    challenge = await store.lock_challenge_of_link(tx, sha256(link_token[:SECRET_LENGTH_MAX]), purpose)
    if challenge is None:
        raise LinkUnknown(
            "We have no such link: part of it may be missing, or it is older than a month. "
            "Copy it whole from the mail, or ask for a new one."
        )
    return challenge


def check_link(challenge: EmailChallenge, now: datetime) -> None:
    """Say why a link cannot be spent any more. Raises: LinkUsed, LinkExpired."""
    if challenge.used_at is not None:
        raise LinkUsed("This link was used before, and each works once. Ask for a new one.")
    if challenge.link_expired(now):
        raise LinkExpired("This link is too old to work. Ask for a new one.")


async def use_link(tx: Transaction, challenge: EmailChallenge, now: datetime) -> None:
    """Spend a link. Raises: LinkUsed, LinkExpired. Writes: email_challenges."""
    check_link(challenge, now)
    await store.update_challenges_used(tx, challenge.user_id, challenge.purpose, now)


# Attempts -----------------------------------------------------------------------------------------


async def count_attempts(
    tx: Transaction, attempts: tuple[Attempt, ...], now: datetime
) -> TooManyAttempts | None:
    """Count something that strangers may try; return what to tell them where it is too often.

    Stops at the first limit that is reached: whoever is refused by one uses up none of the others.
    The caller commits before anything else can fail (`flows.count_attempts` does). Writes: attempt_counts.
    """
    for attempt in attempts:
        limit = attempt.limit
        count = await store.add_attempt(tx, attempt.key, limit.attempts_max, now - limit.window, now)
        if count.attempts > limit.attempts_max:
            return too_many(attempt, count, now)
    return None


async def begin_verify_mail_wait(tx: Transaction, user: User, now: datetime) -> None:
    """Count the mail that goes out with a sign-up, so that the next one waits its minute."""
    await count_attempts(tx, (Attempt(VERIFY_MAILS_PER_USER, user.public_id),), now)


async def seconds_until_verify_mail(tx: Transaction, user: User, now: datetime) -> int:
    """Say how long a user waits before another verification mail may be asked for; 0 for not at all."""
    limit = VERIFY_MAILS_PER_USER
    count = await store.find_attempt_count(tx, Attempt(limit, user.public_id).key, now - limit.window)
    return 0 if count is None or count.attempts < limit.attempts_max else count.seconds_left(limit, now)


# Sessions -----------------------------------------------------------------------------------------


async def create_session(tx: Transaction, user_id: int, visit: Visit, *, second_factor: bool = False) -> str:
    """Sign a browser in and return the secret of its cookie, of which only a hash is kept.

    Writes: user_sessions, users.
    """
    secret, _ = await open_session(tx, user_id, SessionKind.BROWSER, visit, second_factor=second_factor)
    return secret


async def open_session(
    tx: Transaction,
    user_id: int,
    kind: SessionKind,
    visit: Visit,
    *,
    days: int = SESSION_DAYS,
    second_factor: bool = False,
) -> tuple[str, UserSession]:
    """Sign a browser or a program in; return its secret, of which only a hash is kept, and the session.

    Raises: SignInRefused where the user is disabled. Writes: user_sessions, users.
    """
    secret = secrets.token_urlsafe(SECRET_BYTES)
    shortened = Visit(visit.address, visit.user_agent[:USER_AGENT_LENGTH_MAX], visit.now)
    session = await session_store.insert_session(
        tx,
        new_id("ses"),
        user_id,
        kind,
        sha256(secret),
        visit.now + timedelta(days=days),
        shortened,
        _inet(visit.address),
    )
    if not await store.update_signed_in(tx, user_id, visit.now):
        # Not told apart from a wrong password, which whoever guesses one would learn from.
        raise SignInRefused("That sign-in did not work. If it keeps failing, write to support.")
    if second_factor:
        await session_store.update_session_proven(tx, session.id, second_factor=True, now=visit.now)
    return secret, session


async def find_session(tx: Transaction, secret: str, now: datetime) -> UserSession | None:
    """Return the session of a secret, whatever its user still has to prove."""
    return await session_store.find_session(tx, sha256(secret[:SECRET_LENGTH_MAX]), now)


async def find_session_caller(tx: Transaction, secret: str, now: datetime) -> SessionCaller | None:
    """Return who a session cookie belongs to, or None where it ended, ran out or never was.

    None too where the user has a second factor and did not show it in this session yet.
    Writes: user_sessions, at most once a minute.
    """
    session = await find_session(tx, secret, now)
    return await _caller_of(tx, session, now) if session else None


async def find_caller_of_session(tx: Transaction, session_id: str, now: datetime) -> SessionCaller | None:
    """Return whose session that is by its public id, which an access token carries."""
    session = await session_store.find_session_by_public_id(tx, session_id, now)
    return await _caller_of(tx, session, now) if session else None


async def _caller_of(tx: Transaction, session: UserSession, now: datetime) -> SessionCaller | None:
    if now - session.last_seen_at >= timedelta(seconds=SEEN_AGAIN_SECONDS):
        await session_store.update_session_seen(tx, session.id, now)
    user = await store.find_user(tx, session.user_id)
    assert user is not None, "sessions go with their user"
    if user.disabled_at is not None or (user.has_second_factor and session.second_factor_at is None):
        return None
    if session.impersonates(now) and user.user_type.administers and session.impersonated_customer_id:
        customer = await store.find_customer(tx, session.impersonated_customer_id)
        return SessionCaller(user, customer, session, impersonating=True)
    memberships = await store.list_memberships(tx, user.id)
    chosen = next((one for one in memberships if one.customer_id == session.customer_id), None)
    membership = chosen or next(iter(memberships), None)
    if membership is None:
        return SessionCaller(user, None, session)
    customer = await store.find_customer(tx, membership.customer_id)
    return SessionCaller(user, customer, session, membership.role)


async def list_sessions(tx: Transaction, user_id: int, now: datetime) -> list[UserSession]:
    """List where a user is signed in, browsers and programs, the one used last first."""
    return await session_store.list_sessions(tx, user_id, now, SESSIONS_LISTED_MAX)


async def look_at_customer(tx: Transaction, session_id: int, user_id: int, customer_public_id: str) -> None:
    """Look at another of one's customers from now on; raises NotFound where the user does not belong to it."""
    for membership in await store.list_memberships(tx, user_id):
        if membership.customer_public_id == customer_public_id:
            await session_store.update_session_customer(tx, session_id, membership.customer_id)
            return
    raise NotFound("There is no such customer among yours.")


async def prove_session(
    tx: Transaction, session_id: int, now: datetime, *, second_factor: bool = False
) -> None:
    """Remember that a session's user proved anew who they are. Writes: user_sessions."""
    await session_store.update_session_proven(tx, session_id, second_factor=second_factor, now=now)


async def end_session(tx: Transaction, session_id: int, now: datetime) -> None:
    """Sign one browser out; ending it twice changes nothing."""
    await session_store.update_session_ended(tx, session_id, now)


async def end_other_sessions(
    tx: Transaction, user_id: int, now: datetime, *, kept_session_id: int | None = None
) -> int:
    """Sign a user out everywhere, except in one browser where it is given; return how many ended."""
    return await session_store.update_sessions_ended(tx, user_id, kept_session_id, now)


# Passwords ----------------------------------------------------------------------------------------


async def find_password_hash(tx: Transaction, user_id: int) -> str | None:
    """Return the hash of a user's password, or None where there is no password."""
    return await store.find_password_hash(tx, user_id)


async def replace_password(tx: Transaction, caller: SessionCaller, password_hash: str, visit: Visit) -> None:
    """Keep a new password, and sign the user out in every browser but this one.

    Writes: users, email_challenges, user_sessions, audit_entries.
    """
    user, customer = caller.user, caller.customer
    await give_password(tx, user, password_hash, visit.now)
    await end_other_sessions(tx, user.id, visit.now, kept_session_id=caller.session.id)
    await audit.record_entry(
        tx,
        action="user.password_set",
        customer_id=customer.id if customer else None,
        actor=f"user:{user.public_id}",
        subject=user.public_id,
        address=visit.address,
        now=visit.now,
        actor_name=user.email,
        user_id=user.id,
    )


def _inet(address: str) -> str | None:
    """Return an address fit for a column of type inet; a socket's name is none."""
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return None
