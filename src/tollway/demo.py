"""Demo data for `make run`: a verified customer with some history, an administrator, and what to try first."""

import math
import time
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from http import HTTPStatus
from pathlib import Path

from tollway.admission.operations import Call
from tollway.alerts import operations as alerts
from tollway.alerts.entities import Finding, RuleKind
from tollway.app import Parts, open_parts
from tollway.authentication import second_factor_operations as second_factor
from tollway.authentication.entities import totp_code
from tollway.customers import operations as customers
from tollway.customers.callers import Caller
from tollway.customers.entities import ChallengePurpose, Customer, Mode, User, Visit
from tollway.customers.permissions import UserType
from tollway.keys import operations as keys
from tollway.kit.clock import read_now
from tollway.kit.crypto import hash_password
from tollway.kit.db import Transaction
from tollway.kit.ids import new_id
from tollway.kit.problems import NotFound
from tollway.lifecycle import operations as lifecycle
from tollway.lifecycle.entities import SignUpForm
from tollway.metering import operations as metering
from tollway.metering.entities import UsageEvent
from tollway.plans import operations as plans
from tollway.plans.entities import FEATURE_PREFIX, Feature, SubscriptionStatus
from tollway.settings import Settings
from tollway.simulation import flows as simulation
from tollway.simulation.entities import InputMark, RunOrder
from tollway.simulation.samples import SAMPLES
from tollway.webhooks import delivery_operations as deliveries
from tollway.webhooks import operations as webhooks
from tollway.webhooks.entities import Event, Outcome, WebhookDraft, next_delay

PRODUCT = "montecarlo"
CUSTOMER_EMAIL = "demo@tollway.example"
ADMINISTRATOR_EMAIL = "admin@tollway.example"
# Public on purpose: `tollway seed` refuses to make them with ENVIRONMENT=production.
CUSTOMER_PASSWORD = "demo-password"  # noqa: S105 - a demo's password, printed at every start
ADMINISTRATOR_PASSWORD = "admin-password"  # noqa: S105 - likewise
ADMINISTRATOR_SECRET = "TOLLWAYDEMOADMINISTRATOR"  # noqa: S105 - likewise; of the authenticator, in base32
ADMINISTRATOR_RECOVERY_CODE = "demo2-admin"
COMPANY = "Demo Analytics"
FREE_TRIAL_BEGAN_DAYS_AGO = 4
ADDRESS = "127.0.0.1"
# Both are for documentation alone, so that nothing of a demo leaves this machine (RFC 5737, RFC 2606).
ADDRESS_ABROAD, NETWORK_ABROAD = "203.0.113.7", "203.0.113.0/24"
WEBHOOK_URL = "https://hooks.warehouse.example/tollway"
# How the tries of each of its deliveries went.
WEBHOOK_TRIES = (
    (Outcome(204, 86, ""),),
    (Outcome(503, 41, "The answer was 503; only 200 to 299 count as delivered."), Outcome(204, 92, "")),
    (Outcome(204, 79, ""),),
)
RUN_ITERATIONS = 20_000
RUN_SEED = 7
MODELS, RUNS = "/monte-carlo-api/models", "/monte-carlo-api/simulations"
# Calls of the days before, one line each: path, method, status, milliseconds, units, code of the refusal.
CALLS = (
    (MODELS, "POST", 201, 640, 1, None),
    (RUNS, "POST", 201, 92, 1, None),
    (RUNS, "GET", 200, 11, 0, None),
    (MODELS, "GET", 200, 9, 0, None),
    (RUNS, "POST", 422, 14, 0, "invalid-input"),
    (RUNS, "GET", 200, 12, 0, None),
    (RUNS, "POST", 429, 8, 0, "runs-at-once"),
)
CALLS_PER_DAY = 9


@dataclass(frozen=True, slots=True)
class DemoFacts:
    """What the banner says."""

    api_key: str
    # What the administrator's authenticator shows at the moment.
    administrator_code: str
    # Whether the printed recovery code was not used yet.
    recovery_code_works: bool


