"""The files of samples hold the very numbers of the run: every draw, every value, every error."""

import csv
import io
import json
import math
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from pyarrow import parquet

from tollway.engine import (
    Input,
    Program,
    ReadLimits,
    Sampling,
    SamplingMethod,
    ShardResult,
    build_program,
    parse_distribution_text,
    plan_shards,
    read_workbook,
    run_shard,
)
from tollway.engine.programs.evaluate import evaluate
from tollway.engine.sampling.draws import draw
from tollway.engine.values import ERROR_BY_CODE
from tollway.simulation import sample_files
from tollway.simulation.sample_files import SampleTable

ITERATIONS = 10_000
SEED = 11


def program_with_errors(folder: Path) -> Program:
    """One output divides by zero in some iterations, one always; a third is an input itself."""
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = 'Q1, "draft"'
    for row, value in enumerate((1.0, 2.0, "=IF(A1>1.5,1/0,A1*A2)", "=1/(A1-A1)", "=A1+A2"), 1):
        sheet.cell(row, 1, value)
    path = folder / "errors.xlsx"
    book.save(path)
    read = read_workbook(path, ReadLimits(file_bytes_max=10**7, unpacked_bytes_max=10**8))
    inputs = [
        Input("A1", parse_distribution_text("normal(1, 0.5)")),
        Input("A2", parse_distribution_text("uniform(2, 3)"), "Price"),
    ]
    return build_program(read, inputs, ["A3", "A4", "A5"])


def shards_of(program: Program, sampling: Sampling, cut: int = 8_192) -> list[ShardResult]:
    return [
        run_shard(program, SEED, first, count, sampling=sampling)
        for first, count in plan_shards(ITERATIONS, cut)
    ]


def bits(numbers: Sequence[float]) -> bytes:
    return np.array(numbers, dtype=np.float64).tobytes()


@pytest.mark.parametrize("method", [one.value for one in SamplingMethod])
def test_parquet_holds_every_draw_and_every_value_bit_for_bit(tmp_path: Path, method: str) -> None:
    program = program_with_errors(tmp_path)
    sampling = Sampling(SamplingMethod(method), ITERATIONS)
    shards = shards_of(program, sampling)
    SampleTable(program, SEED, sampling).write_parquet(tmp_path / "s.parquet", shards)

    table = parquet.read_table(tmp_path / "s.parquet")

    assert table.column("iteration").to_pylist() == list(range(1, ITERATIONS + 1))
    drawn = draw(program.inputs, SEED, 0, ITERATIONS, sampling)
    for one, draws in zip(program.inputs, drawn, strict=True):
        assert table.column(one.cell).to_numpy().tobytes() == draws.tobytes()
    # What comes out of these very inputs is what stands beside them.
    again = evaluate(program, np.stack([table.column(one.cell).to_numpy() for one in program.inputs]))
    for row, cell in enumerate(program.outputs):
        values = np.concatenate([shard.values[row] for shard in shards])
        errors = np.concatenate([shard.errors[row] for shard in shards])
        assert again.values[row].tobytes() == values.tobytes()
        numbers = table.column(cell).to_pylist()
        assert [one is None for one in numbers] == list(errors != 0)
        assert bits([one for one in numbers if one is not None]) == values[errors == 0].tobytes()
        texts = [None if not code else str(ERROR_BY_CODE[code]) for code in errors]
        assert table.column(f"{cell} error").to_pylist() == texts
    assert table.column(f"{program.outputs[1]} error").null_count == 0
    assert 0 < table.column(f"{program.outputs[0]} error").null_count < ITERATIONS


