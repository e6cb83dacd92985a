"""One customer that has everything, with a trace that can be recognised in every text it may leave.

What is secret says `geheim`; it must not be found in an export either.
"""

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import httpx
from tests.web.conftest import Visitor

from tollway.app import Parts
from tollway.customers import member_operations as members
from tollway.customers import operations as customers
from tollway.customers.details_operations import CompanyDetails, change_details
from tollway.customers.entities import Customer, Visit
from tollway.customers.permissions import Role
from tollway.kit.clock import read_now
from tollway.kit.db import Transaction
from tollway.simulation.samples import SAMPLES

COMPANY = "Kanarienvogel & Söhne"
EMAIL = "ana@kanarien.example"
COLLEAGUE = "carla@kanarien.example"
INVITED = "dora@eingeladen.example"
ADDRESS = "198.51.100.77"
# What must not be found anywhere afterwards, in any spelling of case.
TRACES = ("kanarien", "eingeladen", ADDRESS, "zwitscher", "geheim")
BILLING_ADDRESS = {"line1": "Zwitscherweg 7", "city": "Harz", "country": "DE"}


@dataclass
class Canary:
    """A customer that did everything a customer can do."""

    parts: Parts
    visitor: Visitor
    customer: Customer
    blobs: list[str] = field(default_factory=list)

    @property
    def client(self) -> httpx.AsyncClient:
        return self.visitor.client

    async def erase(self) -> httpx.Response:
        return await self.client.request(
            "DELETE", "/api/customers/me/data", json={"company_name": COMPANY}, headers=SAME_ORIGIN
        )

    async def ask_for_export(self) -> httpx.Response:
        return await self.client.post("/api/customers/me/export", headers=SAME_ORIGIN)


SAME_ORIGIN = {"Origin": "http://localhost"}


async def make_canary(visitor: Visitor, parts: Parts) -> Canary:
    """Sign up, verify, upload, run, invite, ask support, change plans; leave a trace in every text."""
    await visitor.client.post(
        "/signup?campaign=zwitscher&referrer=zwitscher.example",
        json={"email": EMAIL, "company": COMPANY, "use_case": "Other"},
        headers={"Idempotency-Key": "zwitscher-1", "User-Agent": "Zwitscher/1.0"},
    )
    assert (await visitor.verify(EMAIL)).status_code == 303
    now = read_now()
    async with parts.database.transaction() as tx:
        user = await customers.find_verified_user(tx, EMAIL)
        assert user is not None
        customer = await customers.find_customer_of(tx, user.id)
        assert customer is not None
        canary = Canary(parts, visitor, customer)
        await _write_everything(tx, canary, user.id, now)
    answer = await visitor.client.post(
        "/models",
        files={"file": ("zwitscher.xlsx", SAMPLES["portfolio"].to_bytes())},
        data={"name": "Zwitscher"},
        headers=SAME_ORIGIN,
    )
    assert answer.status_code == 303, answer.text
    async with parts.database.transaction() as tx:
        await _write_runs(tx, canary, now)
    return canary


