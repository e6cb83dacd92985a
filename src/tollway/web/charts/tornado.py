"""What moves an output: its mean where each input is in its lowest tenth, and where it is in its highest."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from tollway.web.charts.numbers import ValueFormat
from tollway.web.charts.svg import Scale, empty_chart, number_table, percent

ROWS_DRAWN_MAX = 12

_FIGURE = Markup(
    '<figure class="chart tornado" id="{chart_id}"><div role="img" aria-label="{title}. {finding}">'
    '<ul class="tornado-rows">{rows}</ul></div>{table}</figure>'
)
_ROW = Markup(
    '<li><span class="who"><b>{name}</b><code>{cell}</code></span><span class="lane"><svg>'
    '<rect class="{left_class}" x="{left}" width="{left_width}" y="18%" height="64%" rx="3"/>'
    '<rect class="{right_class}" x="{middle}" width="{right_width}" y="18%" height="64%" rx="3"/>'
    '<line class="middle-line" x1="{middle}" x2="{middle}" y1="0" y2="100%"/>'
    '<text x="{left}" dx="-6" y="50%" dy="4" text-anchor="end">{left_label}</text>'
    '<text x="{right}" dx="6" y="50%" dy="4">{right_label}</text></svg></span></li>'
)


@dataclass(frozen=True)
class TornadoRow:
    """One input: what people call it, where it stands, and the output's mean where it is low and where it is high."""

    name: str
    cell: str
    mean_when_low: float
    mean_when_high: float

    @property
    def swing(self) -> float:
        """How far the output's mean moves, 0 or more."""
        return abs(self.mean_when_high - self.mean_when_low)


def tornado(
    chart_id: str,
    *,
    rows: Sequence[TornadoRow],
    mean: float,
    title: str,
    write: ValueFormat = ValueFormat(),  # noqa: B008 — frozen
) -> Markup:
    """Draw the inputs by how far each moves the output, the widest on top; the table lists those not drawn too.

    Args:
        chart_id: unique in the page.
        rows: in any order, not empty for a drawing.
        mean: the output's mean over all iterations; the line in the middle.
        title: names the numbers, for instance "What moves net present value".
        write: how values are written.
    """
    if not rows:
        return empty_chart(chart_id, title, "No input was varied.")
    ordered = sorted(rows, key=lambda row: row.swing, reverse=True)
    drawn = ordered[:ROWS_DRAWN_MAX]
    ends = [mean, *(row.mean_when_low for row in drawn), *(row.mean_when_high for row in drawn)]
    low, high = min(ends), max(ends)
    margin = 0.0 if high > low else abs(mean) * 0.05 or 0.5
    scale = Scale(low - margin, high + margin)

    widest = ordered[0]
    finding = (
        f"{widest.name} moves it most: the mean is {write(widest.mean_when_low)} where it is low"
        f" and {write(widest.mean_when_high)} where it is high."
    )
    return _FIGURE.format(
        chart_id=chart_id,
        title=title,
        finding=finding,
        rows=Markup().join(_row(row, mean, scale, write) for row in drawn),
        table=number_table(
            title,
            ["Input", "Cell", "Mean, input low", "Mean, input high", "Swing"],
            [
                (row.name, row.cell, write(row.mean_when_low), write(row.mean_when_high), write(row.swing))
                for row in ordered
            ],
        ),
    )


def _row(row: TornadoRow, mean: float, scale: Scale, write: ValueFormat) -> Markup:
    left, right = sorted((row.mean_when_low, row.mean_when_high))
    middle = scale.percent(mean)
    # Both means can lie on one side of the middle; a bar then starts at the middle all the same.
    left_at, right_at = min(scale.percent(left), middle), max(scale.percent(right), middle)
    low_is_left = row.mean_when_low <= row.mean_when_high
    return _ROW.format(
        name=row.name,
        cell=row.cell,
        left_class="low" if low_is_left else "high",
        right_class="high" if low_is_left else "low",
        left=percent(left_at),
        left_width=percent(middle - left_at),
        middle=percent(middle),
        right=percent(right_at),
        right_width=percent(right_at - middle),
        left_label=write(left),
        right_label=write(right),
    )
