"""What sign-up and verification write, in which order, and what nobody can tell from outside."""

from datetime import timedelta

import pytest
from tests.lifecycle.conftest import BASE, Town, code_in, link_token_in

from tollway.customers import details_operations as details
from tollway.customers import operations as customers
from tollway.customers.entities import Mode
from tollway.keys import operations as keys
from tollway.kit.problems import Invalid
from tollway.lifecycle import flows, operations
from tollway.lifecycle.entities import SignUpForm
from tollway.metering import operations as metering
from tollway.plans import operations as plans

INSERTS_ARE_LOGGED = """
    CREATE TABLE insert_log (id bigint GENERATED ALWAYS AS IDENTITY, name text);
    CREATE FUNCTION log_insert() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO insert_log (name) VALUES (TG_TABLE_NAME);
        RETURN NULL;
    END $$;
"""


async def usage_of(town: Town, customer_id: int):
    async with town.database.transaction() as tx:
        entitlement = await plans.get_entitlement(tx, customer_id, "montecarlo", town.now)
        return entitlement, await plans.get_quota(tx, entitlement, Mode.TEST, town.now)


async def spend(town: Town, customer_id: int, units: int) -> None:
    _, quota = await usage_of(town, customer_id)
    async with town.database.transaction() as tx:
        await metering.use_units(tx, quota, units, now=town.now)


@pytest.mark.promise("A33", "A16", "A34")
async def test_sign_up_writes_in_the_order_that_was_promised(town):
    tables = ["api_customers", "api_keys", "usage_quotas", "outbox_mails", "analytics_events"]
    async with town.database.transaction() as tx:
        await tx.execute(INSERTS_ARE_LOGGED)
        for table in tables:
            await tx.execute(
                f"CREATE TRIGGER logged AFTER INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION log_insert()"
            )
    await town.sign_up()
    assert [row["name"] for row in await town.rows("SELECT name FROM insert_log ORDER BY id")] == tables


@pytest.mark.promise("A2", "A11", "A12", "A13", "A30", "A35", "A41", "X4", "X8")
async def test_a_stranger_has_a_test_key_and_twenty_requests_at_once(town):
    signed_up = await town.sign_up()
    customer = signed_up.customer
    async with town.database.transaction() as tx:
        api_key = await keys.find_default_test_key(tx, customer.id)
        secret = await keys.reveal_test_key(tx, town.parts.sealer, api_key)
    assert secret.startswith("mc_test_")
    assert len(secret) == len("mc_test_") + 32
    assert (api_key.rate_limit_tier, api_key.name) == ("trial", "Default")
    entitlement, quota = await usage_of(town, customer.id)
    assert entitlement.plan.tier == "trial"
    assert not entitlement.read_only
    assert quota.requests_included == 20
    caller = await town.caller(signed_up.session_secret)
    assert caller.customer == customer
    assert not caller.user.verified


@pytest.mark.promise("A34")
async def test_a_sign_up_is_an_event_with_what_brought_the_customer(town):
    signed_up = await town.sign_up(referrer="https://news.example/" + "x" * 500, campaign="spring")
    (event,) = await town.rows("SELECT * FROM analytics_events")
    assert (event["name"], event["customer_id"]) == ("customer_signup", signed_up.customer.id)
    assert (event["campaign"], event["occurred_at"]) == ("spring", town.now)
    assert len(event["referrer"]) == 200
    assert event["properties"] == {"use_case": "Stress Testing"}


async def test_a_sign_up_that_fails_leaves_nothing(town):
    form = SignUpForm("ana", "Example Ltd", "Other")
    with pytest.raises(Invalid):
        await flows.sign_up(town.database, town.parts, form, town.visit())
    async with town.database.transaction() as tx:
        await tx.execute("ALTER TABLE analytics_events ADD CONSTRAINT broken CHECK (name = '')")
    with pytest.raises(Exception, match="broken"):
        await town.sign_up()
    for table in ("users", "api_customers", "api_keys", "outbox_mails", "user_sessions", "pgqueuer"):
        assert await town.rows(f"SELECT * FROM {table}") == [], table


