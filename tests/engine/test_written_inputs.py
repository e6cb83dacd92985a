"""Workbooks that draw by themselves, in each peer's syntax and in RAND() style: programs, runs and refusals."""

import math

import numpy as np
import pytest
from tests.engine.sheets import workbook_of

from tollway.engine import (
    BadDistribution,
    BadInputCell,
    EngineError,
    Input,
    Normal,
    Triangular,
    Uniform,
    UnreadableFormula,
    UnsupportedFormula,
    build_program,
    calculate,
    draw,
    evaluate,
    plan_shards,
    run_shard,
    simulate,
)

ITERATIONS = 40_000


def inputs_of(cells, outputs, marked=()):
    program = build_program(workbook_of(cells), marked, outputs)
    return [(one.cell, one.distribution) for one in program.inputs]


def drawn(cells, output, marked=(), seed=3, iterations=ITERATIONS):
    """The program, its draws and the values of one output."""
    program = build_program(workbook_of(cells), marked, [output])
    draws = draw(program.inputs, seed, 0, iterations)
    return program, draws, evaluate(program, draws)


def test_every_call_is_an_input_in_the_order_of_cells_and_of_places_in_a_formula():
    cells = {
        "B2": "=RAND()+RAND()*2",
        "A2": "=RAND()",
        "Other!A1": "=RAND()",
        "A3": "=A2+B2+Other!A1",
        "C9": "=RAND()",
    }
    assert [cell for cell, _ in inputs_of(cells, ["A3"])] == ["S!A2", "S!B2#1", "S!B2#2", "Other!A1"]
    program, draws, found = drawn(cells, "A3")
    assert program.interpreted_count == 0
    expected = draws[0] + (draws[1] + draws[2] * 2) + draws[3]
    assert np.allclose(found.values[0], expected, rtol=1e-15)


def test_a_formula_copied_over_ten_cells_makes_ten_inputs():
    cells = {f"A{row}": "=RAND()" for row in range(1, 11)}
    assert len(inputs_of({**cells, "B1": "=SUM(A1:A10)"}, ["B1"])) == 10


def test_marked_cells_come_first_and_win_over_what_is_written_in_them():
    cells = {"A1": "=RiskNormal(10,2)*3", "A2": "=RAND()", "A3": 5, "A4": "=A1+A2+A3"}
    marked = [Input("A3", Uniform(1, 2)), Input("A1", Normal(0, 1))]
    assert inputs_of(cells, ["A4"], marked) == [
        ("S!A3", Uniform(1, 2)),
        ("S!A1", Normal(0, 1)),
        ("S!A2", Uniform(0, 1)),
    ]


def test_an_inverse_of_a_bare_rand_is_its_distribution_and_takes_the_same_uniform():
    for formula, cells in (
        ("=NORM.INV(RAND(),B1,B2)", {"B1": 10, "B2": 2}),
        ("=_xlfn.NORM.INV((RAND()),10,2)", {}),
    ):
        found = inputs_of({"A1": formula, "A2": "=A1", **cells}, ["A2"])
        assert found == [("S!A1", Normal(10, 2))]
    _, draws, plain = drawn({"A1": "=NORMINV(1*RAND(),10,2)"}, "A1")
    _, _, bulk = drawn({"A1": "=NORMINV(RAND(),10,2)"}, "A1")
    assert np.allclose(plain.values, bulk.values, rtol=1e-12)
    assert draws[0].min() >= 0
    assert draws[0].max() <= 1


def test_arguments_that_vary_leave_a_uniform_that_the_call_turns_into_its_value():
    cells = {"A1": 10, "A2": "=RiskNormal(A1,2)", "A3": "=NORM.INV(RAND(),A1,2)", "A4": "=RANDBETWEEN(1,A1)"}
    marked = [Input("A1", Uniform(5, 9))]
    for output in ("A2", "A3"):
        program, draws, found = drawn(cells, output, marked, iterations=2_000)
        assert program.inputs[1].distribution == Uniform(0, 1)
        expected = [Normal(m, 2).exact_quantile(np.array([u]))[0] for m, u in draws.T]
        assert np.allclose(found.values[0], expected, rtol=1e-12)
    _, draws, found = drawn(cells, "A4", marked, iterations=2_000)
    assert np.array_equal(found.values[0], 1 + np.floor(draws[1] * np.floor(draws[0])))


