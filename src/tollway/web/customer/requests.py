"""`/requests`: every call by key and page, chosen by the address, one by one, as it grows, and as a file."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse

from tollway.customers.entities import Mode
from tollway.kit.http import ReplayingRoute
from tollway.kit.paging import Page as Listed
from tollway.kit.problems import Invalid
from tollway.metering import report_flows as flows
from tollway.metering import report_operations as reports
from tollway.metering.report_flows import CSV_ROWS_MAX, CallFeed
from tollway.metering.report_operations import PAGE, CallClass, CallFilter, CallPlace, LoggedCall
from tollway.plans import operations as plans
from tollway.web.audit_lists import csv_response
from tollway.web.pages import Page, SignedIn, field_errors, html
from tollway.web.refusals import Place, explain
from tollway.web.rendering import render
from tollway.web.site import site_of

PAGE_SIZE = 50
FIELDS = ("status", "endpoint", "method", "key", "product", "from", "until", "request_id")
METHODS = tuple((name, name) for name in ("GET", "POST", "PUT", "PATCH", "DELETE"))
CLASSES = (
    (CallClass.SUCCEEDED, "Successful (2xx, 3xx)"),
    (CallClass.LIMITED, "Refused by a limit (402, 429)"),
    (CallClass.REFUSED, "Refused otherwise (other 4xx)"),
    (CallClass.FAILED, "Failed by our fault (5xx)"),
)
MOODS = {
    CallClass.SUCCEEDED: "good",
    CallClass.LIMITED: "warn",
    CallClass.REFUSED: "bad",
    CallClass.FAILED: "bad",
}
MODES = ((Mode.LIVE, "Live"), (Mode.TEST, "Test"))

router = APIRouter(route_class=ReplayingRoute, include_in_schema=False)


@dataclass(frozen=True, slots=True)
class AskedFor:
    """What a reader chose, kept as it was written in the address."""

    mode: Mode
    values: Mapping[str, str]

    @property
    def chosen(self) -> CallFilter:
        """The filter that was meant; raises Invalid."""
        values = self.values
        return reports.calls_chosen_by(
            status=values["status"],
            endpoint=values["endpoint"],
            method=values["method"],
            key=values["key"],
            product=values["product"],
            request_id=values["request_id"],
            from_text=values["from"],
            until_text=values["until"],
        )

    @property
    def is_narrowed(self) -> bool:
        """Whether anything but the mode was asked for."""
        return any(self.values.values())

    def address(self, path: str = "/requests", **further: str) -> str:
        """Write an address that asks for the same, in the same mode."""
        return _address(path, self.mode, {**self.values, **further})


def requests_url(mode: Mode, **chosen: str) -> str:
    """Return the address of the requests that are chosen so; the names are those of the form's fields."""
    return _address("/requests", mode, {name.rstrip("_"): value for name, value in chosen.items()})


@router.get("/requests")
async def list_requests(request: Request, page: SignedIn, cursor: str | None = None) -> Response:
    """List the customer's calls, newest first, chosen by the form."""
    asked = await _asked_for(request, page)
    found: Listed[LoggedCall] = Listed([], None)
    problem: Invalid | None = None
    try:
        chosen = asked.chosen
        async with page.database.transaction() as tx:
            found = await reports.list_calls(tx, page.caller.owner_id, asked.mode, chosen, cursor, PAGE_SIZE)
    except Invalid as failure:
        problem = failure
    async with page.database.transaction() as tx:
        shell, _ = await page.shell(tx)
        endpoints = await reports.list_endpoint_choices(tx, page.caller.owner_id, page.now)
        keys = await reports.list_key_choices(tx, page.caller.owner_id)
    is_live = "live" in request.query_params and not cursor and not problem
    return html(
        request,
        "customer/requests.html",
        problem.status if problem else 200,
        shell=replace(shell, test_mode=asked.mode is Mode.TEST),
        values=_shown(asked.values),
        errors=field_errors(problem) if problem else {},
        mode=asked.mode.value,
        modes=[
            (words, asked.mode is mode, _address("/requests", mode, asked.values)) for mode, words in MODES
        ],
        classes=CLASSES,
        methods=METHODS,
        endpoints=endpoints,
        keys=keys,
        products=[(one.product, one.name) for one in plans.list_products()],
        calls=[_row(call) for call in found.items],
        is_narrowed=asked.is_narrowed,
        all_url=_address("/requests", asked.mode, {}),
        csv_url=asked.address("/requests.csv"),
        csv_rows_max=CSV_ROWS_MAX,
        is_live=is_live,
        live_url=asked.address(live="1"),
        still_url=asked.address(),
        stream_url=asked.address("/requests/live", since=str(CallPlace(page.now, 0))),
        next_url=asked.address(cursor=found.next_cursor) if found.next_cursor else None,
        first_url=asked.address() if cursor else None,
    )


