"""Builds the application from settings and joins it; the only file that knows all packages."""

import asyncio
import copy
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

from fastapi.routing import iter_route_contexts
from starlette.datastructures import State
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from tollway.administration import endpoints as administration
from tollway.administration import usage_endpoints as administration_usage
from tollway.admission.address_middleware import AddressLimitMiddleware
from tollway.admission.caller_middleware import CallerMiddleware, Recognition
from tollway.admission.entities import Cost
from tollway.admission.gatehouse import Gatehouse
from tollway.admission.https_middleware import HttpsMiddleware
from tollway.admission.leases import RateLimiter, open_limiter
from tollway.admission.middleware import AdmissionMiddleware, ProductPaths
from tollway.admission.patterns import Patterns
from tollway.alerts import endpoints as alerts
from tollway.alerts import jobs as alerts_jobs
from tollway.alerts.entities import AlertDesk
from tollway.alerts.remote import OwnerServer
from tollway.authentication.entities import FactorKeys, TokenKeys
from tollway.customers.flows import Passwords
from tollway.findings import examine_inside
from tollway.keys import endpoints as keys
from tollway.keys import jobs as keys_jobs
from tollway.kit.blobs import Blobs
from tollway.kit.counters import ProcessCounters
from tollway.kit.crypto import Sealer, master_key_from_text
from tollway.kit.db import Database
from tollway.kit.http import Edge, EdgeMiddleware, exception_handlers
from tollway.kit.jobs import JobRegistry
from tollway.kit.machine import measure_machine
from tollway.lifecycle import (
    activity_endpoints,
    auth_endpoints,
    customer_endpoints,
    export_endpoints,
    export_jobs,
)
from tollway.lifecycle import endpoints as lifecycle
from tollway.lifecycle import jobs as lifecycle_jobs
from tollway.lifecycle import key_endpoints as customer_keys
from tollway.lifecycle.entities import LifecycleParts
from tollway.metering import endpoints as metering
from tollway.metering import jobs as metering_jobs
from tollway.monitoring import endpoints as monitoring
from tollway.monitoring.entities import CHECK_SECONDS_MAX, MetricsAccess, Watched
from tollway.monitoring.flows import Monitor
from tollway.notifications import jobs as notifications_jobs
from tollway.notifications.entities import SmtpSettings
from tollway.plans import endpoints as plans
from tollway.plans import jobs as plans_jobs
from tollway.plans import operations as plans_operations
from tollway.plans import spending_endpoints, usage_endpoints
from tollway.settings import Settings, shown_settings
from tollway.simulation import (
    batch_endpoints,
    comparison_endpoints,
    fit_endpoints,
    goal_seek_endpoints,
)
from tollway.simulation import download_endpoints as simulation_downloads
from tollway.simulation import endpoints as simulation
from tollway.simulation import jobs as simulation_jobs
from tollway.simulation.cluster import Cluster
from tollway.simulation.cluster_flows import is_answering
from tollway.simulation.execution import Workers
from tollway.simulation.flows import Workshop
from tollway.simulation.worker_processes import WorkerProcesses
from tollway.support import endpoints as support
from tollway.support import jobs as support_jobs
from tollway.support.entities import SupportDesk
from tollway.teams import endpoints as teams
from tollway.web.application import mount_pages, open_site
from tollway.web.markdown import Guide, read_guides
from tollway.web.openapi_document import DocumentedApi
from tollway.web.pages import render_problem_page
from tollway.web.site import Installation, ShownSetting, Site
from tollway.webhooks import endpoints as webhooks
from tollway.webhooks import jobs as webhooks_jobs
from tollway.webhooks.entities import UrlRules
from tollway.webhooks.flows import PostRoom
from tollway.webhooks.remote import Sender

DOCS_URL = "/docs"
# No plan takes a larger file; each plan's own limit is checked before the body is read.
UPLOAD_BYTES_MAX = 501_000_000
PAGE_UPLOAD_PATHS = ("/models", "/models/fits")
DOCS_FOLDER = Path(__file__).parents[2] / "docs"
LIMIT_HEADERS = (
    "RateLimit", "RateLimit-Policy", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset",
)  # fmt: skip
MONTECARLO = ProductPaths(
    product="montecarlo",
    prefix="/monte-carlo-api",
    open_paths=frozenset({"/monte-carlo-api/health"}),
    open_prefixes=("/monte-carlo-api/download/",),
    upload_paths=frozenset({"/monte-carlo-api/models"}),
)


