"""People as administrators see and change them."""

import pytest
from tests.administrators import make_administrator
from tests.web.conftest import visiting

from tollway.audit import operations as audit
from tollway.customers import operations as customers
from tollway.customers.permissions import UserType

WHY = "Left the company"


async def user_of(visitor, email: str):
    async with visitor.parts.database.transaction() as tx:
        return await customers.find_verified_user(tx, email)


async def newest_entry(visitor):
    async with visitor.parts.database.transaction() as tx:
        return (await audit.list_all_entries(tx)).items[0]


async def test_a_user_is_found_and_shown_with_customers_and_sessions(ana, administrator):
    user = await user_of(ana, "ana@example.com")
    listed = await administrator.get("/admin/users?search=ana&user_type=api_customer")
    assert f'href="/admin/users/{user.public_id}"' in listed.text
    shown = await administrator.get(f"/admin/users/{user.public_id}")
    for text in ("ana@example.com", "Example Ltd", "Owner", "Change type", "Disable", "Sign out everywhere"):
        assert text in shown.text, text


@pytest.mark.promise("B46")
async def test_a_disabled_user_is_signed_out_and_cannot_sign_in_until_enabled(ana, administrator, stranger):
    user = await user_of(ana, "ana@example.com")
    await ana.post("/password", {"password": "correct horse battery"})
    url = f"/admin/users/{user.public_id}"
    assert (await administrator.post(f"{url}/disable", {"reason": WHY})).status_code == 303
    assert (await ana.get("/dashboard")).headers["location"].startswith("/signin")
    entry = await newest_entry(ana)
    assert (entry.action, entry.details["reason"]) == ("user.disabled", WHY)
    form = {"email": "ana@example.com", "password": "correct horse battery"}
    refused = await stranger.post("/signin", form)
    assert refused.status_code == 401
    assert "did not work" in refused.text
    assert (await administrator.post(f"{url}/disable", {"reason": WHY})).status_code == 409
    assert (await administrator.post(f"{url}/enable", {"reason": "Came back"})).status_code == 303
    assert (await stranger.post("/signin", form)).status_code == 303


async def test_signing_somebody_out_ends_their_sessions(ana, administrator):
    user = await user_of(ana, "ana@example.com")
    done = await administrator.post(f"/admin/users/{user.public_id}/sign-out", {"reason": WHY})
    assert done.status_code == 303
    assert (await ana.get("/dashboard")).headers["location"].startswith("/signin")


@pytest.mark.promise("B5")
async def test_a_user_type_changes_with_a_reason_and_never_to_super_administrator(ana, administrator):
    user = await user_of(ana, "ana@example.com")
    url = f"/admin/users/{user.public_id}"
    assert "super_admin" not in (await administrator.get(f"{url}/type")).text
    for form, where in (
        ({"user_type": "", "reason": WHY}, "user_type"),
        ({"user_type": "super_admin", "reason": WHY}, "user_type"),
        ({"user_type": "enterprise", "reason": ""}, "reason"),
    ):
        refused = await administrator.post(f"{url}/type", form)
        assert refused.status_code == 422
        assert f'id="error-{where}"' in refused.text
    done = await administrator.post(f"{url}/type", {"user_type": "enterprise", "reason": WHY})
    assert done.status_code == 303
    assert (await user_of(ana, "ana@example.com")).user_type is UserType.ENTERPRISE
    entry = await newest_entry(ana)
    assert (entry.action, entry.details["was"], entry.details["now_is"]) == (
        "user.type_changed", "api_customer", "enterprise"
    )  # fmt: skip


async def test_nobody_touches_themselves_or_the_last_super_administrator(parts, administrator):
    root = await user_of(administrator, "root@example.org")
    second, headers = await make_administrator(parts, "second@example.org")
    _, plain = await make_administrator(parts, "plain@example.org", UserType.ADMIN)
    for verb, form in (("type", {"user_type": "regular"}), ("disable", {})):
        refused = await administrator.post(f"/admin/users/{root.public_id}/{verb}", {"reason": WHY, **form})
        assert refused.status_code == 409, verb
    async with visiting(parts, "127.0.0.5") as visitor:
        visitor.client.headers.update(plain)
        for verb in ("disable", "enable", "sign-out"):
            refused = await visitor.post(f"/admin/users/{root.public_id}/{verb}", {"reason": WHY})
            assert refused.status_code == 403, verb
    # Of two super administrators one may go, and the one who is left cannot.
    done = await administrator.post(
        f"/admin/users/{second.public_id}/type", {"user_type": "admin", "reason": WHY}
    )
    assert done.status_code == 303
    async with visiting(parts, "127.0.0.5") as visitor:
        visitor.client.headers.update(headers)
        assert (await visitor.get("/admin")).headers["location"].startswith("/signin")