def test_csv_gives_the_same_bits_back_and_names_every_error(tmp_path: Path) -> None:
    program = program_with_errors(tmp_path)
    table = SampleTable(program, SEED, Sampling())
    shards = shards_of(program, Sampling())
    table.write_parquet(tmp_path / "s.parquet", shards)
    table.write_csv(tmp_path / "direct.csv", shards)
    sample_files.convert_to_csv(tmp_path / "s.parquet", tmp_path / "s.csv")
    assert (tmp_path / "s.csv").read_bytes() == (tmp_path / "direct.csv").read_bytes()

    rows = list(csv.reader(io.StringIO((tmp_path / "s.csv").read_text())))

    stored = parquet.read_table(tmp_path / "s.parquet")
    assert rows[0] == stored.schema.names
    for place, name in enumerate(rows[0]):
        written = [row[place] for row in rows[1:]]
        told = stored.column(name).to_pylist()
        if name.endswith(" error"):
            assert written == [one or "" for one in told]
        else:
            assert [one == "" for one in written] == [one is None for one in told]
            assert bits([float(one) for one in written if one]) == bits(
                [one for one in told if one is not None]
            )


def test_any_cut_into_shards_gives_the_same_file(tmp_path: Path) -> None:
    program = program_with_errors(tmp_path)
    for cut, name in ((4_096, "a"), (65_536, "b")):
        SampleTable(program, SEED, Sampling()).write_csv(tmp_path / name, shards_of(program, Sampling(), cut))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_parquet_file_tells_what_each_column_is(tmp_path: Path) -> None:
    program = program_with_errors(tmp_path)
    facts = {"simulation_id": "sim_1"}
    SampleTable(program, SEED, Sampling(), facts).write_parquet(
        tmp_path / "s.parquet", shards_of(program, Sampling())
    )
    schema = parquet.read_schema(tmp_path / "s.parquet")
    assert json.loads(schema.metadata[b"tollway"]) == {
        "seed": SEED, "sampling": "monte_carlo", "simulation_id": "sim_1",
    }  # fmt: skip
    price = schema.field(program.inputs[1].cell).metadata
    assert price[b"kind"] == b"input"
    assert price[b"name"] == b"Price"
    assert json.loads(price[b"distribution"])["type"] == "uniform"


def test_no_two_columns_share_a_name(tmp_path: Path) -> None:
    program = program_with_errors(tmp_path)
    drawn = program.inputs[0].cell
    same = replace(program, outputs=(drawn, *program.outputs[1:]))
    SampleTable(same, SEED, Sampling()).write_parquet(tmp_path / "s.parquet", shards_of(program, Sampling()))
    names = parquet.read_schema(tmp_path / "s.parquet").names
    assert names[:5] == ["iteration", drawn, program.inputs[1].cell, f"{drawn} (2)", f"{drawn} (2) error"]


def test_raw_values_are_the_numbers_of_the_outputs(tmp_path: Path) -> None:
    program = program_with_errors(tmp_path)
    shards = shards_of(program, Sampling())
    SampleTable(program, SEED, Sampling()).write_parquet(tmp_path / "s.parquet", shards)
    found = sample_files.raw_values(tmp_path / "s.parquet")
    for row, numbers in enumerate(found):
        values = np.concatenate([shard.values[row] for shard in shards])
        assert bits([math.nan if one is None else one for one in numbers]) == bits(values)


def test_writing_and_converting_take_the_memory_of_one_group(tmp_path: Path) -> None:
    """Fifteen times the rows take no more memory; each in a process of its own, whose most is read at its end."""
    program_with_errors(tmp_path)
    grown = [most_memory_mb(tmp_path, iterations) for iterations in (100_000, 1_500_000)]
    assert grown[1] < grown[0] + 40, grown


def most_memory_mb(folder: Path, iterations: int) -> float:
    script = f"""
import resource
from pathlib import Path
from tests.simulation.test_sample_files import program_with_errors
from tollway.engine import Sampling, plan_shards, run_shard
from tollway.simulation.sample_files import SampleTable, convert_to_csv

folder = Path({str(folder)!r})
program = program_with_errors(folder)
shards = (run_shard(program, 1, first, count) for first, count in plan_shards({iterations}, 65_536))
SampleTable(program, 1, Sampling()).write_parquet(folder / "many.parquet", shards)
convert_to_csv(folder / "many.parquet", folder / "many.csv")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3)
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return float(ended.stdout)
