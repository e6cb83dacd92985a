"""Counts for each day, stacked."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from markupsafe import Markup

from tollway.web.charts.numbers import ValueFormat, round_ticks
from tollway.web.charts.svg import (
    bottom_axis,
    empty_chart,
    horizontal_rules,
    left_axis,
    number_table,
    percent,
)

SERIES_MAX = 3
_BAR_SHARE_OF_DAY = 0.66
_LABELS_MAX = 6

_FIGURE = Markup(
    '<figure class="chart bars" id="{chart_id}"><div class="frame">{left}'
    '<svg class="plot" role="img" aria-label="{title}. {finding}">{rules}{days}</svg>{bottom}</div>{table}</figure>'
)
_DAY = Markup('<g class="day">{bars}<rect class="hit" x="{x}" width="{width}" height="100%"/></g>')


@dataclass(frozen=True)
class Series:
    """One colour of the stack: its name, and a count for each day."""

    name: str
    counts: Sequence[int]


def daily_bars(
    chart_id: str, *, days: Sequence[date], series: Sequence[Series], title: str, hours: Sequence[str] = ()
) -> Markup:
    """Draw counts for each day, the first series at the bottom. static/charts.js shows a day's row of the table.

    Args:
        chart_id: unique in the page.
        days: in order, one for each count of every series.
        series: one to three, drawn in the colours series-1 to series-3.
        title: names the numbers and the period, for instance "Requests, last 30 days".
        hours: what each bar is called instead of its day, where each is an hour.
    """
    assert 1 <= len(series) <= SERIES_MAX, len(series)
    totals = [sum(counts) for counts in zip(*(one.counts for one in series), strict=True)]
    if not sum(totals):
        return empty_chart(chart_id, title, "Nothing counted in these days.")
    ticks = round_ticks(0, max(totals) * 1.08, 4)
    # A day of one or two calls would get ticks between whole numbers.
    ticks = [tick for tick in ticks if tick == int(tick)]
    top = max(ticks[-1], max(totals) * 1.08)
    write = ValueFormat()
    names = list(hours) or [_day_name(day) for day in days]

    return _FIGURE.format(
        chart_id=chart_id,
        title=title,
        finding=_finding(names, totals, series),
        left=left_axis(ticks, lambda count: 100 - count / top * 100, write.tick),
        rules=horizontal_rules(ticks, lambda count: 100 - count / top * 100),
        days=Markup().join(_stack(index, len(days), series, top) for index in range(len(days))),
        bottom=bottom_axis(_labels(names)),
        table=number_table(
            title,
            ["Hour" if hours else "Day", *(one.name for one in series), "Total"],
            [
                (name, *(f"{one.counts[index]:,}" for one in series), f"{totals[index]:,}")
                for index, name in enumerate(names)
            ],
        ),
    )


def _stack(index: int, day_count: int, series: Sequence[Series], top: float) -> Markup:
    width = 100 / day_count
    bar_width = width * _BAR_SHARE_OF_DAY
    x = index * width + (width - bar_width) / 2
    floor = 100.0
    bars = []
    for number, one in enumerate(series, start=1):
        height = one.counts[index] / top * 100
        floor -= height
        if one.counts[index]:
            bars.append(
                Markup('<rect class="series-{n}" x="{x}" y="{y}" width="{w}" height="{h}"/>').format(
                    n=number, x=percent(x), y=percent(floor), w=percent(bar_width), h=percent(height)
                )
            )
    return _DAY.format(bars=Markup().join(bars), x=percent(index * width), width=percent(width))


def _labels(names: Sequence[str]) -> list[tuple[float, str]]:
    step = max(1, -(-len(names) // _LABELS_MAX))
    width = 100 / len(names)
    return [(index * width + width / 2, names[index]) for index in range(0, len(names), step)]


def _finding(names: Sequence[str], totals: Sequence[int], series: Sequence[Series]) -> str:
    busiest = max(range(len(names)), key=lambda index: totals[index])
    parts = [f"{sum(totals):,} in all", f"most on {names[busiest]}, {totals[busiest]:,}"]
    parts += [f"{one.name.lower()} {sum(one.counts):,}" for one in series[1:]]
    return "; ".join(parts) + "."


def _day_name(day: date) -> str:
    return f"{day.day} {day:%b}"