async def load_catalog(settings: Settings) -> int:
    """Load catalog.toml and return how many plans have a new version."""
    parts = await open_parts(settings)
    try:
        async with parts.database.transaction() as tx:
            return await plans.load_catalog(tx, read_now())
    finally:
        await parts.close()


async def seed(settings: Settings) -> DemoFacts:
    """Make what is missing of the demo data; doing it again changes nothing."""
    parts = await open_parts(settings)
    try:
        now = read_now()
        # One transaction: an interrupted start leaves all of it or nothing.
        async with parts.database.transaction() as tx:
            await plans.load_catalog(tx, now)
            customer = await _find_customer(tx)
            is_new = customer is None
            customer = customer or await _make_customer(tx, parts, now)
            administrator = await customers.find_verified_user(tx, ADMINISTRATOR_EMAIL)
            if administrator is None:
                administrator = await _make_administrator(
                    tx, ADMINISTRATOR_EMAIL, ADMINISTRATOR_PASSWORD, now
                )
            if not administrator.has_second_factor:
                codes = (ADMINISTRATOR_RECOVERY_CODE,)
                await second_factor.give_second_factor(
                    tx, parts.factor_keys, administrator, ADMINISTRATOR_SECRET, codes, now
                )
            owner = await customers.get_user(tx, customer.user_id)
            if is_new:
                await _make_webhook(tx, parts, _caller(owner, customer.id), administrator, now)
                await _make_alerts(tx, customer, administrator, now)
        if is_new:
            await _make_model_and_run(parts, _caller(owner, customer.id), now)
        async with parts.database.transaction() as tx:
            api_key = await keys.find_default_test_key(tx, customer.id)
            if api_key is None:
                raise NotFound(
                    "The demo customer has no active test key; remove the data folder to start afresh."
                )
            return DemoFacts(
                await keys.reveal_test_key(tx, parts.sealer, api_key),
                totp_code(ADMINISTRATOR_SECRET, now),
                await second_factor.is_recovery_code_unused(
                    tx, parts.factor_keys, administrator, ADMINISTRATOR_RECOVERY_CODE
                ),
            )
    finally:
        await parts.close()


async def _find_customer(tx: Transaction) -> Customer | None:
    user = await customers.find_verified_user(tx, CUSTOMER_EMAIL)
    return await customers.find_customer_of(tx, user.id) if user else None


async def _make_customer(tx: Transaction, parts: Parts, now: datetime) -> Customer:
    """Sign the demo customer up and verify it as anyone would be, some days ago."""
    began = now - timedelta(days=FREE_TRIAL_BEGAN_DAYS_AGO)
    visit = Visit(ADDRESS, "demo", began)
    form = SignUpForm(CUSTOMER_EMAIL, COMPANY, "Portfolio Risk Analysis", referrer="demo")
    signed_up = await lifecycle.sign_up(tx, parts.lifecycle, form, visit)
    user, customer = await lifecycle.verify_user(tx, parts.lifecycle, signed_up.user.id, visit)
    await customers.give_password(tx, user, hash_password(CUSTOMER_PASSWORD), began)
    await _make_history(tx, customer, began, now)
    return customer


async def _make_history(tx: Transaction, customer: Customer, began: datetime, now: datetime) -> None:
    """Write the calls of the days since, and count those of this period against the quota."""
    api_key = await keys.find_default_test_key(tx, customer.id)
    entitlement = await plans.get_entitlement(tx, customer.id, PRODUCT, now)
    quota = await plans.get_quota(tx, entitlement, Mode.TEST, now)
    total = FREE_TRIAL_BEGAN_DAYS_AGO * CALLS_PER_DAY
    for number in range(total):
        moment = began + (now - began) * ((number + 0.5) / total)
        path, method, status, milliseconds, units, code = CALLS[number % len(CALLS)]
        is_limited = status == HTTPStatus.TOO_MANY_REQUESTS
        # A slow wave, so that durations look as uneven as they are in life.
        jitter = 1 + 0.3 * math.sin(number * 1.7)
        await metering.record_usage(
            tx,
            UsageEvent(
                customer_id=customer.id,
                api_key_id=api_key.id if api_key else None,
                product=PRODUCT,
                mode=Mode.TEST,
                endpoint=path,
                method=method,
                status_code=status,
                response_time_ms=round(milliseconds * jitter),
                credits_consumed=units * 2,
                units=units,
                request_timestamp=moment,
                # Somebody takes the key along at last, which the owner is told of.
                ip_address=ADDRESS if number < total - 2 else ADDRESS_ABROAD,
                user_agent="demo",
                request_id=new_id("req"),
                problem_code=code,
                limit_name="runs_at_once" if is_limited else None,
                limit_value=entitlement.limits.runs_at_once_max if is_limited else None,
            ),
        )
        if units and moment >= quota.period_start:
            await metering.use_units(tx, quota, units, now=now)
    await metering.track_event(tx, "first_call", customer.id, began + timedelta(minutes=3))


