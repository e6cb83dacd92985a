"""Charts the size of a word: the direction of a figure."""

from collections.abc import Sequence

from markupsafe import Markup

from tollway.web.charts.svg import Scale, smooth_path

_SPARKLINE = Markup(
    '<svg class="sparkline" viewBox="0 0 100 100" preserveAspectRatio="none" role="img" aria-label="{label}">'
    '<path class="area" d="{path}L100,100L0,100Z"/><path class="stroke" d="{path}"/></svg>'
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
