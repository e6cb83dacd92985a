"""The three samples: readable by anyone, formulas and stored values agree, answers as stated."""

import io
import math

import numpy as np
import openpyxl
import pytest

from tollway.engine import Input, ProgramFacts, build_program, evaluate, read_workbook, run_shard, summarize
from tollway.simulation.samples import SAMPLES, write_sample

ITERATIONS = 100_000
NAMES = list(SAMPLES)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("samples")


def program_of(name, folder):
    sample, path = SAMPLES[name], folder / SAMPLES[name].filename
    write_sample(name, path)
    inputs = [Input(source.cell, source.distribution, source.name) for source in sample.inputs]
    return build_program(read_workbook(path), inputs, [output.cell for output in sample.outputs])


def value_in(workbook, cell):
    sheet, _, place = cell.partition("!")
    return workbook[sheet][place].value


def test_there_is_a_sample_for_each_use_that_the_sign_up_form_offers():
    assert [sample.use_case for sample in SAMPLES.values()] == [
        "Portfolio Risk Analysis",
        "Stress Testing",
        "Financial Modeling",
    ]


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_is_always_the_same_bytes(name):
    assert SAMPLES[name].to_bytes() == SAMPLES[name].to_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_the_engine_computes_the_stored_values_from_the_stored_inputs(name, folder):
    sample, program = SAMPLES[name], program_of(name, folder)
    stored = openpyxl.load_workbook(folder / sample.filename, data_only=True)
    base = np.array([[value_in(stored, source.cell)] for source in sample.inputs], dtype=np.float64)
    evaluation = evaluate(program, base)
    for row, output in enumerate(sample.outputs):
        assert evaluation.errors[row, 0] == 0
        assert evaluation.values[row, 0] == pytest.approx(value_in(stored, output.cell), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_inputs_are_numbers_outputs_are_formulas_and_both_stand_in_the_notes(name):
    sample = SAMPLES[name]
    workbook = openpyxl.load_workbook(io.BytesIO(sample.to_bytes()))
    notes = {cell.value for row in workbook["Notes"].iter_rows() for cell in row}
    for source in sample.inputs:
        assert isinstance(value_in(workbook, source.cell), int | float)
        assert source.distribution.describe() in notes
        assert {source.cell, source.name} <= notes
    for output in sample.outputs:
        assert str(value_in(workbook, output.cell)).startswith("=")
        assert {output.cell, output.name} <= notes


@pytest.mark.parametrize("name", NAMES)
def test_outputs_are_named_by_the_labels_beside_them(name, folder):
    assert program_of(name, folder).output_names == tuple(output.name for output in SAMPLES[name].outputs)


@pytest.mark.promise("A38")
@pytest.mark.parametrize("name", NAMES)
def test_a_run_of_100_000_iterations_finds_the_known_answers(name, folder):
    # Both within 4 standard errors: a right engine fails one of these 14 comparisons for 1 seed in 1,100.
    program = program_of(name, folder)
    shard = run_shard(program, 20_261_120, 0, ITERATIONS)
    found = {one.cell: one for one in summarize(ProgramFacts.of(program), [shard])}
    assert SAMPLES[name].known_answers
    for answer in SAMPLES[name].known_answers:
        one = found[answer.cell]
        assert abs(one.mean - answer.mean) < 4 * answer.std / math.sqrt(ITERATIONS)
        values = shard.values[list(found).index(answer.cell)]
        fourth = ((values - values.mean()) ** 4).mean()
        std_error = math.sqrt((fourth / answer.std**4 - 1) / (4 * ITERATIONS)) * answer.std
        assert abs(one.std - answer.std) < 4 * std_error


def test_the_portfolio_is_worth_1_050_000_with_a_standard_deviation_of_21_602():
    answer = SAMPLES["portfolio"].known_answers[0]
    assert answer.cell == "Portfolio!B16"
    assert answer.mean == pytest.approx(1_050_000, rel=1e-12)
    assert answer.std == pytest.approx(1_000_000 * math.sqrt(0.02**2 + 0.04**2 / 24), rel=1e-12)
    assert round(answer.std) == 21_602


@pytest.mark.parametrize("name", NAMES)
def test_the_known_answers_agree_with_an_independent_computation_by_quadrature(name):
    # A million points of a rank-1 lattice through the quantile functions, formulas written out once more.
    sample = SAMPLES[name]
    count = 2**20
    generator = np.random.default_rng(5)
    steps = np.arange(count) / count
    draws = {}
    for place, source in enumerate(sample.inputs):
        uniforms = (steps * LATTICE[place] + generator.random()) % 1.0
        draws[source.cell.partition("!")[2]] = source.distribution.quantile(
            np.clip(uniforms, 1e-12, 1 - 1e-12)
        )
    values = FORMULAS[name](draws)
    for answer in sample.known_answers:
        result = values[answer.cell.partition("!")[2]]
        assert result.mean() == pytest.approx(answer.mean, abs=2e-3 * answer.std)
        assert result.std() == pytest.approx(answer.std, rel=5e-3)


# Odd multipliers of a Korobov lattice: powers of 517,421 modulo 2^20.
LATTICE = [pow(517_421, power, 2**20) for power in range(11)]


def portfolio(x):
    premium = x["B5"] - x["B6"]
    return {"B16": 1e6 * (1 + premium), "B17": 100 * premium, "B18": premium / x["B4"]}


def stress(x):
    exposures = [400e6, 150e6, 250e6, 60e6, 90e6]
    loss = x["B3"] * sum(e * x[f"C{row}"] * x[f"D{row}"] for row, e in enumerate(exposures, start=6))
    return {"B20": loss, "B21": (77e6 - loss) / 560e6}


def financial(x):
    worth = sum(
        0.75 * (x["B4"] * (1 + x["B5"]) ** (year - 1) * x["B6"] - 120_000) / 1.09**year
        for year in range(1, 6)
    )
    return {"B20": worth - x["B7"], "B21": worth / x["B7"]}


FORMULAS = {"portfolio": portfolio, "stress": stress, "financial": financial}
