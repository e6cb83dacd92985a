"""What is kept for a time that the plan names is deleted when that is over, and the customer is told."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

from tollway.customers import operations as customers
from tollway.kit.db import Transaction
from tollway.kit.mail import queue_mail
from tollway.notifications import operations as notifications
from tollway.plans import operations as plans
from tollway.simulation import file_store, goal_seek_store
from tollway.simulation.entities import PRODUCT, Expiring

WARNING_DAYS = 7
# How long a deleted thing's row stays, so that a request for it is told the reason.
TOMBSTONE_DAYS = 90
BATCH_ROWS = 500


async def warn(tx: Transaction, base_url: str, now: datetime) -> int:
    """Tell customers of the workbooks that will be deleted within a week; each is told of once.

    Returns how many workbooks a mail was written about; call again until it is 0. Writes: models, outbox_mails.
    """
    expiring = await file_store.tell_expiring_models(tx, now + timedelta(days=WARNING_DAYS), now, BATCH_ROWS)
    for customer_id, theirs in _by_customer(expiring).items():
        customer = await customers.get_customer(tx, customer_id)
        entitlement = await plans.get_entitlement(tx, customer_id, PRODUCT, now)
        mail = notifications.compose_workbook_expiring(
            customer.billing_email,
            workbooks=[(one.label, f"{base_url}/models/{one.public_id}") for one in theirs],
            delete_at=min(one.expires_at for one in theirs),
            kept_days=entitlement.limits.workbook_days,
        )
        await queue_mail(tx, mail, now)
    return len(expiring)


async def end(tx: Transaction, base_url: str, now: datetime) -> int:
    """Let go of the workbooks, results and samples whose time is over, and tell their customers.

    Returns how many; call again until it is 0. The files are deleted later, by the sweep.
    Writes: models, runs, goal_seeks, run_shards, discarded_blobs, outbox_mails.
    """
    models = await file_store.empty_expired_models(tx, now, BATCH_ROWS)
    runs = await file_store.empty_expired_runs(tx, now, BATCH_ROWS)
    seeks = await goal_seek_store.delete_expired(tx, now, BATCH_ROWS)
    labels: dict[int, list[str]] = defaultdict(list)
    for one in models:
        labels[one.customer_id].append(f"the workbook of {one.label}")
    for one in runs:
        labels[one.customer_id].append(f"the results of {one.label}")
    for one in seeks:
        labels[one.customer_id].append(f"the goal seek {one.label}")
    for customer_id, items in labels.items():
        customer = await customers.get_customer(tx, customer_id)
        mail = notifications.compose_results_deleted(
            customer.billing_email, items=items, deleted_at=now, dashboard_link=f"{base_url}/dashboard"
        )
        await queue_mail(tx, mail, now)
    return len(models) + len(runs) + len(seeks)


async def delete_tombstones(tx: Transaction, now: datetime) -> int:
    """Delete the rows of what was let go of so long ago that nobody asks for it."""
    return await file_store.delete_tombstones(tx, now - timedelta(days=TOMBSTONE_DAYS))


def _by_customer(expiring: Sequence[Expiring]) -> dict[int, list[Expiring]]:
    grouped: dict[int, list[Expiring]] = defaultdict(list)
    for one in expiring:
        grouped[one.customer_id].append(one)
    return grouped