@dataclass(slots=True)
class Parts:
    """What the processes are made of."""

    settings: Settings
    database: Database
    sealer: Sealer
    # Hashes six-digit codes; derived from JWT_SECRET, so that no secret serves two purposes.
    code_key: bytes
    token_keys: TokenKeys
    blobs: Blobs
    processes: WorkerProcesses
    # Computes shards where DASK_SCHEDULER names one; otherwise the processes do.
    cluster: Cluster | None
    workshop: Workshop
    passwords: Passwords
    stopping: asyncio.Event
    # Sends webhooks.
    post_room: PostRoom
    # Lets calls in and records them.
    gatehouse: Gatehouse

    @property
    def workers(self) -> Workers:
        """Who computes runs."""
        return self.cluster or self.processes

    @property
    def lifecycle(self) -> LifecycleParts:
        """What sign-up and sign-in need of these."""
        return LifecycleParts(
            base_url=self.settings.base_url,
            sealer=self.sealer,
            code_key=self.code_key,
            free_trial_days=self.settings.free_trial_days,
        )

    @property
    def support_desk(self) -> SupportDesk:
        """Where the people who answer are reached."""
        return SupportDesk(self.settings.support_email, self.settings.base_url)

    @property
    def factor_keys(self) -> FactorKeys:
        """What second factors are checked with."""
        return FactorKeys(self.sealer, self.code_key)

    async def close(self) -> None:
        """Give everything back."""
        self.stopping.set()
        if self.cluster is not None:
            await self.cluster.close()
        self.processes.close()
        self.passwords.close()
        await self.workshop.close()
        await self.gatehouse.close()
        await self.database.close()


async def open_parts(settings: Settings) -> Parts:
    """Connect to everything that the settings name; DATABASE_URL must be set by now."""
    database = Database(settings.database_url.get_secret_value())
    await database.open()
    blobs = Blobs.at(settings.blob_url, settings.tollway_data / "files")
    # Nothing of these runs until the first task comes.
    processes = WorkerProcesses(settings.worker_processes)
    cluster = Cluster(settings.dask_scheduler, processes) if settings.dask_scheduler else None
    stopping = asyncio.Event()
    sealer = Sealer(master_key_from_text(settings.encryption_key.get_secret_value()))
    signing = Sealer(master_key_from_text(settings.jwt_secret.get_secret_value()))
    return Parts(
        settings=settings,
        database=database,
        sealer=sealer,
        code_key=signing.subkey("codes"),
        token_keys=TokenKeys(signing.subkey("access tokens"), settings.jwt_expires_in_seconds),
        blobs=blobs,
        processes=processes,
        cluster=cluster,
        workshop=Workshop.open(database, blobs, stopping, (cluster or processes).guess_places),
        passwords=Passwords(),
        stopping=stopping,
        post_room=_post_room_of(settings, database, sealer),
        gatehouse=Gatehouse(database, settings.journal_folder, _limiter_of(settings, database)),
    )


def _limiter_of(settings: Settings, database: Database) -> RateLimiter:
    return open_limiter(
        settings.tollway_data,
        redis_url=settings.redis_url.get_secret_value(),
        server_processes=settings.server_processes,
        database=database,
    )


def _post_room_of(settings: Settings, database: Database, sealer: Sealer) -> PostRoom:
    rules = UrlRules(allows_http=not settings.production, allows_private=settings.webhook_allow_private)
    return PostRoom(database, sealer, Sender(rules), settings.base_url)


def build_app(parts: Parts) -> ASGIApp:
    """Join middleware, endpoints and pages into one application."""
    settings = parts.settings
    # The same endpoints with a state of their own.
    api = copy.copy(_mounted())
    api.state = State()
    api.state.settings = settings
    api.state.database = parts.database
    api.state.sealer = parts.sealer
    api.state.code_key = parts.code_key
    api.state.token_keys = parts.token_keys
    api.state.passwords = parts.passwords
    api.state.blobs = parts.blobs
    api.state.stopping = parts.stopping
    api.state.lifecycle = parts.lifecycle
    api.state.workshop = parts.workshop
    api.state.support_desk = parts.support_desk
    api.state.post_room = parts.post_room
    api.state.monitor = Monitor(
        parts.database,
        _watched(settings),
        partial(_redis_answers, settings, parts.gatehouse.limiter),
        partial(_dask_answers, settings.dask_scheduler),
    )
    open_site(api, _site_of(settings, parts.database), parts.passwords)

    gatehouse, patterns = (
        parts.gatehouse,
        Patterns(route.path_format or "" for route in iter_route_contexts(api.routes)),
    )
    recognition = Recognition(
        parts.database, parts.token_keys, settings.secure, DOCS_URL, gatehouse, patterns
    )
    app: ASGIApp = CallerMiddleware(api, recognition)
    app = AdmissionMiddleware(app, gatehouse, (_weighed(MONTECARLO),), DOCS_URL, patterns)
    if settings.cors_origins:
        app = CORSMiddleware(
            app,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST", "PUT", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "X-Trace-ID"],
            expose_headers=["X-Trace-ID", "Retry-After", *LIMIT_HEADERS],
        )
    if settings.secure:
        app = HttpsMiddleware(app, parts.database, settings.base_url, (MONTECARLO.prefix,), DOCS_URL)
    app = AddressLimitMiddleware(app, gatehouse.limiter, settings.max_requests_per_minute, DOCS_URL)
    edge = Edge(
        base_url=settings.base_url,
        secure=settings.secure,
        trusted_proxies=settings.trusted_proxies,
        upload_paths=dict.fromkeys([*MONTECARLO.upload_paths, *PAGE_UPLOAD_PATHS], UPLOAD_BYTES_MAX),
    )
    return EdgeMiddleware(app, edge, ProcessCounters.take(settings.counters_folder, "server"))


