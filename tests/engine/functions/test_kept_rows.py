"""Indexes of ranges that several formulas read give what walking them gives."""

from hypothesis import given
from hypothesis import strategies as st
from tests.engine.sheets import computed, workbook_of

from tollway.engine import ErrorValue
from tollway.engine.functions.criteria import test_of as condition_of
from tollway.engine.functions.kept_rows import KeptRows
from tollway.engine.functions.lookup.matching import find_exact

values = st.sampled_from(
    [None, 0.0, 1.0, -0.0, 2.5, True, False, "a", "A", "b", "1", "", "TRUE", ErrorValue.NA]
)


@given(st.lists(st.tuples(values, values).map(list), min_size=1, max_size=40), values)
def test_the_index_finds_the_first_row_that_walking_finds(rows, wanted):
    sought = 0.0 if wanted is None else wanted
    assert KeptRows(rows).first_row(0, sought) == find_exact([row[0] for row in rows], wanted)


@given(
    st.lists(st.tuples(values, values).map(list), min_size=1, max_size=20), st.sampled_from(["a", "b", "c"])
)
def test_the_index_of_texts_finds_the_places_that_a_condition_finds(rows, text):
    kept = KeptRows(rows)
    walked = [
        (row, column)
        for row, cells in enumerate(rows)
        for column, value in enumerate(cells)
        if condition_of(text)(value)
    ]
    assert kept.places_of_text(text) == walked
    assert kept.places_meeting(condition_of(text)) == walked


def test_lookups_and_conditions_over_a_shared_range_are_those_of_a_range_read_once():
    keys = {f"A{row}": key for row, key in enumerate(["x", "Y", 3, "x", True, "3", "y*", None] * 4, 1)}
    numbers = {f"B{row}": row for row in range(1, 33)}
    formulas = {}
    for place, wanted in enumerate(['"X"', '"y"', "3", "TRUE", '"3"', '"y~*"', '"y*"', '"none"'], 1):
        formulas[f"D{place}"] = f"=VLOOKUP({wanted},$A$1:$B$32,2,FALSE)"
        formulas[f"E{place}"] = f"=MATCH({wanted},$A$1:$A$32,0)"
        formulas[f"F{place}"] = f"=SUMIF($A$1:$A$32,{wanted},$B$1:$B$32)"
        formulas[f"G{place}"] = f'=COUNTIFS($A$1:$A$32,{wanted},$B$1:$B$32,">8")'
    together = computed(workbook_of({**keys, **numbers, **formulas}))
    for cell, formula in formulas.items():
        alone = computed(workbook_of({**keys, **numbers, cell: formula}))
        assert together[f"S!{cell}"] == alone[f"S!{cell}"], formula
    assert together["S!D1"] == 1.0
    assert together["S!F1"] == sum(row for row in range(1, 33) if row % 8 in (1, 4))


def test_a_table_of_one_row_is_searched_in_its_first_column_alone():
    cells = {"A1": "a", "B1": "b", "D1": '=VLOOKUP("b",A1:B1,1,FALSE)', "D2": '=VLOOKUP("b",A1:B1,2,FALSE)'}
    assert computed(workbook_of(cells)) == {"S!D1": ErrorValue.NA, "S!D2": ErrorValue.NA}
