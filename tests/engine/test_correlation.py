"""Rank correlations arrive as asked, keep every distribution, and are repaired when they cannot be."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest, spearmanr
from tests.engine.sheets import workbook_of

from tollway.engine import (
    BadCorrelation,
    Input,
    Normal,
    Program,
    RankCorrelation,
    Sampling,
    SamplingMethod,
    build_program,
    parse_correlation_text,
    read_correlations,
    simulate,
)
from tollway.engine.sampling.correlation_entries import CORRELATED_INPUTS_MAX, ENTRIES_MAX
from tollway.engine.sampling.draws import uniform_rows
from tollway.engine.sampling.nearest_correlation import factor, nearest_correlation

METHODS = list(SamplingMethod)
ITERATIONS = 50_000
# Higham 2002, section 4: the nearest correlation matrix of this one is known to four digits.
HIGHAM = np.array([[2, -1, 0, 0], [-1, 2, -1, 0], [0, -1, 2, -1], [0, 0, -1, 2]], dtype=np.float64)
IMPOSSIBLE = [[1, -0.9, -0.9], [-0.9, 1, -0.9], [-0.9, -0.9, 1]]


def of(asked, indexes=None) -> RankCorrelation:
    return RankCorrelation.of(
        [f"S!A{place + 1}" for place in range(len(asked))], indexes or range(len(asked)), asked
    )


def rows_of(
    correlation: RankCorrelation | None, method=SamplingMethod.MONTE_CARLO, input_count=3
) -> np.ndarray:
    return uniform_rows(7, input_count, 0, ITERATIONS, Sampling(method, ITERATIONS, correlation))


# --- what arrives --------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_correlations_arrive_as_asked_to_five_of_their_sampling_errors(method):
    asked = [[1, 0.8, -0.4], [0.8, 1, 0.1], [-0.4, 0.1, 1]]
    correlation = of(asked)
    assert correlation.repair is None
    assert correlation.matrix == tuple(tuple(float(r) for r in row) for row in asked)
    found = spearmanr(rows_of(correlation, method).T).statistic
    for row, column in ((0, 1), (0, 2), (1, 2)):
        wanted = asked[row][column]
        # Of Fisher's z. Source: Bonett and Wright 2000. Stratified methods have less. One in 1.7 million by chance.
        error = math.sqrt((1 + wanted**2 / 2) / (ITERATIONS - 3))
        assert abs(math.atanh(found[row, column]) - math.atanh(wanted)) < 5 * error


@pytest.mark.parametrize("method", METHODS)
def test_every_input_keeps_its_distribution(method):
    for row in rows_of(of([[1, 0.95, -0.2], [0.95, 1, -0.3], [-0.2, -0.3, 1]]), method):
        assert kstest(row, "uniform").pvalue > 1e-4
        assert 0 < row.min() < row.max() < 1


def test_the_first_of_a_group_and_whoever_is_in_none_keep_their_very_numbers():
    correlated = rows_of(of([[1, 0.7], [0.7, 1]], [1, 3]), SamplingMethod.LATIN_HYPERCUBE, 5)
    plain = rows_of(None, SamplingMethod.LATIN_HYPERCUBE, 5)
    same = [one.tobytes() == other.tobytes() for one, other in zip(correlated, plain, strict=True)]
    assert same == [True, True, True, False, True]
    slices = [len(np.unique(np.floor(row * ITERATIONS))) for row in correlated]
    # The mixed one is spread as by chance: a slice stays empty with probability 1/e.
    assert [count == ITERATIONS for count in slices] == same
    assert abs(slices[3] / ITERATIONS - (1 - math.exp(-1))) < 0.02


def test_a_correlation_of_one_draws_the_same_ranks_and_of_minus_one_the_opposite():
    first, second, third = rows_of(of([[1, 1, -1], [1, 1, -1], [-1, -1, 1]]))
    assert np.allclose(first, second, rtol=1e-9)
    assert np.allclose(first, 1 - third, atol=1e-9)


def test_no_correlation_changes_no_bit():
    assert rows_of(of(np.eye(3).tolist())).tobytes() == rows_of(None).tobytes()


# --- repair --------------------------------------------------------------------------------------------


def test_the_nearest_matrix_is_higham_s():
    nearest = nearest_correlation(HIGHAM, 0.0)
    expected = [[1, -0.8084, 0.1916, 0.1068], [-0.8084, 1, -0.6562, 0.1916],
                [0.1916, -0.6562, 1, -0.8084], [0.1068, 0.1916, -0.8084, 1]]  # fmt: skip
    assert np.abs(nearest - expected).max() < 1e-4


def test_what_cannot_be_is_repaired_and_told():
    repaired = of(IMPOSSIBLE)
    # By symmetry all three go to -1/2 of the normal scores, whose ranks have 6/pi asin(-1/4).
    expected = 6 / math.pi * math.asin(-0.25)
    assert repaired.matrix[0][1] == repaired.matrix[1][2] == pytest.approx(expected, abs=1e-6)
    assert repaired.repair.asked == tuple(tuple(float(r) for r in row) for row in IMPOSSIBLE)
    assert repaired.repair.largest_change == pytest.approx(0.9 + expected, abs=1e-6)
    assert repaired.repair.cells == ("S!A1", "S!A2")
    again = of(repaired.matrix)
    assert again.repair is None
    assert rows_of(again).tobytes() == rows_of(repaired).tobytes()


def test_a_possible_group_stays_as_it_is_beside_one_that_is_repaired():
    asked = np.eye(5)
    asked[:3, :3] = IMPOSSIBLE
    asked[3, 4] = asked[4, 3] = 0.77
    used = np.array(of(asked.tolist()).matrix)
    assert used[3, 4] == 0.77
    assert not used[:3, 3:].any()


@given(st.integers(2, 8), st.integers(0, 10_000))
def test_whatever_was_asked_for_ends_in_a_matrix_that_can_be_drawn_with(size, seed):
    asked = np.random.default_rng(seed).uniform(-1, 1, (size, size))
    asked = np.triu(asked, 1) + np.triu(asked, 1).T + np.eye(size)
    correlation = of(asked.tolist())
    used = np.array(correlation.matrix)
    assert (used == used.T).all()
    assert (np.diag(used) == 1).all()
    assert np.linalg.eigvalsh(2 * np.sin(np.pi * used / 6))[0] > -1e-9
    change = np.abs(used - asked).max()
    assert change == (correlation.repair.largest_change if correlation.repair else 0)
    stored = RankCorrelation.from_json(correlation.as_json(), correlation.cells)
    assert stored == correlation
    uniform_rows(1, size, 0, 10, Sampling(correlation=stored))


def test_a_matrix_that_is_only_just_possible_has_a_factor_and_one_beyond_has_none():
    assert np.allclose(factor(np.ones((3, 3))), [[1, 0, 0]] * 3)
    assert factor(np.array([[1, 1, 0], [1, 1, 0.1], [0, 0.1, 1]])) is None
    assert factor(np.array(IMPOSSIBLE)) is None


# --- what is written -----------------------------------------------------------------------------------

CELLS = {"A1": 1, "A2": 2, "A3": 3, "B1": "=A1+A2+A3", "Other sheet!A1": 5}
INPUTS = [Input(f"A{row}", Normal(0, 1)) for row in (1, 2, 3)]


@pytest.fixture(scope="module")
def program() -> Program:
    return build_program(workbook_of(CELLS), INPUTS, ["B1"])


def test_pairs_and_matrices_are_read_in_any_way_a_cell_is_written(program):
    read = read_correlations(
        [
            {"cells": ["$A$3", "S!A1"], "correlation": 0.5},
            {"cells": ["a2", "'S'!A3"], "matrix": [[1, -0.2], [-0.2, 1]]},
        ],
        workbook_of(CELLS),
        program,
    )
    assert read.cells == ("S!A1", "S!A2", "S!A3")
    assert read.matrix == ((1.0, 0.0, 0.5), (0.0, 1.0, -0.2), (0.5, -0.2, 1.0))
    assert read_correlations([], workbook_of(CELLS), program) is None


def pair(first="A1", second="A2", correlation: object = 0.5) -> dict:
    return {"cells": [first, second], "correlation": correlation}


def matrix(*rows: list[object]) -> dict:
    return {"cells": ["A1", "A2", "A3"][: len(rows)], "matrix": list(rows)}


@pytest.mark.parametrize(
    ("entries", "words", "field"),
    [
        ([pair(correlation=1.5)], "of A1 and A2 is 1.5; a correlation lies from -1 to 1", "0.correlation"),
        ([pair(correlation=math.nan)], "is nan; a correlation lies", "0.correlation"),
        ([pair(correlation=10**400)], "a correlation lies", "0.correlation"),
        ([pair(correlation="0.5")], "'0.5', which is not a number", "0.correlation"),
        ([pair(correlation=True)], "which is not a number", "0.correlation"),
        ([pair(), pair("A2", "A9")], "S!A9 is correlated and is no input of this run", "1.cells.1"),
        ([pair(second="B1")], "S!B1 is correlated and is no input", "0.cells.1"),
        ([pair(second="A1 or so")], "names no cell", "0.cells.1"),
        ([pair(second="Nowhere!A1")], "no sheet 'Nowhere'", "0.cells.1"),
        ([pair(second="$A$1")], "stands twice in one correlation", "0.cells.1"),
        ([pair(), pair("A2", "A1")], "S!A1 and S!A2 is given twice", "1"),
        ([{"cells": ["A1"], "correlation": 1}], "names 1; name 2", "0.cells"),
        ([{"cells": "A1,A2", "correlation": 1}], "must be a list of cells", "0.cells"),
        ([{"cells": ["A1", 7], "correlation": 1}], "Cell 2 of this correlation is 7", "0.cells.1"),
        ([{"cells": ["A1", "A2"]}], "neither of `correlation` and `matrix`", "0"),
        ([pair() | {"matrix": [[1]]}], "both of `correlation` and `matrix`", "0"),
        ([pair() | {"colour": 1}], "no member 'colour'", "0"),
        (["A1,A2=0.5"], "written as an object", "0"),
        ([matrix([1, 0.5], [0.4, 1])], "0.4 in row 2 and 0.5 in row 1; the matrix must be symmetric", "0.matrix.1.0"),
        ([matrix([0.9, 0.5], [0.5, 1])], "A1 with itself is 0.9", "0.matrix.0.0"),
        ([matrix([1, 0.5, 2], [0.5, 1, 0], [2, 0, 1])], "of A1 and A3 is 2", "0.matrix.0.2"),
        ([matrix([1, 0.5], [0.5])], "Row 2 of this matrix has 1 numbers", "0.matrix.1"),
        ([matrix([1, 0.5], 3)], "Row 2 of this matrix has no list", "0.matrix.1"),
        ([{"cells": ["A1", "A2"], "matrix": [[1, 0]]}], "has 1 rows; 2 cells need 2 rows", "0.matrix"),
        ([{"cells": ["A1", "A2"], "matrix": 0.5}], "has no list", "0.matrix"),
        ([{"cells": ["A1"] * (CORRELATED_INPUTS_MAX + 1), "matrix": [[1]]}], "name 2 to 200", "0.cells"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_by_its_entry(program, entries, words, field):
    with pytest.raises(BadCorrelation) as refusal:
        read_correlations(entries, workbook_of(CELLS), program)
    assert words in refusal.value.message
    assert refusal.value.field == f"correlations.{field}"
    assert refusal.value.code == "bad-correlation"


def test_entries_and_inputs_are_bounded(program):
    with pytest.raises(BadCorrelation, match="19,900 are read at most"):
        read_correlations([pair()] * (ENTRIES_MAX + 1), workbook_of(CELLS), program)
    rows = range(1, CORRELATED_INPUTS_MAX + 2)
    book = workbook_of({f"A{row}": 1 for row in rows} | {"B1": "=SUM(A1:A300)"})
    wide = build_program(book, [Input(f"A{row}", Normal(0, 1)) for row in rows], ["B1"])
    with pytest.raises(BadCorrelation, match="201 inputs are correlated; 200 are possible"):
        read_correlations([pair("A1", f"A{row}", 0.01) for row in rows[1:]], book, wide)


@pytest.mark.parametrize(
    ("text", "cells", "correlation"),
    [
        ("A1,A2=0.6", ["A1", "A2"], 0.6),
        (" Inputs!B4 , Inputs!B5 = -1 ", ["Inputs!B4", "Inputs!B5"], -1),
        ("'One, two=3'!A1,'It''s'!A2=.5", ["'One, two=3'!A1", "'It''s'!A2"], 0.5),
    ],
)
def test_a_pair_is_read_from_text(text, cells, correlation):
    assert parse_correlation_text(text) == {"cells": cells, "correlation": correlation}


@pytest.mark.parametrize("text", ["", "A1=0.5", "A1,A2", "A1,A2,A3=0.5", "A1,A2=much", "A1,A2=0_5"])
def test_text_that_is_no_pair_is_refused(text):
    with pytest.raises(BadCorrelation, match="write two cells and a number"):
        parse_correlation_text(text)


def test_the_spread_of_a_sum_grows_with_the_correlation_of_its_parts():
    """Three normals with Pearson r each have a sum with variance 3 + 6 r; r = 2 sin(pi 0.5 / 6)."""
    entries = [pair("A1", "A2"), pair("A1", "A3"), pair("A2", "A3")]
    found = simulate(
        workbook_of(CELLS), dict.fromkeys(("A1", "A2", "A3"), "normal(0, 1)"), ["B1"], iterations=40_000,
        correlations=entries,
    )["B1"]  # fmt: skip
    expected = math.sqrt(3 + 6 * 2 * math.sin(math.pi * 0.5 / 6))
    assert abs(found.std - expected) < 5 * expected / math.sqrt(2 * 40_000)
