"""LINEST, LOGEST, TREND and GROWTH: certified coefficients, all statistics, collinear regressors, shapes, errors."""

import pytest
from tests.engine.sheets import value_of

from tollway.engine import ErrorValue
from tollway.engine.functions.registry import FUNCTIONS, Context, Grid, call, grid_of

NUM, VALUE, NA, REF = ErrorValue.NUM, ErrorValue.VALUE, ErrorValue.NA, ErrorValue.REF

OFFICES = [
    [2310, 2, 2, 20], [2333, 2, 2, 12], [2356, 3, 1.5, 33], [2379, 3, 2, 43], [2402, 2, 3, 53], [2425, 4, 2, 23],
    [2448, 2, 1.5, 99], [2471, 2, 2, 34], [2494, 3, 3, 23], [2517, 4, 4, 55], [2540, 2, 3, 22],
]  # fmt: skip
PRICES = [142e3, 144e3, 151e3, 150e3, 139e3, 169e3, 126e3, 142900.0, 163e3, 169e3, 149e3]
UNITS = [33100.0, 47300.0, 69000.0, 102000.0, 150000.0, 220000.0]


def column(values):
    return grid_of([[float(value)] for value in values])


def table(rows):
    return grid_of([[float(value) for value in row] for row in rows])


def result_of(name, *arguments):
    result = call(FUNCTIONS[name], arguments, Context(1, 1, False))
    return [list(row) for row in result.rows] if isinstance(result, Grid) else result


def test_linest_gives_all_statistics_of_several_regressors():
    rows = result_of("LINEST", column(PRICES), table(OFFICES), True, True)
    assert rows[0] == pytest.approx(
        [-234.2371645, 2553.21066, 12529.76817, 27.64138737, 52317.83051], rel=1e-9
    )
    assert rows[1] == pytest.approx(
        [13.26801148, 530.6691519, 400.0668382, 5.429374042, 12237.3616], rel=1e-9
    )
    assert rows[2][:2] == pytest.approx([0.996747993, 970.5784629], rel=1e-9)
    assert rows[3][:2] == pytest.approx([459.7536742, 6.0], rel=1e-9)
    assert rows[4][:2] == pytest.approx([1732393319, 5652135.316], rel=1e-9)
    assert [row[2:] for row in rows[2:]] == [[NA] * 3] * 3


def test_linest_reaches_the_certified_digits_of_an_ill_conditioned_problem():
    # Longley's data; coefficients certified by NIST to 15 digits.
    data = [
        (60323, 83.0, 234289, 2356, 1590, 107608, 1947), (61122, 88.5, 259426, 2325, 1456, 108632, 1948),
        (60171, 88.2, 258054, 3682, 1616, 109773, 1949), (61187, 89.5, 284599, 3351, 1650, 110929, 1950),
        (63221, 96.2, 328975, 2099, 3099, 112075, 1951), (63639, 98.1, 346999, 1932, 3594, 113270, 1952),
        (64989, 99.0, 365385, 1870, 3547, 115094, 1953), (63761, 100.0, 363112, 3578, 3350, 116219, 1954),
        (66019, 101.2, 397469, 2904, 3048, 117388, 1955), (67857, 104.6, 419180, 2822, 2857, 118734, 1956),
        (68169, 108.4, 442769, 2936, 2798, 120445, 1957), (66513, 110.8, 444546, 4681, 2637, 121950, 1958),
        (68655, 112.6, 482704, 3813, 2552, 123366, 1959), (69564, 114.2, 502601, 3931, 2514, 125368, 1960),
        (69331, 115.7, 518173, 4806, 2572, 127852, 1961), (70551, 116.9, 554894, 4007, 2827, 130081, 1962),
    ]  # fmt: skip
    rows = result_of("LINEST", column(row[0] for row in data), table(row[1:] for row in data), True, True)
    assert rows[0] == pytest.approx(
        [
            1829.15146461355, -0.0511041056535807, -1.03322686717359, -2.02022980381683, -0.0358191792925910,
            15.0618722713733, -3482258.63459582,
        ],
        rel=1e-13,
    )  # fmt: skip
    assert rows[1][-1] == pytest.approx(890420.383607373, rel=1e-13)


