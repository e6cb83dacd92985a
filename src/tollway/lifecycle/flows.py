"""Sign up, verify and sign in as a page or an endpoint asks for it: attempts are counted, then looked at.

Each of these opens its own transactions, so that a refused attempt still counts and no password is hashed
while one is open.
"""

from tollway.customers import flows as customer_flows
from tollway.customers import operations as customers
from tollway.customers.callers import SessionCaller
from tollway.customers.entities import (
    ChallengePurpose,
    SignInRefused,
    SignUp,
    User,
    Visit,
    email_fault,
    normal_email,
)
from tollway.customers.flows import Passwords
from tollway.kit import idempotency
from tollway.kit.db import Database, Transaction
from tollway.kit.problems import FieldError, Invalid
from tollway.lifecycle import operations
from tollway.lifecycle.entities import LifecycleParts, SignedIn, SignedUp, SignUpForm, Verified


async def sign_up(
    database: Database,
    parts: LifecycleParts,
    form: SignUpForm,
    visit: Visit,
    *,
    idempotency_key: str | None = None,
    earlier_secret: str | None = None,
) -> SignedUp:
    """Make a customer of a stranger; see `operations.sign_up`.

    Args:
        idempotency_key: the header of a program that may send the same request again.
        earlier_secret: of the session that this browser had before; its cookie is replaced, so it ends.

    Raises: Invalid (/email, /company, /use_case), TooManyAttempts, BadIdempotencyKey, IdempotencyKeyReused.
    """
    checked = SignUp.checked(form.email, form.company, form.use_case)
    if idempotency_key is not None:
        idempotency.check_key(idempotency_key)
    await customer_flows.count_sign_up(database, checked.email, visit)
    async with database.transaction() as tx:
        if earlier_secret is not None:
            await _end_session_of(tx, earlier_secret, visit)
        if idempotency_key is None:
            return await operations.sign_up(tx, parts, form, visit)
        # Nobody is signed in yet, so the address of the client is all that tells callers apart.
        scope = f"signup/{visit.address}"
        content = idempotency.digest([checked.email, checked.company, checked.use_case.value])
        stored = await idempotency.begin(tx, scope, idempotency_key, content, visit.now)
        if stored is not None:
            return await _signed_up_before(tx, stored.body["user_id"], visit)
        signed_up = await operations.sign_up(tx, parts, form, visit)
        # The secret of the session is stored nowhere; a repeated request gets a session of its own.
        await idempotency.finish(tx, scope, idempotency_key, 200, {"user_id": signed_up.user.id})
        return signed_up


async def _end_session_of(tx: Transaction, secret: str, visit: Visit) -> None:
    earlier = await customers.find_session_caller(tx, secret, visit.now)
    if earlier is not None:
        await customers.end_session(tx, earlier.session.id, visit.now)


async def _signed_up_before(tx: Transaction, user_id: int, visit: Visit) -> SignedUp:
    user = await customers.get_user(tx, user_id)
    customer = await customers.find_customer_of(tx, user.id)
    assert customer is not None, "whoever signed up is a customer"
    secret = None if user.verified else await customers.create_session(tx, user.id, visit)
    return SignedUp(user, customer, secret)


async def verify_by_link(
    database: Database, parts: LifecycleParts, link_token: str, caller: SessionCaller | None, visit: Visit
) -> Verified:
    """Prove an address by its mailed link; see `operations.verify_by_link`.

    Raises: LinkUnknown, LinkUsed, LinkExpired, AddressTaken.
    """
    async with database.transaction() as tx:
        return await operations.verify_by_link(tx, parts, link_token, caller, visit)


async def verify_by_code(
    database: Database, parts: LifecycleParts, caller: SessionCaller, code: str, visit: Visit
) -> Verified:
    """Prove an address by its mailed code, in the browser that signed up, and give that a new session.

    Raises: CodeWrong (/code), CodeExpired, CodeUsedUp, AddressTaken.
    """
    async with database.transaction() as tx:
        user = await customers.get_user(tx, caller.user.id)
        if user.verified:
            assert caller.customer is not None, "whoever signed up is a customer"
            return Verified(user, caller.customer, session_secret=None)
        trial = await customers.try_code(
            tx, parts.code_key, user.id, ChallengePurpose.VERIFY, code, visit.now
        )
        refusal = trial.refusal()
        if refusal is None:
            return await operations.verify_and_sign_in(tx, parts, user.id, visit)
    # Raised outside the transaction, which thereby committed the guess.
    raise refusal


