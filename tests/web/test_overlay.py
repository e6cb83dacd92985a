"""Runs drawn over each other: on one scale, over one set of bins, within the plot."""

import re
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.simulation.entities import Run
from tollway.simulation.studies import Compared, Kinship
from tollway.web.charts import OVERLAID_MAX, OverlaidRun, ValueFormat, overlaid_curves, overlaid_shares
from tollway.web.study_views import batch_outputs


def run_of(name: str, edges: list[float], counts: list[int]) -> OverlaidRun:
    total, through, cumulative = sum(counts) or 1, 0, [(edges[0], 0.0)]
    for edge, count in zip(edges[1:], counts, strict=True):
        through += count
        cumulative.append((edge, through / total))
    return OverlaidRun(name, edges, counts, cumulative, {"5": edges[0], "50": edges[1], "95": edges[-1]})


FIRST = run_of("As planned", [0.0, 1.0, 2.0, 3.0], [10, 80, 10])
SECOND = run_of("Stressed <b>", [2.0, 4.0, 6.0], [50, 50])


@pytest.mark.parametrize("draw", [overlaid_shares, overlaid_curves])
def test_each_run_has_its_line_its_median_and_its_column(draw) -> None:
    drawn = draw("chart", [FIRST, SECOND], title="Gain", write=ValueFormat(), marker=1.5)
    assert drawn.count('<path class="line-') == 2
    assert "The median of As planned is 1; the median of Stressed &lt;b&gt; is 4." in drawn
    assert "<b>" not in drawn
    assert drawn.count('<th scope="col"') == 3
    assert 'class="marker-line" x1="25%"' in drawn
    assert "style=" not in drawn
    outside = draw("chart", [FIRST, SECOND], title="Gain", write=ValueFormat(), marker=-1.0)
    assert "marker-line" not in outside


def test_values_are_shared_out_over_the_same_bins() -> None:
    """The wide bins of the second run, 0.5 in two units each, are half as tall as what the first has in its tails."""
    drawn = overlaid_shares("chart", [FIRST, SECOND], title="Gain", write=ValueFormat())
    bars = [float(one) for one in re.findall(r'<rect class="bin"[^>]* height="([\d.]+)%"', drawn)]
    # Fifty bins over 6 units: the first run's middle unit holds 0.8, its outer ones 0.1.
    assert max(bars) == pytest.approx(100 / 1.06, rel=0.01)
    assert min(bars[:8]) == pytest.approx(100 / 1.06 / 8, rel=0.01)
    [second] = re.findall(r'line-2" d="([^"]+)"', drawn)
    heights = {100 - float(one) for one in re.findall(r"V([\d.]+)H", second)} - {0.0}
    assert max(heights) == pytest.approx(100 / 1.06 * 0.25 / 0.8, rel=0.01)


def test_runs_without_numbers_are_left_out_and_all_of_them_say_so() -> None:
    empty = run_of("Nothing", [0.0, 1.0], [0])
    assert "line-2" not in overlaid_curves("c", [FIRST, empty], title="Gain", write=ValueFormat())
    for draw in (overlaid_shares, overlaid_curves):
        assert "There is nothing to draw." in draw("c", [empty], title="Gain", write=ValueFormat())
    with pytest.raises(AssertionError):
        overlaid_shares("c", [FIRST] * (OVERLAID_MAX + 1), title="Gain", write=ValueFormat())


VALUES = st.floats(min_value=-1e300, max_value=1e300, allow_nan=False)


@given(
    st.lists(
        st.tuples(VALUES, VALUES, st.lists(st.integers(0, 50), min_size=1, max_size=5)),
        min_size=1,
        max_size=4,
    )
)
def test_lines_stay_in_their_plot(runs: list[tuple[float, float, list[int]]]) -> None:
    drawn_runs = [
        run_of(
            f"Run {place}",
            [
                min(a, b) / len(counts) * (len(counts) - step) + max(a, b) / len(counts) * step
                for step in range(len(counts) + 1)
            ],
            counts,
        )
        for place, (a, b, counts) in enumerate(runs)
    ]  # fmt: skip
    for draw in (overlaid_shares, overlaid_curves):
        drawn = draw("c", drawn_runs, title="Gain", write=ValueFormat())
        for path in re.findall(r'<path class="line-\d" d="([^"]+)"', drawn):
            for number in re.findall(r"-?\d+\.?\d*(?:e-?\d+)?|nan|inf", path):
                assert -1e-6 <= float(number) <= 100.01, path


def finished(name: str, numbers: list[float]) -> Run:
    """A scenario with one output, which has no number where none are given."""
    nothing = dict.fromkeys(("1", "5", "50", "95", "99"))
    summary = {
        "cell": "Risk!B16",
        "name": "Gain",
        "min": min(numbers, default=None),
        "max": max(numbers, default=None),
        "mean": sum(numbers) / len(numbers) if numbers else None,
        "std": 1.0 if numbers else None,
        "percentiles": dict.fromkeys(nothing, numbers[0]) if numbers else nothing,
        "histogram": {"bin_edges": [min(numbers), max(numbers)], "counts": [len(numbers)]}
        if numbers
        else None,
        "cdf": [(number, 1.0) for number in numbers],
    }
    left_open = dict.fromkeys(field.name for field in fields(Run))
    told = {
        "mode": "test",
        "status": "completed",
        "public_id": name,
        "scenario_name": name,
        "results": [summary],
    }
    return Run(**(left_open | told))


def test_the_legend_names_the_lines_that_are_drawn() -> None:
    """Where the first scenario shows error values alone, its style is the next one's."""
    runs = [finished("As marked", []), finished("Low", [1.0, 2.0]), finished("High", [3.0, 4.0])]
    mean = {"statistic": "mean", "difference": None, "standard_error": None, "is_paired": False}
    outputs = [{"base_index": 0, "other_index": 0, "differences": [mean]}]
    compared = [Compared(runs[0], one, Kinship(True, ""), outputs) for one in runs[1:]]
    [shown] = batch_outputs(runs, compared)
    assert re.findall(r'class="(line-\d)"></i>([^<]+)<', shown["legend"]) == [
        ("line-1", "Low"),
        ("line-2", "High"),
    ]
    assert shown["pictures"][0][1].count('<path class="line-') == 2
    assert shown["not_drawn"] == 1
