"""Compose what customers are told of their usage, and what the owner is told of the installation."""

from collections.abc import Sequence
from datetime import datetime

from tollway.kit.mail import Mail
from tollway.notifications.rendering import compose

ITEMS_NAMED_MAX = 20
# The mails that tell of mails that do not leave are counted apart.
OWNER_TEMPLATE = "owner_alerts"


def compose_usage_reached(
    to_address: str,
    *,
    base_url: str,
    kind: str,
    percent: int,
    product: str,
    plan: str,
    is_test: bool,
    used: int,
    bound: int,
    ends_at: datetime,
    stops: bool,
    rate: str,
    cap: str,
    spent: str,
) -> Mail:
    """Tell a customer that a part of what the plan includes, of a spending cap, or of fair use is used.

    Args:
        kind: included, spending_cap or fair_use.
        used, bound: requests, and how many are 100 %.
        stops: calls are refused once what is included is used.
        rate, cap, spent: amounts for people; `cap` and `spent` are empty where there is none.
    """
    titles = {
        "included": f"{percent}% of your requests are used"
        if percent < 100
        else "All your requests are used",
        "spending_cap": f"{percent}% of your spending cap is used"
        if percent < 100
        else "Your spending cap is reached",
        "fair_use": "You use a great deal, and nothing stops",
    }
    title = f"Test mode: {titles[kind]}" if is_test else titles[kind]
    values = {
        "title": title,
        "kind": kind,
        "percent": percent,
        "product": product,
        "plan": plan,
        "mode": "test" if is_test else "live",
        "used": f"{used:,}",
        "bound": f"{bound:,}",
        "ends_at": f"{ends_at.day} {ends_at:%B %Y, %H:%M} UTC",
        "stops": stops,
        "rate": rate,
        "cap": cap,
        "spent": spent,
        "usage_link": f"{base_url}/usage",
        "plans_link": f"{base_url}/billing/upgrade",
        "support_link": f"{base_url}/support",
    }
    return compose("usage_reached", to_address, f"{title}: {product}", values)


def compose_owner_alerts(
    to_address: str,
    *,
    title: str,
    about: str,
    alerts: Sequence[tuple[str, str]],
    is_over: bool,
    after_minutes: int,
    link: str,
) -> Mail:
    """Tell whoever runs the installation what a rule found, or that it is over.

    Args:
        alerts: what each is about and what was measured, one at least; `title` and `about` are the rule's.
        after_minutes: for how long the condition must be gone until that is told.
    """
    assert alerts
    values = {
        "title": title,
        "about": about,
        "alerts": alerts[:ITEMS_NAMED_MAX],
        "unnamed_count": max(0, len(alerts) - ITEMS_NAMED_MAX),
        "is_over": is_over,
        "after_minutes": f"{after_minutes:,}",
        "link": link,
    }
    count = "" if len(alerts) == 1 else f" ({len(alerts)})"
    return compose(OWNER_TEMPLATE, to_address, f"{'Over' if is_over else 'Alert'}: {title}{count}", values)
