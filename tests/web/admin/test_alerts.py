"""Alerts and their rules, as whoever runs the installation sees them."""

from tests.alerts.test_endpoints import open_alert
from tests.web.admin.test_tickets import staff
from tests.web.conftest import Visitor

from tollway.app import Parts

__all__ = ["staff"]


async def test_an_alert_is_found_looked_at_and_acknowledged(staff: Visitor, parts: Parts) -> None:
    assert "No rule has found anything" in (await staff.get("/admin/alerts")).text
    alert_id = await open_alert(parts)
    overview = (await staff.get("/admin")).text
    assert "1 alert is open" in overview
    assert 'href="/admin/alerts?status=open"' in overview
    listed = await staff.get("/admin/alerts?status=open&kind=queue_age")
    assert f'href="/admin/alerts/{alert_id}"' in listed.text
    assert "3 jobs wait." in listed.text
    page = await staff.get(f"/admin/alerts/{alert_id}")
    assert "after 15 minutes without it" in page.text
    refused = await staff.post(f"/admin/alerts/{alert_id}/acknowledge", {"note": " "})
    assert refused.status_code == 422
    assert "Say what was found or done" in refused.text
    done = await staff.post(f"/admin/alerts/{alert_id}/acknowledge", {"note": "A <worker> was stopped"})
    assert done.status_code == 303
    seen = (await staff.get(done.headers["location"])).text
    assert "A &lt;worker&gt; was stopped" in seen
    assert "By staff@example.org" in seen
    again = await staff.post(f"/admin/alerts/{alert_id}/acknowledge", {"note": "Again"})
    assert again.status_code == 409
    assert "0 open alerts" in (await staff.get("/admin")).text
    assert "Nothing matches" in (await staff.get("/admin/alerts?status=open")).text
    assert (await staff.get("/admin/alerts/alt_none")).status_code == 404


async def test_many_alerts_are_turned_by_pages(staff: Visitor, parts: Parts) -> None:
    for number in range(51):
        await open_alert(parts, f"journal {number}")
    first = (await staff.get("/admin/alerts?kind=queue_age")).text
    assert "50 alerts shown" in first
    target = first.split('rel="next"')[0].rsplit('href="', 1)[1].split('"')[0].replace("&amp;", "&")
    assert "kind=queue_age" in target
    second = (await staff.get(target)).text
    assert "1 alert shown" in second
    assert "Journal 0" in second


async def test_a_rule_is_changed_switched_off_and_refused_field_by_field(
    staff: Visitor, parts: Parts
) -> None:
    assert "Percent in use: 90" in (await staff.get("/admin/alerts/rules")).text
    path = "/admin/alerts/rules/disk_full"
    assert 'value="90"' in (await staff.get(path)).text
    form = {
        "enabled": "on",
        "percent": "80",
        "resolves_after_minutes": "30",
        "recipients": "ops@example.org",
    }
    refused = await staff.post(path, form | {"percent": "many", "recipients": "nobody"})
    assert refused.status_code == 422
    assert "use a whole number from 1 to 100" in refused.text
    assert "addresses such as ana@example.com" in refused.text
    assert 'value="many"' in refused.text
    assert (await staff.post(path, form)).status_code == 303
    listed = (await staff.get("/admin/alerts/rules?notice=changed")).text
    assert "Percent in use: 80" in listed
    assert "ops@example.org" in listed
    assert ">Off<" not in listed
    await staff.post(path, form | {"enabled": "off"})
    assert "Off</span>" in (await staff.get("/admin/alerts/rules")).text
    for answer in (
        await staff.get("/admin/alerts/rules/luck"),
        await staff.post("/admin/alerts/rules/luck", form),
    ):
        assert answer.status_code == 404
