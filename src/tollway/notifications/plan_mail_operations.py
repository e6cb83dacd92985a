"""Compose the mails about plans: free trials that end, and changes of what a customer holds."""

from collections.abc import Sequence
from datetime import datetime

from tollway.kit.mail import Mail
from tollway.notifications.rendering import compose


def compose_free_trial_ending(
    to_address: str, *, product: str, days: int, ends_at: datetime, plans_link: str
) -> Mail:
    """Say that the free trial ends in a few days, and what happens then (A32)."""
    return compose(
        "free_trial_ending",
        to_address,
        f"Your free trial ends in {days} {'day' if days == 1 else 'days'}",
        {"product": product, "days": days, "ends_on": _day(ends_at), "plans_link": plans_link},
    )


def compose_free_trial_ended(to_address: str, *, product: str, ended_at: datetime, plans_link: str) -> Mail:
    """Say that the free trial has ended, and that nothing was lost (X3)."""
    values = {"product": product, "ended_on": _day(ended_at), "plans_link": plans_link}
    return compose("free_trial_ended", to_address, "Your free trial has ended", values)


def compose_plan_changed(
    to_address: str, *, product: str, plan: str, price: str, facts: Sequence[str], plans_link: str
) -> Mail:
    """Say which plan is held from now on and what it gives (A47, A48).

    Args:
        facts: one line for each thing that the plan gives.
    """
    return compose(
        "plan_changed",
        to_address,
        f"Your plan is now {plan}",
        {"product": product, "plan": plan, "price": price, "facts": facts, "plans_link": plans_link},
    )


def compose_plan_changing(
    to_address: str,
    *,
    product: str,
    plan: str,
    changes_at: datetime,
    differences: Sequence[str],
    plans_link: str,
) -> Mail:
    """Say that a plan that is held will change, at least 30 days before it does (B61).

    Args:
        differences: one line for each thing that changes.
    """
    return compose(
        "plan_changing",
        to_address,
        f"Your plan {plan} changes on {_day(changes_at)}",
        {
            "product": product,
            "plan": plan,
            "changes_on": _day(changes_at),
            "differences": differences,
            "plans_link": plans_link,
        },
    )


def compose_plan_ended(to_address: str, *, product: str, plan: str, plans_link: str) -> Mail:
    """Say that a plan that was cancelled has come to its end."""
    values = {"product": product, "plan": plan, "plans_link": plans_link}
    return compose("plan_ended", to_address, f"Your plan {plan} has ended", values)


def _day(moment: datetime) -> str:
    return f"{moment.day} {moment:%B %Y}"