def _watched(settings: Settings) -> Watched:
    """Say what monitoring looks at, and who may read it."""
    return Watched(
        MetricsAccess(
            settings.enable_metrics, settings.metrics_token.get_secret_value(), settings.metrics_networks
        ),
        data_folder=settings.tollway_data,
        counters_folder=settings.counters_folder,
        journal_folder=settings.journal_folder,
    )


async def _redis_answers(settings: Settings, limiter: RateLimiter) -> bool | None:
    """Say whether Redis answers; None where none is configured."""
    return await limiter.is_answering() if settings.redis_url.get_secret_value() else None


async def _dask_answers(address: str) -> bool | None:
    """Say whether the Dask scheduler answers; None where none is configured."""
    return await is_answering(address, CHECK_SECONDS_MAX) if address else None


def _weighed(paths: ProductPaths) -> ProductPaths:
    """Add what the catalogue says of how heavy a product's endpoints are."""
    product = next(one for one in plans_operations.list_products() if one.product == paths.product)
    costs = tuple(
        (endpoint, Cost(paths.product, reads=endpoint.startswith(("GET ", "HEAD ")), weight=weight))
        for endpoint, weight in product.weights.items()
    )
    return replace(paths, costs=(*paths.costs, *costs))


@cache
def _mounted() -> DocumentedApi:
    """Join every endpoint and page, once in a process: to read their signatures is most of the work of a start."""
    api = DocumentedApi(
        title="Tollway",
        version="1.0.0",
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        exception_handlers=exception_handlers(DOCS_URL, render_problem_page),
    )
    for router in (
        monitoring.router,
        monitoring.root_router,
        lifecycle.router,
        auth_endpoints.router,
        activity_endpoints.router,
        administration.router,
        administration_usage.router,
        alerts.router,
        customer_endpoints.router,
        export_endpoints.router,
        teams.router,
        keys.router,
        customer_keys.router,
        plans.router,
        spending_endpoints.router,
        usage_endpoints.router,
        metering.router,
        support.router,
        webhooks.router,
        simulation.router,
        batch_endpoints.router,
        comparison_endpoints.router,
        goal_seek_endpoints.router,
        simulation_downloads.router,
        fit_endpoints.router,
    ):
        api.include_router(router)
    mount_pages(api)
    return api


def _site_of(settings: Settings, database: Database) -> Site:
    return Site(
        base_url=settings.base_url,
        secure=settings.secure,
        support_email=settings.support_email,
        mail_from=settings.mail_from,
        free_trial_days=settings.free_trial_days,
        outbox_shown=not settings.smtp_host and not settings.production,
        guides=_documents("guides"),
        problem_pages={page.slug: page for page in _documents("problems")},
        installation=Installation(
            settings=tuple(ShownSetting(*one) for one in shown_settings(settings)),
            examine=partial(examine_inside, settings, database),
            measure=partial(
                asyncio.to_thread, measure_machine, settings.tollway_data, settings.counters_folder
            ),
            journal_folder=settings.journal_folder,
        ),
    )


@cache
def _documents(folder: str) -> list[Guide]:
    """Read the documents of a folder, once in a process."""
    return read_guides(DOCS_FOLDER / folder)


def build_registry(parts: Parts) -> JobRegistry:
    """Gather the jobs that a worker runs."""
    registry = JobRegistry()
    notifications_jobs.register(
        registry, parts.database, _smtp_of(parts.settings), in_production=parts.settings.production
    )
    metering_jobs.register(registry, parts.database, parts.settings.usage_log_days)
    plans_jobs.register(registry, parts.database, parts.settings.base_url)
    keys_jobs.register(registry, parts.database, parts.settings.base_url)
    support_jobs.register(registry, parts.database, parts.support_desk)
    webhooks_jobs.register(registry, parts.post_room)
    alerts_jobs.register(
        registry,
        parts.database,
        AlertDesk(
            parts.settings.support_email, parts.settings.base_url, bool(parts.settings.alert_webhook_url)
        ),
        parts.settings.tollway_data,
        parts.settings.journal_folder,
        _alert_server_of(parts.settings),
    )
    lifecycle_jobs.register(registry, parts.database)
    export_jobs.register(registry, parts.database, parts.blobs, parts.lifecycle)
    simulation_jobs.register(
        registry,
        parts.database,
        parts.blobs,
        parts.workers,
        parts.workshop.copies,
        parts.settings.base_url,
        parts.stopping,
        parts.settings.reserved_workers,
    )
    return registry


def _alert_server_of(settings: Settings) -> OwnerServer | None:
    url = settings.alert_webhook_url
    return OwnerServer(url, settings.alert_webhook_secret.get_secret_value()) if url else None


def _smtp_of(settings: Settings) -> SmtpSettings | None:
    if not settings.smtp_host:
        return None
    return SmtpSettings(
        host=settings.smtp_host,
        port=settings.smtp_port,
        security=settings.smtp_security,
        sender=settings.mail_from,
        username=settings.smtp_username,
        password=settings.smtp_password.get_secret_value(),
    )
