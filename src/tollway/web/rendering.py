"""Turns a template and its context into HTML: the Jinja environment, its filters and its globals.

Each template under templates/ lists the context it needs in its first comment; a missing variable is an error at
once (StrictUndefined), never an empty place in a page.
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from importlib.resources import files

from babel.numbers import format_currency, format_decimal
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from tollway.web import charts
from tollway.web.charts import ValueFormat
from tollway.web.charts.numbers import MINUS
from tollway.web.distributions import distribution_groups
from tollway.web.highlighting import highlight
from tollway.web.icons import icon

LOCALE = "en_US"
STATIC_URL = "/static"
_HASH_CHARACTERS = 10
_KILOBYTE = 1000


@dataclass(frozen=True)
class Shell:
    """What the frame around every signed-in page shows; `layouts/app.html` takes it as `shell`.

    `path` is the address asked for, and marks the place in the navigation. `used` and `included` count requests in
    the period that ends on `resets_on`; `included` is None where the plan has no limit.
    """

    path: str
    email: str
    company: str
    plan_name: str
    used: int
    included: int | None
    resets_on: date
    is_verified: bool = True
    test_mode: bool = False
    # The plan is over: everything can be read, nothing new can be made.
    is_read_only: bool = False
    # The customer may not act: what it is, such as suspended; its dashboard says why.
    stopped: str = ""
    # What the reader may do, so that nobody is offered a place that is closed to them.
    may: frozenset[str] = frozenset()
    administers: bool = False
    # An administrator looks at this customer's pages in its place.
    impersonating: bool = False
    impersonating_until: datetime | None = None
    # Public id and name of every customer that the reader belongs to, and which one is looked at.
    memberships: tuple[tuple[str, str], ...] = ()
    customer_id: str = ""


def render(name: str, **context: object) -> str:
    """Render one template, for instance `render("customer/dashboard.html", viewer=..., ...)`.

    Raises: jinja2.TemplateNotFound, and jinja2.UndefinedError for a context variable that is missing.
    """
    return environment().get_template(name).render(context)


@cache
def environment() -> Environment:
    """The one Jinja environment: everything escaped, nothing silently undefined."""
    jinja = Environment(
        loader=PackageLoader("tollway.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    jinja.filters.update(
        number=number,
        money=money,
        compact=compact,
        percent=percent,
        when=when,
        day=day,
        clock=clock,
        moment=moment,
        filesize=filesize,
        plural=plural,
        initials=initials,
        highlight=highlight,
    )
    jinja.globals.update(icon=icon, asset=asset, charts=charts, distribution_groups=distribution_groups)
    return jinja


def number(value: float | Decimal, decimals: int = 0) -> str:
    """Write a number in full: `1,234,567`, with a real minus sign."""
    pattern = "#,##0" + ("." + "0" * decimals if decimals else "")
    return str(format_decimal(value, format=pattern, locale=LOCALE)).replace("-", MINUS)


def money(amount: Decimal | int, currency: str = "USD") -> str:
    """Write an amount in its currency's own way: `$99.00`, `¥500`. Never takes a float."""
    return str(format_currency(amount, currency, locale=LOCALE)).replace("-", MINUS)


def compact(value: float, currency: str | None = None) -> str:
    """Write a number with three significant digits: `1.23M`, `−$467k`."""
    return ValueFormat(currency=currency)(value)


def percent(share: float, decimals: int = 1) -> str:
    """Write a share of one as a percentage: 0.1234 as `12.3%`."""
    return f"{number(share * 100, decimals)}%"


def when(moment: datetime) -> Markup:
    """A moment in UTC, readable by people and machines; static/app.js adds the local time as a title.

    `moment` must know its time zone.
    """
    assert moment.tzinfo is not None, moment
    in_utc = moment.astimezone(UTC)
    return Markup('<time datetime="{}">{} {}</time>').format(
        in_utc.strftime("%Y-%m-%dT%H:%M:%SZ"), in_utc.day, in_utc.strftime("%b %Y, %H:%M UTC")
    )


def day(moment: date) -> Markup:
    """A day, readable by people and machines: `1 Dec 2026`."""
    return Markup('<time datetime="{}">{} {}</time>').format(
        moment.strftime("%Y-%m-%d"), moment.day, moment.strftime("%b %Y")
    )


def clock(moment: datetime) -> Markup:
    """A time of day in UTC, for what is soon: `14:30 UTC`."""
    assert moment.tzinfo is not None, moment
    in_utc = moment.astimezone(UTC)
    return Markup('<time datetime="{}">{} UTC</time>').format(
        in_utc.strftime("%Y-%m-%dT%H:%M:%SZ"), in_utc.strftime("%H:%M")
    )


def moment(at: datetime, *, short: bool = False) -> Markup:
    """A moment to the millisecond, for what came shortly after another: `1 Dec 2026, 14:30:07.125 UTC`.

    Short, for a column that says that it is in UTC: `1 Dec, 14:30:07.125`.
    """
    assert at.tzinfo is not None, at
    in_utc = at.astimezone(UTC)
    return Markup('<time datetime="{}">{} {}{:03d}{}</time>').format(
        in_utc.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        in_utc.day,
        in_utc.strftime("%b, %H:%M:%S." if short else "%b %Y, %H:%M:%S."),
        in_utc.microsecond // 1000,
        "" if short else " UTC",
    )


def filesize(size_bytes: int) -> str:
    """Write a size as people read it: `640 B`, `12.4 kB`, `10 MB`. 1 kB is 1,000 bytes, as in the limits of plans."""
    size = float(size_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if size < _KILOBYTE or unit == "GB":
            digits = f"{size:.0f}" if unit == "B" or size >= 100 else f"{size:.1f}".removesuffix(".0")
            return f"{digits} {unit}"
        size /= _KILOBYTE
    raise AssertionError


def plural(count: int, one: str, many: str | None = None) -> str:
    """Write a count with its noun: `1 input`, `3 inputs`."""
    return f"{number(count)} {one if count == 1 else many or one + 's'}"


def initials(name: str) -> str:
    """One or two letters that stand for a person or a company."""
    words = [word for word in name.replace("@", " ").replace(".", " ").split() if word[0].isalnum()]
    return "".join(word[0] for word in words[:2]).upper() or "?"


@cache
def asset(path: str) -> str:
    """The address of a static file, with part of its hash, so that browsers may keep it for ever.

    Raises: FileNotFoundError for a path that static/ does not hold.
    """
    content = files("tollway.web").joinpath("static", *path.split("/")).read_bytes()
    return f"{STATIC_URL}/{path}?v={hashlib.sha256(content).hexdigest()[:_HASH_CHARACTERS]}"
