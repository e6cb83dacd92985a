"""Keys over HTTP: made, listed, changed, rotated, revealed, revoked and deleted, by people and by keys."""

from datetime import UTC, datetime, timedelta

import pytest
from tests.firms import Firm, MakeFirm

from tollway.customers.entities import Mode
from tollway.customers.permissions import Role, Scope
from tollway.plans.entities import SubscriptionStatus

MADE = {"name": "Reports"}
EVERY = [
    ("GET", "/api/api-keys", None),
    ("POST", "/api/api-keys", MADE),
    ("GET", "/api/api-keys/{id}", None),
    ("PATCH", "/api/api-keys/{id}", {"name": "Other"}),
    ("DELETE", "/api/api-keys/{id}", None),
    ("POST", "/api/api-keys/{id}/rotate", {}),
    ("POST", "/api/api-keys/{id}/reveal", None),
    ("POST", "/api/api-keys/{id}/revoke", None),
    ("POST", "/api/keys/revoke-self", None),
    ("POST", "/api/customers/me/api-keys/generate", None),
    ("GET", "/api/customers/me/api-keys", None),
    ("DELETE", "/api/customers/me/api-keys/{id}", None),
]


# The four -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "path", "body"), EVERY)
async def test_nobody_gets_in_without_a_key(firm: Firm, method: str, path: str, body: object) -> None:
    refused = await firm.client.request(method, path.format(id=firm.party.api_key.key_id), json=body)
    assert refused.status_code == 401


@pytest.mark.parametrize(("method", "path", "body"), [one for one in EVERY if "{id}" in one[1]])
async def test_a_key_of_another_customer_is_not_there(
    firm: Firm, other: Firm, method: str, path: str, body: object
) -> None:
    theirs = await firm.client.request(
        method, path.format(id=other.party.api_key.key_id), json=body, headers=firm.headers
    )
    nobodys = await firm.client.request(
        method, path.format(id="mc_test_nobodys1"), json=body, headers=firm.headers
    )
    assert (theirs.status_code, nobodys.status_code) == (404, 404)
    assert theirs.json()["message"] == nobodys.json()["message"]
    assert (await firm.client.get("/api/api-keys", headers=other.headers)).json()[0]["is_active"]


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_another_customers_address_is_not_there(firm: Firm, other: Firm, method: str) -> None:
    suffix = "" if method == "GET" else "/generate"
    for customer_id in (other.customer.public_id, "cus_0000000000000000"):
        path = f"/api/customers/{customer_id}/api-keys{suffix}"
        assert (await firm.client.request(method, path, headers=firm.headers)).status_code == 404


@pytest.mark.parametrize(
    ("changed", "pointer"),
    [
        ({"name": ""}, "/name"),
        ({"name": "a\nb"}, "/name"),
        ({"name": "x" * 101}, "/name"),
        ({"product": "bananas"}, "/product"),
        ({"mode": "both"}, "/mode"),
        ({"scopes": []}, "/scopes"),
        ({"scopes": ["root"]}, "/scopes/0"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "/expires_at"),
        ({"expires_at": "2090-01-01T00:00:00Z"}, "/expires_at"),
        ({"expires_at": "2027-01-01"}, "/expires_at"),
        ({"expires_at": 1_900_000_000}, "/expires_at"),
        ({"allowed_networks": ["203.0.113.7/24"]}, "/allowed_networks/0"),
        ({"allowed_networks": ["203.0.113.7", "nowhere"]}, "/allowed_networks/1"),
        ({"allowed_networks": ["10.0.0.1"] * 51}, "/allowed_networks"),
        ({"allowed_networks": ["::ffff:10.0.0.1"]}, "/allowed_networks/0"),
        ({"requests_per_minute_max": 0}, "/requests_per_minute_max"),
        ({"requests_per_minute_max": 100_001}, "/requests_per_minute_max"),
        ({"requests_per_minute_max": "60"}, "/requests_per_minute_max"),
        ({"customer_id": 5}, "/customer_id"),
    ],
)
async def test_what_cannot_be_used_is_pointed_at(firm: Firm, changed: dict, pointer: str) -> None:
    refused = await firm.client.post("/api/api-keys", json=MADE | changed, headers=firm.headers)
    assert refused.status_code == 422, refused.text
    assert [one["pointer"] for one in refused.json()["errors"]] == [pointer]


