"""Charts: the same numbers give the same drawing, and the drawing keeps to its plot."""

import math
import os
import re
from collections.abc import Callable
from datetime import date, timedelta
from html.parser import HTMLParser
from itertools import accumulate
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markupsafe import Markup

from tollway.engine import CATALOGUE, parse_distribution_text
from tollway.engine.distributions.catalogue import Entry
from tollway.engine.distributions.outline import outline_of
from tollway.web import charts
from tollway.web.charts import Series, TornadoRow, ValueFormat
from tollway.web.charts.numbers import round_ticks

GOLDEN = Path(__file__).parent / "golden"

FINITE = st.floats(min_value=-1e300, max_value=1e300, allow_nan=False, allow_infinity=False)


def draw_histogram(
    edges: list[float], counts: list[int], *, interactive: bool = True, marker: float | None = None
) -> Markup:
    """A histogram whose cumulative curve follows its bins."""
    total = sum(counts) or 1
    through = list(accumulate(counts, initial=0))
    cumulative = [(edge, count / total) for edge, count in zip(edges, through, strict=True)]
    percentiles = {
        name: next((edge for edge, share in cumulative if share * 100 >= int(name)), edges[0])
        for name in ("5", "50", "95")
    }
    return charts.histogram(
        "chart",
        bin_edges=edges,
        counts=counts,
        cumulative=cumulative,
        percentiles=percentiles,
        title="Net present value",
        write=ValueFormat("USD"),
        marker=marker,
        interactive=interactive,
    )


TORNADO_ROWS = [
    TornadoRow("Discount rate", "Inputs!C2", 2.91e6, 1.90e6),
    TornadoRow("Unit price", "Inputs!C4", 0.467e6, 4.49e6),
    TornadoRow("Launch delay", "Plan!D3", 2.6e6, 2.3e6),
]
DAYS = [date(2026, 10, 22) + timedelta(days=index) for index in range(8)]


def shape(text: str) -> Markup:
    return charts.shape_picture(outline_of(parse_distribution_text(text)), text, ValueFormat())


