"""Every router of the administration, in the order in which addresses are matched."""

from tollway.web.admin import alerts, audit, customers, keys, overview, settings, tickets, usage, users

ADMIN_ROUTERS = (
    overview.router,
    usage.router,
    customers.router,
    customers.stop_router,
    keys.router,
    users.router,
    tickets.router,
    alerts.router,
    audit.router,
    settings.router,
)
