"""The request log as pages: chosen by the address, one by one with the reason, live, and as a file."""

import asyncio
import csv
import html
import io
import re
from datetime import timedelta

from tests.metering.calls import RUN, log_call, log_refusal
from tests.web.conftest import Visitor
from tests.web.customer.test_usage import become, customer_id_of

from tollway.app import build_app
from tollway.customers.entities import Mode
from tollway.customers.permissions import Role
from tollway.kit.clock import read_now

EMAIL = "ana@example.com"


async def key_of(visitor: Visitor, email: str = EMAIL) -> dict[str, str]:
    customer_id = await customer_id_of(visitor, email)
    async with visitor.parts.database.transaction() as tx:
        found = await tx.list_rows(
            "SELECT id, key_id, name FROM api_keys WHERE customer_id = %(id)s", {"id": customer_id}
        )
    return found[0]


async def page_of_refusal(visitor: Visitor, **changed: object) -> str:
    """Log a refused call and return the text of its page."""
    key = await key_of(visitor)
    event = await log_refusal(
        visitor.parts.database,
        await customer_id_of(visitor, EMAIL),
        read_now(),
        **({"api_key_id": key["id"]} | changed),
    )
    listed = await visitor.get(f"/requests?mode={event.mode}&request_id={event.request_id}")
    address = re.search(r'href="(/requests/[0-9a-f-]+)"', listed.text)
    assert address, listed.text
    page = await visitor.get(address[1])
    assert page.status_code == 200
    return html.unescape(page.text)


def why(page: str) -> str:
    """The card that explains a refusal, without its markup."""
    return re.sub(r"<[^>]+>", " ", page.partition("Why it was refused")[2].partition("</section>")[0])


async def test_a_newcomer_is_told_what_will_stand_here(ana: Visitor) -> None:
    page = await ana.get("/requests")
    assert page.status_code == 200
    assert '<a href="/requests" aria-current="page">' in page.text
    assert "No test requests yet" in page.text


async def test_the_address_chooses_and_the_form_keeps_it(ana: Visitor) -> None:
    customer_id, key, now = await customer_id_of(ana, EMAIL), await key_of(ana), read_now()
    await log_call(ana.parts.database, customer_id, now, api_key_id=key["id"], request_id="req_served")
    await log_refusal(ana.parts.database, customer_id, now, api_key_id=key["id"], request_id="req_refused")
    path = (
        f"/requests?mode=test&status=limited&endpoint=/monte&method=POST&key={key['key_id']}"
        f"&product=montecarlo&from={now:%Y-%m-%d}&until={now:%Y-%m-%d}&request_id=req_refused"
    )
    page = (await ana.get(path)).text
    assert "req_served" not in page
    assert page.count("data-call=") == 1
    for kept in (
        '<option value="limited" selected>',
        'value="/monte"',
        '<option value="POST" selected>',
        f'<option value="{key["key_id"]}" selected>',
        '<option value="montecarlo" selected>',
        f'value="{now:%Y-%m-%dT00:00}"',
        f'value="{now:%Y-%m-%dT23:59}"',
        'value="req_refused"',
    ):
        assert kept in page
    assert "Nothing matches" in (await ana.get("/requests?mode=test&status=failed")).text
    assert "req_served" not in (await ana.get("/requests?mode=live")).text
    # A status of one's own is kept too.
    assert '<option value="404" selected>404</option>' in (await ana.get("/requests?status=404")).text


async def test_what_cannot_be_chosen_is_explained_beside_its_field(ana: Visitor) -> None:
    page = await ana.get("/requests?from=someday&status=sometimes")
    assert page.status_code == 422
    assert 'id="error-from"' in page.text
    assert 'id="error-status"' in page.text
    assert (await ana.get("/requests.csv?from=someday")).status_code == 422
    assert (await ana.get("/requests/live?from=someday")).status_code == 422
    assert (await ana.get("/requests?cursor=nonsense")).status_code == 422


async def test_pages_lead_to_older_requests_and_keep_the_choice(ana: Visitor) -> None:
    customer_id, now = await customer_id_of(ana, EMAIL), read_now()
    for number in range(51):
        await log_call(ana.parts.database, customer_id, now - timedelta(seconds=number))
    first = await ana.get("/requests?mode=test&method=POST")
    assert first.text.count("data-call=") == 50
    older = re.search(r'href="([^"]+)" rel="next"', first.text)
    assert older
    assert "method=POST" in older[1]
    second = await ana.get(html.unescape(older[1]))
    assert second.text.count("data-call=") == 1
    assert "Back to the newest" in second.text


