"""Charts drawn on the server as SVG, each with a sentence that states its finding and a table of its numbers.

Plain numbers in, Markup out; nothing here reads a clock, a request or a sample. Geometry is written as attributes in
percent of the plot, so that a chart follows its container with no script, prints, and needs no inline style. Text
stays outside the stretched parts and never scales.

    histogram      how often each range of values came out, with the cumulative curve and movable bounds
    overlaid_*     the same output in up to four runs: bars and steps, or cumulative curves
    tornado        what moves an output: its mean where each input is low, and where it is high
    daily_bars     counts for each day, stacked
    quota_meter    how much of a quota is used, with marks and what is to come
    sparkline      the direction of a figure
    influence_bars how much each input matters, as one bar from zero
    course_chart   how figures went on while iterations were added
    scatter_chart  points of two numbers each
    fit_chart      data as bars, with what fitted distributions expect in each
    shape_picture  the shape of a distribution, with three percentiles and where it is cut
"""

from tollway.web.charts.bars import Series, daily_bars
from tollway.web.charts.course import CourseLine, course_chart
from tollway.web.charts.fit import FitLine, fit_chart
from tollway.web.charts.histogram import histogram
from tollway.web.charts.influence import InfluenceRow, influence_bars
from tollway.web.charts.numbers import ValueFormat
from tollway.web.charts.overlay import OVERLAID_MAX, OverlaidRun, overlaid_curves, overlaid_shares
from tollway.web.charts.quota import quota_meter
from tollway.web.charts.scatter import scatter_chart
from tollway.web.charts.shape import shape_picture
from tollway.web.charts.small import sparkline
from tollway.web.charts.svg import legend
from tollway.web.charts.tornado import TornadoRow, tornado

__all__ = [
    "OVERLAID_MAX",
    "CourseLine",
    "FitLine",
    "InfluenceRow",
    "OverlaidRun",
    "Series",
    "TornadoRow",
    "ValueFormat",
    "course_chart",
    "daily_bars",
    "fit_chart",
    "histogram",
    "influence_bars",
    "legend",
    "overlaid_curves",
    "overlaid_shares",
    "quota_meter",
    "scatter_chart",
    "shape_picture",
    "sparkline",
    "tornado",
]
