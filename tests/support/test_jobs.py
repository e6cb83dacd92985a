from datetime import timedelta

import pytest
from tests.support.conftest import DESK, Help

from tollway.kit.clock import read_now
from tollway.kit.jobs import JobRegistry
from tollway.support import jobs


@pytest.mark.promise("A51")
async def test_the_watch_tells_every_deadline_that_passed_and_may_run_twice(desk: Help):
    now = read_now()
    callers = [await desk.caller(f"user{number}@example.com", now) for number in range(3)]
    for caller in callers:
        for _ in range(18):
            await desk.open(caller, now - timedelta(hours=5))
    await desk.open(callers[0], now)
    registry = JobRegistry()
    jobs.register(registry, desk.database, DESK)
    crontab, runner = registry.schedules["support.tell_deadlines"]
    assert crontab == "*/5 * * * *"
    before = len(await desk.mails())
    # More than one batch: each is a transaction of its own.
    assert jobs.BATCH_SIZE < 3 * 18
    for _ in range(2):
        await runner({})
        told = (await desk.mails())[before:]
        assert len(told) == 3 * 18
        assert {mail["subject"].split(":")[0] for mail in told} == {"Overdue"}