DRAWINGS: dict[str, Callable[[], Markup]] = {
    "histogram": lambda: draw_histogram(
        [-2e6, -1e6, 0.0, 1e6, 2e6, 3e6, 4e6], [2, 11, 40, 60, 25, 3], marker=0.0
    ),
    "histogram_while_running": lambda: draw_histogram([1.0, 2.0, 3.0], [5, 7], interactive=False),
    "tornado": lambda: charts.tornado(
        "chart", rows=TORNADO_ROWS, mean=2.4e6, title="What moves net present value", write=ValueFormat("USD")
    ),
    "daily_bars": lambda: charts.daily_bars(
        "chart",
        days=DAYS,
        series=[
            Series("Successful", [0, 3, 9, 14, 2, 7, 8, 11]),
            Series("Refused", [0, 0, 1, 0, 0, 4, 0, 0]),
        ],
        title="Requests, last 8 days",
    ),
    "sparkline": lambda: charts.sparkline([3, 5, 4, 8, 9], "Requests, rising"),
    "influence_bars": lambda: charts.influence_bars(
        "chart",
        rows=[
            charts.InfluenceRow("Discount rate", "Inputs!C2", -0.31),
            charts.InfluenceRow("Unit price", "Inputs!C4", 0.82),
        ],
        title="What moves net present value: rank correlation",
        measure="Spearman's",
        write=lambda value: f"{value:.2f}",
    ),
    "course_chart": lambda: charts.course_chart(
        "chart",
        places=[1_000, 2_000, 3_000],
        lines=[charts.CourseLine("Mean", [2.1, 2.05, 2.04])],
        band=([1.9, 1.95, 1.97], [2.3, 2.15, 2.11]),
        title="The mean as iterations were added",
        finding="It settled.",
    ),
    "scatter_chart": lambda: charts.scatter_chart(
        "chart",
        points=[(1.0, 2.0), (2.0, 3.5), (3.0, 3.0)],
        across="Unit price",
        up="Net present value",
        title="Net present value over unit price",
        finding="3 points.",
    ),
    "fit_chart": lambda: charts.fit_chart(
        "chart",
        bin_edges=[0.0, 1.0, 2.0, 3.0],
        counts=[3, 5, 2],
        lines=[charts.FitLine("normal", [(0.0, 0.1), (1.5, 0.5), (3.0, 0.1)], [0.3, 0.4, 0.3])],
        title="Data for Inputs!C4",
    ),
    "shape_density": lambda: shape("normal(10, 2, truncate=(8, 15))"),
    "shape_steps": lambda: shape("poisson(4)"),
    "shape_ranges": lambda: shape("integer_uniform(1, 200)"),
}


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_chart_is_drawn_as_it_was_last_looked_at(name: str) -> None:
    drawn = re.sub(r">\s*<", ">\n<", str(DRAWINGS[name]())) + "\n"
    golden = GOLDEN / f"{name}.html"
    if os.environ.get("BLESS"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(drawn, encoding="utf-8")
    assert drawn == golden.read_text(encoding="utf-8"), (
        "Look at the chart; if it is right, run again with BLESS=1."
    )


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_chart_says_in_words_what_it_shows_and_carries_no_style(name: str) -> None:
    drawn = str(DRAWINGS[name]())
    assert 'role="img" aria-label="' in drawn
    assert "style=" not in drawn
    assert "<script" not in drawn


@pytest.mark.parametrize("name", ["histogram", "histogram_while_running", "tornado", "daily_bars"])
def test_the_numbers_of_a_chart_stand_beneath_it_as_a_table(name: str) -> None:
    drawn = str(DRAWINGS[name]())
    assert "<summary>View as table</summary>" in drawn
    assert drawn.count('<th scope="row">') >= 3


def test_names_from_a_workbook_cannot_bring_markup_into_a_chart() -> None:
    rows = [TornadoRow("<b>Price</b>", "Inputs!C4", 1, 2)]
    drawn = charts.tornado("chart", rows=rows, mean=1.5, title='"><script>')
    assert "<b>Price" not in drawn
    assert "<script" not in drawn
    assert "&lt;b&gt;Price&lt;/b&gt;" in drawn


def test_the_widest_input_of_a_tornado_stands_on_top_and_in_the_sentence() -> None:
    drawn = str(DRAWINGS["tornado"]())
    assert drawn.index("Unit price") < drawn.index("Discount rate") < drawn.index("Launch delay")
    assert "Unit price moves it most: the mean is $467k where it is low and $4.49M where it is high." in drawn


def test_a_tornado_draws_twelve_inputs_and_lists_all() -> None:
    rows = [TornadoRow(f"Input {index}", f"A{index}", 0, index + 1) for index in range(20)]
    drawn = charts.tornado("chart", rows=rows, mean=0, title="What moves it")
    assert drawn.count("<li>") == 12
    assert drawn.count('<th scope="row">') == 20


def test_a_chart_without_numbers_says_so() -> None:
    assert "No iterations yet." in draw_histogram([0.0, 1.0], [0])
    assert "No input was varied." in charts.tornado("chart", rows=[], mean=0, title="What moves it")
    assert "Nothing counted" in charts.daily_bars(
        "chart", days=DAYS, series=[Series("All", [0] * 8)], title="Requests"
    )
    assert charts.sparkline([1], "one value") == ""


class Rectangles(HTMLParser):
    """Collects x, y, width and height, in percent, of the rectangles with a class."""

    def __init__(self, css_class: str) -> None:
        super().__init__()
        self.css_class = css_class
        self.found: list[tuple[float, float, float, float]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        if tag == "rect" and self.css_class in (attributes.get("class") or "").split():
            x, y, width, height = (
                float((attributes[name] or "").removesuffix("%")) for name in ("x", "y", "width", "height")
            )
            self.found.append((x, y, width, height))


def rectangles(drawn: Markup, css_class: str) -> list[tuple[float, float, float, float]]:
    reader = Rectangles(css_class)
    reader.feed(str(drawn))
    return reader.found


def test_bounds_that_fall_on_one_another_are_opened_to_the_whole_plot() -> None:
    drawn = charts.histogram(
        "chart",
        bin_edges=[100.0, 100.0],
        counts=[500],
        cumulative=[(100.0, 0.01), (100.0, 0.5), (100.0, 1.0)],
        percentiles={"5": 100.0, "50": 100.0, "95": 100.0},
        title="Price",
    )
    assert "<output>100.0% of outcomes</output>" in drawn
    assert 'class="bin inside"' in drawn


def test_outcomes_that_are_the_very_bound_count_as_between() -> None:
    drawn = charts.histogram(
        "chart",
        bin_edges=[0.0, 1.0, 2.0],
        counts=[30, 70],
        cumulative=[(0.0, 0.1), (0.0, 0.3), (1.0, 0.4), (2.0, 0.9), (2.0, 1.0)],
        percentiles={"5": 0.0, "50": 1.2, "95": 2.0},
        title="Price",
    )
    assert "<output>100.0% of outcomes</output>" in drawn


def test_typed_bounds_are_fine_enough_for_a_narrow_distribution() -> None:
    drawn = draw_histogram([52.23795123, 52.24000456, 52.24167891], [1, 1])
    assert 'type="number" step="any" data-bound="low" value="52.2400046"' in drawn
    assert 'type="number" step="any" data-bound="high" value="52.2416789"' in drawn


@settings(deadline=None)
@given(
    low=FINITE,
    span=st.floats(min_value=0, max_value=1e300),
    counts=st.lists(st.integers(0, 10**9), min_size=1, max_size=60),
)
def test_the_bars_of_a_histogram_stay_in_their_plot_and_share_out_all_iterations(
    low: float, span: float, counts: list[int]
) -> None:
    edges = [low + span * (index / len(counts)) for index in range(len(counts) + 1)]
    drawn = draw_histogram(edges, counts)
    bars = rectangles(drawn, "bin")
    if not sum(counts):
        assert bars == []
        return
    assert len(bars) == len(counts)
    for x, y, width, height in bars:
        assert 0 <= x <= x + width <= 100.001
        assert y >= 0
        assert y + height == pytest.approx(100, abs=0.01)
    # The tallest bar stands for the largest share, so all heights together stand for all iterations.
    tallest = max(height for *_, height in bars)
    share_in_all = sum(height for *_, height in bars) / tallest * max(counts) / sum(counts)
    assert share_in_all == pytest.approx(1, rel=0.01)


@settings(deadline=None)
@given(means=st.lists(st.tuples(FINITE, FINITE), min_size=1, max_size=15), mean=FINITE)
def test_the_bars_of_a_tornado_stay_in_their_lane(means: list[tuple[float, float]], mean: float) -> None:
    rows = [TornadoRow(f"Input {index}", f"A{index}", low, high) for index, (low, high) in enumerate(means)]
    drawn = charts.tornado("chart", rows=rows, mean=mean, title="What moves it")
    for x, _, width, _ in rectangles(drawn, "low") + rectangles(drawn, "high"):
        assert 0 <= x <= x + width <= 100.001


@settings(deadline=None)
@given(counts=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), min_size=1, max_size=40))
def test_a_stack_is_as_tall_as_its_parts_and_never_leaves_the_plot(counts: list[tuple[int, int]]) -> None:
    days = [date(2026, 1, 1) + timedelta(days=index) for index in range(len(counts))]
    series = [Series("Good", [good for good, _ in counts]), Series("Bad", [bad for _, bad in counts])]
    drawn = charts.daily_bars("chart", days=days, series=series, title="Requests")
    for css_class in ("series-1", "series-2"):
        for _, y, _, height in rectangles(drawn, css_class):
            assert y >= -0.001
            assert y + height <= 100.001


