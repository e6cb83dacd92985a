"""Data as bars, and over them what fitted distributions expect in each."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from tollway.web.charts.numbers import ValueFormat, round_ticks
from tollway.web.charts.svg import Scale, bottom_axis, horizontal_rules, left_axis, number_table, percent

LINES_MAX = 3
_HEADROOM = 1.08
_GAP_PERCENT = 0.22

_FIGURE = Markup(
    '<figure class="chart fit" id="{chart_id}"><div class="frame">{left}'
    '<svg class="plot" role="img" aria-label="{title}. {finding}">{rules}{bars}'
    '<svg class="stretch" viewBox="0 0 100 100" preserveAspectRatio="none" overflow="hidden">{lines}</svg></svg>'
    "{bottom}</div>{table}</figure>"
)
_BAR = Markup('<rect class="bin" x="{x}" width="{width}" y="{y}" height="{height}"/>')


@dataclass(frozen=True)
class FitLine:
    """One fitted distribution: its name, a smooth line, and what it expects in each bin, as shares."""

    name: str
    points: Sequence[tuple[float, float]]
    expected: Sequence[float]


def fit_chart(
    chart_id: str,
    *,
    bin_edges: Sequence[float],
    counts: Sequence[int],
    lines: Sequence[FitLine],
    title: str,
) -> Markup:
    """Draw how data lie and what one to three fits expect; heights are shares of all values in a bin.

    Args:
        chart_id: unique in the page.
        bin_edges: one more than `counts`, rising, evenly apart.
        counts: of values in each bin.
        lines: the likeliest first, drawn in the styles line-1 to line-3; their heights are shares in a bin too.
        title: names the data.
    """
    assert len(lines) <= LINES_MAX, len(lines)
    total = sum(counts)
    shares = [count / total for count in counts]
    scale = Scale(bin_edges[0], bin_edges[-1])
    top = max(shares) * _HEADROOM
    if lines:
        # A fit that expects far more in a bin than there is would press the data flat.
        top = max(top, min(max(height for _, height in lines[0].points) * _HEADROOM, 2 * top))
    write = ValueFormat.spanning(bin_edges[0], bin_edges[-1])
    ticks = round_ticks(0, top, 4)
    as_percent = ValueFormat(percent=True)

    def height(share: float) -> float:
        return 100 - share / top * 100

    return _FIGURE.format(
        chart_id=chart_id,
        title=title,
        finding=f"The likeliest of them is {lines[0].name}." if lines else "",
        left=left_axis(ticks, height, as_percent.tick),
        rules=horizontal_rules(ticks, height),
        bars=Markup().join(
            _bar(scale.percent(left), scale.percent(right), height(share))
            for left, right, share in zip(bin_edges, bin_edges[1:], shares, strict=False)
        ),
        lines=Markup().join(
            Markup('<path class="line-{n}" d="M{d}"/>').format(
                n=number,
                d="L".join(
                    f"{scale.percent(x):.2f},{max(-9.0, height(share)):.2f}" for x, share in line.points
                ),
            )
            for number, line in reversed(list(enumerate(lines, 1)))
        ),
        bottom=bottom_axis(
            [(scale.percent(tick), write.tick(tick)) for tick in round_ticks(bin_edges[0], bin_edges[-1], 6)]
        ),
        table=number_table(
            title,
            ["Range", "Values", "Share", *(line.name for line in lines)],
            [
                (
                    f"{write(left)} to {write(right)}",
                    f"{count:,}",
                    f"{count / total:.1%}",
                    *(f"{line.expected[place]:.1%}" for line in lines),
                )
                for place, (left, right, count) in enumerate(
                    zip(bin_edges, bin_edges[1:], counts, strict=False)
                )
            ],
        ),
    )


def _bar(left: float, right: float, top: float) -> Markup:
    gap = min(_GAP_PERCENT, (right - left) / 4)
    return _BAR.format(
        x=percent(left + gap / 2),
        width=percent(right - left - gap),
        y=percent(top),
        height=percent(100 - top),
    )
