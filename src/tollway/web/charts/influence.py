"""How much each input matters, as one bar from zero: a correlation, a coefficient, or a share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from tollway.web.charts.svg import Scale, empty_chart, number_table, percent
from tollway.web.charts.tornado import ROWS_DRAWN_MAX

_FIGURE = Markup(
    '<figure class="chart tornado" id="{chart_id}"><div role="img" aria-label="{title}. {finding}">'
    '<ul class="tornado-rows">{rows}</ul></div>{table}</figure>'
)
_ROW = Markup(
    '<li><span class="who"><b>{name}</b><code>{cell}</code></span><span class="lane"><svg>'
    '<rect class="{css_class}" x="{x}" width="{width}" y="18%" height="64%" rx="3"/>'
    '<line class="middle-line" x1="{zero}" x2="{zero}" y1="0" y2="100%"/>'
    '<text x="{end}" dx="{dx}" y="50%" dy="4"{anchor}>{label}</text></svg></span></li>'
)


@dataclass(frozen=True)
class InfluenceRow:
    """One input: what people call it, where it stands, and how much it matters."""

    name: str
    cell: str
    value: float


def influence_bars(
    chart_id: str, *, rows: Sequence[InfluenceRow], title: str, measure: str, write: Callable[[float], str]
) -> Markup:
    """Draw the inputs by how much they matter, the strongest on top; the table lists those not drawn too.

    Args:
        chart_id: unique in the page.
        rows: in any order; bars of negative values go to the left.
        title: names the numbers.
        measure: what a value is, for the head of the table.
        write: how values are written.
    """
    if not rows:
        return empty_chart(chart_id, title, "There is nothing to draw.")
    ordered = sorted(rows, key=lambda row: abs(row.value), reverse=True)
    drawn = ordered[:ROWS_DRAWN_MAX]
    low, high = min(0.0, *(row.value for row in drawn)), max(0.0, *(row.value for row in drawn))
    scale = Scale(low, high) if high > low else Scale(-1, 1)
    return _FIGURE.format(
        chart_id=chart_id,
        title=title,
        finding=f"{ordered[0].name} matters most, with {write(ordered[0].value)}.",
        rows=Markup().join(_row(row, scale, write) for row in drawn),
        table=number_table(
            title, ["Input", "Cell", measure], [(row.name, row.cell, write(row.value)) for row in ordered]
        ),
    )


def _row(row: InfluenceRow, scale: Scale, write: Callable[[float], str]) -> Markup:
    zero, end = scale.percent(0), scale.percent(row.value)
    is_left = row.value < 0
    return _ROW.format(
        name=row.name,
        cell=row.cell,
        css_class="low" if is_left else "high",
        x=percent(min(zero, end)),
        width=percent(abs(end - zero)),
        zero=percent(zero),
        end=percent(end),
        dx=-6 if is_left else 6,
        anchor=Markup(' text-anchor="end"') if is_left else Markup(),
        label=write(row.value),
    )