@pytest.mark.parametrize("body", [{"overlap_hours": 721}, {"overlap_hours": -1}, {"overlap_hours": "1"}, []])
async def test_an_overlap_has_its_bounds(firm: Firm, body: object) -> None:
    path = f"/api/api-keys/{firm.party.api_key.key_id}/rotate"
    refused = await firm.client.post(path, json=body, headers=firm.headers)
    assert refused.status_code == 422


@pytest.mark.parametrize(
    ("path", "body", "secret"),
    [
        ("/api/api-keys", MADE, "secret_key"),
        ("/api/api-keys/{id}/rotate", {"overlap_hours": 1}, "secret_key"),
        ("/api/customers/me/api-keys/generate?key_name=Agents", None, "api_key"),
    ],
)
async def test_a_repeated_request_makes_one_key_and_never_repeats_its_secret(
    firm: Firm, path: str, body: object, secret: str
) -> None:
    headers = firm.headers | {"Idempotency-Key": "once"}
    path = path.format(id=firm.party.api_key.key_id)
    first = await firm.client.post(path, json=body, headers=headers)
    again = await firm.client.post(path, json=body, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201), first.text
    made, repeated = first.json(), again.json()
    assert made[secret].startswith("mc_test_")
    assert repeated[secret] is None
    assert "repeated" in (repeated.get("warning") or repeated["message"])
    assert {name for name, value in made.items() if repeated[name] != value} <= {secret, "warning", "message"}
    assert len(await firm.rows("SELECT 1 FROM api_keys")) == 2
    (stored,) = await firm.rows("SELECT body::text FROM idempotency_records")
    assert made[secret] not in stored["body"]


# Making ---------------------------------------------------------------------------------------------