async def _make_webhook(
    tx: Transaction, parts: Parts, caller: Caller, administrator: User, now: datetime
) -> None:
    """Give the demo customer webhooks beyond its plan, and one that was told of runs; it is off, so it stays here."""
    began = now - timedelta(days=FREE_TRIAL_BEGAN_DAYS_AGO - 1)
    await plans.grant(
        tx,
        caller.owner_id,
        PRODUCT,
        f"{FEATURE_PREFIX}{Feature.WEBHOOKS}",
        1,
        reason="The demo shows webhooks, which the free trial does not have",
        created_by=f"user:{administrator.public_id}",
        now=began,
    )
    sealer = parts.sealer
    events = (Event.SIMULATION_COMPLETED.value, Event.SIMULATION_FAILED.value)
    draft = WebhookDraft("Results to the warehouse", WEBHOOK_URL, events)
    webhook, _ = await webhooks.create(tx, sealer, caller, draft, Mode.TEST, began)
    for number, tries in enumerate(WEBHOOK_TRIES, start=1):
        moment = began + timedelta(hours=11 * number)
        run_id = new_id("sim")
        data = {
            "simulation_id": run_id,
            "model_name": "Portfolio risk",
            "status": "completed",
            "percentage": 100.0,
        }
        await webhooks.publish(
            tx, caller.owner_id, Mode.TEST, Event.SIMULATION_COMPLETED, data, moment, simulation_id=run_id
        )
        newest = (await webhooks.list_deliveries(tx, caller, webhook.public_id, 1, 0))[0]
        for attempt, outcome in enumerate(tries):
            parcel = await deliveries.claim(tx, sealer, newest.public_id, attempt, moment)
            assert parcel is not None, "a delivery of the demo is nobody else's"
            moment += timedelta(milliseconds=outcome.response_time_ms)
            await deliveries.record(tx, parcel, outcome, parts.settings.base_url, moment)
            moment += next_delay(attempt + 1) or timedelta()
    off = replace(draft, enabled=False)
    await webhooks.change(tx, sealer, caller, webhook.public_id, off, now)


async def _make_alerts(tx: Transaction, customer: Customer, administrator: User, now: datetime) -> None:
    """Let one alert be over, and one wait for the administrator: the network of the demo's last calls.

    They are there to be looked at, and nobody is told of them by mail: nothing of it happened.
    """
    by = _caller(administrator)
    began = now - timedelta(hours=26)
    rule = await alerts.get_rule(tx, RuleKind.QUEUE_AGE)
    summary = "jobs waiting: 3, the longest for 312 seconds"
    waiting = [Finding(rule.kind, "installation", summary)]
    [opened] = await alerts.record_findings(tx, None, rule, waiting, began)
    note = "No worker ran while the machine was updated."
    await alerts.acknowledge(tx, by, opened.public_id, note, began + timedelta(minutes=4))
    gone = began + timedelta(minutes=rule.resolves_after_minutes + 1)
    await alerts.record_findings(tx, None, rule, [], gone)

    api_key = await keys.find_default_test_key(tx, customer.id)
    if api_key is not None:
        rule = await alerts.get_rule(tx, RuleKind.NEW_NETWORK)
        summary = f"used from {NETWORK_ABROAD}; it was known from 1 network"
        finding = Finding(rule.kind, f"api_key:{api_key.key_id}", summary, customer.id)
        await alerts.record_findings(tx, None, rule, [finding], now)