@pytest.mark.parametrize("entry", CATALOGUE.values(), ids=list(CATALOGUE))
def test_every_distribution_has_a_picture_within_its_plot(entry: Entry) -> None:
    drawn = shape(entry.example)
    assert "nan" not in drawn
    assert "inf" not in drawn
    assert 'role="img"' in drawn
    places = [float(place) for place in re.findall(r"(?<=[ML])-?[\d.]+(?=,)", drawn)]
    places += [float(place) for place in re.findall(r'(?<= x1=")[\d.]+', drawn)]
    assert all(0 <= place <= 100 for place in places)


@settings(deadline=None)
@given(low=FINITE, high=FINITE, count=st.integers(1, 10))
def test_ticks_are_few_and_lie_between_the_ends(low: float, high: float, count: int) -> None:
    low, high = sorted((low, high))
    ticks = round_ticks(low, high, count)
    slack = (high / 2 - low / 2) * 1e-6
    assert 1 <= len(ticks) <= count + 1 or high > low
    assert all(low - slack <= tick <= high + slack for tick in ticks)
    assert len(ticks) <= count + 1


# Both charts/numbers.py and static/charts.js write these; test_static.py asks a browser for the second.
WRITTEN: list[tuple[float, ValueFormat, str]] = [
    (0, ValueFormat(), "0"),
    (41, ValueFormat(), "41"),
    (0.59, ValueFormat(), "0.59"),
    (0.000123, ValueFormat(), "0.000123"),
    (0.00001, ValueFormat(), "1e\N{MINUS SIGN}5"),
    (999.4, ValueFormat(), "999"),
    (999.6, ValueFormat(), "1.00k"),
    (999_950, ValueFormat(), "1.00M"),
    (1_234_567, ValueFormat(), "1.23M"),
    (-1_234_567, ValueFormat(), "\N{MINUS SIGN}1.23M"),
    (1e15, ValueFormat(), "1e15"),
    (3.2e6, ValueFormat("USD"), "$3.20M"),
    (-707_000, ValueFormat("USD"), "\N{MINUS SIGN}$707k"),
    (12.346, ValueFormat("USD"), "$12.35"),
    (41, ValueFormat("EUR"), "€41"),
    (7, ValueFormat("CHF"), "CHF 7"),
    (1_013_650.4, ValueFormat("USD", digits=5), "$1.0137M"),
    (0.0451, ValueFormat(percent=True), "4.51%"),
    (12.341, ValueFormat(percent=True), "1,234%"),
]


