"""How often each range of values came out, with the cumulative curve and two movable bounds."""

import math
from collections.abc import Mapping, Sequence
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
    right_axis,
    smooth_path,
)

# The tallest bar and the end of the cumulative curve stand this far below the top, so that neither touches it.
_HEADROOM = 1.06
_BIN_GAP_PERCENT = 0.22
# Typed bounds tell this many digits of the width of the plot apart, as long as they can be written in full.
_BOUND_DIGITS = 4
_BOUND_DECIMALS_MAX = 15
_BOUND_IN_FULL_MAX = 1e15
# Below it, differences are lost to the ends of what a float can hold.
_HALF_WIDTH_MIN = 1e-290
_QUARTERS = (0.0, 0.25, 0.5, 0.75, 1.0)

_FIGURE = Markup(
    '<figure class="chart histogram" id="{chart_id}"{script}>{shares}'
    '<div class="frame two-axes">{left}<svg class="plot" role="img" aria-label="{title}. {finding}">'
    "{rules}{between}{bins}{marker}{curve}{bounds}</svg>{right}{bottom}</div>{controls}{table}</figure>"
)
_BOUND = Markup(
    '<svg class="bound" data-bound="{name}" x="{x}" overflow="visible"><line y1="0" y2="100%"/>'
    '<rect class="grip" x="-12" width="24" height="100%"/></svg>'
)
_SHARES = Markup(
    '<div class="shares-frame" aria-hidden="true"><svg class="shares">'
    '<rect class="tail" width="100%" height="100%"/>'
    '<rect class="middle" x="{low}" width="{width}" height="100%"/>'
    '<text data-share="below" x="{below_at}" y="18" text-anchor="middle">{below}</text>'
    '<text data-share="between" class="on-accent" x="{between_at}" y="18" text-anchor="middle">{between}</text>'
    '<text data-share="above" x="{above_at}" y="18" text-anchor="middle">{above}</text></svg></div>'
)
_CONTROLS = Markup(
    '<div class="bounds needs-script">'
    '<div class="bounds-track">'
    '<input type="range" data-bound="low" min="0" max="100" step="any" value="{low_at}"'
    ' aria-label="Lower bound of {title}">'
    '<input type="range" data-bound="high" min="0" max="100" step="any" value="{high_at}"'
    ' aria-label="Upper bound of {title}"></div>'
    '<div class="bounds-typed"><label>From <input class="input compact" type="number" step="any" data-bound="low"'
    ' value="{low}"></label><label>to <input class="input compact" type="number" step="any" data-bound="high"'
    ' value="{high}"></label><output>{sentence}</output></div></div>'
)


@dataclass(frozen=True)
class _Bounds:
    """Two values, where they stand in percent of the plot, and the shares of outcomes outside them."""

    low: float
    high: float
    low_at: float
    high_at: float
    share_below: float
    share_above: float

    @property
    def share_between(self) -> float:
        return 1 - self.share_below - self.share_above


def histogram(
    chart_id: str,
    *,
    bin_edges: Sequence[float],
    counts: Sequence[int],
    cumulative: Sequence[tuple[float, float]],
    percentiles: Mapping[str, float],
    title: str,
    write: ValueFormat = ValueFormat(),  # noqa: B008 — frozen
    marker: float | None = None,
    interactive: bool = True,
) -> Markup:
    """Draw the distribution of an output.

    Args:
        chart_id: unique in the page.
        bin_edges: one more than `counts`, rising; equal edges (every value the same) are widened.
        counts: iterations in each bin; shares are of their sum.
        cumulative: (value, share at or below it), both rising; may be empty.
        percentiles: by name, for instance {"5": ..., "50": ..., "95": ...}; the bounds start at 5 and 95.
        title: names the numbers, for instance "Net present value".
        write: how values are written.
        marker: a value drawn as a dotted line where it lies within the plot, for instance 0 for break-even.
        interactive: False for a chart that is redrawn while a run goes on; it then has no controls.
    """
    total = sum(counts)
    if not total:
        return empty_chart(chart_id, title, "No iterations yet.")
    scale = _scale_of(bin_edges)
    shares = [count / total for count in counts]
    tallest = max(shares) * _HEADROOM

    bounds = _starting_bounds(percentiles, scale, cumulative)
    share_ticks = round_ticks(0, max(shares), 4)

    return _FIGURE.format(
        chart_id=chart_id,
        script=_script_attributes(scale, cumulative, write) if interactive else "",
        title=title,
        finding=_finding(percentiles, bin_edges, write),
        shares=_shares_bar(bounds, write) if interactive else "",
        left=left_axis(share_ticks, lambda share: 100 - share / tallest * 100, _as_percent),
        right=right_axis(_QUARTERS, _curve_height, _as_percent),
        rules=horizontal_rules(_QUARTERS, _curve_height),
        between=Markup('<rect class="between" x="{}" width="{}" height="100%"/>').format(
            percent(bounds.low_at), percent(bounds.high_at - bounds.low_at)
        ),
        bins=_bins(shares, tallest, bin_edges, bounds),
        marker=_marker(marker, scale),
        curve=_curve(cumulative, scale),
        bounds=_BOUND.format(name="low", x=percent(bounds.low_at))
        + _BOUND.format(name="high", x=percent(bounds.high_at)),
        bottom=bottom_axis(_value_labels(scale, write)),
        controls=_controls(title, bounds, scale) if interactive else "",
        table=_table(title, bin_edges, counts, percentiles, write),
    )


