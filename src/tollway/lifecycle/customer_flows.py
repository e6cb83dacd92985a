"""Register a customer as a program asks for it, and prove its address with its key."""

from tollway.customers import flows as customer_flows
from tollway.customers import operations as customers
from tollway.customers.callers import Caller
from tollway.customers.entities import ChallengePurpose, SignUp, Visit
from tollway.kit import idempotency
from tollway.kit.db import Database
from tollway.kit.problems import FieldError, Invalid
from tollway.lifecycle import customer_operations, operations
from tollway.lifecycle.entities import LifecycleParts

MESSAGE = (
    "Registered. Keep the key now: it is shown this once. It stops at {requests_max} requests until you prove the "
    "address: send the code that we mailed to POST /api/customers/me/verify, with this key."
)
REPEATED = (
    "This is the answer to a repeated request: the customer was registered by the first one, whose answer alone "
    "carried the key."
)


async def register(
    database: Database,
    parts: LifecycleParts,
    *,
    name: str,
    email: str,
    tier: str,
    requests_max: int,
    visit: Visit,
    idempotency_key: str | None = None,
) -> dict[str, str | None]:
    """Make a customer for a program; see `customer_operations.register`. A repeated request is told no key.

    Raises: Invalid (/name, /email), TooManyAttempts, PlanUnknown, PlanByArrangement, BadIdempotencyKey,
    IdempotencyKeyReused.
    """
    form = customer_operations.sign_up_form(name, email)
    try:
        checked = SignUp.checked(form.email, form.company, form.use_case)
    except Invalid as problem:
        raise _by_our_names(problem) from problem
    if idempotency_key is not None:
        idempotency.check_key(idempotency_key)
    await customer_flows.count_sign_up(database, checked.email, visit)
    # Nobody is known yet, so the address of the client is all that tells callers apart.
    scope = f"register/{visit.address}"
    async with database.transaction() as tx:
        if idempotency_key is not None:
            content = idempotency.digest([checked.email, checked.company, tier])
            stored = await idempotency.begin(tx, scope, idempotency_key, content, visit.now)
            if stored is not None:
                earlier: dict[str, str | None] = stored.body
                return earlier | {"api_key": None, "message": REPEATED}
        registered = await customer_operations.register(tx, parts, form, tier, visit)
        answer = {
            "key_id": registered.key_id,
            "customer_id": registered.customer.public_id,
            "checkout_url": registered.checkout_url,
        }
        if idempotency_key is not None:
            await idempotency.finish(tx, scope, idempotency_key, 201, answer)
    message = MESSAGE.format(requests_max=requests_max)
    return answer | {"api_key": registered.secret, "message": message}


def _by_our_names(problem: Invalid) -> Invalid:
    """Point at the fields by the names that they have here."""
    errors = tuple(
        FieldError(one.pointer.replace("/company", "/name"), one.message) for one in problem.errors
    )
    words = " ".join(f"{one.pointer[1:]}: {one.message}" for one in errors)
    return Invalid(f"This cannot be registered as it is. {words}", errors=errors)


async def verify(database: Database, parts: LifecycleParts, caller: Caller, code: str, visit: Visit) -> bool:
    """Prove the address of a customer with the code that was mailed, and its key; False where it was proven before.

    Whoever has both the key and the mailbox is who registered, so the key stays.

    Raises: CodeWrong (/code), CodeExpired, CodeUsedUp, AddressTaken.
    """
    async with database.transaction() as tx:
        customer = await customers.get_customer(tx, caller.owner_id)
        user = await customers.get_user(tx, customer.user_id)
        if user.verified:
            return False
        guess = await customers.try_code(
            tx, parts.code_key, user.id, ChallengePurpose.VERIFY, code, visit.now
        )
        refusal = guess.refusal()
        if refusal is None:
            await operations.verify_user(tx, parts, user.id, visit)
            return True
    # Raised outside the transaction, which thereby committed the guess.
    raise refusal
