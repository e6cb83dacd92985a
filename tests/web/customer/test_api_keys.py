"""The page of API keys: made once, shown once, rotated with a live count, revoked after a question."""

import re

import pytest
from tests.web.conftest import Visitor, visiting

from tollway.app import Parts
from tollway.customers.permissions import Role

PAGE = "/api-keys/manage"
FORM = {
    "name": "Reports",
    "product": "montecarlo",
    "mode": "test",
    "scopes": ["read", "write"],
    "expires": "0",
}


async def rows(visitor: Visitor, query: str) -> list[dict]:
    async with visitor.parts.database.transaction() as tx:
        return await tx.list_rows(query)


async def execute(visitor: Visitor, statement: str) -> None:
    async with visitor.parts.database.transaction() as tx:
        await tx.execute(statement)


async def make(visitor: Visitor, **changed: object) -> tuple[str, str]:
    """Make a key by the form and return its id and its secret."""
    answer = await visitor.post(PAGE, FORM | changed)
    assert answer.status_code == 200, answer.text
    secret = re.search(r'id="made-secret">([\w-]+)<', answer.text)
    assert secret, answer.text
    return secret[1][:-24], secret[1]


@pytest.mark.promise("B22", "D22", "X8")
async def test_a_key_is_made_and_its_secret_is_on_one_page_alone(ana: Visitor) -> None:
    key_id, secret = await make(
        ana, mode="live", expires="90", networks="203.0.113.0/24\n2001:db8::/32", limit="60"
    )
    assert secret.startswith("mc_live_")
    listed = await ana.get(PAGE)
    assert "Reports" in listed.text
    assert secret not in listed.text + (await ana.get(f"{PAGE}/{key_id}")).text
    one = (await ana.get(f"{PAGE}/{key_id}")).text
    assert "203.0.113.0/24, 2001:db8::/32" in one
    assert "Reveal" not in one
    mail = await ana.newest_mail("ana@example.com")
    assert key_id in mail
    assert secret not in mail


async def test_a_form_that_is_sent_twice_makes_one_key(ana: Visitor) -> None:
    once = re.search(r'name="once" value="([\w-]+)"', (await ana.get(PAGE)).text)
    assert once
    first = await ana.post(PAGE, FORM | {"once": once[1]})
    again = await ana.post(PAGE, FORM | {"once": once[1]})
    assert 'id="made-secret"' in first.text
    assert "sent a second time" in again.text
    assert 'id="made-secret"' not in again.text
    assert len(await rows(ana, "SELECT 1 FROM api_keys WHERE name = 'Reports'")) == 1


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"name": ""}, "name"),
        ({"product": "bananas"}, "product"),
        ({"mode": "both"}, "mode"),
        ({"scopes": []}, "scopes"),
        ({"expires": "soon"}, "expires"),
        ({"expires": "9999"}, "expires"),
        ({"networks": "203.0.113.7/24"}, "networks"),
        ({"networks": "10.0.0.1 nowhere nowhere-else"}, "networks"),
        ({"limit": "many"}, "limit"),
        ({"limit": "0"}, "limit"),
    ],
)
async def test_what_was_wrong_stands_beside_the_field_and_what_was_typed_is_kept(
    ana: Visitor, changed: dict, field: str
) -> None:
    answer = await ana.post(PAGE, FORM | {"limit": "77"} | changed)
    assert answer.status_code == 422
    assert f'id="error-{field}"' in answer.text
    if field != "limit":
        assert 'value="77"' in answer.text


@pytest.mark.promise("B41")
async def test_a_key_is_rotated_and_the_calls_on_the_old_one_are_counted(ana: Visitor) -> None:
    key_id, secret = await make(ana)
    rotated = await ana.post(f"{PAGE}/{key_id}/rotate", {"overlap": "24"})
    new = re.search(r'id="made-secret">([\w-]+)<', rotated.text)
    assert new
    assert "0 calls came with this key" in rotated.text
    for used in (secret, new[1], secret):
        answer = await ana.client.get("/monte-carlo-api/models", headers={"Authorization": f"Bearer {used}"})
        assert answer.status_code == 200
    await ana.parts.gatehouse.ship()
    counted = (await ana.get(f"{PAGE}/{key_id}/overlap")).text
    assert "2 calls came with this key" in counted
    assert 'hx-trigger="every 3s"' in counted
    assert counted.count("<html") == 0
    assert "2 calls since" in (await ana.get(PAGE)).text
    again = await ana.post(f"{PAGE}/{key_id}/rotate", {"overlap": "24"})
    assert again.status_code == 303
    await execute(ana, "UPDATE api_keys SET grace_until = now() WHERE grace_until IS NOT NULL")
    ended = (await ana.get(f"{PAGE}/{key_id}/overlap")).text
    assert "hx-trigger" not in ended
    assert "is over" in ended
    assert f"{key_id}" in await ana.newest_mail("ana@example.com")


async def test_a_test_key_is_revealed_and_that_is_on_record(ana: Visitor) -> None:
    key_id, secret = await make(ana)
    shown = await ana.post(f"{PAGE}/{key_id}/reveal")
    assert secret in shown.text
    part = await ana.client.post(
        f"{PAGE}/{key_id}/reveal",
        headers={"Accept": "text/html", "Origin": "http://localhost", "HX-Request": "true"},
    )
    assert secret in part.text
    assert "<html" not in part.text
    entries = await rows(ana, "SELECT subject FROM audit_entries WHERE action = 'api_key.revealed'")
    assert [one["subject"] for one in entries] == [key_id] * 2