async def _make_model_and_run(parts: Parts, caller: Caller, now: datetime) -> None:
    """Upload a sample and start a run of it, which the worker computes as soon as it is there."""
    sample = SAMPLES["portfolio"]
    path = parts.settings.tollway_data / sample.filename
    path.write_bytes(sample.to_bytes())
    try:
        uploaded = await simulation.upload_model(
            parts.workshop,
            _call(parts, caller, "/models/samples", now),
            simulation.Upload(Path(path), sample.filename, sample.title),
            inputs=[InputMark(one.cell, one.distribution.as_json(), one.name) for one in sample.inputs],
            outputs=[one.cell for one in sample.outputs],
        )
    finally:
        path.unlink()
    order = RunOrder(uploaded.body["model_id"], RUN_ITERATIONS, None, None, [0.95, 0.99], RUN_SEED)
    await simulation.create_run(parts.workshop, _call(parts, caller, "/runs", now), order)


def _caller(user: User, customer_id: int | None = None) -> Caller:
    return Caller(
        customer_id=customer_id,
        user_id=user.id,
        user_type=user.user_type,
        verified=True,
        mode=Mode.TEST,
        api_key_id=None,
        address=ADDRESS,
        user=user,
    )


def _call(parts: Parts, caller: Caller, endpoint: str, now: datetime) -> Call:
    started = time.perf_counter()
    return Call(caller, PRODUCT, parts.database, now, started, "POST", endpoint, endpoint, "demo")


# Administrators -----------------------------------------------------------------------------------


async def create_administrator(settings: Settings, email: str) -> str:
    """Make an administrator and return what to tell: a link that signs them in."""
    parts = await open_parts(settings)
    try:
        now = read_now()
        async with parts.database.transaction() as tx:
            user = await _make_administrator(tx, email, None, now)
            issued = await customers.issue_challenge(
                tx, parts.code_key, user.id, ChallengePurpose.SIGN_IN, now
            )
        link = parts.lifecycle.sign_in_link(issued.link_token)
        return f"{user.email} is an administrator. This link signs them in, once, within 15 minutes:\n{link}"
    finally:
        await parts.close()


async def _make_administrator(tx: Transaction, email: str, password: str | None, now: datetime) -> User:
    """Make an administrator who also has everything that customers have, without charge (B4)."""
    user = await customers.create_administrator(tx, email, UserType.SUPER_ADMIN, now)
    customer = await customers.add_customer(tx, user, "Tollway", now)
    await plans.subscribe(tx, customer.id, PRODUCT, "enterprise", SubscriptionStatus.ACTIVE, now)
    if password is not None:
        await customers.give_password(tx, user, hash_password(password), now)
    return user


def sign_ins(settings: Settings, facts: DemoFacts) -> str:
    """Say what the demo data are and what to try first."""
    url = settings.base_url
    recovery = f" or {ADMINISTRATOR_RECOVERY_CODE}" if facts.recovery_code_works else ""
    outbox = "" if settings.smtp_host else f"\n  Mails          {url}/outbox"
    return f"""
  Pages          {url}
  Demo sign-in   {CUSTOMER_EMAIL}   {CUSTOMER_PASSWORD}
  Administrator  {ADMINISTRATOR_EMAIL}  {ADMINISTRATOR_PASSWORD}
    its code     {facts.administrator_code} now{recovery}; authenticator secret {ADMINISTRATOR_SECRET}{outbox}
  Test key       {facts.api_key}

Try it:

  curl {url}/monte-carlo-api/models -H "Authorization: Bearer {facts.api_key}"
"""


def banner(settings: Settings, facts: DemoFacts) -> str:
    """Say that everything runs, where, and how it ends."""
    return (
        f"\nTollway is running.\n{sign_ins(settings, facts)}\n"
        f"Data are in {settings.tollway_data}. Ctrl-C stops everything."
    )
