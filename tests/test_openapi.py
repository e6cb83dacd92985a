"""The OpenAPI document is true: what is declared is answered, and what it forbids is refused, for every operation.

schemathesis makes the requests, good and bad ones, from the document; endpoints that come later fall under it by
themselves. The application runs in schemathesis' own event loop, over a database of its own.
"""

import zlib
from collections import Counter
from collections.abc import Iterator, MutableMapping

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck
from hypothesis import settings as tries
from schemathesis.checks import load_all_checks, not_a_server_error
from schemathesis.pytest.lazy import get_all_tests
from schemathesis.python.asgi import shutdown_lifespans
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.types import ASGIApp, Receive, Scope, Send
from tests.parties import Party, make_party
from tests.simulation.conftest import API, results_of, started_id, uploaded_id, working
from tests.simulation.test_batches import CONFIG, batch_body
from tests.simulation.test_goal_seeks import answered, seek_body
from tests.web.conftest import visiting

from tollway.app import Parts, build_app, open_parts
from tollway.kit.clock import read_now
from tollway.plans.entities import SubscriptionStatus
from tollway.settings import Settings

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
]
# Of good requests and of bad ones, for each operation: the first few are those that a fault of ours fails. Seeds are
# fixed there; `make soak` draws many, and new ones.
TRIES_MAX = 4
SOAK_TRIES_MAX = 60
# Each of their requests that is nearly good reads a workbook in a process of its own: one in so many is made here, and
# all of them by `make soak`.
COSTLY = {
    "POST /monte-carlo-api/simulations",
    "POST /monte-carlo-api/simulations/batch",
    "POST /monte-carlo-api/goal-seeks",
    "PUT /monte-carlo-api/models/{model_id}",
    "POST /monte-carlo-api/fits",
}
COSTLY_LEFT_OUT = 4
# Operations are tried in so many tests, which run at once where there are processors.
SHARES = 2


class Served:
    """The whole application over a database, opened and closed by the lifespan that schemathesis runs."""

    def __init__(self, configured: Settings) -> None:
        self.settings = configured
        self.app: ASGIApp
        self.parts: Parts
        self.party: Party
        # What is there to be read, by the name of the path's part.
        self.things: dict[str, str] = {}
        # What may be deleted.
        self.spare: dict[str, str] = {}
        # Of an owner who has just signed up, and whose address is proven.
        self.cookies: dict[str, str] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            assert (await receive())["type"] == "lifespan.startup"
            await self._open()
            await send({"type": "lifespan.startup.complete"})
            assert (await receive())["type"] == "lifespan.shutdown"
            await self.parts.close()
            await send({"type": "lifespan.shutdown.complete"})
            return
        await self.app(scope | {"client": ("127.0.0.1", 50000)}, receive, send)

    async def _open(self) -> None:
        self.parts = await open_parts(self.settings)
        self.app = build_app(self.parts)
        self.party = await make_party(
            self.parts.database, read_now(), tier="enterprise", status=SubscriptionStatus.ACTIVE
        )
        async with visiting(self.parts) as visitor:
            model = await uploaded_id(visitor.client, self.party)
            run = await started_id(visitor.client, self.party, model, iterations=1_000)
            async with working(self.parts):
                await results_of(visitor.client, self.party, run)
            self.things = {"model_id": model, "simulation_id": run}
            await self._open_studies(visitor.client, run)
            self.spare = {"model_id": await uploaded_id(visitor.client, self.party)}
            await visitor.sign_up("owner@example.com")
            assert (await visitor.verify("owner@example.com")).status_code == 303
            self.cookies = dict(visitor.client.cookies)
            ticket = {"topic": "other", "subject": "A question", "message": "How?"}
            opened = await visitor.client.post("/api/support/tickets", json=ticket)
            self.things["ticket_id"] = opened.json()["id"]

    async def _open_studies(self, client: httpx.AsyncClient, run: str) -> None:
        """Make a batch and a goal seek, whose answer is waited for."""
        batch = batch_body(self.things["model_id"], {}, simulation_config=CONFIG | {"iterations": 1_000})
        made = await client.post(f"{API}/simulations/batch", headers=self.party.headers, json=batch)
        asked = await client.post(
            f"{API}/goal-seeks", headers=self.party.headers, json=seek_body(self.things["model_id"])
        )
        self.things["goal_seek_id"] = asked.json()["goal_seek_id"]
        self.things["batch_id"] = made.json()["batch_id"]
        other = made.json()["simulations"][0]["simulation_id"]
        async with working(self.parts):
            await results_of(client, self.party, other)
            await answered(client, self.party, self.things["goal_seek_id"])
        self.things |= {"simulation_id": run, "other_id": other}

    def credentials(self, case: schemathesis.Case) -> dict[str, str]:
        """The headers of a customer's key; of an owner who is signed in, where people may call too; or none."""
        accepted = [name for one in case.operation.definition.raw.get("security", []) for name in one]
        if "accessToken" not in accepted:
            return self.party.headers if accepted else {}
        return {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}


@pytest.fixture
def served(settings: Settings) -> Iterator[Served]:
    yield Served(settings.model_copy(update={"max_requests_per_minute": 1_000_000}))
    # Before the database goes.
    shutdown_lifespans()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("share", range(SHARES))
def test_every_operation_answers_as_declared_and_refuses_what_is_forbidden(
    served: Served, share: int, subtests: pytest.Subtests
) -> None:
    _try_every_operation(served, share, subtests, TRIES_MAX, derandomize=True)


@pytest.mark.soak
@pytest.mark.parametrize("share", range(SHARES))
def test_every_operation_answers_as_declared_however_often_it_is_tried(
    served: Served, share: int, subtests: pytest.Subtests
) -> None:
    _try_every_operation(served, share, subtests, SOAK_TRIES_MAX, derandomize=False)


def _try_every_operation(
    served: Served, share: int, subtests: pytest.Subtests, tries_max: int, *, derandomize: bool
) -> None:
    limits = tries(
        max_examples=tries_max,
        deadline=None,
        database=None,
        derandomize=derandomize,
        suppress_health_check=list(HealthCheck),
    )

    def is_mine(context: schemathesis.HookContext) -> bool:
        return zlib.crc32(context.operation.label.encode()) % SHARES == share

    made: Counter[str] = Counter()

    def call(case: schemathesis.Case) -> None:
        label = case.operation.label
        made[label] += 1
        if derandomize and label in COSTLY and made[label] % COSTLY_LEFT_OUT:
            return
        there = served.spare if case.method == "DELETE" else served.things
        is_good = case.meta is not None and case.meta.generation.mode is schemathesis.GenerationMode.POSITIVE
        for part in (case.path_parameters, *((case.query, case.body) if is_good else ())):
            if isinstance(part, MutableMapping):
                part.update({name: there[name] for name in set(part) & set(there)})
        case.call_and_validate(headers=served.credentials(case), checks=CHECKS)

    load_all_checks()
    config = schemathesis.Config()
    # Credentials are ours to send; made up ones would hide what comes after them.
    config.projects.default.generation.update(with_security_parameters=False)
    document = schemathesis.openapi.from_asgi("/openapi.json", served, config=config).include(is_mine)
    # What `schema.parametrize()` does, which reads an attribute that this pytest no longer has.
    for built in get_all_tests(schema=document, test_func=call, settings=limits, given_kwargs=None):
        operation, test = built.ok()
        with subtests.test(operation.label):
            test()