@pytest.mark.promise("B22", "B42", "D22")
async def test_a_key_is_made_with_what_was_asked_for(firm: Firm) -> None:
    wanted = {
        "name": "  Build server ",
        "scopes": ["read"],
        "expires_at": (datetime.now(UTC) + timedelta(days=90)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "allowed_networks": ["203.0.113.7", "2001:db8::/32", "203.0.113.7"],
        "requests_per_minute_max": 60,
    }
    made = await firm.client.post("/api/api-keys", json=wanted, headers=firm.headers)
    assert made.status_code == 201, made.text
    answer = made.json()
    assert set(answer) == {"api_key_info", "secret_key", "warning"}
    info = answer["api_key_info"]
    assert (info["name"], info["mode"], info["state"]) == ("Build server", "test", "active")
    assert (info["scopes"], info["requests_per_minute_max"]) == (["read"], 60)
    assert info["allowed_networks"] == ["203.0.113.7/32", "2001:db8::/32"]
    assert (info["subscription_tier"], info["monthly_requests"], info["max_iterations"]) == (
        "starter",
        1_000,
        1_000_000,
    )
    assert answer["secret_key"].startswith(info["key_id"])
    assert answer["secret_key"] not in (await firm.client.get("/api/api-keys", headers=firm.headers)).text


@pytest.mark.promise("X8", "D22", "D23")
@pytest.mark.parametrize(
    ("product", "mode", "prefix", "revealed"),
    [
        ("montecarlo", "test", "mc_test_", 200),
        ("montecarlo", "live", "mc_live_", 404),
        ("wallet", "test", "wk_test_", 200),
        ("wallet", "live", "wk_live_", 404),
        ("agents", "test", "sk-", 404),
        ("agents", "live", "sk-", 404),
    ],
)
async def test_a_person_makes_keys_of_every_product(
    firm: Firm, product: str, mode: str, prefix: str, revealed: int
) -> None:
    secret = await firm.person()
    made = await firm.as_person("POST", "/api/api-keys", secret, MADE | {"product": product, "mode": mode})
    assert made.status_code == 201, made.text
    answer = made.json()
    assert answer["secret_key"].startswith(prefix)
    assert answer["api_key_info"]["mode"] == mode
    again = await firm.as_person("POST", f"/api/api-keys/{answer['api_key_info']['key_id']}/reveal", secret)
    assert again.status_code == revealed
    if revealed == 200:
        assert again.json()["secret_key"] == answer["secret_key"]
    sealed = await firm.rows(
        f"SELECT sealed_secret FROM api_keys WHERE product = '{product}' ORDER BY id DESC"
    )
    assert (sealed[0]["sealed_secret"] is not None) == (revealed == 200)
    (mail,) = await firm.rows("SELECT * FROM outbox_mails")
    assert answer["secret_key"] not in mail["text_body"] + mail["html_body"]
    assert answer["api_key_info"]["key_id"] in mail["text_body"]


async def test_the_first_key_of_a_product_begins_its_free_plan(firm: Firm) -> None:
    secret = await firm.person()
    made = await firm.as_person("POST", "/api/api-keys", secret, MADE | {"product": "agents"})
    assert made.json()["api_key_info"]["subscription_tier"] == "free"
    full = await firm.as_person("POST", "/api/api-keys", secret, MADE | {"product": "agents"})
    assert (full.status_code, full.json()["code"]) == (409, "api-key-limit-reached")
    assert full.json()["limit_value"] == 1


@pytest.mark.promise("D18")
async def test_a_plan_has_room_for_so_many_keys_and_revoking_makes_room(firm: Firm) -> None:
    made = [await firm.client.post("/api/api-keys", json=MADE, headers=firm.headers) for _ in range(10)]
    assert [one.status_code for one in made] == [201] * 9 + [409]
    assert made[-1].json()["limit_value"] == 10
    last = made[0].json()["api_key_info"]["key_id"]
    # A key that was replaced is not counted, so rotation never needs room.
    rotated = await firm.client.post(f"/api/api-keys/{last}/rotate", json={}, headers=firm.headers)
    assert rotated.status_code == 201
    await firm.client.post(f"/api/api-keys/{last}/revoke", headers=firm.headers)
    assert (await firm.client.post("/api/api-keys", json=MADE, headers=firm.headers)).status_code == 409
    successor = rotated.json()["api_key_info"]["key_id"]
    await firm.client.post(f"/api/api-keys/{successor}/revoke", headers=firm.headers)
    assert (await firm.client.post("/api/api-keys", json=MADE, headers=firm.headers)).status_code == 201


async def test_a_live_key_asks_a_person_for_a_recent_proof_and_a_proven_address(firm: Firm) -> None:
    live = MADE | {"mode": "live"}
    unproven = await firm.as_person("POST", "/api/api-keys", await firm.person(proven=False), live)
    assert (unproven.status_code, unproven.json()["code"]) == (403, "sign-in-again")
    test = await firm.as_person("POST", "/api/api-keys", await firm.person(proven=False), MADE)
    assert test.status_code == 201
    assert len(await firm.rows("SELECT 1 FROM api_keys WHERE mode = 'live'")) == 0


async def test_an_address_that_is_not_verified_makes_no_live_key(firm: Firm) -> None:
    secret = await firm.person(verified=False)
    for wanted in ({"mode": "live"}, {"product": "agents"}):
        refused = await firm.as_person("POST", "/api/api-keys", secret, MADE | wanted)
        assert (refused.status_code, refused.json()["code"]) == (403, "address-not-verified")
    assert (await firm.as_person("POST", "/api/api-keys", secret, MADE)).status_code == 201
    assert await firm.rows("SELECT 1 FROM outbox_mails") == [], "nobody knows whose mailbox it is"


@pytest.mark.parametrize(
    ("role", "status"), [("owner", 201), ("developer", 201), ("billing", 403), ("viewer", 403)]
)
async def test_owners_and_developers_make_keys(firm: Firm, role: str, status: int) -> None:
    secret = await firm.person(Role(role))
    assert (await firm.as_person("POST", "/api/api-keys", secret, MADE)).status_code == status
    assert (await firm.as_person("GET", "/api/api-keys", secret)).status_code == (
        200 if status == 201 else 403
    )


async def test_nobody_gets_a_key_that_may_do_more_than_their_role(firm: Firm) -> None:
    """Else a developer makes a key that moves the plan, writes the company's details and closes the company."""
    secret = await firm.person(Role.DEVELOPER)
    wider = f"/api/api-keys/{firm.party.api_key.key_id}"
    for path, body in (
        ("/api/api-keys", MADE | {"scopes": ["admin"]}),
        (f"{wider}/rotate", {}),
        (f"{wider}/reveal", None),
    ):
        refused = await firm.as_person("POST", path, secret, body)
        assert (refused.status_code, refused.json()["code"]) == (403, "api-key-reach"), path
    # What gives away nothing stays a developer's work.
    assert (await firm.as_person("PATCH", wider, secret, {"name": "Other"})).status_code == 200
    made = await firm.as_person("POST", "/api/api-keys", secret, MADE)
    own = f"/api/api-keys/{made.json()['api_key_info']['key_id']}"
    assert (await firm.as_person("POST", f"{own}/reveal", secret)).status_code == 200
    assert (await firm.as_person("POST", f"{own}/rotate", secret, {})).status_code == 201
    assert (await firm.as_person("POST", f"{wider}/revoke", secret)).status_code == 200


async def test_a_page_of_another_site_makes_no_key(firm: Firm) -> None:
    secret = await firm.person()
    refused = await firm.as_person("POST", "/api/api-keys", secret, MADE, Origin="https://evil.example")
    assert (refused.status_code, refused.json()["code"]) == (403, "cross-site-request")


# What a key may do to keys --------------------------------------------------------------------------


@pytest.mark.promise("B42")
async def test_a_key_makes_no_key_that_can_do_more_than_itself(firm: Firm) -> None:
    narrow = await firm.key(scopes=frozenset({Scope.ADMIN, Scope.READ}))
    headers = {"Authorization": f"Bearer {narrow.secret}"}

    async def make(**wanted: object) -> tuple[int, str]:
        answer = await firm.client.post("/api/api-keys", json=MADE | wanted, headers=headers)
        return answer.status_code, answer.json().get("code", "")

    assert await make(scopes=["read"]) == (201, "")
    assert await make(scopes=["read", "write"]) == (403, "api-key-reach")
    assert await make(scopes=["read"], mode="live") == (403, "api-key-reach")
    assert await make(scopes=["read"], product="wallet") == (403, "api-key-reach")
    wider = firm.party.api_key.key_id
    for method, path, body in (
        ("POST", "/rotate", {}),
        ("POST", "/reveal", None),
        ("PATCH", "", {"allowed_networks": []}),
        ("POST", "/revoke", None),
        ("DELETE", "", None),
    ):
        refused = await firm.client.request(
            method, f"/api/api-keys/{wider}{path}", json=body, headers=headers
        )
        assert (refused.status_code, refused.json()["code"]) == (403, "api-key-reach"), path


@pytest.mark.parametrize(
    ("days", "networks", "status"),
    [
        (10, ["127.0.0.0/8"], 201),
        (5, ["127.0.0.1", "10.1.0.0/16"], 201),
        (11, ["127.0.0.1"], 403),
        (None, ["127.0.0.1"], 403),
        (10, [], 403),
        (10, ["127.0.0.1", "203.0.113.7"], 403),
        (10, ["0.0.0.0/0"], 403),
        (10, ["::1"], 403),
    ],
)
async def test_a_key_gives_no_other_more_time_or_more_places(
    firm: Firm, days: int | None, networks: list[str], status: int
) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    own = await firm.key(expires_at=now + timedelta(days=10), allowed_networks=("127.0.0.0/8", "10.0.0.0/8"))
    headers = {"Authorization": f"Bearer {own.secret}"}
    wanted = {
        "expires_at": None if days is None else (now + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "allowed_networks": networks,
    }
    made = await firm.client.post("/api/api-keys", json=MADE | wanted, headers=headers)
    assert (made.status_code, made.json().get("code", "")) == (
        status,
        "" if status == 201 else "api-key-reach",
    )
    if status == 403:
        target = (await firm.key(expires_at=now + timedelta(days=1))).api_key.key_id
        changed = await firm.client.patch(f"/api/api-keys/{target}", json=wanted, headers=headers)
        assert (changed.status_code, changed.json()["code"]) == (403, "api-key-reach")


async def test_a_key_is_shown_no_other_that_lives_longer_or_is_taken_from_more_places(firm: Firm) -> None:
    """Neither by replacing it nor by having it revealed; a key may replace itself."""
    now = datetime.now(UTC)
    own = await firm.key(expires_at=now + timedelta(days=10), allowed_networks=("127.0.0.0/8",))
    headers = {"Authorization": f"Bearer {own.secret}"}
    for reach in (
        {"expires_at": now + timedelta(days=11), "allowed_networks": ("127.0.0.1",)},
        {"expires_at": now + timedelta(days=9)},
    ):
        wider = (await firm.key(**reach)).api_key.key_id
        for verb, body in (("rotate", {}), ("reveal", None)):
            refused = await firm.client.post(f"/api/api-keys/{wider}/{verb}", json=body, headers=headers)
            assert (refused.status_code, refused.json()["code"]) == (403, "api-key-reach"), (reach, verb)
    path = f"/api/api-keys/{own.api_key.key_id}/rotate"
    assert (await firm.client.post(path, json={}, headers=headers)).status_code == 201


@pytest.mark.promise("B42")
@pytest.mark.parametrize("scopes", [{"read"}, {"write"}, {"read", "write"}])
async def test_only_the_scope_admin_manages_keys(firm: Firm, scopes: set[str]) -> None:
    key = await firm.key(scopes=frozenset(map(Scope, scopes)))
    headers = {"Authorization": f"Bearer {key.secret}"}
    assert (await firm.client.post("/api/api-keys", json=MADE, headers=headers)).status_code == 403
    listed = await firm.client.get("/api/api-keys", headers=headers)
    assert listed.status_code == (200 if "read" in scopes else 403)


@pytest.mark.promise("X11")
async def test_a_test_key_knows_no_live_key(firm: Firm) -> None:
    live = await firm.key(mode=Mode.LIVE)
    listed = await firm.client.get("/api/api-keys", headers=firm.headers)
    assert [one["mode"] for one in listed.json()] == ["test"]
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/revoke"), ("POST", "/reveal")):
        answer = await firm.client.request(
            method, f"/api/api-keys/{live.api_key.key_id}{path}", headers=firm.headers
        )
        assert answer.status_code == 404


# Changing, revoking, deleting -----------------------------------------------------------------------


async def test_a_key_is_changed_part_by_part(firm: Firm) -> None:
    path = f"/api/api-keys/{(await firm.key()).api_key.key_id}"

    async def change(**parts: object) -> dict:
        answer = await firm.client.patch(path, json=parts, headers=firm.headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    assert (await change(name="New name"))["name"] == "New name"
    changed = await change(requests_per_minute_max=100, expires_at="2027-11-01T00:00:00Z")
    assert (changed["name"], changed["requests_per_minute_max"]) == ("New name", 100)
    changed = await change(expires_at=None)
    assert (changed["expires_at"], changed["requests_per_minute_max"]) == (None, 100)
    assert (await change(requests_per_minute_max=None))["requests_per_minute_max"] is None
    await change()
    entries = await firm.rows(
        "SELECT details FROM audit_entries WHERE action = 'api_key.changed' ORDER BY id"
    )
    assert [one["details"]["changed"] for one in entries] == [
        ["name"],
        ["expires_at", "requests_per_minute_max"],
        ["expires_at"],
        ["requests_per_minute_max"],
    ]


@pytest.mark.promise("D8", "D24", "B22")
async def test_a_revoked_key_stays_in_the_list_and_never_works_again(firm: Firm) -> None:
    key = await firm.key()
    headers = {"Authorization": f"Bearer {key.secret}"}
    assert (await firm.client.get("/api/api-keys", headers=headers)).status_code == 200
    revoked = await firm.client.delete(
        f"/api/customers/me/api-keys/{key.api_key.key_id}", headers=firm.headers
    )
    assert revoked.json() == {"message": "API key revoked successfully"}
    assert (await firm.client.get("/api/api-keys", headers=headers)).status_code == 401
    read = await firm.client.get(f"/api/api-keys/{key.api_key.key_id}", headers=firm.headers)
    assert (read.json()["is_active"], read.json()["state"]) == (False, "deleted")
    for path, body, code in (("/rotate", {}, "api-key-over"), ("/reveal", None, "not-found")):
        refused = await firm.client.post(
            f"/api/api-keys/{key.api_key.key_id}{path}", json=body, headers=firm.headers
        )
        assert refused.json()["code"] == code
    again = await firm.client.post(f"/api/api-keys/{key.api_key.key_id}/revoke", headers=firm.headers)
    assert again.status_code == 200
    entries = await firm.rows("SELECT subject FROM audit_entries WHERE action = 'api_key.revoked'")
    assert [one["subject"] for one in entries] == [key.api_key.key_id], "it happened once"


async def test_a_deleted_key_leaves_a_tombstone_without_its_hash(firm: Firm) -> None:
    key = await firm.key()
    deleted = await firm.client.delete(f"/api/api-keys/{key.api_key.key_id}", headers=firm.headers)
    assert deleted.status_code == 200
    (row,) = await firm.rows(
        f"SELECT status, key_hash, sealed_secret FROM api_keys WHERE id = {key.api_key.id}"
    )
    assert row == {"status": "deleted", "key_hash": None, "sealed_secret": None}
    assert (
        await firm.client.get(f"/api/api-keys/{key.api_key.key_id}", headers=firm.headers)
    ).status_code == 404
    used = await firm.client.get("/api/api-keys", headers={"Authorization": f"Bearer {key.secret}"})
    assert used.status_code == 401


@pytest.mark.parametrize("scope", list(Scope))
async def test_whoever_finds_a_key_can_kill_it(firm: Firm, scope: Scope) -> None:
    key = await firm.key(
        scopes=frozenset({scope}), allowed_networks=("203.0.113.7/32",), requests_per_minute_max=1
    )
    headers = {"Authorization": f"Bearer {key.secret}"}
    assert (await firm.client.get("/api/api-keys", headers=headers)).status_code == 403
    killed = await firm.client.post("/api/keys/revoke-self", headers=headers)
    assert (killed.status_code, killed.json()) == (200, {"message": "API key revoked"})
    assert (await firm.client.post("/api/keys/revoke-self", headers=headers)).status_code == 401
    (entry,) = await firm.rows("SELECT actor, subject FROM audit_entries WHERE action = 'api_key.revoked'")
    assert entry == {"actor": f"api_key:{key.api_key.key_id}", "subject": key.api_key.key_id}


async def test_a_suspended_key_can_still_be_killed_by_itself(firm: Firm) -> None:
    key = await firm.key()
    await firm.execute(f"UPDATE api_keys SET status = 'suspended' WHERE id = {key.api_key.id}")
    headers = {"Authorization": f"Bearer {key.secret}"}
    assert (await firm.client.get("/api/api-keys", headers=headers)).status_code == 403
    assert (await firm.client.post("/api/keys/revoke-self", headers=headers)).status_code == 200


async def test_a_person_has_no_key_to_kill(firm: Firm) -> None:
    refused = await firm.as_person("POST", "/api/keys/revoke-self", await firm.person())
    assert (refused.status_code, refused.json()["code"]) == (401, "api-key-missing")


# The agents API's own addresses ---------------------------------------------------------------------


@pytest.mark.promise("D6", "D7", "D18")
async def test_a_person_generates_and_lists_keys_at_the_agents_addresses(firm: Firm) -> None:
    secret = await firm.person()
    base = f"/api/customers/{firm.customer.public_id}/api-keys"
    made = await firm.as_person("POST", f"{base}/generate?key_name=Guard", secret)
    assert made.status_code == 201, made.text
    assert set(made.json()) == {"api_key", "key_id", "message"}
    assert made.json()["api_key"].startswith("sk-")
    listed = (await firm.as_person("GET", base, secret)).json()
    assert [set(one) for one in listed] == [{"id", "name", "created_at", "last_used", "is_active"}] * 2
    assert [(one["name"], one["is_active"]) for one in listed] == [("Guard", True), ("Test key", True)]


# Rotating -------------------------------------------------------------------------------------------


@pytest.mark.promise("B41")
async def test_a_successor_has_the_same_name_scopes_and_settings(firm: Firm) -> None:
    key = await firm.key(
        name="Reports",
        scopes=frozenset({Scope.READ}),
        expires_at=datetime.now(UTC) + timedelta(days=30),
        allowed_networks=("203.0.113.0/24",),
        requests_per_minute_max=7,
    )
    rotated = await firm.client.post(
        f"/api/api-keys/{key.api_key.key_id}/rotate", json={"overlap_hours": 24}, headers=firm.headers
    )
    assert rotated.status_code == 201, rotated.text
    new, old = rotated.json()["api_key_info"], rotated.json()["replaced_key"]
    for name in ("name", "product", "mode", "scopes", "allowed_networks", "requests_per_minute_max"):
        assert new[name] == old[name], name
    life = [datetime.fromisoformat(one["expires_at"]) - datetime.fromisoformat(one["created_at"])
            for one in (new, old)]  # fmt: skip
    assert life[0] == life[1], "it lives as long as the old one did"
    assert (old["successor_key_id"], old["calls_since_rotation"]) == (new["key_id"], 0)
    again = await firm.client.post(
        f"/api/api-keys/{key.api_key.key_id}/rotate", json={"overlap_hours": 1}, headers=firm.headers
    )
    assert (again.status_code, again.json()["code"]) == (409, "api-key-rotated")


@pytest.mark.promise("B41")
async def test_an_overlap_of_none_ends_the_old_key_at_once(firm: Firm) -> None:
    key = await firm.key()
    rotated = await firm.client.post(
        f"/api/api-keys/{key.api_key.key_id}/rotate", json={"overlap_hours": 0}, headers=firm.headers
    )
    assert rotated.json()["replaced_key"]["state_reason"] == "It is replaced."
    statuses = [
        (await firm.client.get("/api/api-keys", headers={"Authorization": f"Bearer {secret}"})).status_code
        for secret in (key.secret, rotated.json()["secret_key"])
    ]
    assert statuses == [401, 200]


async def test_rotating_a_live_key_asks_a_person_for_a_recent_proof(make_firm: MakeFirm) -> None:
    firm = await make_firm(mode=Mode.LIVE)
    path = f"/api/api-keys/{firm.party.api_key.key_id}/rotate"
    refused = await firm.as_person("POST", path, await firm.person(proven=False), {})
    assert refused.json()["code"] == "sign-in-again"
    assert (await firm.as_person("POST", path, await firm.person(), {})).status_code == 201


async def test_a_plan_that_ended_reads_alone_but_its_way_out_is_open(make_firm: MakeFirm) -> None:
    firm = await make_firm(status=SubscriptionStatus.CANCELLED)
    assert (await firm.client.get("/api/api-keys", headers=firm.headers)).status_code == 200
    refused = await firm.client.post("/api/api-keys", json=MADE, headers=firm.headers)
    assert (refused.status_code, refused.json()["code"]) == (402, "subscription-ended")
    paying = await firm.client.post("/api/customers/me/upgrade", json={"x": 1}, headers=firm.headers)
    assert paying.status_code != 402