async def test_a_key_is_changed(ana: Visitor) -> None:
    key_id, _ = await make(ana, expires="30")
    changed = await ana.post(
        f"{PAGE}/{key_id}/change", {"name": "New name", "networks": "10.0.0.1", "limit": "5"}
    )
    assert changed.status_code == 303
    page = (await ana.get(changed.headers["location"])).text
    assert "The key is changed" in page
    assert "10.0.0.1/32" in page
    refused = await ana.post(f"{PAGE}/{key_id}/change", {"name": "", "networks": "x"})
    assert refused.status_code == 422
    assert 'id="error-name"' in refused.text


async def test_a_key_is_revoked_and_deleted_after_a_question(ana: Visitor) -> None:
    key_id, secret = await make(ana)
    for action in ("revoke", "delete"):
        asked = await ana.get(f"{PAGE}/{key_id}/{action}")
        assert f'action="{PAGE}/{key_id}/{action}"' in asked.text
    assert (await ana.get(f"{PAGE}/{key_id}/burn")).status_code == 404
    revoked = await ana.post(f"{PAGE}/{key_id}/revoke")
    page = (await ana.get(revoked.headers["location"])).text
    assert "It is revoked." in page
    assert "Rotate the key" not in page
    used = await ana.client.get("/monte-carlo-api/models", headers={"Authorization": f"Bearer {secret}"})
    assert used.status_code == 401
    deleted = await ana.post(f"{PAGE}/{key_id}/delete")
    assert "Reports" not in (await ana.get(deleted.headers["location"])).text
    assert (await ana.get(f"{PAGE}/{key_id}")).status_code == 404


async def test_a_key_of_another_customer_is_not_there(ana: Visitor, ben: Visitor) -> None:
    key_id, _ = await make(ben)
    for path in ("", "/overlap", "/revoke", "/delete"):
        assert (await ana.get(f"{PAGE}/{key_id}{path}")).status_code == 404
    for path in ("/rotate", "/reveal", "/revoke", "/delete", "/change"):
        assert (await ana.post(f"{PAGE}/{key_id}{path}")).status_code in (404, 422)
    assert "Reports" not in (await ana.get(PAGE)).text
    assert (await rows(ben, f"SELECT status FROM api_keys WHERE key_id = '{key_id}'")) == [
        {"status": "active"}
    ]


async def test_a_developer_is_shown_no_key_that_may_do_more_than_they(ana: Visitor) -> None:
    (whole,) = set(re.findall(r"mc_test_[0-9A-Za-z]{32}", (await ana.post("/dashboard/key")).text))
    (key,) = await rows(ana, "SELECT key_id FROM api_keys")
    await execute(ana, "UPDATE customer_members SET role = 'developer'")
    for page in ("/dashboard", "/docs/integration", f"/api-keys/manage/{key['key_id']}"):
        text = (await ana.get(page)).text
        assert whole not in text, page
        assert f"{key['key_id']}/reveal" not in text, page
        assert f"{key['key_id']}/rotate" not in text, page
    assert (await ana.post("/dashboard/key")).status_code == 404
    assert 'value="admin"' not in (await ana.get("/api-keys/manage")).text
    _, narrower = await make(ana, scopes=["read", "write"])
    assert narrower in (await ana.post("/dashboard/key")).text
    assert narrower in (await ana.get("/docs/integration")).text


async def test_a_stranger_is_sent_to_sign_in(stranger: Visitor) -> None:
    answer = await stranger.get(PAGE)
    assert answer.headers["location"] == "/signin?next=/api-keys/manage"


@pytest.mark.parametrize("role", list(Role))
async def test_who_may_not_see_keys_is_not_offered_them(ana: Visitor, role: Role) -> None:
    await execute(ana, f"UPDATE customer_members SET role = '{role.value}'")  # type: ignore[arg-type]
    may = role in (Role.OWNER, Role.DEVELOPER)
    assert (f'href="{PAGE}"' in (await ana.get("/dashboard")).text) == may
    assert (await ana.get(PAGE)).status_code == (200 if may else 403)


async def test_a_live_key_sends_whoever_signed_in_long_ago_to_prove_it(ana: Visitor) -> None:
    await execute(ana, "UPDATE user_sessions SET proven_at = now() - interval '1 hour'")
    answer = await ana.client.post(
        PAGE,
        data=FORM | {"mode": "live"},
        headers={"Accept": "text/html", "Origin": "http://localhost", "Referer": f"http://localhost{PAGE}"},
    )
    assert answer.headers["location"] == f"/signin/again?next={PAGE}"


async def test_going_live_is_told_by_facts(ana: Visitor) -> None:
    async def done() -> int:
        found = re.search(r"(\d) of 5 done", (await ana.get(PAGE)).text)
        return int(found[1]) if found else 5

    assert await done() == 1, "the address is verified"
    _, secret = await make(ana, mode="live")
    assert await done() == 2
    await make(ana, mode="live", expires="90")
    assert await done() == 3
    await execute(
        ana,
        "UPDATE api_subscriptions SET status = 'active', plan_version_id = "  # type: ignore[arg-type]
        "(SELECT max(id) FROM plan_versions WHERE product = 'montecarlo' AND tier = 'starter')",
    )
    assert await done() == 4
    called = await ana.client.get("/monte-carlo-api/models", headers={"Authorization": f"Bearer {secret}"})
    assert called.status_code == 200
    await ana.parts.gatehouse.ship()
    assert await done() == 5


async def test_without_keys_the_page_says_what_they_are_for(parts: Parts, catalog: None) -> None:
    async with visiting(parts) as visitor:
        await visitor.sign_up("ana@example.com")
        await execute(
            visitor, "UPDATE api_keys SET status = 'deleted', key_hash = NULL, sealed_secret = NULL"
        )
        assert "No API keys" in (await visitor.get(PAGE)).text
