"""Points of two numbers each: what an input was, and what came out."""

import math
from collections.abc import Sequence

from markupsafe import Markup

from tollway.web.charts.numbers import ValueFormat, round_ticks
from tollway.web.charts.svg import (
    Scale,
    bottom_axis,
    empty_chart,
    horizontal_rules,
    left_axis,
    percent,
    scale_around,
)

_MARGIN = 0.04

_FIGURE = Markup(
    '<figure class="chart scatter" id="{chart_id}"><div class="frame">{left}'
    '<svg class="plot" role="img" aria-label="{title}. {finding}">{rules}{uprights}'
    '<svg class="stretch" viewBox="0 0 100 100" preserveAspectRatio="none"><path class="points" d="{points}"/></svg>'
    "</svg>{bottom}</div><figcaption>{across} across, {up} upwards</figcaption></figure>"
)


def scatter_chart(
    chart_id: str,
    *,
    points: Sequence[tuple[float, float]],
    across: str,
    up: str,
    title: str,
    finding: str,
) -> Markup:
    """Draw points; what is no number is left out.

    Args:
        chart_id: unique in the page.
        points: (across, up) pairs.
        across: what goes to the right.
        up: what goes upwards.
        title: names the numbers.
        finding: states in a sentence what they show.
    """
    drawn = [(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y)]
    if len(drawn) < 2:
        return empty_chart(chart_id, title, "There are too few numbers to draw.")
    x_scale, x_write = _axis([x for x, _ in drawn])
    y_scale, y_write = _axis([y for _, y in drawn])
    x_ticks, y_ticks = round_ticks(x_scale.low, x_scale.high, 5), round_ticks(y_scale.low, y_scale.high, 4)
    return _FIGURE.format(
        chart_id=chart_id,
        title=title,
        finding=finding,
        left=left_axis(y_ticks, lambda y: 100 - y_scale.percent(y), y_write.tick),
        rules=horizontal_rules(y_ticks, lambda y: 100 - y_scale.percent(y)),
        uprights=Markup().join(
            Markup('<line class="rule" y1="0" y2="100%" x1="{x}" x2="{x}"/>').format(
                x=percent(x_scale.percent(tick))
            )
            for tick in x_ticks
        ),
        # A line without length with round ends is a dot, and one path of them is small.
        points="".join(f"M{x_scale.percent(x):.1f},{100 - y_scale.percent(y):.1f}h0" for x, y in drawn),
        bottom=bottom_axis([(x_scale.percent(tick), x_write.tick(tick)) for tick in x_ticks]),
        across=across,
        up=up,
    )


def _axis(values: Sequence[float]) -> tuple[Scale, ValueFormat]:
    low, high = min(values), max(values)
    return scale_around(low, high, _MARGIN), ValueFormat.spanning(low, high)
