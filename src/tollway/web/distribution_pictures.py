"""Pictures of distributions, as they are written in the form."""

import time
from collections.abc import Callable
from typing import Any

from markupsafe import Markup

from tollway.engine import EngineError
from tollway.engine.distributions.outline import Outline, outline_of
from tollway.simulation.mark_flows import DistributionReader
from tollway.web.cells import general_text
from tollway.web.charts import shape_picture
from tollway.web.distributions import in_words_of_the_form
from tollway.web.results import figure_format

# More would make the page slow; a script draws the others as soon as somebody changes them.
PICTURES_MAX = 100
# A few shapes take seconds each: those that come after them are drawn by the script too.
PICTURES_SECONDS_MAX = 2.0


def with_pictures(views: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add the picture of each input's distribution, or what is wrong with it where nothing is said yet."""
    started, reader = time.perf_counter(), DistributionReader()
    drawn = []
    for place, view in enumerate(views):
        has_time = place < PICTURES_MAX and time.perf_counter() - started < PICTURES_SECONDS_MAX
        picture, error = picture_or_error(view["distribution"], reader) if has_time else ("", "")
        drawn.append(view | {"picture": picture, "error": view["error"] or error})
    return drawn


def picture_or_error(text: str, reader: DistributionReader) -> tuple[Markup | str, str]:
    """Draw a distribution as it is written in the form, or say what is wrong with it; one of the two is ""."""
    if not text:
        return "", ""
    try:
        outline = outline_of(reader.read_text(text))
    except EngineError as refused:
        return "", in_words_of_the_form(refused.message)
    return shape_picture(outline, text, _figures(outline)), ""


def _figures(outline: Outline) -> Callable[[float], str]:
    """How values are written: those that draws take one of, as they are; others as finely as they lie apart."""
    if outline.is_stepped and not outline.range_width:
        return general_text
    return figure_format(outline.percentiles[1], outline.high - outline.low)
