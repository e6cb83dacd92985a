"""Explains a refused call: the rule that fired, its value then, when it freed, and where it is changed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from tollway.customers.permissions import Permission
from tollway.metering.report_operations import CallClass, LoggedCall, Period
from tollway.web.markdown import Guide
from tollway.web.plan_views import support_url
from tollway.web.rendering import number, plural

MINUTE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is changed; whoever lacks the permission asks `who` instead."""

    url: str
    label: str
    permission: Permission | None = None
    who: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a call was refused; `value` and `frees` are empty where the rule has none."""

    rule: str
    value: str
    frees: str
    frees_at: datetime | None
    places: tuple[Place, ...]
    documentation_url: str


@dataclass(frozen=True, slots=True)
class LimitWords:
    """How a limit is told: what it is, its value, and where it is changed."""

    rule: str
    unit: str
    places: tuple[Place, ...]


PLAN = Place(
    "/billing/upgrade",
    "Compare plans",
    Permission.BILLING_VIEW,
    "An owner, or whoever has the role billing, chooses plans.",
)
KEYS = Place(
    "/api-keys/manage", "API keys", Permission.KEYS_VIEW, "An owner or a developer of your team changes keys."
)
SPENDING_CAP = Place(
    "/usage#spending-cap",
    "Change the spending cap",
    Permission.BILLING_MANAGE,
    "An owner, or whoever has the role billing, changes the spending cap.",
)
TEAM = Place("/team", "See who is in your team")
RUNS = Place("/runs", "See which runs are under way")
VERIFY = Place("/verify", "Verify the address", Permission.OWN)

LIMITS: dict[str, LimitWords] = {
    "requests_per_period": LimitWords(
        "The requests that the plan includes in a period", "requests a period", (PLAN,)
    ),
    "spending_cap": LimitWords(
        "The spending cap that you set: the requests that a period may come to",
        "requests a period",
        (SPENDING_CAP, PLAN),
    ),
    "requests_per_day": LimitWords(
        "The burst of one day: twice the daily average of the plan",
        "requests a day",
        (PLAN, Place(support_url("A higher burst for one day"), "Ask for a higher burst")),
    ),
    "requests_per_minute": LimitWords(
        "Requests a minute of your plan, all keys together", "requests a minute", (PLAN,)
    ),
    "requests_per_minute_per_key": LimitWords(
        "Requests a minute with this key, as its owner set it", "requests a minute", (KEYS,)
    ),
    "requests_per_minute_per_address": LimitWords(
        "Requests a minute from one address, whoever sends them",
        "requests a minute",
        (Place(support_url("Requests a minute from one address"), "Ask for more"),),
    ),
    "runs_at_once": LimitWords("Runs at once, queued or running", "runs at once", (RUNS, PLAN)),
    "writes_at_once": LimitWords(
        "Requests under way that make or change something, all keys together", "requests at once", (PLAN,)
    ),
}
# Codes of refusals that carry no name of a limit, in rows from before they did too.
LIMIT_OF_CODE = {
    "quota-used-up": "requests_per_period",
    "spending-cap-reached": "spending_cap",
    "daily-limit-reached": "requests_per_day",
    "rate-limit-exceeded": "requests_per_minute",
    "api-key-too-fast": "requests_per_minute_per_key",
    "address-limit-reached": "requests_per_minute_per_address",
    "runs-at-once": "runs_at_once",
    "requests-at-once": "writes_at_once",
}
KEY_CODES = frozenset({
    "address-not-allowed", "api-key-of-another-product", "api-key-over", "api-key-reach", "api-key-rotated",
    "api-key-suspended", "permission-missing", "api-key-malformed", "api-key-missing", "api-key-unknown",
    "api-key-limit-reached",
})  # fmt: skip
PLAN_CODES = frozenset({
    "api-key-awaits-payment", "feature-not-included", "free-trial-ended", "iterations-over-plan", "payment-required",
    "subscription-ended", "too-large",
})  # fmt: skip
SUPPORT_CODES = frozenset({"customer-suspended", "customer-deactivated"})


def explain(
    call: LoggedCall, period: Period | None, problem_pages: Mapping[str, Guide]
) -> Explanation | None:
    """Explain a call that was refused or limited; None for one that was served, or failed by our fault.

    Args:
        period: the period of the customer's quota that held the call, if there is one.
        problem_pages: the pages of the error codes, by code.
    """
    if call.call_class not in (CallClass.LIMITED, CallClass.REFUSED):
        return None
    code = call.problem_code or ""
    limit_name = call.limit_name or LIMIT_OF_CODE.get(code, "")
    words = LIMITS.get(limit_name)
    page = problem_pages.get(code)
    frees, frees_at = _freeing(limit_name, call, period)
    return Explanation(
        rule=words.rule if words else (page.title if page else f"The answer was {call.status_code}"),
        value=_value(limit_name, call, words),
        frees=frees,
        frees_at=frees_at,
        places=_with_key(words.places if words else _places_of(code), call),
        documentation_url=f"/docs/problems/{code}" if page else "",
    )


def _value(limit_name: str, call: LoggedCall, words: LimitWords | None) -> str:
    if call.limit_value is None or not limit_name:
        return ""
    return f"{number(call.limit_value)} {words.unit if words else limit_name.replace('_', ' ')}"


def _places_of(code: str) -> tuple[Place, ...]:
    if code in KEY_CODES:
        return (KEYS,)
    if code in PLAN_CODES:
        return (PLAN,)
    if code in SUPPORT_CODES:
        return (Place(support_url("Our customer is suspended"), "Write to support"),)
    return (VERIFY,) if code == "address-not-verified" else ()


def _with_key(places: tuple[Place, ...], call: LoggedCall) -> tuple[Place, ...]:
    """Lead to the very key where it is known; a key that lacked something is looked at on its own page."""
    if call.key_id is None:
        return places
    own = Place(f"/api-keys/manage/{call.key_id}", f"The key {call.key_name}", KEYS.permission, KEYS.who)
    return tuple(own if one is KEYS else one for one in places)


def _freeing(limit_name: str, call: LoggedCall, period: Period | None) -> tuple[str, datetime | None]:
    """Say when the limit freed after the call: in words, and as an instant where there is one."""
    told = FREEING.get(limit_name)
    return told(call, period) if told else ("", None)


def _at_period_end(_call: LoggedCall, period: Period | None) -> tuple[str, datetime | None]:
    return ("With the next period, or with a change of it before", period.period_end if period else None)


def _at_midnight(call: LoggedCall, _period: Period | None) -> tuple[str, datetime | None]:
    day = call.request_timestamp.astimezone(UTC).date() + timedelta(days=1)
    return ("With the next day in UTC", datetime.combine(day, time.min, UTC))


def _little_by_little(call: LoggedCall, _period: Period | None) -> tuple[str, datetime | None]:
    if not call.limit_value:
        return ("Little by little, all of it within a minute", None)
    if call.limit_value >= MINUTE_SECONDS:
        a_second = plural(call.limit_value // MINUTE_SECONDS, "request")
        return (f"Little by little: {a_second} a second, all of it within a minute", None)
    seconds = plural(-(-MINUTE_SECONDS // call.limit_value), "second")
    return (f"Little by little: one request every {seconds}, all of it within a minute", None)


def _at_end_of_a_run(_call: LoggedCall, _period: Period | None) -> tuple[str, datetime | None]:
    return ("As soon as one of the runs under way ended", None)


def _at_an_answer(_call: LoggedCall, _period: Period | None) -> tuple[str, datetime | None]:
    return ("As soon as one of the requests under way was answered", None)


FREEING: dict[str, Callable[[LoggedCall, Period | None], tuple[str, datetime | None]]] = {
    "requests_per_period": _at_period_end,
    "spending_cap": _at_period_end,
    "requests_per_day": _at_midnight,
    "requests_per_minute": _little_by_little,
    "requests_per_minute_per_key": _little_by_little,
    "requests_per_minute_per_address": _little_by_little,
    "runs_at_once": _at_end_of_a_run,
    "writes_at_once": _at_an_answer,
}