@pytest.mark.promise("A29", "A32", "A37", "X3", "X4")
async def test_a_verified_customer_has_fourteen_days_and_a_hundred_requests(town):
    signed_up = await town.sign_up()
    await spend(town, signed_up.customer.id, 7)
    caller = await town.caller(signed_up.session_secret)
    code = code_in(await town.newest_mail())
    verified = await flows.verify_by_code(town.database, town.parts, caller, code, town.visit())
    assert verified.user.verified
    assert verified.customer == signed_up.customer
    entitlement, quota = await usage_of(town, verified.customer.id)
    assert entitlement.subscription.trial_end == town.now + timedelta(days=14)
    assert entitlement.free_trial_days_remaining(town.now) == 14
    assert (quota.requests_included, quota.requests_used) == (100, 7)
    names = [row["name"] for row in await town.rows("SELECT name FROM analytics_events ORDER BY id")]
    assert names == ["customer_signup", "email_verified"]


@pytest.mark.promise("X3")
async def test_the_free_trial_ends_and_leaves_everything_readable(town):
    caller = await town.verified()
    async with town.database.transaction() as tx:
        day_14 = await plans.get_entitlement(
            tx, caller.customer.id, "montecarlo", town.now + timedelta(days=14, seconds=-1)
        )
        day_15 = await plans.get_entitlement(
            tx, caller.customer.id, "montecarlo", town.now + timedelta(days=14)
        )
    assert (day_14.read_only, day_14.free_trial_days_remaining(town.now + timedelta(days=13, hours=1))) == (
        False,
        1,
    )
    assert day_15.read_only


@pytest.mark.promise("A42", "A30", "A31", "A36")
async def test_the_welcome_mail_goes_out_once_with_the_key_that_works(town):
    caller = await town.verified()
    async with town.database.transaction() as tx:
        await operations.verify_user(tx, town.parts, caller.user.id, town.visit())
    mails = await town.mails()
    assert [mail.template for mail in mails] == ["verify_address", "welcome"]
    async with town.database.transaction() as tx:
        api_key = await keys.find_default_test_key(tx, caller.customer.id)
        secret = await keys.reveal_test_key(tx, town.parts.sealer, api_key)
    assert mails[1].subject == "Your Monte Carlo API is Ready! 🚀"
    for piece in ("Hi Example Ltd,", secret, "100 requests a month, for 14 days", f"{BASE}/support"):
        assert piece in mails[1].text_body


@pytest.mark.promise("X4")
async def test_an_address_that_is_known_is_told_only_in_its_own_mailbox(town):
    await town.verified()
    again = await town.sign_up("Ana@Example.com")
    mail = await town.newest_mail()
    assert mail.template == "address_known"
    assert f"{BASE}/signin" in mail.text_body
    assert "token=" not in mail.text_body
    stranger = await town.sign_up("bob@example.com")
    for signed_up in (again, stranger):
        entitlement, quota = await usage_of(town, signed_up.customer.id)
        assert (entitlement.plan.tier, quota.requests_included) == ("trial", 20)
        caller = await town.caller(signed_up.session_secret)
        assert not caller.user.verified


async def test_whoever_never_verified_is_forgotten_after_a_month_and_nobody_else(town):
    forgotten = await town.sign_up("bob@example.com")
    await spend(town, forgotten.customer.id, 3)
    kept = await town.verified()
    async with town.database.transaction() as tx:
        assert await operations.list_unverified(tx, town.now + timedelta(days=30), 10) == []
        later = town.now + timedelta(days=30, seconds=1)
        (expired,) = await operations.list_unverified(tx, later, 10)
        assert await operations.delete_unverified(tx, expired, later)
    for table, left in {
        "users": kept.user.id,
        "api_customers": kept.customer.id,
    }.items():
        assert await town.rows(f"SELECT id FROM {table}") == [{"id": left}]
    for table in ("api_keys", "api_subscriptions"):
        owners = await town.rows(f"SELECT DISTINCT customer_id FROM {table}")
        assert owners == [{"customer_id": kept.customer.id}], table
    events = await town.rows("SELECT name, customer_id FROM analytics_events ORDER BY id")
    assert events[0] == {"name": "customer_signup", "customer_id": None}
    assert len(events) == 3


