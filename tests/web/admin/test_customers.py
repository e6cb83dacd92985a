"""Customers as administrators see and change them."""

import re

import pytest
from tests.web.conftest import Visitor

from tollway.administration import operations as reading
from tollway.audit import operations as audit
from tollway.customers import operations as customers
from tollway.kit.clock import read_now

WHY = "Payment is disputed"


async def detail_of(ana: Visitor, email: str = "ana@example.com"):
    async with ana.parts.database.transaction() as tx:
        user = await customers.find_verified_user(tx, email)
        customer = await customers.find_customer_of(tx, user.id)
        return await reading.get_customer_detail(tx, customer.public_id, read_now())


async def actions_of(ana: Visitor) -> list[tuple[str, str]]:
    """What was done to a customer, newest first, with the reason."""
    detail = await detail_of(ana)
    async with ana.parts.database.transaction() as tx:
        entries = (await audit.list_entries(tx, detail.customer.id)).items
    return [(entry.action, entry.details.get("reason", "")) for entry in entries]


@pytest.mark.promise("B33", "B50")
async def test_the_list_finds_a_customer_and_leads_to_everything_about_it(ana, ben, administrator):
    listed = await administrator.get("/admin/api-customers?search=Example+Ltd")
    assert "ana@example.com" in listed.text
    assert "ben@example.com" not in listed.text
    detail = await detail_of(ana)
    shown = await administrator.get(f"/admin/api-customers/{detail.row.public_id}")
    for text in (
        "Example Ltd",
        "ana@example.com",
        detail.keys[0].masked,
        "montecarlo/trial@1",
        "Look in their place",
    ):
        assert text in shown.text, text
    assert "Nothing matches" in (await administrator.get("/admin/api-customers?search=nobody")).text
    wrong = await administrator.get("/admin/api-customers?status=sleepy&page=x")
    assert wrong.status_code == 422


async def test_lists_without_anything_say_so(administrator):
    assert "No customers yet" in (await administrator.get("/admin/api-customers")).text
    assert "No keys yet" in (await administrator.get("/admin/api-keys")).text
    assert "No customers yet" in (await administrator.get("/admin")).text
    assert "Nothing matches" in (await administrator.get("/admin/users?search=nobody")).text


async def test_long_lists_are_paged(ana, ben, administrator):
    for number in range(20):
        async with ana.parts.database.transaction() as tx:
            await customers.create_user_and_customer(
                tx, f"c{number}@example.org", f"Company {number}", "Other", read_now()
            )
    first = await administrator.get("/admin/api-customers?status=cancelled")
    assert "20 customers" in first.text
    assert "page=2" not in first.text
    everything = await administrator.get("/admin/api-customers")
    assert "22 customers · page 1 of 2" in everything.text
    second = await administrator.get("/admin/api-customers?page=2")
    assert "ana@example.com" in second.text


@pytest.mark.promise("B25", "B46")
async def test_a_suspension_closes_the_customers_next_page_and_says_why(ana, administrator):
    url = f"/admin/api-customers/{(await detail_of(ana)).row.public_id}"
    assert (await ana.get("/dashboard")).status_code == 200
    asked = await administrator.get(f"{url}/suspend")
    assert "Suspend Example Ltd?" in asked.text
    empty = await administrator.post(f"{url}/suspend", {"reason": " "})
    assert empty.status_code == 422
    assert "Say why" in empty.text
    assert (await ana.get("/dashboard")).status_code == 200
    done = await administrator.post(f"{url}/suspend", {"reason": WHY})
    assert (done.status_code, done.headers["location"]) == (303, f"{url}?notice=suspended")
    closed = await ana.get("/dashboard")
    assert closed.status_code == 403
    assert WHY in closed.text
    again = await administrator.post(f"{url}/suspend", {"reason": WHY})
    assert again.status_code == 409
    assert "suspended already" in again.text
    assert (await administrator.post(f"{url}/reactivate", {"reason": "Settled"})).status_code == 303
    assert (await ana.get("/dashboard")).status_code == 200
    assert (await actions_of(ana))[:2] == [("customer.reactivated", "Settled"), ("customer.suspended", WHY)]


