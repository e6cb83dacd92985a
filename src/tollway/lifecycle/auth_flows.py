"""Sign programs up and in, and tell them who they are: the verbs behind `/auth`.

Attempts are counted in transactions of their own, and no password is hashed while one is open.
"""

from dataclasses import dataclass, field
from datetime import datetime

from tollway.audit import operations as audit
from tollway.authentication import flows as authentication
from tollway.authentication import second_factor_operations as second_factor
from tollway.authentication import token_operations as tokens
from tollway.authentication.entities import (
    FactorKeys,
    SecondFactorCodeNeeded,
    TokenKeys,
    TokenPair,
)
from tollway.customers import flows as customer_flows
from tollway.customers import operations as customers
from tollway.customers import profile_operations as profiles
from tollway.customers.callers import Caller
from tollway.customers.entities import (
    AddressTaken,
    ChallengePurpose,
    Customer,
    PasswordNotAccepted,
    SignInRefused,
    UseCase,
    User,
    Visit,
    email_fault,
    name_fault,
    normal_email,
    password_fault,
)
from tollway.customers.flows import Passwords
from tollway.kit import idempotency
from tollway.kit.db import Database, Transaction
from tollway.kit.problems import FieldError, Invalid
from tollway.lifecycle import operations
from tollway.lifecycle.entities import LifecycleParts, SignUpForm
from tollway.plans import operations as plans

# The product whose clients sign in here and read what they hold of it (3.4).
WALLET = "wallet"
NO_SUBSCRIPTION = "FREE"


@dataclass(frozen=True, slots=True)
class AuthParts:
    """What these verbs need to know of the installation."""

    lifecycle: LifecycleParts
    token_keys: TokenKeys
    passwords: Passwords

    @property
    def factor_keys(self) -> FactorKeys:
        """What second factors are checked with."""
        return FactorKeys(self.lifecycle.sealer, self.lifecycle.code_key)


@dataclass(frozen=True, slots=True)
class Registration:
    """What a program sends to sign its person up, found good."""

    email: str
    name: str
    password: str = field(repr=False)

    @classmethod
    def checked(cls, email: str, password: str, name: str) -> "Registration":
        """Read the three fields; raises Invalid with one error for each that cannot be used."""
        email, name = normal_email(email), name.strip()
        faults = {"/email": email_fault(email), "/name": name_fault(name)}
        errors = [FieldError(pointer, fault) for pointer, fault in faults.items() if fault]
        unfit = password_fault(password, email, name)
        if unfit and not errors:
            raise PasswordNotAccepted(unfit, errors=(FieldError("/password", unfit),))
        if unfit:
            errors.append(FieldError("/password", unfit))
        if errors:
            fields = " ".join(f"{one.pointer[1:]}: {one.message}" for one in errors)
            raise Invalid(f"The registration cannot be used as it is. {fields}", errors=tuple(errors))
        return cls(email, name, password)

    @property
    def company(self) -> str:
        """What the customer is called until its owner says so: the person, else where the address is."""
        return self.name or self.email.partition("@")[2]


@dataclass(frozen=True, slots=True)
class Profile:
    """A user as they see themselves."""

    user: User
    subscription: str
    last_sign_in_at: datetime | None


@dataclass(frozen=True, slots=True)
class Registered:
    """A new user, their customer, and the tokens of the program that signed them up."""

    profile: Profile
    customer: Customer
    tokens: TokenPair


async def register(
    database: Database,
    parts: AuthParts,
    email: str,
    password: str,
    name: str,
    visit: Visit,
    *,
    idempotency_key: str | None = None,
) -> Registered:
    """Make a customer of a stranger, as `operations.sign_up` does, with a password and a program's session.

    The answer does not depend on whether the address is known. The password signs nobody in until the
    address is verified, and is forgotten where a browser verifies it that knows nothing of this session.

    Raises: Invalid (/email, /password, /name), PasswordNotAccepted (/password), TooManyAttempts, Unavailable,
    BadIdempotencyKey, IdempotencyKeyReused, AddressTaken where a repeated request finds it verified since.
    """
    checked = Registration.checked(email, password, name)
    if idempotency_key is not None:
        idempotency.check_key(idempotency_key)
    await customer_flows.count_sign_up(database, checked.email, visit)
    password_hash = await parts.passwords.hash(checked.password)
    async with database.transaction() as tx:
        if idempotency_key is None:
            return await _register(tx, parts, checked, password_hash, visit)
        # Nobody is signed in yet; and the password is kept nowhere but in its own slow hash.
        scope = f"register/{visit.address}"
        content = idempotency.digest([checked.email, checked.name])
        stored = await idempotency.begin(tx, scope, idempotency_key, content, visit.now)
        if stored is None:
            registered = await _register(tx, parts, checked, password_hash, visit)
            body = {"user_id": registered.profile.user.id}
            await idempotency.finish(tx, scope, idempotency_key, 201, body)
            return registered
    return await _registered_before(database, parts, stored.body["user_id"], checked.password, visit)


async def _register(
    tx: Transaction, parts: AuthParts, checked: Registration, password_hash: str, visit: Visit
) -> Registered:
    form = SignUpForm(checked.email, checked.company, UseCase.OTHER.value)
    user, customer = await operations.make_customer(tx, parts.lifecycle, form, visit)
    await profiles.rename_user(tx, user.id, checked.name, visit.now)
    await customers.give_password(tx, user, password_hash, visit.now)
    return await _open(tx, parts, user.id, customer, visit)


