"""Who may open which page of the administration; to everyone else it is not there."""

from datetime import timedelta

import pytest
from tests.administrators import make_administrator, sign_in
from tests.alerts.test_endpoints import open_alert
from tests.mounted import routes_of
from tests.web.conftest import HTML, Visitor, visiting

from tollway.administration import operations as reading
from tollway.app import Parts
from tollway.customers import operations as customers
from tollway.customers.permissions import UserType
from tollway.kit.clock import read_now

BOTH = frozenset({UserType.ADMIN, UserType.SUPER_ADMIN})
SUPER = frozenset({UserType.SUPER_ADMIN})
# Every page of the administration, who may open it, and whether it asks for a recent proof.
PAGES = {
    "/admin": (BOTH, False),
    "/admin/api-customers": (BOTH, False),
    "/admin/api-customers/{customer}": (BOTH, False),
    "/admin/api-customers/{customer}/suspend": (BOTH, True),
    "/admin/api-customers/{customer}/reactivate": (BOTH, True),
    "/admin/api-customers/{customer}/limits": (BOTH, True),
    "/admin/api-customers/{customer}/limits/adj_none/end": (BOTH, True),
    "/admin/api-customers/{customer}/impersonate": (BOTH, True),
    "/admin/api-keys": (BOTH, False),
    "/admin/api-keys/{key}": (BOTH, False),
    "/admin/api-keys/{key}/suspend": (BOTH, True),
    "/admin/api-keys/{key}/unsuspend": (BOTH, True),
    "/admin/api-keys/{key}/revoke": (BOTH, True),
    "/admin/users": (BOTH, False),
    "/admin/users/{user}": (BOTH, False),
    "/admin/users/{user}/type": (SUPER, True),
    "/admin/users/{user}/disable": (BOTH, True),
    "/admin/users/{user}/enable": (BOTH, True),
    "/admin/users/{user}/sign-out": (BOTH, True),
    "/admin/settings": (BOTH, False),
    "/admin/alerts": (BOTH, False),
    "/admin/alerts/{alert}": (BOTH, False),
    "/admin/alerts/rules": (BOTH, False),
    "/admin/alerts/rules/{kind}": (BOTH, False),
    "/admin/usage": (BOTH, False),
}
POSTED = [path for path in PAGES if path.count("/") > 3]


async def addresses(ana: Visitor) -> dict[str, str]:
    """Fill the patterns with what belongs to a customer."""
    async with ana.parts.database.transaction() as tx:
        user = await customers.find_verified_user(tx, "ana@example.com")
        assert user
        customer = await customers.find_customer_of(tx, user.id)
        assert customer
        detail = await reading.get_customer_detail(tx, customer.public_id, read_now())
    names = {"customer": customer.public_id, "user": user.public_id, "key": detail.keys[0].key_id}
    names |= {"alert": await open_alert(ana.parts), "kind": "disk_full"}
    return {path: path.format(**names) for path in PAGES}


@pytest.mark.parametrize("user_type", list(UserType))
@pytest.mark.promise("B4", "B5")
async def test_each_kind_of_user_opens_the_pages_that_are_theirs(
    parts: Parts, ana: Visitor, user_type: UserType
) -> None:
    filled = await addresses(ana)
    if user_type.administers:
        _, headers = await make_administrator(parts, user_type=user_type)
    else:
        async with parts.database.transaction() as tx:
            user = await customers.create_verified_user(tx, "somebody@example.org", user_type, read_now())
        headers = await sign_in(parts, user)
    async with visiting(parts, "127.0.0.4") as visitor:
        visitor.client.headers.update(headers)
        for path, (allowed, _) in PAGES.items():
            answer = await visitor.get(filled[path])
            expected = 200 if user_type in allowed else 403 if user_type.administers else 404
            assert answer.status_code == expected, (path, answer.status_code)
        for path in POSTED:
            answer = await visitor.post(filled[path])
            if user_type not in PAGES[path][0]:
                assert answer.status_code == (403 if user_type.administers else 404), path


async def test_strangers_are_led_to_the_sign_in(ana: Visitor, stranger: Visitor) -> None:
    for path in (await addresses(ana)).values():
        answer = await stranger.get(path)
        assert (answer.status_code, answer.headers["location"].split("?")[0]) == (303, "/signin"), path


async def test_without_a_second_factor_the_way_leads_to_setting_one_up(parts: Parts, ana: Visitor) -> None:
    _, headers = await make_administrator(parts, second_factor=False)
    async with visiting(parts, "127.0.0.4") as visitor:
        visitor.client.headers.update(headers)
        for path in (await addresses(ana)).values():
            answer = await visitor.get(path)
            assert (answer.status_code, answer.headers["location"]) == (303, "/security/second-factor"), path


async def test_what_changes_something_asks_for_a_recent_proof(parts: Parts, ana: Visitor) -> None:
    _, headers = await make_administrator(parts, now=read_now() - timedelta(minutes=20))
    filled = await addresses(ana)
    async with visiting(parts, "127.0.0.4") as visitor:
        visitor.client.headers.update(headers)
        for path, (_, proven) in PAGES.items():
            answer = await visitor.get(filled[path])
            assert answer.status_code == (303 if proven else 200), path
            if proven:
                assert answer.headers["location"] == f"/signin/again?next={filled[path]}"


async def test_a_form_of_another_site_is_refused(ana: Visitor, administrator: Visitor) -> None:
    filled = await addresses(ana)
    for path in POSTED:
        answer = await administrator.client.post(
            filled[path], data={"reason": "x"}, headers=HTML | {"Origin": "http://elsewhere.example"}
        )
        assert answer.status_code == 403, path


async def test_every_page_of_these_files_stands_in_the_table(administrator: Visitor) -> None:
    theirs = {
        route.path.replace("_id}", "}").replace("{adjustment}", "adj_none")
        for route in routes_of(administrator.parts)
        if route.path.startswith("/admin") and "GET" in route.methods
    }
    theirs -= {
        path for path in theirs if path.startswith(("/admin/audit", "/admin/tickets", "/admin/feedback"))
    }
    assert theirs == set(PAGES)
