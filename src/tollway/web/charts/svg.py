"""Pieces that every chart is drawn from: percents, axes, smooth curves, legends, and the table beneath."""

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

_LEGEND_KEYS = frozenset(
    {
        "series-1",
        "series-2",
        "series-3",
        "line",
        "dots",
        "low",
        "data",
        "line-1",
        "line-2",
        "line-3",
        "line-4",
    }
)

_TABLE = Markup(
    '<details class="numbers"><summary>View as table</summary>'
    '<div class="scroll" tabindex="0" role="region" aria-label="{caption}, as a table"><table class="table">'
    '<caption class="sr-only">{caption}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    "</details>"
)
_EMPTY = Markup(
    '<figure class="chart" id="{chart_id}">'
    '<p class="chart-empty" role="img" aria-label="{title}. {why}">{why}</p></figure>'
)


@dataclass(frozen=True)
class Scale:
    """Maps values to percent of a plot: `low` to 0, `high` to 100. `high` is greater than `low`."""

    low: float
    high: float

    def percent(self, value: float) -> float:
        """Where a value stands, kept inside the plot."""
        # Halved before subtracting, so that a span wider than the largest float does not overflow. Half of a span of
        # the smallest float is none.
        span = self.high / 2 - self.low / 2
        share = (value / 2 - self.low / 2) / span if span else 0.5
        return min(100.0, max(0.0, share * 100))


def scale_around(low: float, high: float, margin: float) -> Scale:
    """A scale from `low` to `high` with room beyond both, a share of their distance; of their size where that is 0."""
    # Halved for the same reason.
    room = (high / 2 - low / 2) * (2 * margin) or abs(high) * margin or 1.0
    return Scale(max(low - room, -sys.float_info.max), min(high + room, sys.float_info.max))


def percent(value: float) -> str:
    """Write a percentage for an SVG attribute, short and stable."""
    return f"{value:.3f}".rstrip("0").rstrip(".") + "%"


def legend(*entries: tuple[str, str]) -> Markup:
    """Name the colours of a chart: pairs of key (`series-1` to `series-3`, `line`, `dots`, `low`,
    `data`, `line-1` to `line-4`) and words.
    """
    assert all(key in _LEGEND_KEYS for key, _ in entries), entries
    items = Markup().join(
        Markup('<span><i class="{}"></i>{}</span>').format(key, words) for key, words in entries
    )
    return Markup('<div class="legend">{}</div>').format(items)


def number_table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> Markup:
    """The chart's numbers as a folded table; the first column names the row."""
    columns = Markup().join(
        Markup('<th scope="col"{}>{}</th>').format(_number_class(index), name)
        for index, name in enumerate(head)
    )
    body = Markup().join(Markup("<tr>{}</tr>").format(_cells(row)) for row in rows)
    return _TABLE.format(caption=caption, head=columns, body=body)


def empty_chart(chart_id: str, title: str, why: str) -> Markup:
    """Stand in for a chart that has no numbers yet, and say why."""
    return _EMPTY.format(chart_id=chart_id, title=title, why=why)


def horizontal_rules(ticks: Sequence[float], place: Callable[[float], float]) -> Markup:
    """Faint lines across the plot; `place` gives percent from the top."""
    return Markup().join(
        Markup('<line class="rule{zero}" x1="0" x2="100%" y1="{y}" y2="{y}"/>').format(
            zero=" zero" if tick == 0 else "", y=percent(place(tick))
        )
        for tick in ticks
    )


def left_axis(
    ticks: Sequence[float], place: Callable[[float], float], write: Callable[[float], str]
) -> Markup:
    """Numbers to the left of the plot."""
    return _vertical_axis(ticks, place, write, Markup(' x="100%" dx="-8" dy="4" text-anchor="end"'), "axis")


def right_axis(
    ticks: Sequence[float], place: Callable[[float], float], write: Callable[[float], str]
) -> Markup:
    """Numbers to the right of the plot."""
    return _vertical_axis(ticks, place, write, Markup(' x="0" dx="8" dy="4"'), "axis")


def bottom_axis(labels: Sequence[tuple[float, str]]) -> Markup:
    """Words below the plot, each at its percent from the left. Every other one gives way on narrow screens."""
    texts = Markup().join(
        Markup('<text x="{x}" y="15" text-anchor="middle"{optional}>{label}</text>').format(
            x=percent(x), label=label, optional=Markup(' class="every-other"') if index % 2 else ""
        )
        for index, (x, label) in enumerate(labels)
    )
    return Markup('<svg class="axis axis-x" aria-hidden="true">{}</svg>').format(texts)


def smooth_path(points: Sequence[tuple[float, float]]) -> str:
    """A curve through points with rising x that never swings past them.

    Source: Fritsch and Carlson 1980, SIAM J. Numer. Anal. 17(2), 238-246, with harmonic-mean tangents.
    """
    if len(points) < 2:
        return "".join(f"M{x:.2f},{y:.2f}" for x, y in points)
    slopes = [(y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in pairwise(points)]
    inner = [0.0 if a * b <= 0 else 2 * a * b / (a + b) for a, b in pairwise(slopes)]
    tangents = [slopes[0], *inner, slopes[-1]]
    path = [f"M{points[0][0]:.2f},{points[0][1]:.2f}"]
    for index, ((x1, y1), (x2, y2)) in enumerate(pairwise(points)):
        third = (x2 - x1) / 3
        path.append(
            f"C{x1 + third:.2f},{y1 + tangents[index] * third:.2f}"
            f" {x2 - third:.2f},{y2 - tangents[index + 1] * third:.2f} {x2:.2f},{y2:.2f}"
        )
    return "".join(path)


def _vertical_axis(
    ticks: Sequence[float],
    place: Callable[[float], float],
    write: Callable[[float], str],
    attributes: Markup,
    css_class: str,
) -> Markup:
    texts = Markup().join(
        Markup('<text y="{y}"{attributes}>{label}</text>').format(
            y=percent(place(tick)), attributes=attributes, label=write(tick)
        )
        for tick in ticks
    )
    return Markup('<svg class="{}" aria-hidden="true">{}</svg>').format(css_class, texts)


def _cells(row: Sequence[str]) -> Markup:
    name, *values = row
    first = Markup('<th scope="row">{}</th>').format(name)
    return first + Markup().join(Markup('<td class="number">{}</td>').format(value) for value in values)


def _number_class(index: int) -> Markup:
    return Markup(' class="number"') if index else Markup()
