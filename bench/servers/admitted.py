"""The endpoint that bench/admission.py calls: bare, or behind the product's own admission.

    python bench/servers/admitted.py bare|headers|admission|journal|shared PORT DATABASE_URL FOLDER REDIS_URL

bare: nothing in front of it. headers: nothing either, and five headers that never change. admission: the product's
gatehouse with a journal that keeps nothing. journal: with the real one, flushed every 10 ms. shared: with limits that
are leased from Redis, too. Once it can be called, it prints the key to call it with.
"""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import uvloop
from endpoint import endpoint, endpoint_with_headers, serve
from starlette.types import ASGIApp

from tollway.admission.entities import Cost
from tollway.admission.gatehouse import Gatehouse
from tollway.admission.leases import open_limiter
from tollway.admission.middleware import AdmissionMiddleware, ProductPaths
from tollway.admission.patterns import Patterns
from tollway.customers import operations as customers
from tollway.customers.entities import Mode
from tollway.keys import operations as keys
from tollway.kit.clock import read_now
from tollway.kit.crypto import Sealer
from tollway.kit.db import Database
from tollway.kit.log import configure_logging
from tollway.plans import operations as plans
from tollway.plans.entities import SubscriptionStatus

PRODUCT, PATH = "montecarlo", "/monte-carlo-api/checks"
# So high that no call is refused, and low enough that every call is counted.
CALLS_A_MINUTE = 100_000_000
CALLS_A_PERIOD = 1_000_000_000


def keeps_nothing() -> Any:
    """Make a journal that forgets."""
    return SimpleNamespace(
        append=lambda *_call: 1,
        append_lease_end=lambda _lease_id: None,
        assert_room=lambda: None,
        is_low=False,
        intern=lambda _text: 1,
        start=lambda: None,
        close=lambda: None,
    )


async def admitted(kind: str, database: Database, folder: Path, redis_url: str) -> tuple[ASGIApp, str]:
    """Put admission in front of the endpoint; return both, and a key that it knows."""
    limiter = open_limiter(folder, redis_url=redis_url if kind == "shared" else "", database=database)
    gatehouse = Gatehouse(database, folder / "journal", limiter)
    if kind == "admission":
        await gatehouse.open()
        # The ends of leases, a few a minute, still go into the one that it was opened with.
        gatehouse.journal = keeps_nothing()
    await gatehouse.start()
    paths = ProductPaths(
        PRODUCT, PATH.rpartition("/")[0], costs=((f"GET {PATH}", Cost(PRODUCT, reads=True, units=1)),)
    )
    app = AdmissionMiddleware(endpoint, gatehouse, (paths,), "/docs", Patterns([PATH]))
    return app, await issued_key(database)


async def issued_key(database: Database) -> str:
    """Make a customer with a plan that counts, and a key of theirs with a limit a minute."""
    now = read_now()
    async with database.transaction() as tx:
        await plans.load_catalog(tx, now)
        _, customer = await customers.create_user_and_customer(
            tx, f"{now.timestamp()}@example.org", "Example Ltd", "Other", now
        )
        await plans.subscribe(tx, customer.id, PRODUCT, "professional", SubscriptionStatus.ACTIVE, now, None)
        for subject in ("requests_included", "requests_per_day_max"):
            await plans.grant(
                tx,
                customer.id,
                PRODUCT,
                subject,
                CALLS_A_PERIOD,
                reason="Bench",
                created_by="job:bench",
                now=now,
            )
        issued = await keys.issue_api_key(
            tx,
            Sealer(b"a master key of thirty-two bytes"),
            customer.id,
            product=PRODUCT,
            mode=Mode.LIVE,
            name="Bench",
            tier="professional",
            now=now,
        )
        await tx.execute(
            "UPDATE api_keys SET requests_per_minute_max = %(most)s WHERE id = %(id)s",
            {"most": CALLS_A_MINUTE, "id": issued.api_key.id},
        )
    return issued.secret


async def main() -> None:
    """Serve until told to stop."""
    configure_logging("error", as_json=False)
    kind, port, database_url, folder, redis_url = sys.argv[1:]
    database = Database(database_url)
    await database.open()
    app: ASGIApp = endpoint_with_headers if kind == "headers" else endpoint
    key = "none"
    if kind not in {"bare", "headers"}:
        app, key = await admitted(kind, database, Path(folder), redis_url)
    await serve(app, port, key)


if __name__ == "__main__":
    uvloop.run(main())