def test_a_regressor_that_depends_on_others_gets_zero_and_costs_no_freedom():
    rows = result_of("LINEST", column([1, 2, 4, 4]), table([[1, 2], [2, 4], [3, 6], [4, 8]]), True, True)
    assert rows[0][:2] == [pytest.approx(0.55), 0.0]
    assert rows[1][1] == 0.0
    assert rows[3][1] == 2.0
    constant = result_of("LINEST", column([1, 2, 4]), table([[0.1, 1], [0.1, 2], [0.1, 3]]))
    assert constant[0][:2] == [pytest.approx(1.5), 0.0]


def test_a_line_through_the_origin_has_no_error_of_its_constant():
    rows = result_of("LINEST", column([1, 2, 4]), column([1, 2, 3]), False, True)
    assert rows[0] == [pytest.approx(17.0 / 14.0), 0.0]
    assert rows[1][1] is NA
    assert rows[3][1] == 2.0
    assert sum(rows[4]) == pytest.approx(21.0)


def test_a_perfect_fit_has_no_f_statistic():
    rows = result_of("LINEST", column([3, 5, 7]), column([1, 2, 3]), True, True)
    assert rows[0] == [pytest.approx(2.0), pytest.approx(1.0)]
    assert rows[1] == [0.0, 0.0]
    assert rows[2] == [1.0, 0.0]
    assert rows[3] == [NUM, 1.0]


def test_what_is_known_in_a_row_has_a_row_for_each_regressor():
    down = result_of("LINEST", column(PRICES), table(OFFICES))
    across = result_of("LINEST", grid_of([PRICES]), table(zip(*OFFICES, strict=True)))
    assert across == down
    foretold = result_of(
        "TREND", grid_of([PRICES]), table(zip(*OFFICES, strict=True)), column([2500, 3, 2, 25])
    )
    assert foretold == [[pytest.approx(158261.096, rel=1e-8)]]


def test_growth_and_logest_fit_an_exponential_curve():
    months = column(range(11, 17))
    assert result_of("LOGEST", column(UNITS), months)[0] == pytest.approx(
        [1.463275628, 495.3047702], rel=1e-9
    )
    assert result_of("GROWTH", column(UNITS), months, column([17, 18])) == [
        [pytest.approx(320196.7184, rel=1e-9)],
        [pytest.approx(468536.0542, rel=1e-9)],
    ]
    known = result_of("GROWTH", column(UNITS), months)
    assert [row[0] for row in known] == pytest.approx(
        [32618.20377, 47729.42261, 69841.30086, 102197.0734, 149542.4867, 218821.8762], rel=1e-9
    )


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("LINEST", (grid_of([[1.0], [True]]), column([1, 2])), VALUE),
        ("LINEST", (grid_of([[1.0], [None]]), column([1, 2])), VALUE),
        ("LINEST", (Grid([[1.0]], 3, 1), column([1, 2, 3])), VALUE),
        ("LINEST", (grid_of([[1.0], [NA]]), column([1, 2])), NA),
        ("LINEST", (column([1, 2, 3]), column([1, 2])), REF),
        ("TREND", (column(PRICES), table(OFFICES), column([1, 2])), REF),
        ("LOGEST", (column([1, 0, 2]), column([1, 2, 3])), NUM),
        ("GROWTH", (column([1, -1, 2]), column([1, 2, 3])), NUM),
    ],
)
def test_known_values_that_do_not_fit_are_error_values(name, arguments, expected):
    assert result_of(name, *arguments) is expected


def test_an_expression_of_powers_is_computed_as_an_array_outside_array_formulas():
    cells = {"A1": 1, "A2": 2, "A3": 3, "A4": 4, "B1": 2, "B2": 5, "B3": 10, "B4": 17}
    assert value_of("=INDEX(LINEST(B1:B4,A1:A4^{1,2}),1,1)", cells) == pytest.approx(1.0, rel=1e-13)
