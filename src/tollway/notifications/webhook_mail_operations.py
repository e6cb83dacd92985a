"""Compose the mail about a webhook that was turned off."""

from tollway.kit.mail import Mail
from tollway.notifications.rendering import compose


def compose_webhook_turned_off(to_address: str, *, name: str, url: str, days: int, link: str) -> Mail:
    """Tell a customer's owners that nothing is delivered to a webhook any more, and why.

    Args:
        days: for how long nothing got through.
    """
    values = {"name": name, "url": url, "days": days, "link": link}
    return compose("webhook_turned_off", to_address, f"A webhook was turned off: {name}", values)