async def test_a_page_shows_every_field_of_a_request(ana: Visitor) -> None:
    key = await key_of(ana)
    page = await page_of_refusal(
        ana, request_id="req_whole", endpoint=RUN + "/{simulation_id}", path=RUN + "/sim_7",
        ip_address="192.0.2.77", user_agent="<b>curl</b>", response_time_ms=1_234,
    )  # fmt: skip
    for shown in (
        "req_whole", "429", "quota-used-up", "requests_per_period", RUN + "/{simulation_id}", RUN + "/sim_7",
        "1,234 ms", "Monte Carlo API", key["name"], key["key_id"], "192.0.2.77",
    ):  # fmt: skip
        assert shown in page, shown
    # The text was escaped in the page, and so reads as it was sent.
    assert "<dd><b>curl</b></dd>" in page


async def test_a_refusal_by_the_quota_is_explained_with_value_and_way_out(ana: Visitor) -> None:
    told = why(await page_of_refusal(ana))
    assert "The requests that the plan includes in a period" in told
    assert "100 requests a period" in told
    assert "With the next period, or with a change of it before:" in told
    assert "Compare plans" in told
    assert "quota-used-up" in told


# How a refusal is logged, and what its page says.
REFUSALS: list[tuple[dict[str, object], list[str]]] = [
    (
        {"problem_code": "daily-limit-reached", "limit_name": "requests_per_day", "limit_value": 68},
        ["twice the daily average", "68 requests a day", "With the next day in UTC", "00:00 UTC"],
    ),
    (
        {"problem_code": "api-key-too-fast", "limit_name": "requests_per_minute_per_key", "limit_value": 10},
        ["as its owner set it", "10 requests a minute", "one request every 6 seconds", "The key "],
    ),
    (
        {"problem_code": "rate-limit-exceeded", "limit_name": "requests_per_minute", "limit_value": 6_000},
        ["all keys together", "100 requests a second"],
    ),
    (
        {"problem_code": "spending-cap-reached", "limit_name": "spending_cap", "limit_value": 1_500},
        ["spending cap", "1,500 requests a period", "Change the spending cap"],
    ),
    (
        {"problem_code": "runs-at-once", "limit_name": "runs_at_once", "limit_value": 2},
        ["Runs at once", "As soon as one of the runs", "See which runs are under way"],
    ),
    (
        {"problem_code": "requests-at-once", "limit_name": "writes_at_once", "limit_value": 5},
        ["make or change something", "5 requests at once", "As soon as one of the requests", "Compare plans"],
    ),
    (
        {"problem_code": "address-not-allowed", "status_code": 403, "limit_name": None, "limit_value": None},
        ["This API key takes no calls from there", "The key ", "What to do: address-not-allowed"],
    ),
    (
        {"problem_code": "free-trial-ended", "status_code": 402, "limit_name": None, "limit_value": None},
        ["The free trial has ended", "Compare plans"],
    ),
    (
        {"problem_code": "model-not-found", "status_code": 404, "limit_name": None, "limit_value": None},
        ["What to do: model-not-found"],
    ),
    (
        # A row from before limits were written down still names its own.
        {"limit_name": None, "limit_value": None},
        ["The requests that the plan includes in a period"],
    ),
    (
        {"problem_code": "unheard-of", "status_code": 418, "limit_name": None, "limit_value": None},
        ["The answer was 418"],
    ),
]


async def test_each_refusal_names_its_rule_and_where_it_is_changed(ana: Visitor) -> None:
    for changed, shown in REFUSALS:
        told = why(await page_of_refusal(ana, **changed))
        for one in shown:
            assert one in told, told


async def test_whoever_may_not_change_the_rule_is_told_whom_to_ask(ana: Visitor) -> None:
    await become(ana, EMAIL, Role.VIEWER)
    page = await page_of_refusal(ana)
    assert "An owner, or whoever has the role billing, chooses plans." in why(page)
    assert 'href="/billing/upgrade">Compare plans' not in page
    keyed = await page_of_refusal(
        ana, problem_code="api-key-too-fast", limit_name="requests_per_minute_per_key", limit_value=5
    )
    assert "An owner or a developer of your team changes keys." in why(keyed)