async def test_whoever_verifies_in_the_last_moment_is_not_forgotten(town):
    signed_up = await town.sign_up()
    async with town.database.transaction() as tx:
        await operations.verify_user(tx, town.parts, signed_up.user.id, town.visit())
    async with town.database.transaction() as tx:
        assert not await operations.delete_unverified(tx, signed_up.customer, town.now)
    assert len(await town.rows("SELECT id FROM users")) == 1


async def test_every_step_is_on_record_without_names_or_addresses(town):
    caller = await town.verified()
    async with town.database.transaction() as tx:
        await operations.sign_out(tx, caller, town.visit())
    entries = await town.rows("SELECT * FROM audit_entries ORDER BY id")
    assert [entry["action"] for entry in entries] == [
        "customer.signed_up",
        "user.email_verified",
        "user.signed_out",
    ]
    assert {entry["customer_id"] for entry in entries} == {caller.customer.id}
    assert {entry["actor"] for entry in entries} == {f"user:{caller.user.public_id}"}
    assert "ana" not in repr(entries)
    assert "Example" not in repr(entries)
    assert await town.rows("SELECT id FROM user_sessions WHERE ended_at IS NULL") == []


async def test_a_link_opened_elsewhere_ends_what_the_sign_up_left_behind(town):
    """Or anyone could sign up with another's address, wait for the owner, and look on with the old key."""
    signed_up = await town.sign_up()
    async with town.database.transaction() as tx:
        old_key = await keys.find_default_test_key(tx, signed_up.customer.id)
        old_secret = await keys.reveal_test_key(tx, town.parts.sealer, old_key)
    link_token = link_token_in(await town.newest_mail())
    verified = await flows.verify_by_link(town.database, town.parts, link_token, None, town.visit())
    assert await town.caller(signed_up.session_secret) is None
    assert (await town.caller(verified.session_secret)).user == verified.user
    async with town.database.transaction() as tx:
        new_key = await keys.find_default_test_key(tx, signed_up.customer.id)
        new_secret = await keys.reveal_test_key(tx, town.parts.sealer, new_key)
        assert (await keys.authenticate(tx, f"Bearer {new_secret}", town.now)).id == new_key.id
        with pytest.raises(Exception, match="not active"):
            await keys.authenticate(tx, f"Bearer {old_secret}", town.now)
    mail = await town.newest_mail()
    assert new_secret in mail.text_body
    assert old_secret not in mail.text_body


async def test_a_link_opened_elsewhere_forgets_where_a_stranger_had_mails_sent(town):
    """Nor does a customer stay closed that whoever had its key closed before its owner came."""
    signed_up = await town.sign_up()
    caller = (await town.caller(signed_up.session_secret)).as_caller("192.0.2.66")
    stranger = {"line1": "1 Dark Alley", "city": "Nowhere", "country": "GB"}
    wanted = details.CompanyDetails.checked("Example", "thief@example.org", "GB 1", stranger)
    async with town.database.transaction() as tx:
        await details.change_details(tx, town.parts.sealer, caller, wanted, town.now)
        await details.deactivate_customer(tx, caller, town.now)
    link_token = link_token_in(await town.newest_mail())
    verified = await flows.verify_by_link(town.database, town.parts, link_token, None, town.visit())
    async with town.database.transaction() as tx:
        kept = await details.get_details(tx, town.parts.sealer, verified.customer.id)
        customer = await customers.get_customer(tx, verified.customer.id)
    assert (kept.billing_email, kept.tax_id, kept.billing_address) == (verified.user.email, None, None)
    assert customer.refusal() is None


async def test_a_link_opened_where_the_sign_up_was_keeps_the_key(town):
    signed_up = await town.sign_up()
    caller = await town.caller(signed_up.session_secret)
    async with town.database.transaction() as tx:
        before = await keys.find_default_test_key(tx, signed_up.customer.id)
    link_token = link_token_in(await town.newest_mail())
    verified = await flows.verify_by_link(town.database, town.parts, link_token, caller, town.visit())
    async with town.database.transaction() as tx:
        assert await keys.find_default_test_key(tx, signed_up.customer.id) == before
    assert await town.caller(signed_up.session_secret) is None
    assert await town.caller(verified.session_secret) is not None
