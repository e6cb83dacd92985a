"""Lays plans out for the pages that offer and compare them; every number comes from the plan itself."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from urllib.parse import urlencode

from babel.numbers import format_currency

from tollway.kit.money import LOCALE, format_whole
from tollway.plans.entities import FREE_TRIAL_TIER, Feature, Overage, Plan
from tollway.plans.operations import Extra
from tollway.web.rendering import filesize, number

BY_ARRANGEMENT = "By arrangement"
GET_API_KEY = "Get API Key"
TALK_TO_US = "Talk to us"
# A plan has nothing there; and nothing that stops it there.
NONE = ""
NO_LIMIT = "No limit"
# A request costs parts of a cent.
RATE_FORMAT = "¤#,##0.00##"
# What each gate of a plan is, for people; the order is that of the tables.
FEATURE_WORDS = {
    Feature.PRIORITY: "Priority processing",
    Feature.RESERVED_WORKERS: "Workers reserved for you",
    Feature.PREMIUM_ROUTING: "Premium routing",
    Feature.WEBHOOKS: "Webhook notifications",
    Feature.BASIC_ANALYTICS: "Basic analytics",
    Feature.ADVANCED_ANALYTICS: "Advanced analytics",
    Feature.REALTIME_ANALYTICS: "Real-time analytics",
    Feature.ADVANCED_DOCUMENTATION: "Advanced documentation",
    Feature.INTEGRATION_HELP: "Help with your integration",
    Feature.CUSTOM_INTEGRATIONS: "Custom integrations",
    Feature.CUSTOM_ENDPOINTS: "Endpoints of your own",
    Feature.PRIORITY_SUPPORT: "Priority support",
    Feature.LIVE_CHAT: "Chat in business hours",
    Feature.PHONE_SUPPORT: "Phone support",
    Feature.EMERGENCY_LINE: "Emergency line",
    Feature.DEDICATED_SUPPORT: "A contact of your own",
    Feature.CUSTOM_SLA: "Service terms of your own",
    Feature.DEDICATED_ADDRESSES: "Dedicated addresses",
    Feature.ON_PREMISE: "On your premises",
}


@dataclass(frozen=True, slots=True)
class PlanView:
    """A plan as a card of a page; `url` is a link to choose it, `choose` the button of a form that does."""

    product: str
    tier: str
    name: str
    price: str
    # "a month", or nothing where the price is for no time.
    per: str
    summary: str
    features: list[str]
    url: str = ""
    action: str = ""
    tag: str = ""
    mood: str = ""
    note: str = ""
    choose: str = ""
    is_held: bool = False

    @property
    def is_arranged(self) -> bool:
        """Whether its price is words."""
        return self.price == BY_ARRANGEMENT


@dataclass(frozen=True, slots=True)
class Cell:
    """One place of a comparison: words, or whether something is included."""

    text: str = ""
    is_included: bool | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """What the plans of a product give of one thing, in their order."""

    label: str
    cells: list[Cell]


@dataclass(frozen=True, slots=True)
class Comparison:
    """The plans of one product side by side; `held` is the tier that the reader has, if any."""

    product: str
    name: str
    plans: list[PlanView]
    groups: list[tuple[str, list[Row]]]
    held: str = ""


def plan_view(plan: Plan, *, url: str = "", action: str = "") -> PlanView:
    """Lay a plan of the catalogue out as a card."""
    return PlanView(
        product=plan.product,
        tier=plan.tier,
        name=plan.name,
        price=price_of(plan),
        per="" if plan.price_minor is None or plan.tier == FREE_TRIAL_TIER else "a month",
        summary=plan.description,
        features=[*_amounts(plan), *plan.features],
        url=url,
        action=action,
    )


def price_of(plan: Plan) -> str:
    """Write a plan's price a month, without saying that it is one."""
    return BY_ARRANGEMENT if plan.price_minor is None else format_whole(plan.price_minor, plan.currency)


def comparison_of(product: str, name: str, plans: Sequence[Plan], held: str = "") -> Comparison:
    """Lay the plans of a product out side by side, leaving out what the product does not count."""
    groups = [(title, _rows(rows, plans)) for title, rows in ROWS]
    features = [
        Row(words, [Cell(is_included=feature in plan.gates) for plan in plans])
        for feature, words in FEATURE_WORDS.items()
        if any(feature in plan.gates for plan in plans)
    ]
    groups.append(("Features", features))
    return Comparison(
        product, name, [plan_view(plan) for plan in plans], [one for one in groups if one[1]], held
    )