@pytest.mark.promise("B50")
async def test_a_grant_holds_from_the_next_page_and_until_it_is_ended(ana, administrator):
    detail = await detail_of(ana)
    url = f"/admin/api-customers/{detail.row.public_id}"
    form = {"kind": "grant", "product": "montecarlo", "subject": "requests_included", "amount": "1,000"}
    for wrong, where in (
        ({"amount": "many"}, "amount"),
        ({"kind": "gift"}, "kind"),
        ({"kind": "override"}, "ends_on"),
        ({"ends_on": "soon"}, "ends_on"),
        ({"ends_on": "2020-01-01"}, "ends_on"),
        ({"reason": ""}, "reason"),
        ({"subject": "luck"}, "subject"),
    ):
        refused = await administrator.post(f"{url}/limits", {**form, "reason": "Asked", **wrong})
        assert refused.status_code == 422, wrong
        assert f'id="error-{where}"' in refused.text, wrong
    done = await administrator.post(f"{url}/limits", {**form, "reason": "Asked"})
    assert done.status_code == 303
    assert (await detail_of(ana)).listed.requests_included == 1100
    [made] = (await detail_of(ana)).adjustments
    shown = await administrator.get(url)
    assert f"grant <code>{made.public_id}</code> 1,000" in shown.text
    ended = await administrator.post(f"{url}/limits/{made.public_id}/end")
    assert ended.status_code == 303
    assert (await detail_of(ana)).listed.requests_included == 100
    assert [action for action, _ in await actions_of(ana)][:2] == ["grant.ended", "grant.made"]


@pytest.mark.promise("B36")
async def test_a_key_is_found_suspended_released_and_revoked(ana, administrator):
    key = (await detail_of(ana)).keys[0]
    secret = re.search(r"mc_test_\w{32}", (await ana.post("/dashboard/key")).text).group()
    headers = {"Authorization": f"Bearer {secret}"}
    # A whole key that was pasted finds itself, and is not shown again.
    listed = await administrator.get(f"/admin/api-keys?search={secret}")
    assert key.masked in listed.text
    assert secret not in listed.text
    url = f"/admin/api-keys/{key.key_id}"
    assert (await ana.client.get("/monte-carlo-api/models", headers=headers)).status_code == 200
    for verb, answers in (("suspend", 403), ("unsuspend", 200), ("revoke", 401)):
        assert (await administrator.post(f"{url}/{verb}", {"reason": ""})).status_code == 422
        assert (await administrator.post(f"{url}/{verb}", {"reason": WHY})).status_code == 303, verb
        answer = await ana.client.get("/monte-carlo-api/models", headers=headers)
        assert answer.status_code == answers, verb
        assert (await administrator.post(f"{url}/{verb}", {"reason": WHY})).status_code == 409, verb
    assert (await actions_of(ana))[:3] == [
        ("api_key.revoked", WHY),
        ("api_key.unsuspended", WHY),
        ("api_key.suspended", WHY),
    ]


async def test_settings_show_no_secret(administrator):
    shown = await administrator.get("/admin/settings")
    settings = administrator.parts.settings
    for secret in (settings.jwt_secret, settings.encryption_key, settings.database_url):
        assert secret.get_secret_value() not in shown.text
    for text in ("set, not shown", "ENCRYPTION_KEY", "MAX_REQUESTS_PER_MINUTE", "administrators", "Starter"):
        assert text in shown.text, text


async def test_the_overview_counts_customers_by_where_they_stand(ana, administrator):
    shown = await administrator.get("/admin")
    assert 'href="/admin/api-customers?status=trialing">Trialing</a></td><td class="number">1<' in shown.text
    assert "Example Ltd" in shown.text
