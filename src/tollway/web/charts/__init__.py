"""Charts drawn on the server as SVG, each with a sentence that states its finding and a table of its numbers.

Plain numbers in, Markup out; nothing here reads a clock, a request or a sample. Geometry is written as attributes in
percent of the plot, so that a chart follows its container with no script, prints, and needs no inline style. Text
stays outside the stretched parts and never scales.

    histogram      how often each range of values came out, with the cumulative curve and movable bounds
    tornado        what moves an output: its mean where each input is low, and where it is high
    daily_bars     counts for each day, stacked
    quota_meter    how much of a quota is used, with marks and what is to come
    sparkline      the direction of a figure
    fit_chart      data as bars, with what fitted distributions expect in each
    shape_picture  the shape of a distribution, with three percentiles and where it is cut
"""

from tollway.web.charts.bars import Series, daily_bars
from tollway.web.charts.fit import FitLine, fit_chart
from tollway.web.charts.histogram import histogram
from tollway.web.charts.numbers import ValueFormat
from tollway.web.charts.quota import quota_meter
from tollway.web.charts.shape import shape_picture
from tollway.web.charts.small import sparkline
from tollway.web.charts.svg import legend
from tollway.web.charts.tornado import TornadoRow, tornado

__all__ = [
    "FitLine",
    "Series",
    "TornadoRow",
    "ValueFormat",
    "daily_bars",
    "fit_chart",
    "histogram",
    "legend",
    "quota_meter",
    "shape_picture",
    "sparkline",
    "tornado",
]