async def resend_verification(database: Database, parts: LifecycleParts, user_id: int, visit: Visit) -> bool:
    """Mail a new link and code to a user; False where the address is verified already.

    Raises: TooManyAttempts.
    """
    async with database.transaction() as tx:
        user = await customers.get_user(tx, user_id)
    if user.verified:
        return False
    await customer_flows.count_verify_mail(database, user, visit)
    async with database.transaction() as tx:
        await operations.send_verification(tx, parts, user, visit.now)
    return True


async def resend_by_link(database: Database, parts: LifecycleParts, link_token: str, visit: Visit) -> bool:
    """Mail a new link in place of one that is too old, whatever browser it was opened in.

    Returns False where the address is verified already. Raises: LinkUnknown, TooManyAttempts.
    """
    async with database.transaction() as tx:
        challenge = await customers.get_link(tx, link_token, ChallengePurpose.VERIFY)
    return await resend_verification(database, parts, challenge.user_id, visit)


async def request_sign_in(database: Database, parts: LifecycleParts, email: str, visit: Visit) -> None:
    """Mail a link and a code that sign in; the same to the eye for an address that nobody has.

    Raises: Invalid (/email), TooManyAttempts.
    """
    if fault := email_fault(normal_email(email)):
        raise Invalid(fault, errors=(FieldError("/email", fault),))
    await customer_flows.count_sign_in_mail(database, email, visit)
    async with database.transaction() as tx:
        await operations.send_sign_in(tx, parts, normal_email(email), visit.now)


async def check_link(database: Database, link_token: str, purpose: ChallengePurpose, visit: Visit) -> None:
    """Look at a mailed link without spending it, for the page that asks before.

    Raises: LinkUnknown, LinkUsed, LinkExpired.
    """
    async with database.transaction() as tx:
        customers.check_link(await customers.get_link(tx, link_token, purpose), visit.now)


async def sign_in_by_link(
    database: Database, parts: LifecycleParts, link_token: str, caller: SessionCaller | None, visit: Visit
) -> SignedIn:
    """Sign in with a mailed link.

    Args:
        caller: who this browser belonged to so far; that session ends.

    Raises: LinkUnknown, LinkUsed, LinkExpired.
    """
    async with database.transaction() as tx:
        challenge = await customers.get_link(tx, link_token, ChallengePurpose.SIGN_IN)
        await customers.use_link(tx, challenge, visit.now)
        user = await customers.get_user(tx, challenge.user_id)
        return await operations.sign_in(tx, parts, user, "link", caller, visit)


async def sign_in_by_code(
    database: Database,
    parts: LifecycleParts,
    email: str,
    code: str,
    caller: SessionCaller | None,
    visit: Visit,
) -> SignedIn:
    """Sign in with an address and the code that was mailed to it.

    Raises: SignInRefused, the same for a wrong code and for an unknown address; TooManyAttempts.
    """
    await customer_flows.count_sign_in(database, email, visit)
    async with database.transaction() as tx:
        user = await customers.find_verified_user(tx, email)
        if user is not None:
            trial = await customers.try_code(
                tx, parts.code_key, user.id, ChallengePurpose.SIGN_IN, code, visit.now
            )
            if trial.refusal() is None:
                return await operations.sign_in(tx, parts, user, "code", caller, visit)
    # Outside the transaction, which thereby committed the guess.
    raise SignInRefused(
        "Address and code do not belong together, or the code is too old. "
        "Use the newest mail, or ask for a new one."
    )


async def sign_in_by_password(
    database: Database,
    parts: LifecycleParts,
    passwords: Passwords,
    email: str,
    password: str,
    caller: SessionCaller | None,
    visit: Visit,
) -> SignedIn:
    """Sign in with an address and a password.

    Raises: SignInRefused, which never tells which part was wrong; TooManyAttempts; Unavailable.
    """
    await customer_flows.count_sign_in(database, email, visit)
    user: User | None = await customer_flows.check_password(database, passwords, email, password)
    if user is None:
        raise SignInRefused(
            "Address and password do not belong together. Try again, or have a sign-in link mailed to you."
        )
    async with database.transaction() as tx:
        return await operations.sign_in(tx, parts, user, "password", caller, visit)
