"""A run cut in shards, computed in any order, stored and read back."""

import io
import math
from pathlib import Path

import numpy as np
import pytest
import xlsxwriter
from tests.engine.sheets import workbook_of

from tollway.engine import (
    BLOCK_ITERATIONS,
    DamagedShard,
    Input,
    Normal,
    Program,
    ProgramFacts,
    RunDraws,
    Sampling,
    ShardResult,
    Uniform,
    build_program,
    draw,
    live_bin_edges,
    plan_shards,
    read_workbook,
    run_shard,
    shard_progress,
    summarize,
)

FORMULAS = {
    "B1": "=A1+A2",
    "B2": "=IF(A2>0.75,1/(A2-A2),A1)",
    "B3": "=A1*0+0.1",
    "B4": "=SQRT(-1-A2)",
}


@pytest.fixture(scope="module")
def program(tmp_path_factory) -> Program:
    path = Path(tmp_path_factory.mktemp("run")) / "small.xlsx"
    with xlsxwriter.Workbook(path) as workbook:
        sheet = workbook.add_worksheet("S")
        sheet.write("A1", 10)
        sheet.write("A2", 0.5)
        for cell, formula in FORMULAS.items():
            sheet.write_formula(cell, formula)
    inputs = [Input("S!A1", Normal(10, 2), "first"), Input("S!A2", Uniform(0, 1), "second")]
    return build_program(read_workbook(path), inputs, [f"S!{cell}" for cell in FORMULAS])


def run_in_shards(program: Program, iterations: int, shard_count: int) -> list[ShardResult]:
    length = math.ceil(iterations / BLOCK_ITERATIONS / shard_count) * BLOCK_ITERATIONS
    shards = [run_shard(program, 7, *part) for part in plan_shards(iterations, length)]
    assert len(shards) == shard_count
    return shards


def test_one_shard_seven_and_sixty_four_give_the_same_bits_whatever_their_order(program):
    iterations = 64 * BLOCK_ITERATIONS - 1_000
    facts = ProgramFacts.of(program)
    questions = {
        "targets": [10.0, 10.5],
        "tolerance": 0.001,
        "draws": RunDraws(program.inputs, 7, Sampling()),
    }
    whole = summarize(facts, run_in_shards(program, iterations, 1), **questions)
    assert whole[0].numeric_count == iterations
    for shard_count in (7, 64):
        shards = run_in_shards(program, iterations, shard_count)
        np.random.default_rng(shard_count).shuffle(shards)
        # Equal floats of equal repr: the same bits, in every statistic of every output.
        assert repr(summarize(facts, shards, **questions)) == repr(whole)


def test_values_are_those_of_the_formulas_on_the_draws_of_the_seed(program):
    shard = run_shard(program, 7, BLOCK_ITERATIONS, 5_000)
    first, second = draw(program.inputs, 7, BLOCK_ITERATIONS, 5_000)
    assert shard.values[0].tobytes() == (first + second).tobytes()
    assert (shard.errors[1] == np.where(second > 0.75, 2, 0)).all()
    assert np.isnan(shard.values[1][second > 0.75]).all()
    assert (shard.values[1][second <= 0.75] == first[second <= 0.75]).all()


def test_a_normal_input_runs_as_a_normal_and_not_as_a_triangle(program):
    """An earlier system ran every distribution as a triangle."""
    (mean,) = {round(source.distribution.mean) for source in program.inputs[:1]}
    values = run_shard(program, 3, 0, 100_000).values[0]
    # 10 ± 2 plus a uniform: beyond three standard deviations lie 0.25 %, where a triangle has none.
    share = (np.abs(values - mean - 0.5) > 3 * np.sqrt(4 + 1 / 12)).mean()
    assert 0.001 < share < 0.005


@pytest.mark.parametrize("iterations", [1, 2, BLOCK_ITERATIONS - 1, BLOCK_ITERATIONS, BLOCK_ITERATIONS + 1])
def test_a_run_may_be_as_short_as_one_iteration_and_end_anywhere(program, iterations):
    shard = run_shard(program, 1, 0, iterations)
    assert shard.values.shape == shard.errors.shape == (4, iterations)
    assert summarize(ProgramFacts.of(program), [shard])[0].iteration_count == iterations


@pytest.mark.parametrize(
    ("iterations", "shard_iterations", "expected"),
    [
        (1, 1, [(0, 1)]),
        (10_000, 4_096, [(0, 4_096), (4_096, 4_096), (8_192, 1_808)]),
        (10_000, 5_000, [(0, 4_096), (4_096, 4_096), (8_192, 1_808)]),
        (10_000, 1_000_000, [(0, 10_000)]),
        (8_192, 8_192, [(0, 8_192)]),
    ],
)
def test_a_run_is_cut_at_whole_blocks_and_nothing_is_lost(iterations, shard_iterations, expected):
    assert plan_shards(iterations, shard_iterations) == expected


def test_a_shard_that_starts_inside_a_block_is_a_mistake_of_the_caller(program):
    with pytest.raises(AssertionError):
        run_shard(program, 1, 100, 4_096)


