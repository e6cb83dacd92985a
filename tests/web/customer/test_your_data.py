"""Your data: taken away and erased on pages, by whoever has just proven who they are."""

import io
import json
import zipfile

import pytest
from tests.web.conftest import Visitor

from tollway.app import build_registry


async def age_the_sign_in(visitor: Visitor) -> None:
    async with visitor.parts.database.transaction() as tx:
        await tx.execute("UPDATE user_sessions SET proven_at = proven_at - interval '1 day'")


async def export_id_of(visitor: Visitor) -> str:
    async with visitor.parts.database.transaction() as tx:
        found = await tx.find_value("SELECT public_id FROM data_exports ORDER BY id DESC LIMIT 1")
    assert isinstance(found, str)
    return found


@pytest.mark.promise("C37")
async def test_everything_is_taken_away_and_then_erased(ana: Visitor) -> None:
    assert "Make an export" in (await ana.get("/data")).text
    asked = await ana.post("/data/export")
    assert asked.headers["location"] == "/data?notice=asked"
    page = (await ana.get("/data?notice=asked")).text
    assert "A mail tells every owner" in page
    assert "Being made" in page
    assert "Make an export" not in page
    export_id = await export_id_of(ana)
    await build_registry(ana.parts).runners["lifecycle.export_data"][0]({"export_id": export_id})
    page = (await ana.get("/data")).text
    assert f'href="/data/exports/{export_id}/download"' in page
    file = await ana.get(f"/data/exports/{export_id}/download")
    with zipfile.ZipFile(io.BytesIO(file.content)) as archive:
        assert json.loads(archive.read("people.json"))[0]["email"] == "ana@example.com"

    wrong = await ana.post("/data/erase", {"company_name": "Example"})
    assert wrong.status_code == 422
    assert "Type the company&#39;s name exactly" in wrong.text
    done = await ana.post("/data/erase", {"company_name": "Example Ltd"})
    assert done.headers["location"] == "/data/erased"
    assert "Max-Age=0" in done.headers["set-cookie"]
    assert "Everything was erased" in (await ana.get("/data/erased")).text
    assert (await ana.get("/dashboard")).headers["location"].startswith("/signin")


async def test_whoever_signed_in_long_ago_proves_it_again_first(ana: Visitor) -> None:
    await age_the_sign_in(ana)
    for path in ("/data", "/data/erase"):
        answer = await ana.get(path)
        assert (answer.status_code, answer.headers["location"]) == (303, f"/signin/again?next={path}")
    assert (await ana.post("/data/erase", {"company_name": "Example Ltd"})).status_code == 303
    async with ana.parts.database.transaction() as tx:
        assert await tx.find_value("SELECT count(*) FROM api_customers WHERE erased_at IS NOT NULL") == 0


async def test_an_export_of_another_customer_is_not_there(ana: Visitor, ben: Visitor) -> None:
    await ana.post("/data/export")
    answer = await ben.get(f"/data/exports/{await export_id_of(ana)}/download")
    assert answer.status_code == 404


async def test_too_many_exports_are_refused_on_the_page(ana: Visitor) -> None:
    await ana.post("/data/export")
    again = await ana.post("/data/export")
    assert again.status_code == 409
    assert "An export is being made already" in again.text


async def test_whoever_has_not_verified_is_told_to(stranger: Visitor) -> None:
    await stranger.sign_up("eve@example.com")
    assert "Verify your address first" in (await stranger.get("/data")).text
    assert (await stranger.post("/data/export")).status_code == 403
    assert (await stranger.post("/data/erase", {"company_name": "Example Ltd"})).status_code == 403


@pytest.mark.parametrize("role", ["developer", "billing", "viewer"])
async def test_only_owners_are_offered_the_places_and_may_open_them(ana: Visitor, role: str) -> None:
    menu = (await ana.get("/dashboard")).text
    assert 'href="/data"' in menu
    assert 'href="/company"' in menu
    async with ana.parts.database.transaction() as tx:
        await tx.execute("UPDATE customer_members SET role = %(role)s", {"role": role})
    menu = (await ana.get("/dashboard")).text
    assert 'href="/data"' not in menu
    assert 'href="/company"' not in menu
    for path in ("/data", "/data/erase", "/company"):
        assert (await ana.get(path)).status_code == 403