async def _write_everything(tx: Transaction, canary: Canary, user_id: int, now: datetime) -> None:
    """Fill what no page of this area fills, through SQL: every column that may hold a text of a customer's."""
    ids = {"c": canary.customer.id, "u": user_id, "now": now, "ip": ADDRESS, "later": now + timedelta(days=1)}
    colleague, _ = await customers.create_user_and_customer(tx, COLLEAGUE, "Nowhere Ltd", "Other", now)
    await tx.execute("DELETE FROM api_customers WHERE user_id = %(id)s", {"id": colleague.id})
    await customers.mark_verified(tx, colleague.id, now)
    await members.add_member(tx, canary.customer.id, colleague.id, Role.DEVELOPER, now)
    secret = await customers.create_session(tx, colleague.id, Visit(ADDRESS, "Zwitscher/1.0", now))
    signed_in = await customers.find_session_caller(tx, secret, now)
    assert signed_in is not None
    kept = CompanyDetails.checked(COMPANY, "Rechnung@Kanarien.example", "ZW 123", BILLING_ADDRESS)
    await change_details(tx, canary.parts.sealer, signed_in.as_caller(ADDRESS), kept, now)
    for statement in (
        "UPDATE users SET name = 'Ana Zwitscher' WHERE id = %(u)s",
        "UPDATE users SET totp_sealed = 'geheim', password_hash = 'geheim' WHERE id = %(u)s",
        "UPDATE users SET name = 'Carla Zwitscher' WHERE email = 'carla@kanarien.example'",
        "INSERT INTO recovery_codes VALUES (%(u)s, 'geheim', %(now)s)",
        "UPDATE api_customers SET suspended_reason = 'zwitscher' WHERE id = %(c)s",
        "UPDATE user_sessions SET ip_address = %(ip)s, user_agent = 'Zwitscher/1.0' WHERE user_id = %(u)s",
        """
        INSERT INTO spent_refresh_tokens SELECT 'geheim', id, %(now)s FROM user_sessions WHERE user_id = %(u)s
        LIMIT 1
        """,
        "UPDATE email_challenges SET new_email = 'neu@kanarien.example' WHERE user_id = %(u)s",
        """
        INSERT INTO invitations (public_id, customer_id, email, role, token_hash, invited_by, created_at, expires_at)
        VALUES ('inv_1', %(c)s, 'dora@eingeladen.example', 'viewer', 'geheim', %(u)s, %(now)s, %(later)s)
        """,
        """
        INSERT INTO outbox_mails (public_id, to_address, subject, text_body, html_body, template, created_at)
        VALUES ('mail_1', 'dora@eingeladen.example', 'Join us', 'Kanarienvogel & Söhne invites you', '', 'x', %(now)s)
        """,
        """
        INSERT INTO outbox_mails
            (public_id, to_address, subject, text_body, html_body, template, created_at, sent_at)
        VALUES ('mail_2', 'staff@example.com', 'Ticket of Kanarienvogel & Söhne', '', '', 'x', %(now)s, %(now)s)
        """,
        """
        INSERT INTO outbox_mails (public_id, to_address, subject, text_body, html_body, template, created_at)
        VALUES ('mail_3', 'staff@example.com', 'Support', 'from ana@kanarien.example', '', 'x', %(now)s)
        """,
        "INSERT INTO attempt_counts VALUES ('verify_mail/email/ana@kanarien.example', %(now)s, 3)",
        """
        INSERT INTO api_keys (customer_id, key_id, key_hash, name, status, rate_limit_tier, created_at, updated_at,
            product, mode, last_four, allowed_networks, suspended_reason)
        VALUES (%(c)s, 'mc_live_00000000', 'geheim', 'Key of Ana Zwitscher', 'suspended', 'starter', %(now)s,
            %(now)s, 'montecarlo', 'live', 'abcd', '{198.51.100.77/32}', 'zwitscher')
        """,
        """
        INSERT INTO entitlement_adjustments (public_id, customer_id, product, kind, subject, amount, starts_at,
            reason, created_by, created_at)
        VALUES ('adj_1', %(c)s, 'montecarlo', 'grant', 'requests_included', 7, %(now)s, 'Ana Zwitscher asked',
            'user:usr_staff', %(now)s)
        """,
        """
        INSERT INTO subscription_changes (public_id, subscription_id, kind, plan_version_id, status, requested_by,
            reason, created_at)
        SELECT 'chg_1', id, 'upgrade', plan_version_id, 'pending_payment', 'user:usr_1', 'zwitscher', %(now)s
        FROM api_subscriptions WHERE customer_id = %(c)s LIMIT 1
        """,
        """
        INSERT INTO sent_notices
        SELECT id, 'free_trial_ends/3', %(now)s FROM api_subscriptions WHERE customer_id = %(c)s
        """,
        """
        INSERT INTO api_usage_logs (api_key_id, endpoint, method, status_code, response_time_ms, request_timestamp,
            ip_address, user_agent, customer_id, product, mode, units, request_id)
        SELECT id, '/monte-carlo-api/models', 'GET', 200, 3, %(now)s, %(ip)s, 'Zwitscher/1.0', %(c)s, 'montecarlo',
            'test', 0, 'req_12345678' FROM api_keys WHERE customer_id = %(c)s
        """,
        """
        INSERT INTO key_networks (api_key_id, network, first_seen_at, last_seen_at)
        SELECT id, '198.51.100.77/32', %(now)s, %(now)s FROM api_keys WHERE customer_id = %(c)s
        """,
        """
        INSERT INTO alerts (public_id, kind, subject, customer_id, summary, opened_at, last_seen_at, note)
        VALUES ('alt_1', 'new_network', 'api_key:mc_live_00000000', %(c)s, 'used from 198.51.100.77', %(now)s,
            %(now)s, 'Zwitscher')
        """,
        """
        INSERT INTO quota_notices (quota_id, kind, percent, requests_max, requests_used, told_at)
        SELECT q.id, 'included', 50, 100, 50, %(now)s FROM usage_quotas q
        JOIN api_subscriptions s ON s.id = q.subscription_id WHERE s.customer_id = %(c)s
        """,
        """
        INSERT INTO support_tickets (public_id, customer_id, opened_by, topic, subject, status, created_at,
            updated_at, response_due_at)
        VALUES ('tkt_1', %(c)s, %(u)s, 'other', 'Zwitscher', 'open', %(now)s, %(now)s, %(later)s)
        """,
        """
        INSERT INTO ticket_messages (public_id, ticket_id, author_id, from_staff, body, created_at)
        SELECT 'msg_1', id, %(u)s, false, '=zwitscher()', %(now)s FROM support_tickets WHERE public_id = 'tkt_1'
        """,
        """
        INSERT INTO feedback_entries (public_id, customer_id, user_id, feature, rating, message, created_at)
        VALUES ('fbk_1', %(c)s, %(u)s, 'runs', 5, 'zwitscher', %(now)s)
        """,
        """
        INSERT INTO webhooks (public_id, customer_id, created_by, mode, name, url, events, enabled, sealed_secret,
            created_at, updated_at)
        VALUES ('whk_1', %(c)s, %(u)s, 'test', 'Zwitscher', 'https://zwitscher.example/hook',
            '{simulation.completed}', true, 'geheim', %(now)s, %(now)s)
        """,
        """
        INSERT INTO webhook_deliveries (public_id, customer_id, webhook_id, mode, event_type, body, status,
            next_attempt_at, created_at)
        SELECT 'whd_1', customer_id, id, 'test', 'model.uploaded', '{"filename":"zwitscher"}', 'pending',
            %(now)s, %(now)s
        FROM webhooks WHERE customer_id = %(c)s
        """,
        """
        INSERT INTO webhook_deliveries (public_id, customer_id, url, mode, event_type, body, status, created_at)
        VALUES ('whd_2', %(c)s, 'https://zwitscher.example/run', 'test', 'simulation.completed', '{}', 'delivered',
            %(now)s)
        """,
        """
        INSERT INTO webhook_signing_secrets (customer_id, sealed_secret, created_at, updated_at)
        VALUES (%(c)s, 'geheim', %(now)s, %(now)s)
        """,
        "INSERT INTO customer_turns VALUES (%(c)s, false, 1.5) ON CONFLICT DO NOTHING",
        """
        INSERT INTO idempotency_records
        VALUES (%(c)s || '/test/POST /models', 'zwitscher', '', 200, '{"name": "zwitscher"}', %(now)s)
        """,
    ):
        await tx.execute(statement, ids)


