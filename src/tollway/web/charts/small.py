"""Charts the size of a word: the direction of a figure, the shape of a distribution."""

from collections.abc import Sequence
from itertools import groupby

from markupsafe import Markup

from tollway.web.charts.svg import Scale, smooth_path

# Fewer different values than this among the quantiles, and the distribution is drawn as stems.
_STEMS_MAX = 12

_SPARKLINE = Markup(
    '<svg class="sparkline" viewBox="0 0 100 100" preserveAspectRatio="none" role="img" aria-label="{label}">'
    '<path class="area" d="{path}L100,100L0,100Z"/><path class="stroke" d="{path}"/></svg>'
)
_DENSITY = Markup(
    '<svg class="density" viewBox="0 0 100 100" preserveAspectRatio="none" role="img" aria-label="{label}">'
    "{drawn}</svg>"
)


def sparkline(values: Sequence[float], label: str) -> Markup:
    """Draw the direction of a figure; `label` says in words what it shows. Nothing for fewer than two values."""
    if len(values) < 2:
        return Markup()
    low, high = min(values), max(values)
    scale = Scale(low, high) if high > low else Scale(low - 1, high + 1)
    step = 100 / (len(values) - 1)
    path = smooth_path(
        [(index * step, 92 - scale.percent(value) * 0.84) for index, value in enumerate(values)]
    )
    return _SPARKLINE.format(label=label, path=path)


def density_curve(quantiles: Sequence[float], label: str) -> Markup:
    """Draw the shape of a distribution from its quantiles.

    Args:
        quantiles: values at evenly spaced probabilities, rising, 20 or more; for instance those of 0.01 to 0.99.
        label: what it shows, for instance "normal(1000, 50)".
    """
    assert len(quantiles) >= 20, len(quantiles)
    steps = [(value, len(list(same))) for value, same in groupby(quantiles)]
    if len(steps) <= _STEMS_MAX:
        return _DENSITY.format(label=label, drawn=_stems(steps))
    return _DENSITY.format(label=label, drawn=_outline([value for value, _ in steps]))


def _stems(steps: Sequence[tuple[float, int]]) -> Markup:
    values = [value for value, _ in steps]
    scale = Scale(values[0], values[-1]) if values[-1] > values[0] else Scale(values[0] - 1, values[0] + 1)
    most = max(count for _, count in steps)
    return Markup().join(
        Markup('<line class="stem" x1="{x:.2f}" x2="{x:.2f}" y1="98" y2="{y:.2f}"/>').format(
            x=4 + scale.percent(value) * 0.92, y=98 - count / most * 90
        )
        for value, count in steps
    )


def _outline(values: Sequence[float]) -> Markup:
    """Equal probability lies between neighbours, so the density there is one over their distance."""
    scale = Scale(values[0], values[-1])
    places = [scale.percent(value) for value in values]
    # Neighbours a few apart: single steps would show the rounding of the quantiles.
    reach = max(1, len(places) // 20)
    middles = []
    for left, right in zip(places, places[reach:], strict=False):
        if right > left:
            middles.append(((left + right) / 2, reach / (right - left)))
    tallest = max(height for _, height in middles)
    points = {round(x, 2): 96 - height / tallest * 90 for x, height in middles}
    path = smooth_path(sorted(points.items()))
    first, last = min(points), max(points)
    return Markup(
        '<path class="area" d="{path}L{last},98L{first},98Z"/><path class="stroke" d="{path}"/>'
    ).format(path=path, first=first, last=last)