def test_a_shard_reports_each_block_and_can_be_stopped_between_two(program):
    seen: list[int] = []
    run_shard(program, 1, 0, 10_000, on_block=seen.append)
    assert seen == [4_096, 8_192, 10_000]

    class Stopped(Exception):
        pass

    def stop(done: int) -> None:
        if done > 4_096:
            raise Stopped

    with pytest.raises(Stopped):
        run_shard(program, 1, 0, 1_000_000, on_block=stop)


def test_a_stored_shard_reads_back_whole_and_equal_shards_are_equal_bytes(program):
    shard = run_shard(program, 5, 0, 9_000, live_bin_edges(program, 5))
    packed = shard.to_bytes()
    again = ShardResult.from_bytes(packed)
    assert (
        again.to_bytes() == packed == run_shard(program, 5, 0, 9_000, live_bin_edges(program, 5)).to_bytes()
    )
    assert (again.first_iteration, again.iteration_count) == (0, 9_000)
    assert again.values.tobytes() == shard.values.tobytes()
    assert again.errors.dtype == np.int8
    facts = ProgramFacts.of(program)
    assert repr(summarize(facts, [again])) == repr(summarize(facts, [shard]))


def test_a_shard_and_its_summary_tell_how_many_iterations_were_left_to_the_exact_rules():
    # LEN has no block form, so the interpreter does every iteration; 2 * A1 needs it in none.
    cells = {"A1": 1, "B2": "=2*A1", "B3": "=LEN(A1)*A1"}
    counts = {}
    for output in ("B2", "B3"):
        drawn = build_program(workbook_of(cells), [Input("A1", Uniform(min=0.0, max=1.0))], [output])
        shard = ShardResult.from_bytes(run_shard(drawn, 7, 0, 5_000).to_bytes())
        (summary,) = summarize(ProgramFacts.of(drawn), [shard])
        assert summary.replayed_count == shard.replayed_count
        counts[output] = shard.replayed_count
    assert counts == {"B2": 0, "B3": 5_000}


def test_a_shard_stored_without_bins_has_none(program):
    assert ShardResult.from_bytes(run_shard(program, 5, 0, 10).to_bytes()).bin_counts is None


@pytest.mark.parametrize("cut", [0, 10, 1_000, -1])
def test_damaged_bytes_are_refused_and_not_half_read(program, cut):
    packed = run_shard(program, 5, 0, 100).to_bytes()
    with pytest.raises(DamagedShard, match="Run again"):
        ShardResult.from_bytes(packed[:cut])


def test_a_shard_of_another_version_and_arrays_of_something_else_are_refused():
    for arrays, words in [
        ({"header": np.array([99, 0, 1])}, "version 99"),
        ({"other": np.zeros(3)}, "not a stored"),
    ]:
        packed = io.BytesIO()
        np.savez(packed, **arrays)
        with pytest.raises(DamagedShard, match=words):
            ShardResult.from_bytes(packed.getvalue())


def test_pickled_objects_are_never_loaded():
    packed = io.BytesIO()
    np.savez(packed, header=np.array([object()], dtype=object))
    with pytest.raises(DamagedShard):
        ShardResult.from_bytes(packed.getvalue())


def test_live_bins_cover_the_first_block_and_count_every_number_of_a_shard(program):
    edges = live_bin_edges(program, 7)
    first = run_shard(program, 7, 0, BLOCK_ITERATIONS)
    assert edges.shape == (4, 51)
    assert edges[0, 0] < first.values[0].min() < first.values[0].max() < edges[0, -1]
    assert edges[2, 0] < 0.1 < edges[2, -1]
    assert np.isnan(edges[3]).all()
    assert (np.diff(edges[:3]) > 0).all()

    shard = run_shard(program, 7, 4 * BLOCK_ITERATIONS, 50_000, edges)
    assert shard.bin_counts is not None
    assert shard.bin_counts.sum(axis=1).tolist() == [50_000, (shard.errors[1] == 0).sum(), 50_000, 0]
    inside = np.histogram(np.clip(shard.values[0], edges[0, 0], edges[0, -1]), bins=edges[0])[0]
    assert np.abs(shard.bin_counts[0] - inside).max() <= 1  # a value on an edge may fall to either side


def test_the_progress_of_a_shard_is_small_and_says_what_it_found(program):
    shard = run_shard(program, 7, 0, 20_000, live_bin_edges(program, 7))
    progress = shard_progress(shard)
    numeric = shard.values[1][shard.errors[1] == 0]
    assert progress.iteration_count == 20_000
    assert progress.numeric_counts == [20_000, len(numeric), 20_000, 0]
    assert progress.means[1] == pytest.approx(numeric.mean(), rel=1e-12)
    assert progress.m2s[1] == pytest.approx(numeric.var() * len(numeric), rel=1e-10)
    assert progress.means[2:] == [0.1, None]
    assert progress.m2s[2:] == [0.0, None]
    assert shard_progress(run_shard(program, 7, 0, 10)).bin_counts is None
