"""Whether a customer's plan includes webhooks (any that has them, of whichever product), and which are a caller's."""

from datetime import datetime

from tollway.customers.callers import Caller, Via
from tollway.kit.db import Transaction
from tollway.kit.problems import PaymentRequired
from tollway.plans import operations as plans
from tollway.plans.entities import Entitlement, EntitlementState, Feature, FeatureNotIncluded
from tollway.webhooks import store
from tollway.webhooks.entities import Webhook, WebhookNotFound


async def has_webhooks(tx: Transaction, customer_id: int, now: datetime) -> bool:
    """Say whether something is delivered for a customer at `now`."""
    return any(_includes(one) for one in await plans.list_held(tx, customer_id, now))


async def assert_included(tx: Transaction, customer_id: int, now: datetime) -> None:
    """Raise FeatureNotIncluded, which names the plan that has webhooks, where a customer holds none (B54)."""
    held = await plans.list_held(tx, customer_id, now)
    if any(_includes(one) for one in held):
        return
    for entitlement in held:
        entitlement.assert_may_write()
        await plans.assert_feature(tx, entitlement, Feature.WEBHOOKS)
    raise FeatureNotIncluded("You hold no plan that includes webhooks.", members={"feature": "webhooks"})


async def find_missing(tx: Transaction, customer_id: int, now: datetime) -> str:
    """Say why nothing is delivered for a customer at `now`, and which plan would; nothing where something is."""
    try:
        await assert_included(tx, customer_id, now)
    except PaymentRequired as problem:
        return problem.message
    return ""


async def get_webhook(tx: Transaction, caller: Caller, public_id: str, *, lock: bool = False) -> Webhook:
    """Return a webhook that the caller may know of; raises WebhookNotFound."""
    # A NUL is legal in an address and no text for a database.
    webhook = (
        None if "\0" in public_id else await store.find_webhook(tx, caller.owner_id, public_id, lock=lock)
    )
    if webhook is None or (caller.via is Via.KEY and webhook.mode is not caller.mode):
        raise WebhookNotFound("You have no such webhook.")
    return webhook


def _includes(entitlement: Entitlement) -> bool:
    return Feature.WEBHOOKS in entitlement.features and entitlement.state is not EntitlementState.CANCELLED