def _scale_of(bin_edges: Sequence[float]) -> Scale:
    low, high = bin_edges[0], bin_edges[-1]
    assert math.isfinite(low), low
    assert math.isfinite(high), high
    if high / 2 - low / 2 > _HALF_WIDTH_MIN:
        return Scale(low, high)
    margin = abs(low) * 0.05 if abs(low) > _HALF_WIDTH_MIN * 100 else 0.5
    return Scale(low - margin, high + margin)


def _starting_bounds(
    percentiles: Mapping[str, float], scale: Scale, cumulative: Sequence[tuple[float, float]]
) -> _Bounds:
    low = max(percentiles.get("5", scale.low), scale.low)
    high = min(percentiles.get("95", scale.high), scale.high)
    if low == high:
        # Nearly every outcome is the same: bounds on one another could neither be read nor taken hold of.
        low, high = scale.low, scale.high
    return _Bounds(
        low=low,
        high=high,
        low_at=scale.percent(low),
        high_at=scale.percent(high),
        share_below=_share_below(cumulative, low),
        share_above=1 - _share_through(cumulative, high),
    )


def _share_below(cumulative: Sequence[tuple[float, float]], value: float) -> float:
    """The share strictly below a value: where many outcomes are that very value, none of them."""
    values = [point for point, _ in cumulative]
    if values.count(value) < 2:
        return _share_through(cumulative, value)
    first = values.index(value)
    return cumulative[first - 1][1] if first else 0.0


def _share_through(cumulative: Sequence[tuple[float, float]], value: float) -> float:
    """The share at or below a value, straight between the points; 0 before them and 1 after."""
    share_before, value_before = 0.0, None
    for point, share in cumulative:
        if value < point:
            if value_before is None:
                return 0.0
            # Halved, as in Scale, against overflow.
            width = point / 2 - value_before / 2
            part = (value / 2 - value_before / 2) / width if width else 0.0
            return share_before + (share - share_before) * part
        share_before, value_before = share, point
    return 1.0


def _bins(shares: Sequence[float], tallest: float, edges: Sequence[float], bounds: _Bounds) -> Markup:
    width = 100 / len(shares)
    gap = min(_BIN_GAP_PERCENT, width / 4)
    drawn = []
    for index, (share, (left, right)) in enumerate(zip(shares, pairwise(edges), strict=True)):
        height = share / tallest * 100
        middle = left / 2 + right / 2
        drawn.append(
            Markup('<rect class="bin{inside}" x="{x}" y="{y}" width="{width}" height="{height}"/>').format(
                inside=" inside" if bounds.low <= middle <= bounds.high else "",
                x=percent(index * width + gap / 2),
                y=percent(100 - height),
                width=percent(width - gap),
                height=percent(height),
            )
        )
    return Markup().join(drawn)


def _curve(cumulative: Sequence[tuple[float, float]], scale: Scale) -> Markup:
    """The cumulative curve, in its own stretched viewport. Points that fall on one place keep the highest share."""
    highest: dict[float, float] = {}
    for value, share in cumulative:
        highest[round(scale.percent(value), 3)] = _curve_height(share)
    if len(highest) < 2:
        return Markup()
    return Markup(
        '<svg class="stretch" viewBox="0 0 100 100" preserveAspectRatio="none"><path class="cumulative" d="{}"/></svg>'
    ).format(smooth_path(sorted(highest.items())))


def _curve_height(share: float) -> float:
    return 100 - share * 100 / _HEADROOM


