"""`/admin/usage`: what everybody used, and what it took to serve them (B49, C21)."""

from dataclasses import dataclass
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import Response
from markupsafe import Markup

from tollway.admission.backlog_flows import find_backlog
from tollway.customers.entities import Mode
from tollway.kit import jobs
from tollway.kit.http import ReplayingRoute
from tollway.kit.machine import Machine
from tollway.metering import platform_operations as platform
from tollway.metering.platform_operations import Period, PlatformUsage
from tollway.web.admin.frame import CustomersSeen, admin_shell
from tollway.web.charts import Series, daily_bars
from tollway.web.pages import html
from tollway.web.site import site_of

PERIODS = {
    Period.DAY: "24 hours",
    Period.WEEK: "7 days",
    Period.MONTH: "30 days",
    Period.QUARTER: "90 days",
    Period.YEAR: "A year",
}
MODES = {"": "All calls", Mode.LIVE.value: "Live", Mode.TEST.value: "Test"}
# What the processes of each role do, for those who read their names for the first time.
ROLES = {
    "server": "Servers, which answer",
    "worker": "Workers, which compute",
    "shipper": "Shipper, which carries usage",
    "centre": "Centre, which counts rate limits",
}

router = APIRouter(prefix="/admin/usage", route_class=ReplayingRoute, include_in_schema=False)


@dataclass(frozen=True, slots=True)
class ProcessRow:
    """What the processes of one role take together."""

    name: str
    count: int
    cpu_seconds: float
    memory_bytes: int


@router.get("")
async def show_usage(request: Request, page: CustomersSeen) -> Response:
    """Show the usage of a period over all customers, and the resources of the moment."""
    asked = request.query_params.get("period", "")
    period = Period(asked) if asked in set(Period) else Period.MONTH
    mode = request.query_params.get("mode", "")
    mode = mode if mode in MODES else ""
    installation = site_of(request).installation
    async with page.database.transaction() as tx:
        shell = await admin_shell(page, tx)
        used = await platform.get_platform_usage(tx, period, page.now, Mode(mode) if mode else None)
        queue = await jobs.get_queue_state(tx, page.now)
        database_bytes = await platform.get_database_bytes(tx)
    machine = await installation.measure()
    return html(
        request,
        "admin/usage.html",
        shell=shell,
        used=used,
        periods=[
            (words, one is period, _address(period=one.value, mode=mode)) for one, words in PERIODS.items()
        ],
        modes=[(words, one == mode, _address(period=period.value, mode=one)) for one, words in MODES.items()],
        words=PERIODS[period],
        chart=_chart(used),
        queue=queue,
        backlog=await find_backlog(page.database, installation.journal_folder, page.now),
        database_bytes=database_bytes,
        storage=machine.storage,
        memory=machine.memory,
        processes=_rows(machine),
    )


def _address(**asked: str) -> str:
    return f"/admin/usage?{urlencode({name: value for name, value in asked.items() if value})}"


def _chart(used: PlatformUsage) -> Markup:
    bars = used.hours or used.days
    return daily_bars(
        "usage",
        days=[one.day for one in bars],
        hours=[f"{one.hour:%H:%M}" for one in used.hours],
        series=[
            Series("Succeeded", [one.succeeded for one in bars]),
            Series("Refused", [one.limited + one.refused for one in bars]),
            Series("Failed", [one.failed for one in bars]),
        ],
        title=f"Calls, {PERIODS[used.period]}",
    )


def _rows(machine: Machine) -> list[ProcessRow]:
    rows = []
    for role in sorted({one.role for one in machine.processes}):
        mine = [one for one in machine.processes if one.role == role]
        rows.append(
            ProcessRow(
                name=ROLES.get(role, role.capitalize()),
                count=len(mine),
                cpu_seconds=sum(one.cpu_seconds for one in mine),
                memory_bytes=sum(one.memory_bytes for one in mine),
            )
        )
    return rows