async def test_a_request_that_was_served_has_nothing_to_explain(ana: Visitor) -> None:
    served = await page_of_refusal(ana, status_code=201, problem_code=None, limit_name=None, limit_value=None)
    assert "Why it was refused" not in served
    failed = await page_of_refusal(ana, status_code=500, problem_code="internal-error", limit_name=None,
                                   limit_value=None)  # fmt: skip
    assert "Why it was refused" not in failed


async def test_a_customer_sees_no_request_of_another(ana: Visitor, ben: Visitor) -> None:
    await log_call(
        ben.parts.database,
        await customer_id_of(ben, "ben@example.com"),
        read_now(),
        request_id="req_only_ben",
    )
    listed = await ben.get("/requests?mode=test")
    assert "req_only_ben" in listed.text
    address = re.search(r'href="(/requests/[0-9a-f-]+)"', listed.text)
    assert address
    assert (await ben.get(address[1])).status_code == 200
    assert (await ana.get(address[1])).status_code == 404
    assert (await ana.get("/requests/nonsense")).status_code == 404
    for path in ("/requests?mode=test", "/requests?mode=test&request_id=req_only_ben"):
        assert "data-call=" not in (await ana.get(path)).text
    assert "req_only_ben" not in (await ana.get("/requests.csv?mode=test")).text


async def test_a_file_holds_what_was_chosen_and_starts_no_formula(ana: Visitor) -> None:
    customer_id, now = await customer_id_of(ana, EMAIL), read_now()
    await log_call(ana.parts.database, customer_id, now, user_agent="=1+1")
    await log_refusal(ana.parts.database, customer_id, now)
    answer = await ana.get("/requests.csv?mode=test&status=succeeded")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert f'filename="requests-{now:%Y-%m-%d}.csv"' in answer.headers["content-disposition"]
    [line] = csv.DictReader(io.StringIO(answer.text, newline=""))
    assert (line["status_code"], line["user_agent"]) == ("201", "'=1+1")


async def test_the_live_page_works_without_script_and_streams_with_one(ana: Visitor) -> None:
    page = (await ana.get("/requests?mode=test&status=limited&live=1")).text
    assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in page
    stream = html.unescape(re.search(r'data-live="([^"]+)"', page)[1])
    assert stream.startswith("/requests/live?mode=test&status=limited&since=")
    assert "data-live-pause" in page
    assert "data-live=" not in (await ana.get("/requests?mode=test")).text


async def test_the_stream_brings_rows_as_they_come_and_ends_with_the_server(ana: Visitor) -> None:
    customer_id = await customer_id_of(ana, EMAIL)
    app = build_app(ana.parts)
    messages: asyncio.Queue[dict] = asyncio.Queue()

    async def receive() -> dict:
        await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    cookie = "; ".join(f"{name}={value}" for name, value in ana.client.cookies.items())
    scope = {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "method": "GET",
        "scheme": "http", "path": "/requests/live", "raw_path": b"/requests/live", "root_path": "",
        "query_string": b"mode=test&status=limited", "client": ("127.0.0.1", 1), "server": ("localhost", 80),
        "headers": [(b"host", b"localhost"), (b"cookie", cookie.encode())], "state": {}, "extensions": {},
    }  # fmt: skip
    serving = asyncio.create_task(app(scope, receive, messages.put))
    async with asyncio.timeout(20):
        start = await messages.get()
        assert start["status"] == 200
        assert (b"content-type", b"text/event-stream; charset=utf-8") in start["headers"]
        assert (await messages.get())["body"] == b": open\n\n"
        await log_call(ana.parts.database, customer_id, read_now(), request_id="req_served")
        await log_refusal(ana.parts.database, customer_id, read_now(), request_id="req_refused")
        event = (await messages.get())["body"].decode()
        assert re.match(r"id: [0-9a-f]+-[0-9a-f]+\ndata: <tr data-call=", event)
        assert "req_refused" in event
        assert "req_served" not in event
        ana.parts.stopping.set()
        assert (await messages.get())["body"] == b""
        await serving


async def test_live_requests_are_shown_first_once_there_are_any(ana: Visitor) -> None:
    customer_id = await customer_id_of(ana, EMAIL)
    await log_call(ana.parts.database, customer_id, read_now(), mode=Mode.LIVE, request_id="req_live")
    assert "req_live" in (await ana.get("/requests")).text
    assert "req_live" not in (await ana.get("/requests?mode=test")).text