def extra_price(extra: Extra) -> str:
    """Write what an add-on or a one-off item costs: `$5 a month`, `from $500, once`."""
    price = format_whole(extra.price_minor, extra.currency)
    if extra.is_open:
        price = f"from {price}"
    elif extra.price_to_minor is not None:
        price = f"{price} to {format_whole(extra.price_to_minor, extra.currency)}"
    return f"{price} a month" if extra.every == "month" else f"{price}, once"


def support_url(subject: str) -> str:
    """Return the address of a message to support that has its subject already."""
    return f"/support?{urlencode({'subject': subject})}"


def rate_text(rate: Decimal, currency: str) -> str:
    """Write what one request costs: `$0.05`, `$0.0001`."""
    return str(format_currency(rate, currency, format=RATE_FORMAT, currency_digits=False, locale=LOCALE))


def overage_text(plan: Plan) -> str:
    """Say what happens beyond the included requests."""
    if plan.requests_included is None:
        return NONE
    if plan.overage is Overage.STOP:
        return "Calls stop"
    rate = f"{rate_text(plan.overage_rate, plan.currency)} each"
    return f"{rate}, if you choose to" if plan.overage is Overage.OPT_IN else rate


def _amounts(plan: Plan) -> list[str]:
    limits, requests = plan.limits, plan.requests_included
    lines = [f"{'Unlimited' if requests is None else number(requests)} requests a month"]
    if limits.requests_per_minute_max is not None:
        lines.append(f"{number(limits.requests_per_minute_max)} requests a minute")
    if limits.iterations_max:
        lines += [
            f"{number(limits.iterations_max)} iterations a run",
            f"Workbooks up to {filesize(limits.file_bytes_max)}",
            f"{number(limits.runs_at_once_max)} runs at once",
            f"Results kept {number(limits.result_days)} days",
        ]
    else:
        agents = [f"{number(limits.agents_max)} agents"] if limits.agents_max else []
        keys = limits.api_keys_max
        lines += [*agents, f"{number(keys)} API key{'' if keys == 1 else 's'}"]
    return lines


def _rows(rows: Sequence[tuple[str, Callable[[Plan], str]]], plans: Sequence[Plan]) -> list[Row]:
    laid_out = [(label, [say(plan) for plan in plans]) for label, say in rows]
    return [
        Row(label, [Cell(text) for text in texts])
        for label, texts in laid_out
        if not {NONE, NO_LIMIT}.issuperset(texts)
    ]


def _requests(plan: Plan) -> str:
    if plan.requests_included is not None:
        return number(plan.requests_included)
    asked = plan.fair_use_requests
    return f"Unlimited; we ask at {number(asked)}" if asked else "Unlimited"


def _count(amount: int | None) -> str:
    return number(amount) if amount else NONE


def _days(days: int) -> str:
    return f"{number(days)} days" if days else NONE


def _hours(hours: int | None) -> str:
    return f"{number(hours)} hours" if hours else NONE


def _size(size_bytes: int) -> str:
    return filesize(size_bytes) if size_bytes else NONE


# Every row of a comparison: what it is called, and what a plan has there.
ROWS: list[tuple[str, list[tuple[str, Callable[[Plan], str]]]]] = [
    (
        "Requests",
        [
            ("Requests a month", _requests),
            ("Beyond them", overage_text),
            (
                "By the premium route",
                lambda one: (
                    NONE if one.premium_rate is None else f"{rate_text(one.premium_rate, one.currency)} each"
                ),
            ),
            ("At most a day", lambda one: _count(one.limits.requests_per_day_max) or NO_LIMIT),
            ("At most a minute", lambda one: _count(one.limits.requests_per_minute_max) or NO_LIMIT),
            ("API keys that work at once", lambda one: _count(one.limits.api_keys_max)),
        ],
    ),
    (
        "Limits",
        [
            ("Iterations a run", lambda one: _count(one.limits.iterations_max)),
            ("Size of a workbook", lambda one: _size(one.limits.file_bytes_max)),
            ("Runs at once", lambda one: _count(one.limits.runs_at_once_max)),
            ("Workbooks are kept", lambda one: _days(one.limits.workbook_days)),
            ("Results are kept", lambda one: _days(one.limits.result_days)),
            ("Agents", lambda one: _count(one.limits.agents_max)),
        ],
    ),
    (
        "Support",
        [
            ("Help", lambda one: one.support),
            ("First answer within", lambda one: _hours(one.support_response_hours)),
            ("We call you within", lambda one: _hours(one.sales_call_hours)),
            ("Uptime", lambda one: f"{one.uptime_sla} %" if one.uptime_sla else NONE),
        ],
    ),
]
