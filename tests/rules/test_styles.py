"""What the tour through every page takes for granted about the style sheets."""

import re
from pathlib import Path

from tests.journeys.walks import VIEWS

STATIC = Path(__file__).parents[2] / "src/tollway/web/static"
CONDITION = re.compile(r"@(?:media|container)[^{]*")
WIDTH = re.compile(r"(\d+(?:\.\d+)?)px")


def test_no_style_changes_between_the_narrowest_window_and_one_that_axe_leaves_out() -> None:
    left_out = {view.width for view in VIEWS if not view.rules}
    narrowest = min(view.width for view in VIEWS)
    conditions = [
        one for sheet in STATIC.glob("*.css") for one in CONDITION.findall(sheet.read_text(encoding="utf-8"))
    ]
    widths = [float(width) for one in conditions for width in WIDTH.findall(one)]
    assert widths
    assert left_out
    assert not [width for width in widths if narrowest <= width < max(left_out)]
