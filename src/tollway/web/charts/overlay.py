"""The same output in several runs, one over the other: how often each range of values came out, and the curves."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from tollway.web.charts.numbers import ValueFormat, round_ticks
from tollway.web.charts.svg import (
    Scale,
    bottom_axis,
    empty_chart,
    horizontal_rules,
    left_axis,
    number_table,
    percent,
)

OVERLAID_MAX = 4
_BIN_COUNT = 50
_HEADROOM = 1.06
_QUARTERS = (0.0, 0.25, 0.5, 0.75, 1.0)
# Below it, differences are lost to the ends of what a float can hold.
_HALF_WIDTH_MIN = 1e-290

_FIGURE = Markup(
    '<figure class="chart overlay" id="{chart_id}"><div class="frame">{left}'
    '<svg class="plot" role="img" aria-label="{title}. {finding}">{rules}{bins}{marker}'
    '<svg class="stretch" viewBox="0 0 100 100" preserveAspectRatio="none" overflow="hidden">{lines}</svg></svg>'
    "{bottom}</div>{table}</figure>"
)


@dataclass(frozen=True)
class OverlaidRun:
    """One output of one run: its name, its bins with how many values fell into each, and its cumulative points."""

    name: str
    bin_edges: Sequence[float]
    counts: Sequence[int]
    cumulative: Sequence[tuple[float, float]]
    percentiles: Mapping[str, float]


def overlaid_shares(
    chart_id: str,
    runs: Sequence[OverlaidRun],
    *,
    title: str,
    write: ValueFormat,
    marker: float | None = None,
) -> Markup:
    """Draw how often values came out in one to four runs: the first as bars, each as the outline of its steps.

    All are shared out over the same bins, so that heights can be compared.

    Args:
        chart_id: unique in the page.
        runs: in the styles line-1 to line-4.
        title: names the numbers.
        write: how values are written.
        marker: a value drawn as a dotted line where it lies within the plot.
    """
    drawn = _drawable(runs)
    if not drawn:
        return empty_chart(chart_id, title, "There is nothing to draw.")
    scale = _scale_of(drawn)
    edges = [
        scale.low * (1 - place / _BIN_COUNT) + scale.high * (place / _BIN_COUNT)
        for place in range(_BIN_COUNT + 1)
    ]
    shares = [_shared_out(run, edges) for run in drawn]
    top = max(max(one) for one in shares) * _HEADROOM

    def height(share: float) -> float:
        return 100 - share / top * 100

    ticks = round_ticks(0, top / _HEADROOM, 4)
    return _figure(
        chart_id,
        drawn,
        scale,
        title=title,
        write=write,
        marker=marker,
        left=left_axis(ticks, height, ValueFormat(percent=True).tick),
        rules=horizontal_rules(ticks, height),
        bins=_bars(shares[0], height),
        lines=[_steps(one, height) for one in shares],
    )


def overlaid_curves(
    chart_id: str,
    runs: Sequence[OverlaidRun],
    *,
    title: str,
    write: ValueFormat,
    marker: float | None = None,
) -> Markup:
    """Draw which share of values lies at or below each, in one to four runs; arguments as `overlaid_shares`."""
    drawn = _drawable(runs)
    if not drawn:
        return empty_chart(chart_id, title, "There is nothing to draw.")
    scale = _scale_of(drawn)

    def height(share: float) -> float:
        return 100 - share * 100 / _HEADROOM

    return _figure(
        chart_id,
        drawn,
        scale,
        title=title,
        write=write,
        marker=marker,
        left=left_axis(_QUARTERS, height, ValueFormat(percent=True).tick),
        rules=horizontal_rules(_QUARTERS, height),
        bins=Markup(),
        lines=[_curve(run, scale, height) for run in drawn],
    )


def _drawable(runs: Sequence[OverlaidRun]) -> list[OverlaidRun]:
    assert len(runs) <= OVERLAID_MAX, len(runs)
    return [run for run in runs if sum(run.counts)]


def _scale_of(runs: Sequence[OverlaidRun]) -> Scale:
    low = min(run.bin_edges[0] for run in runs)
    high = max(run.bin_edges[-1] for run in runs)
    if high / 2 - low / 2 > _HALF_WIDTH_MIN:
        return Scale(low, high)
    margin = abs(low) * 0.05 if abs(low) > _HALF_WIDTH_MIN * 100 else 0.5
    return Scale(low - margin, high + margin)


def _shared_out(run: OverlaidRun, edges: Sequence[float]) -> list[float]:
    """Share a run's values out over other bins, as if each of its own held them evenly."""
    total = sum(run.counts)
    shares = [0.0] * (len(edges) - 1)
    # Halved, as in Scale, against overflow.
    width = (edges[-1] / 2 - edges[0] / 2) / len(shares)
    for (left, right), count in zip(pairwise(run.bin_edges), run.counts, strict=True):
        if not count:
            continue
        begin = (left / 2 - edges[0] / 2) / width
        end = max((right / 2 - edges[0] / 2) / width, begin)
        first = min(max(int(begin), 0), len(shares) - 1)
        last = min(max(math.ceil(end), first + 1), len(shares))
        for place in range(first, last):
            overlap = min(end, place + 1.0) - max(begin, float(place))
            part = overlap / (end - begin) if end > begin else 1.0 / (last - first)
            shares[place] += max(part, 0.0) * count / total
    return shares


