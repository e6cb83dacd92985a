"""An input that no output reads is refused by its cell; one that any output might read is not."""

import pytest
from tests.engine.sheets import workbook_of

from tollway.engine import BadInputCell, Input, parse_distribution_text, simulate
from tollway.engine.goal_seek import GoalSeek, build_seek_program, parse_statistic

NORMAL = "normal(1, 0.1)"
CELLS = {
    "A1": 1,
    "A2": 2,
    "A3": 3,
    "A4": 4,
    "B1": "=A1*2",
    "B2": "=SUM(A1:A3)",
    "B3": '=INDIRECT("A"&ROUND(A1,0))',
    "B4": "=IF(TRUE,A1,A4)",
}


@pytest.mark.parametrize(
    ("inputs", "outputs"),
    [
        (["A1"], ["B1"]),
        (["A1", "A3"], ["B1", "B2"]),
        # Inside a range, or behind a branch that is not taken: a formula names it.
        (["A2", "A3"], ["B2"]),
        (["A1", "A4"], ["B4"]),
        # Which cell is meant is known only as it is computed.
        (["A1", "A4"], ["B3"]),
    ],
)
def test_what_an_output_reads_or_might_read_is_an_input(inputs, outputs):
    found = simulate(workbook_of(CELLS), dict.fromkeys(inputs, NORMAL), outputs, iterations=100)
    assert list(found) == outputs


@pytest.mark.parametrize(
    ("inputs", "outputs", "cell", "place"),
    [
        (["A1", "A2"], ["B1"], "S!A2", 1),
        (["A4", "A1"], ["B1", "B2"], "S!A4", 0),
        (["A3", "A1", "A4"], ["B1"], "S!A3", 0),
    ],
)
def test_what_no_output_reads_is_refused_by_its_cell(inputs, outputs, cell, place):
    with pytest.raises(BadInputCell, match="no output depends on it") as refused:
        simulate(workbook_of(CELLS), dict.fromkeys(inputs, NORMAL), outputs, iterations=100)
    assert refused.value.cells[0] == cell
    assert refused.value.field == f"inputs.{place}.cell"


def test_a_goal_is_not_sought_in_a_cell_that_changes_nothing():
    asked = GoalSeek("A4", 0.0, 1.0, "B1", parse_statistic("mean"), 2.0)
    with pytest.raises(BadInputCell, match="does not depend on S!A4") as refused:
        build_seek_program(workbook_of(CELLS), [Input("A1", parse_distribution_text(NORMAL))], asked)
    assert refused.value.field == "cell"
    # An input of the model that this output does not read is no fault of the question.
    inputs = [Input(cell, parse_distribution_text(NORMAL)) for cell in ("A1", "A4")]
    built = build_seek_program(
        workbook_of(CELLS), inputs, GoalSeek("A2", 0.0, 9.0, "B2", parse_statistic("mean"), 7.0)
    )
    assert built.program.unread == (1,)