def test_a_draw_inside_a_draw_is_an_input_of_its_own():
    cells = {"A1": "=RiskNormal(RiskUniform(1,2),3)"}
    program, draws, found = drawn(cells, "A1", iterations=1_000)
    assert [one.distribution for one in program.inputs] == [Uniform(0, 1), Uniform(1, 2)]
    assert found.values[0, 7] == pytest.approx(Normal(draws[1, 7], 3).quantile(draws[0, 7:8])[0])


def test_arguments_come_from_cells_formulas_names_and_other_sheets():
    cells = {"Data!A1": 1, "Data!A2": "=Data!A1+1", "A1": "=RiskTriang(Data!A1,mode,Data!A2*2)", "A2": "=A1"}
    program = build_program(workbook_of(cells, names={"mode": "Data!$A$2"}), [], ["A2"])
    assert program.inputs[0].distribution == Triangular(1, 2, 4)
    assert program.inputs[0].written == "=RiskTriang(Data!A1,mode,Data!A2*2)"


def test_draws_behind_offset_and_indirect_are_found():
    cells = {f"A{row}": "=RAND()" for row in range(1, 4)} | {
        "B1": "=SUM(OFFSET(A1,0,0,3,1))",
        "B2": '=INDIRECT("A2")*2',
    }
    assert [cell for cell, _ in inputs_of(cells, ["B1"])] == ["S!A1", "S!A2", "S!A3"]
    assert [cell for cell, _ in inputs_of(cells, ["B2"])] == ["S!A2"]


def test_a_place_that_is_drawn_runs_through_the_interpreted_slice():
    cells = {
        "A1": 10,
        "A2": 20,
        "A3": 30,
        "B1": "=INDEX(A1:A3,RANDBETWEEN(1,3))",
        "B2": "=OFFSET(A1,RANDBETWEEN(0,2),0)",
    }
    for output in ("B1", "B2"):
        _, draws, found = drawn(cells, output, iterations=500)
        offset = 0 if output == "B1" else 1
        assert np.array_equal(found.values[0], 10 * (draws[0] + offset))


def test_an_array_of_draws_has_an_input_for_each_element():
    cells = {
        "A1": "=SUM(RANDARRAY(2,3))",
        "A2": "=SUM(RANDARRAY(2,1,5,10,TRUE))",
        "A3": "=AVERAGE(NORM.INV(RANDARRAY(4),10,2))",
    }
    program, draws, found = drawn(cells, "A1")
    assert [one.cell for one in program.inputs] == [f"S!A1#{number}" for number in range(1, 7)]
    assert np.allclose(found.values[0], draws.sum(axis=0))
    _, draws, found = drawn(cells, "A2")
    assert draws.min() == 5
    assert draws.max() == 10
    assert np.array_equal(found.values[0], draws.sum(axis=0))
    _, draws, found = drawn(cells, "A3", iterations=200)
    assert found.values[0].std() == pytest.approx(1, abs=0.2)


def test_a_spilled_array_of_draws_is_read_cell_by_cell():
    cells = {"A1": "#=RANDARRAY(3)#to A3", "B1": "=A1-A3", "B2": "=SUM(A1:A3)"}
    _, draws, found = drawn(cells, "B1")
    assert len(draws) == 3
    assert np.allclose(found.values[0], draws[0] - draws[2])


def test_static_values_stand_outside_of_a_run_and_rand_has_none():
    workbook = workbook_of(
        {"A1": "=RiskNormal(10,2,RiskStatic(9))*2", "A2": "=PsiUniform(1,3)", "A3": "=RAND()"}
    )
    assert calculate(workbook, ["A1", "A2"]) == {"A1": 18.0, "A2": 2.0}
    with pytest.raises(UnsupportedFormula, match="S!A3: The formula uses RAND, which draws by chance"):
        calculate(workbook, ["A3"])


def test_outputs_take_the_name_that_their_formula_gives_them():
    cells = {
        "A1": "=RiskNormal(1,1)",
        "B1": "Net",
        "C1": '=RiskOutput("Value")+A1*2',
        "C2": "=PsiOutput()+A1",
    }
    program = build_program(workbook_of(cells), [], ["C1", "C2"])
    assert program.output_names == ("Value", None)


def test_a_locked_input_keeps_its_static_value():
    assert inputs_of({"A1": "=RiskNormal(10,2,RiskStatic(4),RiskLock())+RAND()"}, ["A1"]) == [
        ("S!A1", Uniform(0, 1))
    ]
    _, draws, found = drawn({"A1": "=RiskNormal(10,2,RiskStatic(-4),RiskLock())+RAND()"}, "A1")
    assert np.allclose(found.values[0], draws[0] - 4)


