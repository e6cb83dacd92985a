"""How figures went on while iterations were added: lines, and the band that one of them may be off by."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from tollway.web.charts.numbers import ValueFormat, round_ticks
from tollway.web.charts.svg import (
    Scale,
    bottom_axis,
    empty_chart,
    horizontal_rules,
    left_axis,
    number_table,
    scale_around,
)

LINES_MAX = 3
_MARGIN = 0.06
_TICKS, _X_TICKS = 4, 4

_FIGURE = Markup(
    '<figure class="chart course" id="{chart_id}"><div class="frame">{left}'
    '<svg class="plot" role="img" aria-label="{title}. {finding}">{rules}'
    '<svg class="stretch" viewBox="0 0 100 100" preserveAspectRatio="none">{band}{lines}</svg></svg>'
    "{bottom}</div>{table}</figure>"
)


@dataclass(frozen=True)
class CourseLine:
    """One figure at each place; None where it was not known yet."""

    name: str
    values: Sequence[float | None]


def course_chart(
    chart_id: str,
    *,
    places: Sequence[float],
    lines: Sequence[CourseLine],
    title: str,
    finding: str,
    band: tuple[Sequence[float | None], Sequence[float | None]] | None = None,
) -> Markup:
    """Draw one to three lines over the same rising places, with a band around the first where one is given.

    Args:
        chart_id: unique in the page.
        places: numbers of iterations, rising.
        lines: drawn in the styles line-1 to line-3.
        title: names the numbers.
        finding: states in a sentence what they show.
        band: its lower and its upper edge.
    """
    assert 1 <= len(lines) <= LINES_MAX, len(lines)
    known = [value for line in lines for value in line.values if value is not None]
    known += [value for edge in band or () for value in edge if value is not None]
    if len(places) < 2 or not known:
        return empty_chart(chart_id, title, "There are too few iterations to draw.")
    low, high = min(known), max(known)
    down, across = scale_around(low, high, _MARGIN), Scale(0, places[-1])
    write = ValueFormat.spanning(low, high)
    ticks = round_ticks(down.low, down.high, _TICKS)

    def height(value: float) -> float:
        return 100 - down.percent(value)

    def points(values: Sequence[float | None]) -> list[str]:
        return [
            f"{across.percent(place):.2f},{height(value):.2f}"
            for place, value in zip(places, values, strict=True)
            if value is not None
        ]

    area = Markup()
    if band is not None and (lower := points(band[0])) and (upper := points(band[1])):
        area = Markup('<path class="band" d="M{}Z"/>').format("L".join([*upper, *reversed(lower)]))
    return _FIGURE.format(
        chart_id=chart_id,
        title=title,
        finding=finding,
        left=left_axis(ticks, height, write.tick),
        rules=horizontal_rules(ticks, height),
        band=area,
        lines=Markup().join(
            Markup('<path class="line-{n}" d="M{d}"/>').format(n=number, d="L".join(drawn))
            for number, line in enumerate(lines, 1)
            if (drawn := points(line.values))
        ),
        bottom=bottom_axis(
            [
                (across.percent(tick), ValueFormat().tick(tick))
                for tick in round_ticks(0, places[-1], _X_TICKS)
            ]
        ),
        table=number_table(
            title,
            ["Iterations", *(line.name for line in lines)],
            [
                (
                    f"{place:,.0f}",
                    *("–" if (value := line.values[row]) is None else write(value) for line in lines),
                )
                for row, place in enumerate(places)
            ],
        ),
    )
