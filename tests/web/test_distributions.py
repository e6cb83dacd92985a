"""Distributions of forms: those that are hard to solve are bounded in time, and the field says so."""

from tollway.simulation.mark_flows import DistributionReader
from tollway.web.customer.model_marks import Marks, read_order
from tollway.web.distribution_pictures import picture_or_error

HARD = "johnson_sb(p5=1, p50=2, mean=1.9, std=1)"
UP = "not found within 0.02 seconds"


def test_the_start_of_a_run_says_beside_each_field_what_took_too_long() -> None:
    texts = [HARD, "normal(1000, 50)", "normal(p5=10, p95=30)"]
    marks = Marks(
        inputs=[{"cell": f"A{row}", "distribution": text} for row, text in enumerate(texts, 1)],
        outputs=[{"cell": "B1"}],
    )
    assert read_order("mdl_1", marks, reader=DistributionReader(0.02)) is None
    errors = [row.get("error", "") for row in marks.inputs]
    assert [UP in error for error in errors] == [True, False, True]
    assert errors[1] == ""
    marks.inputs = [row for row in marks.inputs if row["distribution"] != HARD]
    for row in marks.inputs:
        row.pop("error", None)
    marks.errors.clear()
    order = read_order("mdl_1", marks)
    assert order is not None
    assert [one.cell for one in order.inputs or []] == ["A2", "A3"]


def test_a_picture_while_somebody_types_is_bounded_too() -> None:
    picture, error = picture_or_error(HARD, DistributionReader(0.02))
    assert picture == ""
    assert UP in error
    picture, error = picture_or_error("normal(p5=10, p95=30)", DistributionReader())
    assert picture != ""
    assert error == ""
