"""How much of a quota is used: a bar on a scale of its own, with marks and what is still to come."""

from collections.abc import Sequence

from markupsafe import Markup

from tollway.web.charts.svg import percent

_METER = Markup(
    '<div class="quota-meter" id="{chart_id}"><svg class="quota-bar" role="img" aria-label="{label}">'
    '<rect class="track" width="100%" height="100%" rx="6"/>{projected}{used}{marks}</svg>'
    '<svg class="quota-marks" aria-hidden="true">{names}</svg></div>'
)
_PART = Markup('<rect class="{css_class}" width="{width}" height="100%" rx="6"/>')
_MARK = Markup('<line class="mark" x1="{x}" x2="{x}" y1="0" y2="100%"/>')
_NAME = Markup('<text x="{x}" y="13" text-anchor="{anchor}"{passed}>{words}</text>')


def quota_meter(
    chart_id: str,
    *,
    used: int,
    included: int,
    projected: int | None,
    marks_percent: Sequence[int],
    stops: bool,
    label: str,
) -> Markup:
    """Draw what is used of what is included, with marks; the scale grows where more than that is used or to come.

    Args:
        projected: what it comes to at the end of the period; None where nobody can tell.
        marks_percent: of what is included, rising.
        stops: whether nothing more can be used once all of it is.
        label: says in words what the bar shows.
    """
    assert included > 0, included
    top = max(included, used, projected or 0)
    mood = "bad" if stops and used >= included else "warn" if used >= included * 0.8 else ""
    ahead = (
        _PART.format(css_class="ahead", width=percent(projected / top * 100))
        if projected is not None and projected > used
        else Markup()
    )
    places = [(one, included * one / 100 / top * 100) for one in marks_percent]
    return _METER.format(
        chart_id=chart_id,
        label=label,
        projected=ahead,
        used=_PART.format(css_class=f"used {mood}".strip(), width=percent(used / top * 100)) if used else "",
        marks=Markup().join(_MARK.format(x=percent(place)) for _, place in places if place < 99.5),
        names=Markup().join(
            _NAME.format(
                x=percent(place),
                anchor="end" if place > 92 else "middle",
                passed=Markup(' class="passed"') if used * 100 >= included * one else Markup(),
                words=f"{one} %",
            )
            for one, place in places
        ),
    )