@pytest.mark.parametrize(("value", "write", "written"), WRITTEN)
def test_values_are_written_as_people_read_them(value: float, write: ValueFormat, written: str) -> None:
    assert write(value) == written


def test_ticks_keep_every_digit_they_have() -> None:
    assert [ValueFormat("USD").tick(value) for value in (1_025_000, 5e6, 0.0)] == ["$1.025M", "$5M", "$0"]


@pytest.mark.parametrize(
    ("low", "high", "low_written", "high_written"),
    [
        (970_200, 1_126_000, "$970.2k", "$1.126M"),
        (-1e7, 2e7, "\N{MINUS SIGN}$10.0M", "$20.0M"),
        (5, 5, "$5", "$5"),
    ],
)
def test_values_close_together_get_digits_enough_to_be_told_apart(
    low: float, high: float, low_written: str, high_written: str
) -> None:
    write = ValueFormat.spanning(low, high, "USD")
    assert (write(low), write(high)) == (low_written, high_written)


@pytest.mark.parametrize(
    "values",
    [
        [(0.0, 1.0)] * 3,
        [(math.nan, 1.0), (1.0, 2.0)],
        [(-1e300, 1e300), (1e300, -1e300)],
        [(-1.7e308, 1.7e308), (1.7e308, -1.7e308)],
        [],
    ],
)
def test_points_are_drawn_whatever_they_are(values: list[tuple[float, float]]) -> None:
    drawn = charts.scatter_chart(
        "chart", points=values, across="Price", up="Profit", title="Profit over Price", finding="Few."
    )
    assert "nan" not in drawn
    assert 'role="img"' in drawn
    assert "inf" not in drawn


@pytest.mark.parametrize(
    "values", [[None, None], [1.0, None], [1.0, 1.0], [-1e300, 1e300], [-1.7e308, 1.7e308], [0.0, 1e-300]]
)
def test_a_course_is_drawn_whatever_is_known_of_it(values: list[float | None]) -> None:
    drawn = charts.course_chart(
        "chart",
        places=[1_000, 2_000],
        lines=[charts.CourseLine("Mean", values)],
        band=(values, values),
        title="The mean",
        finding="It settled.",
    )
    assert "nan" not in drawn
    assert 'role="img"' in drawn