def _marker(marker: float | None, scale: Scale) -> Markup:
    if marker is None or not scale.low < marker < scale.high:
        return Markup()
    return Markup('<line class="marker-line" x1="{x}" x2="{x}" y1="0" y2="100%"/>').format(
        x=percent(scale.percent(marker))
    )


def _value_labels(scale: Scale, write: ValueFormat) -> list[tuple[float, str]]:
    places = [(scale.percent(tick), write.tick(tick)) for tick in round_ticks(scale.low, scale.high, 7)]
    # A label at the very edge would run into the axes beside it.
    return [(place, label) for place, label in places if 3 < place < 97] or [
        (50.0, write(scale.low / 2 + scale.high / 2))
    ]


def _shares_bar(bounds: _Bounds, write: ValueFormat) -> Markup:
    width = bounds.high_at - bounds.low_at
    between = _one_decimal(bounds.share_between) if width > 7 else ""
    if width > 30:
        between += f" between {write(bounds.low)} and {write(bounds.high)}"
    return _SHARES.format(
        low=percent(bounds.low_at),
        width=percent(width),
        below_at=percent(bounds.low_at / 2),
        between_at=percent((bounds.low_at + bounds.high_at) / 2),
        above_at=percent((100 + bounds.high_at) / 2),
        below=_one_decimal(bounds.share_below) if bounds.low_at > 7 else "",
        between=between,
        above=_one_decimal(bounds.share_above) if bounds.high_at < 93 else "",
    )


def _controls(title: str, bounds: _Bounds, scale: Scale) -> Markup:
    return _CONTROLS.format(
        title=title,
        low_at=f"{bounds.low_at:.4f}",
        high_at=f"{bounds.high_at:.4f}",
        low=_typed(bounds.low, scale),
        high=_typed(bounds.high, scale),
        sentence=f"{_one_decimal(bounds.share_between)} of outcomes",
    )


def _typed(value: float, scale: Scale) -> str:
    """Write a bound so finely that its share keeps a digit more than is shown; static/charts.js does the same."""
    # Halved, as in Scale, against overflow.
    width_digits = math.log10(scale.high / 2 - scale.low / 2) + math.log10(2)
    decimals = max(0, math.ceil(_BOUND_DIGITS - width_digits))
    if decimals > _BOUND_DECIMALS_MAX or not abs(value) < _BOUND_IN_FULL_MAX:
        return f"{value:.9g}"
    return f"{value:.{decimals}f}".rstrip("0").rstrip(".") if decimals else f"{value:.0f}"


def _script_attributes(scale: Scale, cumulative: Sequence[tuple[float, float]], write: ValueFormat) -> Markup:
    """What static/charts.js needs to move the bounds: numbers only, parted by spaces, so nothing needs quoting."""
    return Markup(
        ' data-low="{low}" data-high="{high}" data-format="{style}" data-digits="{digits}"'
        ' data-values="{values}" data-shares="{shares}"'
    ).format(
        low=repr(float(scale.low)),
        high=repr(float(scale.high)),
        style=write.style,
        digits=write.digits,
        values=" ".join(f"{value:.9g}" for value, _ in cumulative),
        shares=" ".join(f"{share:.6g}" for _, share in cumulative),
    )


def _finding(percentiles: Mapping[str, float], edges: Sequence[float], write: ValueFormat) -> str:
    parts = []
    if "50" in percentiles:
        parts.append(f"Median {write(percentiles['50'])}")
    if "5" in percentiles and "95" in percentiles:
        parts.append(f"90% of outcomes lie between {write(percentiles['5'])} and {write(percentiles['95'])}")
    parts.append(f"all lie between {write(edges[0])} and {write(edges[-1])}")
    sentence = "; ".join(parts) + "."
    return sentence[0].upper() + sentence[1:]


def _table(
    title: str,
    edges: Sequence[float],
    counts: Sequence[int],
    percentiles: Mapping[str, float],
    write: ValueFormat,
) -> Markup:
    total = sum(counts)
    rows = [(f"Percentile {name}", write(value), "") for name, value in percentiles.items()]
    rows += [
        (f"{write(left)} to {write(right)}", f"{count:,}", _one_decimal(count / total))
        for (left, right), count in zip(pairwise(edges), counts, strict=True)
    ]
    return number_table(title, ["Percentile or range", "Value or iterations", "Share"], rows)


def _as_percent(share: float) -> str:
    return f"{share * 100:.3g}%"


def _one_decimal(share: float) -> str:
    return f"{max(0.0, share) * 100:.1f}%"
