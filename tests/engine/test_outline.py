"""What a picture of a distribution shows: all of it that matters, at its true height, within its ends."""

import math

import numpy as np
import pytest

from tollway.engine import CATALOGUE, parse_distribution_text
from tollway.engine.distributions.catalogue import Entry
from tollway.engine.distributions.outline import Outline, outline_of


def outline(text: str) -> Outline:
    return outline_of(parse_distribution_text(text))


@pytest.mark.parametrize("entry", CATALOGUE.values(), ids=list(CATALOGUE))
def test_every_shape_is_shown_from_its_low_to_its_high_percentiles(entry: Entry) -> None:
    shown, shape = outline(entry.example), parse_distribution_text(entry.example)
    assert shown.low <= shown.percentiles[0] <= shown.percentiles[1] <= shown.percentiles[2] <= shown.high
    assert shown.percentiles == tuple(shape.exact_quantile(np.array([0.05, 0.5, 0.95])).tolist())
    x, heights = zip(*shown.points, strict=True)
    assert list(x) == sorted(x)
    assert all(math.isfinite(height) and height >= 0 for height in heights)
    assert 0 < shown.top <= max(heights)
    if shown.is_stepped:
        assert 0.97 < sum(heights) < 1 + 1e-9
    else:
        # What is drawn holds most of the probability; the trapezoids of a kink cost a little.
        area = np.trapezoid(np.minimum(heights, 1e6), x)
        inside = np.diff(shape.cumulated(np.array([x[0], x[-1]])))[0]
        assert area == pytest.approx(inside, abs=0.06)
        assert inside > 0.9


def test_a_truncation_shows_where_it_cuts_and_what_it_took() -> None:
    shown = outline("normal(10, 2, truncate=(8, 12), shift=100)")
    assert shown.cuts == (108, 112)
    assert shown.low < 108 < 112 < shown.high
    heights = dict(shown.beyond)
    nearest = min(heights, key=lambda x: abs(x - 110))
    whole = parse_distribution_text("normal(10, 2, truncate=(8, 12), shift=100)").density(np.array([nearest]))
    assert heights[nearest] == pytest.approx(whole[0]), "the whole shape is drawn in the measure of the part"
    assert outline("normal(10, 2, truncate=(8,))").cuts == (8, None)
    assert outline("normal(10, 2, truncate_percentiles=(, 90))").cuts[1] == pytest.approx(12.5631, abs=1e-3)
    assert outline("normal(10, 2, shift=5)").beyond == ()
    assert outline("poisson(4, truncate=(2, 6))").points[0][0] == 2


@pytest.mark.parametrize("text", ["gamma(0.2, 3)", "beta(0.5, 0.5)", "chi_squared(1)", "levy(0, 1)"])
def test_a_density_without_bound_is_cut_off_so_that_the_rest_can_be_seen(text: str) -> None:
    shown = outline(text)
    assert shown.top < max(height for _, height in shown.points)
    middle = np.interp(shown.percentiles[1], *zip(*shown.points, strict=True))
    assert min(middle, shown.top) > shown.top / 20


@pytest.mark.parametrize("text", ["integer_uniform(1, 200)", "poisson(1000)", "binomial(1000000, 0.5)"])
def test_many_values_are_put_together_in_ranges_of_equal_width(text: str) -> None:
    shown = outline(text)
    assert shown.is_stepped
    assert 20 <= len(shown.points) <= 40
    assert shown.range_width == int(shown.range_width)
    assert np.diff([x for x, _ in shown.points]) == pytest.approx(shown.range_width)


def test_few_values_far_apart_are_all_shown() -> None:
    shown = outline("discrete(1:0.999, 1000:0.001)")
    assert shown.points == ((1, 0.999), (1000, pytest.approx(0.001)))
    assert shown.range_width == 0