def test_ends_of_randbetween_that_are_equal_are_a_constant():
    assert inputs_of({"A1": "=RANDBETWEEN(5,5)*RAND()"}, ["A1"]) == [("S!A1", Uniform(0, 1))]


def test_a_matrix_in_cells_correlates_and_what_the_caller_says_wins():
    cells = {
        "D1": 1, "D2": 0.8, "E2": 1,
        "A1": "=RiskNormal(0,1,RiskCorrmat($D$1:$E$2,1))",
        "A2": "=[1]!RiskNormal(0,1,RiskCorrmat($D$1:$E$2,2))",
        "A3": "=A1*A2",
    }  # fmt: skip
    workbook = workbook_of(cells)
    assert build_program(workbook, [], ["A3"]).correlations == (
        {"cells": ["S!A1", "S!A2"], "matrix": [[1.0, 0.8], [0.8, 1.0]]},
    )
    found = simulate(workbook, {}, ["A3"], iterations=ITERATIONS, seed=1)["A3"]
    # Spearman's 0.8 is 2 sin(pi 0.8 / 6) of a normal pair, and the mean of the product is that.
    assert found.mean == pytest.approx(2 * math.sin(math.pi * 0.8 / 6), abs=5 * found.mean_standard_error)
    told = [{"cells": ["S!A1", "S!A2"], "correlation": -0.8}]
    other = simulate(workbook, {}, ["A3"], iterations=ITERATIONS, seed=1, correlations=told)["A3"]
    assert other.mean == pytest.approx(-found.mean, abs=0.05)


def test_inputs_of_another_instance_of_a_matrix_belong_together():
    matrix = {"D1": 1, "D2": 0.5, "E1": 0.5, "E2": 1}
    cells = {
        f"A{row}": f'=RiskUniform(0,1,RiskCorrmat(D1:E2,{position},"{instance}"))'
        for row, (position, instance) in enumerate([(1, "a"), (2, "a"), (2, "b"), (1, "b")], 1)
    }
    program = build_program(workbook_of({**matrix, **cells, "B1": "=SUM(A1:A4)"}), [], ["B1"])
    assert [one["cells"] for one in program.correlations] == [["S!A1", "S!A2"], ["S!A4", "S!A3"]]


@pytest.mark.parametrize("shard_iterations", [4_096, 12_288])
def test_one_shard_and_seven_give_the_same_bits(shard_iterations):
    cells = {
        "A1": "=NORM.INV(RAND(),100,5)",
        "A2": "=RiskPert(1,2,6,RiskCorrmat(D1:E2,1))",
        "A3": "=CB.Uniform(0,A1)*PsiTriangular(0,1,2,PsiCorrMatrix(D1:E2,2))",
        "D1": 1, "D2": 0.4, "E2": 1,
        "B1": "=A1+A2+A3+RANDBETWEEN(1,6)",
    }  # fmt: skip
    program = build_program(workbook_of(cells), [], ["B1"])
    again = build_program(workbook_of(cells), [], ["B1"])
    assert program.inputs == again.inputs
    iterations = 7 * 4_096
    whole = run_shard(program, 11, 0, iterations)
    parts = [run_shard(again, 11, first, count) for first, count in plan_shards(iterations, shard_iterations)]
    assert np.array_equal(whole.values, np.concatenate([part.values for part in parts], axis=1))


