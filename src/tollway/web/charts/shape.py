"""The shape of a distribution: its density or its probabilities, three percentiles, and where it is cut off."""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import pairwise

from markupsafe import Markup

from tollway.engine.distributions.outline import PERCENTILES, Outline
from tollway.web.charts.svg import Scale

# The baseline and the peak stand so far from the edges, in percent, that no line is cut in half.
_FLOOR, _CEILING = 97.0, 5.0
_BAR_SHARE = 0.72
# A bar of two values far apart is no wider than this, in percent.
_BAR_PERCENT_MAX = 9.0
_NAMES = dict(zip(PERCENTILES, ("P5", "Median", "P95"), strict=True))

_FIGURE = Markup(
    '<figure class="shape"><svg viewBox="0 0 100 100" preserveAspectRatio="none" role="img"'
    ' aria-label="{title}: {finding}">{cuts}{beyond}{drawn}{marks}</svg>'
    '<figcaption aria-hidden="true">{captions}</figcaption></figure>'
)
_BAR = Markup(
    '<rect class="bar{between}" x="{x:.2f}" width="{width:.2f}" y="{y:.2f}" height="{height:.2f}"/>'
)
_MARK = Markup('<line class="{css_class}" x1="{x:.2f}" x2="{x:.2f}" y1="0" y2="{floor}"/>')


def shape_picture(outline: Outline, title: str, write: Callable[[float], str]) -> Markup:
    """Draw a distribution; `title` names it, for instance "normal(1000, 50)", and `write` writes its values."""
    scale = Scale(outline.low, outline.high)
    return _FIGURE.format(
        title=title,
        finding=_finding(outline, write),
        cuts=_cut_off(outline, scale),
        beyond=_line("beyond", outline.beyond, scale, outline.top),
        drawn=_bars(outline, scale) if outline.is_stepped else _areas(outline, scale),
        marks=Markup().join(
            _MARK.format(css_class="median" if name == 50 else "outer", x=scale.percent(value), floor=_FLOOR)
            for name, value in zip(PERCENTILES, outline.percentiles, strict=True)
        ),
        captions=Markup().join(
            Markup("<span>{} <b>{}</b></span>").format(_NAMES[name], write(value))
            for name, value in zip(PERCENTILES, outline.percentiles, strict=True)
        ),
    )


def _finding(outline: Outline, write: Callable[[float], str]) -> str:
    low, middle, high = (write(value) for value in outline.percentiles)
    if outline.is_stepped:
        likeliest = max(outline.points, key=lambda point: point[1])
        around = "around " if outline.range_width else ""
        first = f"likeliest is {around}{write(likeliest[0])}, at {likeliest[1]:.1%}"
    else:
        first = f"half of all draws lie below {middle}"
    words = f"{first}; nine in ten lie between {low} and {high}."
    below, above = outline.cuts
    if below is not None and above is not None:
        return f"{words} It is cut off below {write(below)} and above {write(above)}."
    if below is not None or above is not None:
        end = below if below is not None else above
        assert end is not None
        return f"{words} It is cut off {'below' if below is not None else 'above'} {write(end)}."
    return words


def _height(height: float, top: float) -> float:
    """Where a height stands, in percent from above; what is higher than the picture leaves it at its edge."""
    share = min(height / top, 2.0) if top > 0 else 0.0
    return max(-2.0, _FLOOR - share * (_FLOOR - _CEILING))


def _line(css_class: str, points: Sequence[tuple[float, float]], scale: Scale, top: float) -> Markup:
    if not points:
        return Markup()
    return Markup('<path class="{}" d="M{}"/>').format(css_class, _path(points, scale, top))


def _path(points: Sequence[tuple[float, float]], scale: Scale, top: float) -> str:
    return "L".join(f"{scale.percent(x):.2f},{_height(height, top):.2f}" for x, height in points)


def _areas(outline: Outline, scale: Scale) -> Markup:
    """The whole area faint, that of nine in ten draws strong, and the line above both."""
    low, _, high = outline.percentiles
    middle = _part(outline.points, low, high)
    return (
        _area("tail", outline.points, scale, outline.top)
        + _area("nine-in-ten", middle, scale, outline.top)
        + _area("stroke", outline.points, scale, outline.top)
    )


def _area(css_class: str, points: Sequence[tuple[float, float]], scale: Scale, top: float) -> Markup:
    first, last = scale.percent(points[0][0]), scale.percent(points[-1][0])
    return Markup('<path class="{css_class}" d="M{first:.2f},{floor}L{path}L{last:.2f},{floor}"/>').format(
        css_class=css_class, first=first, last=last, floor=_FLOOR, path=_path(points, scale, top)
    )


def _part(points: Sequence[tuple[float, float]], low: float, high: float) -> list[tuple[float, float]]:
    """The line from low to high, its ends read off between its points."""
    inside = [point for point in points if low < point[0] < high]
    return [(low, _read(points, low)), *inside, (high, _read(points, high))]


def _read(points: Sequence[tuple[float, float]], x: float) -> float:
    place = bisect_left(points, x, key=lambda point: point[0])
    if place == 0 or place == len(points):
        return points[min(place, len(points) - 1)][1]
    (left, before), (right, after) = points[place - 1], points[place]
    return before + (after - before) * ((x - left) / (right - left))


def _bars(outline: Outline, scale: Scale) -> Markup:
    values = [value for value, _ in outline.points]
    gaps = [scale.percent(right) - scale.percent(left) for left, right in pairwise(values)]
    width = min(_BAR_PERCENT_MAX, min(gaps, default=_BAR_PERCENT_MAX) * _BAR_SHARE)
    if outline.range_width:
        width = scale.percent(outline.low + outline.range_width) * 0.94
    low, _, high = outline.percentiles
    reach = outline.range_width / 2
    return Markup().join(
        _BAR.format(
            between=" nine-in-ten" if low - reach <= value <= high + reach else "",
            x=scale.percent(value) - width / 2,
            width=width,
            y=_height(share, outline.top),
            height=_FLOOR - _height(share, outline.top),
        )
        for value, share in outline.points
    )


def _cut_off(outline: Outline, scale: Scale) -> Markup:
    """Shade what a truncation took away, with a line at its end."""
    below, above = outline.cuts
    drawn = Markup()
    if below is not None:
        drawn += Markup('<rect class="cut-off" x="0" width="{:.2f}" y="0" height="100"/>').format(
            scale.percent(below)
        )
        drawn += _MARK.format(css_class="cut", x=scale.percent(below), floor=100)
    if above is not None:
        end = scale.percent(above)
        drawn += Markup('<rect class="cut-off" x="{:.2f}" width="{:.2f}" y="0" height="100"/>').format(
            end, 100 - end
        )
        drawn += _MARK.format(css_class="cut", x=end, floor=100)
    return drawn