async def _registered_before(
    database: Database, parts: AuthParts, user_id: int, password: str, visit: Visit
) -> Registered:
    """Sign in again whom the first request made; the header alone may be guessed by whoever shares the network."""
    async with database.transaction() as tx:
        user = await customers.get_user(tx, user_id)
        if user.verified:
            raise AddressTaken(
                "This request was answered before, and its address is verified since. Sign in at POST /auth/login."
            )
        password_hash = await customers.find_password_hash(tx, user.id)
    if not await parts.passwords.matches(password, password_hash):
        raise idempotency.IdempotencyKeyReused(
            "This Idempotency-Key was already used with another password. "
            "Send the first request unchanged, or choose a new key for a new request."
        )
    async with database.transaction() as tx:
        customer = await customers.find_customer_of(tx, user.id)
        assert customer is not None, "whoever registered is a customer"
        return await _open(tx, parts, user.id, customer, visit)


async def _open(
    tx: Transaction, parts: AuthParts, user_id: int, customer: Customer, visit: Visit
) -> Registered:
    user = await customers.get_user(tx, user_id)
    pair, _ = await tokens.open_program_session(tx, parts.token_keys, user, visit)
    return Registered(await get_profile(tx, user, customer.id, visit.now), customer, pair)


async def verify(database: Database, parts: AuthParts, caller: Caller, code: str, visit: Visit) -> User:
    """Prove an address by its mailed code, by the program that registered it; every other session ends.

    Raises: CodeWrong (/code), CodeExpired, CodeUsedUp, AddressTaken.
    """
    assert caller.user is not None, "only a person's session reaches this"
    async with database.transaction() as tx:
        user = await customers.get_user(tx, caller.user.id)
        if user.verified:
            return user
        trial = await customers.try_code(
            tx, parts.lifecycle.code_key, user.id, ChallengePurpose.VERIFY, code, visit.now
        )
        refusal = trial.refusal()
        if refusal is None:
            user, _ = await operations.verify_user(tx, parts.lifecycle, user.id, visit)
            await customers.end_other_sessions(tx, user.id, visit.now, kept_session_id=caller.session_id)
            return user
    # Raised outside the transaction, which thereby committed the guess.
    raise refusal


async def log_in(
    database: Database, parts: AuthParts, email: str, password: str, code: str, visit: Visit
) -> tuple[Profile, TokenPair]:
    """Sign a program in by address and password, and the second factor where its user has one.

    Raises: SignInRefused, which never tells which part was wrong; SecondFactorCodeNeeded, to whoever knows
    the password; TooManyAttempts; Unavailable.
    Writes: user_sessions, users, recovery_codes, outbox_mails, audit_entries.
    """
    await customer_flows.count_sign_in(database, email, visit)
    user = await customer_flows.check_password(database, parts.passwords, email, password)
    if user is None:
        raise _refused()
    if user.has_second_factor:
        if not code:
            raise SecondFactorCodeNeeded(
                "Send the code that your authenticator shows, or a recovery code, as `code` beside address and "
                "password."
            )
        await customer_flows.count_second_factor(database, user, "", visit)
    async with database.transaction() as tx:
        shown = None
        if user.has_second_factor:
            shown = await second_factor.show_factor(tx, parts.factor_keys, user, code, visit.now)
            if shown is None:
                raise _refused()
            await authentication.record_shown(tx, user, shown, visit)
        pair, session = await tokens.open_program_session(
            tx, parts.token_keys, user, visit, second_factor=shown is not None
        )
        await operations.note_sign_in(tx, parts.lifecycle, user, session, "password", visit)
        customer = await customers.find_customer_of(tx, user.id)
        return await get_profile(tx, user, customer.id if customer else None, visit.now), pair


def _refused() -> SignInRefused:
    return SignInRefused(
        "These do not belong together: address, password and, where one is set up, the code of a second factor."
    )


async def log_out(database: Database, caller: Caller, visit: Visit) -> None:
    """End the session that a program or browser calls with. Writes: user_sessions, audit_entries."""
    assert caller.user is not None, "only a person's session reaches this"
    assert caller.session_id is not None, "only a person's session reaches this"
    async with database.transaction() as tx:
        await customers.end_session(tx, caller.session_id, visit.now)
        await _record(tx, "user.signed_out", caller, visit)


async def rename(database: Database, caller: Caller, name: str, visit: Visit) -> Profile:
    """Give a person another name. Raises: Invalid (/name). Writes: users, audit_entries."""
    assert caller.user is not None, "only a person's session reaches this"
    async with database.transaction() as tx:
        await profiles.rename_user(tx, caller.user.id, name, visit.now)
        await _record(tx, "user.renamed", caller, visit)
        user = await customers.get_user(tx, caller.user.id)
        return await get_profile(tx, user, caller.customer_id, visit.now)


async def get_profile(tx: Transaction, user: User, customer_id: int | None, now: datetime) -> Profile:
    """Return a user as they see themselves, with the plan that the customer holds of the wallet (3.4)."""
    held = await plans.find_entitlement(tx, customer_id, WALLET, now) if customer_id else None
    return Profile(
        user,
        held.plan.tier.upper() if held else NO_SUBSCRIPTION,
        await profiles.find_last_sign_in(tx, user.id),
    )


async def _record(tx: Transaction, action: str, caller: Caller, visit: Visit) -> None:
    assert caller.user is not None, "only a person's session reaches this"
    await audit.record_entry(
        tx,
        action=action,
        customer_id=None if caller.impersonator else caller.customer_id,
        actor=caller.actor,
        subject=caller.user.public_id,
        address=visit.address,
        now=visit.now,
        actor_name=caller.actor_name,
        user_id=caller.user_id,
    )