@router.get("/requests.csv")
async def download_requests(request: Request, page: SignedIn) -> Response:
    """Download what the form chooses."""
    asked = await _asked_for(request, page)
    pieces = flows.write_csv(page.database, page.caller.owner_id, asked.mode, asked.chosen)
    # The first piece comes before the answer begins: a refusal can still be one.
    first = await anext(pieces)

    async def all_pieces() -> AsyncIterator[str]:
        yield first
        async for piece in pieces:
            yield piece

    return csv_response(all_pieces(), "requests", page.now)


@router.get("/requests/live")
async def stream_requests(request: Request, page: SignedIn) -> Response:
    """Send rows of the list as calls reach the log, newest last, each event with the place to go on from."""
    asked = await _asked_for(request, page)
    chosen = asked.chosen
    feed: CallFeed = request.app.state.call_feed
    feed.assert_room(page.caller.owner_id)
    place = CallPlace.read(request.headers.get("last-event-id", "") or request.query_params.get("since", ""))

    async def events() -> AsyncIterator[str]:
        batches = flows.watch_calls(
            feed,
            page.database,
            request.app.state.stopping,
            page.caller.owner_id,
            asked.mode,
            chosen,
            place.request_timestamp if place else page.now,
            page.now,
            page.is_still_allowed,
        )
        # Sent at once, so that the browser knows that it is connected.
        yield ": open\n\n"
        async for calls in batches:
            if not calls:
                yield ": still here\n\n"
            for call in calls:
                row = render("customer/_request_row.html", call=_row(call))
                yield f"id: {call.call_id}\n" + "".join(f"data: {line}\n" for line in row.splitlines()) + "\n"

    return StreamingResponse(events(), media_type="text/event-stream")


@router.get("/requests/{call_id}")
async def show_request(request: Request, page: SignedIn, call_id: str) -> Response:
    """Show everything that the log has of one call, and why it was refused if it was."""
    async with page.database.transaction() as tx:
        shell, _ = await page.shell(tx)
        call = await reports.get_call(tx, page.caller.owner_id, call_id)
        period = await reports.find_period_at(
            tx, page.caller.owner_id, call.product, call.mode, call.request_timestamp
        )
    problem_pages = site_of(request).problem_pages
    explanation = explain(call, period, problem_pages)
    return html(
        request,
        "customer/request.html",
        shell=replace(shell, test_mode=call.mode is Mode.TEST),
        call=call,
        mood=MOODS[call.call_class],
        class_words=dict(CLASSES)[call.call_class],
        product_name=next(
            (one.name for one in plans.list_products() if one.product == call.product), call.product
        ),
        explanation=explanation,
        remedies=[_place(one, page) for one in explanation.places] if explanation else [],
        documentation_url=f"/docs/problems/{call.problem_code}" if call.problem_code in problem_pages else "",
        list_url=_address("/requests", call.mode, {}),
        like_url=requests_url(call.mode, endpoint=call.endpoint, method=call.method),
        key_url=requests_url(call.mode, key=call.key_id or PAGE),
        around_url=requests_url(
            call.mode,
            from_=_minute(call.request_timestamp - timedelta(minutes=5)),
            until=_minute(call.request_timestamp + timedelta(minutes=5)),
        ),
    )


async def _asked_for(request: Request, page: Page) -> AskedFor:
    query = request.query_params
    values = {name: query.get(name, "") for name in FIELDS}
    if query.get("mode", "") in set(Mode):
        return AskedFor(Mode(query["mode"]), values)
    async with page.database.transaction() as tx:
        return AskedFor(await reports.find_mode_in_use(tx, page.caller.owner_id, page.now), values)


def _address(path: str, mode: Mode, values: Mapping[str, str]) -> str:
    return (
        f"{path}?{urlencode({'mode': mode.value} | {name: value for name, value in values.items() if value})}"
    )


def _shown(values: Mapping[str, str]) -> dict[str, str]:
    """Write the values as fields take them: days as the first or the last minute that they mean."""
    shown = dict(values)
    for name, minute in (("from", "T00:00"), ("until", "T23:59")):
        try:
            shown[name] = date.fromisoformat(values[name].strip()).isoformat() + minute
        except ValueError:
            shown[name] = values[name].removesuffix("Z")
    return shown


def _minute(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M}"


def _row(call: LoggedCall) -> dict[str, Any]:
    return {
        "id": call.call_id,
        "status_code": call.status_code,
        "mood": MOODS[call.call_class],
        "method": call.method,
        "path": call.shown_path,
        "problem_code": call.problem_code or "",
        "key": call.key_id or PAGE,
        "duration_ms": call.response_time_ms,
        "units": call.units,
        "request_id": call.request_id,
        "at": call.request_timestamp,
    }


def _place(place: Place, page: Page) -> dict[str, Any]:
    return {
        "url": place.url,
        "label": place.label,
        "who": place.who,
        "is_open": place.permission is None or page.caller.may(place.permission),
    }