async def _write_runs(tx: Transaction, canary: Canary, now: datetime) -> None:
    """Give the model a run whose results and shards are there."""
    await tx.execute("UPDATE models SET tags = '{zwitscher}', description = 'zwitscher'")
    await tx.execute(
        """
        INSERT INTO runs (public_id, customer_id, model_id, mode, status, seed, iterations, iterations_completed,
            inputs, outputs, confidence_levels, credits_consumed, engine_version, bin_edges, seconds_per_iteration,
            results, created_at, finished_at, summarized_at, expires_at)
        SELECT 'run_1', customer_id, id, mode, 'completed', 1, 1000, 1000, '[]', '[]', '[0.95]', 1, '1', '[]', 1,
            %(results)s::jsonb, %(now)s, %(now)s, %(now)s, %(later)s
        FROM models WHERE customer_id = %(c)s
        """,
        {
            "c": canary.customer.id,
            "results": json.dumps([{"name": "Zwitscher", "mean": 1.5}]),
            "now": now,
            "later": now + timedelta(days=30),
        },
    )
    await tx.execute(
        """
        INSERT INTO run_shards (run_id, shard_index, first_iteration, iteration_count, status, result_blob)
        SELECT id, 0, 0, 1000, 'done', 'samples/canary/0' FROM runs WHERE customer_id = %(c)s
        """,
        {"c": canary.customer.id},
    )
    await tx.execute(
        """
        UPDATE runs SET keeps_samples = true, samples_blob = 'samples/canary/1', points_blob = 'points/canary/1'
        WHERE customer_id = %(c)s
        """,
        {"c": canary.customer.id},
    )
    await tx.execute(
        """
        INSERT INTO download_tokens (token_hash, public_id, run_id, customer_id, api_key_id, created_at, expires_at)
        SELECT '\\x5a776974736368657220', 'dlt_1', r.id, r.customer_id, k.id, %(now)s, %(later)s
        FROM runs r JOIN api_keys k USING (customer_id) WHERE r.customer_id = %(c)s ORDER BY k.id LIMIT 1
        """,
        {"c": canary.customer.id, "now": now, "later": now + timedelta(hours=1)},
    )
    await _write_studies(tx, canary, now)
    rows = await tx.list_rows(
        "SELECT workbook_blob FROM models WHERE customer_id = %(c)s", {"c": canary.customer.id}
    )
    canary.blobs += [row["workbook_blob"] for row in rows]
    canary.blobs += ["samples/canary/0", "samples/canary/1", "points/canary/1"]


async def _write_studies(tx: Transaction, canary: Canary, now: datetime) -> None:
    """Make the run a scenario of a batch, and seek a goal that waits."""
    ids = {"c": canary.customer.id, "now": now, "later": now + timedelta(days=30)}
    await tx.execute(
        """
        INSERT INTO batches (public_id, customer_id, mode, name, created_at)
        VALUES ('bat_1', %(c)s, 'test', 'Zwitscher', %(now)s)
        """,
        ids,
    )
    await tx.execute(
        """
        UPDATE runs SET scenario_name = 'Zwitscher', batch_id = (SELECT id FROM batches WHERE customer_id = %(c)s)
        WHERE customer_id = %(c)s
        """,
        ids,
    )
    await tx.execute(
        """
        INSERT INTO goal_seeks (public_id, customer_id, model_id, mode, status, question, created_at, expires_at)
        SELECT 'gsk_1', customer_id, id, mode, 'queued', '{"cell_name": "Zwitscher"}', %(now)s, %(later)s
        FROM models WHERE customer_id = %(c)s
        """,
        ids,
    )
