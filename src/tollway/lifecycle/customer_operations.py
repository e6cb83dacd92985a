"""A customer as programs see it: registered, read, moved to another plan, closed (D2-D5, D9)."""

from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlencode

from tollway.customers import details_operations
from tollway.customers import operations as customers
from tollway.customers.callers import Caller
from tollway.customers.entities import AddressNotVerified, Customer, Mode, UseCase, Visit
from tollway.customers.permissions import Permission
from tollway.keys import operations as keys
from tollway.kit.db import Transaction
from tollway.kit.problems import NotFound
from tollway.lifecycle import customer_store, operations
from tollway.lifecycle.entities import API_KEY_NAME, LifecycleParts, SignUpForm
from tollway.plans import operations as plans
from tollway.plans.changes import ChangeKind, ChangeStatus, SubscriptionChange
from tollway.plans.entities import Entitlement, Product, SubscriptionStatus, normal_tier

FREE_TIER = "free"
# The word of clients of this API for it (X1).
SHOWN_TIERS = {"professional": "pro"}


@dataclass(frozen=True, slots=True)
class CustomerSummary:
    """A customer with what their plan gives them, as clients of the agents API read it."""

    customer: Customer
    subscription_tier: str
    agents_max: int
    requests_per_minute_max: int | None
    request_count: int


@dataclass(frozen=True, slots=True)
class Registered:
    """A customer that a program registered; the secret of its key is shown this once."""

    customer: Customer
    key_id: str
    secret: str = field(repr=False)
    # Where the plan that was asked for is paid; nothing for a free one.
    checkout_url: str | None


async def register(
    tx: Transaction, parts: LifecycleParts, form: SignUpForm, tier: str, visit: Visit
) -> Registered:
    """Make a customer for a program, as `sign_up` does for a browser, with a key for agents besides.

    The same for an address that is known already (X4). A paid plan is held as the free one, and waits for its
    payment (X20); until the address is proven, both products stop at the requests of the unverified.

    Raises: Invalid (/email, /company), PlanUnknown, PlanByArrangement.
    Writes: what `sign_up` writes, and subscription_changes. Defers: the verification mail.
    """
    _, customer = await operations.make_customer(tx, parts, form, visit)
    await plans.subscribe(
        tx, customer.id, Product.AGENTS, FREE_TIER, SubscriptionStatus.PENDING_VERIFICATION, visit.now
    )
    issued = await keys.issue_api_key(
        tx,
        parts.sealer,
        customer.id,
        product=Product.AGENTS,
        mode=Mode.TEST,
        name=API_KEY_NAME,
        tier=FREE_TIER,
        now=visit.now,
    )
    link = None
    if normal_tier(tier) != FREE_TIER:
        change = await plans.request_change(
            tx,
            customer.id,
            Product.AGENTS,
            tier,
            f"api_key:{issued.api_key.key_id}",
            visit.now,
            address=visit.address,
        )
        link = checkout_url(parts, change, normal_tier(tier))
    return Registered(customer, issued.api_key.key_id, issued.secret, link)


def sign_up_form(name: str, email: str) -> SignUpForm:
    """Read what a program registers as what the form of the front page asks for."""
    return SignUpForm(email=email, company=name, use_case=UseCase.OTHER.value)


def checkout_url(parts: LifecycleParts, change: SubscriptionChange, tier: str) -> str | None:
    """Return where a change is paid, or None where it costs nothing now."""
    if change.status is not ChangeStatus.PENDING_PAYMENT:
        return None
    query = urlencode({"product": change.product, "plan": tier, "change": change.public_id})
    return parts.page(f"/billing/upgrade?{query}")


async def find_subject(tx: Transaction, caller: Caller, customer_id: str) -> Customer:
    """Return the customer that an address names: the caller's own, or anybody's for an administrator.

    Raises: NotFound, the same for one that is not the caller's and for one that is not there.
    """
    own = caller.customer
    if own is not None and customer_id in ("me", own.public_id):
        return own
    if caller.may(Permission.ADMIN_CUSTOMERS_VIEW) and caller.second_factor and not caller.impersonator:
        found = await customers.find_customer(tx, customer_id)
        if found is not None:
            return found
    raise NotFound("There is no such customer.")


def assert_own(caller: Caller, customer_id: str) -> Customer:
    """Return the caller's own customer. Raises: NotFound for the id of any other."""
    if caller.customer is None or customer_id not in ("me", caller.customer.public_id):
        raise NotFound("There is no such customer.")
    return caller.customer


async def summarize(tx: Transaction, customer: Customer, now: datetime) -> CustomerSummary:
    """Say what a customer is and may do: by the plan for agents, or else by the first one that they hold."""
    held = {one.plan.product: one for one in await plans.list_held(tx, customer.id, now)}
    shown: Entitlement | None = held.get(Product.AGENTS) or next(iter(held.values()), None)
    tier = shown.plan.tier if shown else FREE_TIER
    return CustomerSummary(
        customer=customer,
        subscription_tier=SHOWN_TIERS.get(tier, tier),
        agents_max=shown.limits.agents_max if shown else 0,
        requests_per_minute_max=shown.limits.requests_per_minute_max if shown else 0,
        request_count=await customer_store.count_requests(tx, customer.id),
    )


async def change_plan(
    tx: Transaction, parts: LifecycleParts, caller: Caller, product: str, tier: str, now: datetime
) -> SubscriptionChange:
    """Ask for another plan: a step up waits for its payment, a step down for the period's end (X20).

    Raises: AddressNotVerified, and what `plans.request_change` raises. Writes: what that writes.
    """
    customer = await customers.get_customer(tx, caller.owner_id)
    if not (await customers.get_user(tx, customer.user_id)).verified:
        raise AddressNotVerified("Verify your address first: send the code that we mailed.")
    return await plans.request_change(
        tx,
        customer.id,
        product,
        tier,
        caller.actor,
        now,
        address=caller.address,
        free_trial_days=parts.free_trial_days,
    )


async def deactivate(tx: Transaction, caller: Caller, now: datetime) -> None:
    """Close a customer: its keys and people are refused from the next call on, and no further period begins.

    Nothing is deleted, and support can open it again. Doing it twice changes nothing.
    Writes: api_customers, subscription_changes, api_subscriptions, audit_entries.
    """
    customer = await customers.lock_customer(tx, caller.owner_id)
    if customer.deactivated_at is not None:
        return
    for held in await plans.list_held(tx, customer.id, now):
        waiting = await plans.find_open_change(tx, held)
        if waiting is not None and waiting.kind not in (ChangeKind.CANCEL, ChangeKind.MIGRATION):
            await plans.withdraw_change(
                tx, customer.id, waiting.public_id, caller.actor, now, address=caller.address
            )
        if not held.plan.free and not held.read_only:
            await plans.request_cancellation(
                tx, customer.id, held.plan.product, caller.actor, now, address=caller.address
            )
    await details_operations.deactivate_customer(tx, caller, now)
