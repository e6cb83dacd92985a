"""An installation that has just begun tells its owner nothing: nothing has gone wrong yet."""

from datetime import timedelta

from tests.alerts.conftest import DESK, House

from tollway.alerts import jobs
from tollway.alerts.measure_operations import Readings
from tollway.demo import seed
from tollway.kit.clock import read_now
from tollway.notifications.alert_mail_operations import OWNER_TEMPLATE
from tollway.settings import Settings

WELL = Readings(1_000, 1_000)


async def test_the_first_minutes_of_the_demo_are_quiet(house: House, settings: Settings) -> None:
    await seed(settings)
    shown = await house.rows("SELECT kind, seen_count FROM alerts ORDER BY kind")
    assert [one["kind"] for one in shown] == ["new_network", "queue_age"], "there is something to look at"
    began = read_now()
    for minutes in range(4):
        await jobs.follow_rules(house.database, DESK, WELL, began + timedelta(minutes=minutes))
    assert await house.mails(OWNER_TEMPLATE) == []
    assert await house.rows("SELECT kind, seen_count FROM alerts ORDER BY kind") == shown
    assert await house.rows("SELECT 1 FROM pgqueuer WHERE entrypoint = 'alerts.send_webhook'") == []