@pytest.mark.parametrize(
    ("formula", "kind", "words"),
    [
        ("=RiskNormal(10,0)", BadDistribution, "S!A1: RiskNormal: std of this normal distribution is 0"),
        ("=RiskUniform(10,0)", BadDistribution, "S!A1: RiskUniform: min of this uniform distribution is 10"),
        ('=RiskNormal("ten",1)', BadDistribution, "S!A1: RiskNormal: mean of this normal distribution is 'ten'"),
        ("=RiskNormal(1/0,1)", BadDistribution, "S!A1: RiskNormal: an argument is #DIV/0!"),
        ("=RiskNormal(10)", UnreadableFormula, "RiskNormal with 1 arguments; it is written RiskNormal"),
        ("=RiskNormal(10,2,RiskTruncate(90,99))", BadDistribution, "S!A1: RiskNormal: The truncation"),
        ("=RANDBETWEEN(6,1)", BadDistribution, "S!A1: RANDBETWEEN: min"),
        ("=RiskMean(A2)", UnsupportedFormula, "RISKMEAN, which tells of a simulation that is over"),
        ("=RiskPercentile(A2,5%)", UnsupportedFormula, "RISKPERCENTILE, which tells"),
        ("=CB.GetForeStatFN(A2,2)", UnsupportedFormula, "CB.GETFORESTATFN, which tells"),
        ("=RiskSimtable({1,2})", UnsupportedFormula, "RISKSIMTABLE, which is none of the functions"),
        ("=_xll.PsiNonesuch(1)", UnsupportedFormula, "PSINONESUCH, which is none"),
        ("=RiskNormal(0,1,RiskCopula(D1:E2,1))", UnsupportedFormula, "RISKCOPULA, which is not supported yet"),
        ("=RiskTruncate(0,1)", UnreadableFormula, "RISKTRUNCATE outside of a distribution"),
        ("=LAMBDA(x,RAND()+x)(1)", UnsupportedFormula, "RAND inside a LAMBDA"),
        ("=SUM(RANDARRAY(2000))", BadDistribution, "S!A1: RANDARRAY: 2,000 rows of 1 columns"),
        ("=SUM(RANDARRAY(RANDBETWEEN(1,3)))", UnsupportedFormula, "S!A1: The formula calls RANDARRAY with a size"),
        ("=RiskNormal(0,1,RiskCorrmat(D1:E3,1))", BadDistribution, "S!D1:E3 has 3 rows and 2 columns"),
        ("=RiskNormal(0,1,RiskCorrmat(D1:E2,3))", BadDistribution, "the position is 3.0"),
        ("=RiskNormal(0,1,RiskCorrmat(F1:G2,1))", BadDistribution, "S!F1:G2 holds what is no correlation"),
    ],
)  # fmt: skip
def test_what_cannot_be_drawn_is_refused_by_cell_and_function(formula, kind, words):
    cells = {"A1": formula, "A2": "=A1*2+1", "F1": 1, "F2": 7, "G2": 1, "D1": 1, "D2": 0.5, "E2": 1}
    with pytest.raises(EngineError) as refusal:
        build_program(workbook_of(cells), [], ["A2"])
    assert type(refusal.value) is kind
    assert words in refusal.value.message
    assert refusal.value.cells == ("S!A1",)


def test_what_is_refused_elsewhere_stops_no_run_that_does_not_need_it():
    assert inputs_of({"A1": "=RAND()", "A2": "=A1", "A3": "=RiskMean(A2)", "A4": "=RiskNormal(1,0)"}, ["A2"])


def test_two_inputs_cannot_take_one_position_of_a_matrix():
    call = "=RiskNormal(0,1,RiskCorrmat(D1:E2,1))"
    with pytest.raises(
        BadDistribution, match="S!A2: the correlation matrix cannot be used: position 1 of S!D1:E2"
    ):
        build_program(
            workbook_of({"A1": call, "A2": call, "A3": "=A1+A2", "D1": 1, "D2": 0.5, "E2": 1}), [], ["A3"]
        )


def test_a_run_without_any_input_says_what_would_be_one():
    with pytest.raises(
        BadInputCell, match="0 were given, and no formula that the outputs need draws by itself"
    ):
        build_program(workbook_of({"A1": 1, "A2": "=A1"}), [], ["A2"])


def test_more_draws_than_a_run_has_inputs_are_refused_with_their_number():
    cells = {f"A{row}": "=RAND()" for row in range(1, 1_002)}
    with pytest.raises(BadInputCell, match="beside 1,001 that the formulas"):
        build_program(workbook_of({**cells, "B1": "=SUM(A1:A1001)"}), [], ["B1"])


def test_xlrisk_takes_the_parameters_of_the_logarithm():
    cells = {"A1": "=[1]!RiskLogNorm(0,0.5)", "A2": "=A1"}
    (found,) = build_program(workbook_of(cells, external_links=("XLRisk.xlam",)), [], ["A2"]).inputs
    assert found.distribution.mean == pytest.approx(math.exp(0.125))
    (other,) = build_program(workbook_of({**cells, "A1": "=RiskLognorm(2,0.5)"}), [], ["A2"]).inputs
    assert other.distribution.mean == 2.0


def test_a_long_sum_with_a_draw_in_it_is_read():
    formula = "=" + "+".join(["A1"] * 2_500) + "+RAND()"
    assert len(inputs_of({"A1": 1, "A2": formula}, ["A2"])) == 1