def _bars(shares: Sequence[float], height: Callable[[float], float]) -> Markup:
    width = 100 / len(shares)
    return Markup().join(
        Markup('<rect class="bin" x="{x}" width="{width}" y="{y}" height="{height}"/>').format(
            x=percent(place * width),
            width=percent(width),
            y=percent(height(share)),
            height=percent(100 - height(share)),
        )
        for place, share in enumerate(shares)
        if share
    )


def _steps(shares: Sequence[float], height: Callable[[float], float]) -> str:
    width = 100 / len(shares)
    path = ["M0,100"]
    for place, share in enumerate(shares):
        path.append(f"V{height(share):.2f}H{(place + 1) * width:.2f}")
    return "".join([*path, "V100"])


def _curve(run: OverlaidRun, scale: Scale, height: Callable[[float], float]) -> str:
    points = [(scale.percent(value), height(share)) for value, share in run.cumulative]
    if not points:
        return "M0,100H100"
    first, last = points[0], points[-1]
    middle = "L".join(f"{x:.2f},{y:.2f}" for x, y in points)
    return f"M0,{height(0):.2f}H{first[0]:.2f}L{middle}H{max(last[0], 100.0):.2f}"


def _figure(
    chart_id: str,
    runs: Sequence[OverlaidRun],
    scale: Scale,
    *,
    title: str,
    write: ValueFormat,
    marker: float | None,
    left: Markup,
    rules: Markup,
    bins: Markup,
    lines: Sequence[str],
) -> Markup:
    ticks = [(scale.percent(tick), write.tick(tick)) for tick in round_ticks(scale.low, scale.high, 7)]
    is_inside = marker is not None and scale.low < marker < scale.high
    return _FIGURE.format(
        chart_id=chart_id,
        title=title,
        finding=_finding(runs, write),
        left=left,
        rules=rules,
        bins=bins,
        marker=Markup('<line class="marker-line" x1="{x}" x2="{x}" y1="0" y2="100%"/>').format(
            x=percent(scale.percent(marker or 0.0))
        )
        if is_inside
        else "",
        # The first one is drawn last, over the others.
        lines=Markup().join(
            Markup('<path class="line-{number}" d="{path}"/>').format(number=number, path=path)
            for number, path in reversed(list(enumerate(lines, 1)))
        ),
        bottom=bottom_axis([(place, label) for place, label in ticks if 3 < place < 97]),
        table=number_table(
            title,
            ["Percentile", *(run.name for run in runs)],
            [
                (name, *(write(run.percentiles[name]) if name in run.percentiles else "" for run in runs))
                for name in runs[0].percentiles
            ],
        ),
    )


def _finding(runs: Sequence[OverlaidRun], write: ValueFormat) -> str:
    medians = [
        f"the median of {run.name} is {write(run.percentiles['50'])}"
        for run in runs
        if "50" in run.percentiles
    ]
    sentence = "; ".join(medians)
    return f"{sentence[:1].upper()}{sentence[1:]}." if sentence else ""
