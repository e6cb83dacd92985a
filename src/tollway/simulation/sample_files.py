"""Every number of a run as a table: one row an iteration, with what was drawn and what came out.

Inputs are drawn anew from the seed, which gives the same bits; outputs are those of the run's shards. Memory holds one
group of rows, however long the run is. Knows no database and no request.

A table has the column `iteration`, counted from 1; one number column for each input, and one for each output, named by
their cells; and beside each output `<cell> error`, with the error value's text where the output was no number. So no
number column holds anything but numbers and blanks, and no error is lost.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

    from tollway.engine import Program, Sampling, Shard
    from tollway.simulation.execution import ShardTask

ITERATION_COLUMN = "iteration"
ERROR_SUFFIX = " error"
# Numbers that one group of rows holds at most: 32 MB of them, in whole blocks of iterations.
GROUP_NUMBERS_MAX = 4_000_000
COMPRESSION = "zstd"
# Rows that become text at once.
CSV_ROWS = 16_384


@dataclass(frozen=True, slots=True)
class SamplesTask:
    """The samples of a run to write: its shards as files in the order of their iterations.

    `whole` is the task of any of its shards; the stretch of iterations in it does not matter.
    """

    whole: "ShardTask"
    shards: list[Path]
    facts: dict[str, Any]
    target: Path


def write_samples(task: SamplesTask) -> int:
    """Write the samples of a run as Parquet and return how many bytes the file has; for a worker process."""
    from tollway.engine import ShardResult
    from tollway.simulation.execution import program_of, sampling_of

    program = program_of(task.whole.program)
    shards = (ShardResult.from_bytes(path.read_bytes()) for path in task.shards)
    table = SampleTable(program, task.whole.seed, sampling_of(task.whole, program.inputs), task.facts)
    table.write_parquet(task.target, shards)
    return task.target.stat().st_size


class SampleTable:
    """The table of a run, made of its shards group by group."""

    def __init__(
        self, program: "Program", seed: int, sampling: "Sampling", facts: dict[str, Any] | None = None
    ) -> None:
        """Lay the columns out; `facts` of the run, plain values, stand in the metadata of a Parquet file."""
        self._program = program
        self._seed = seed
        self._sampling = sampling
        self.schema = _schema(program, {"seed": seed, "sampling": sampling.method.value} | (facts or {}))

    def write_parquet(self, path: Path, shards: Iterable["Shard"]) -> None:
        """Write the table as Parquet."""
        from pyarrow import parquet

        # Draws hardly repeat: dictionaries of them would take more room than they save.
        errors = [name for name in self.schema.names if name.endswith(ERROR_SUFFIX)]
        with parquet.ParquetWriter(path, self.schema, compression=COMPRESSION, use_dictionary=errors) as file:
            for batch in self.batches(shards):
                file.write_batch(batch)

    def write_csv(self, path: Path, shards: Iterable["Shard"]) -> None:
        """Write the table as CSV."""
        _write_csv(path, self.schema, self.batches(shards))

    def batches(self, shards: Iterable["Shard"]) -> Iterator["pa.RecordBatch"]:
        """Yield the rows in the order of the shards, group by group."""
        rows_max = self._group_rows()
        for shard in shards:
            # One that lies in a file is read once.
            values, errors = shard.values, shard.errors
            for done in range(0, shard.iteration_count, rows_max):
                part = slice(done, done + rows_max)
                yield self._batch(shard.first_iteration + done, values[:, part], errors[:, part])

    def _group_rows(self) -> int:
        """Whole blocks, so that each stretch is drawn as it was in the run."""
        from tollway.engine import BLOCK_ITERATIONS

        columns = len(self._program.inputs) + len(self._program.outputs)
        return max(1, GROUP_NUMBERS_MAX // max(1, columns) // BLOCK_ITERATIONS) * BLOCK_ITERATIONS

    def _batch(self, first: int, values: Any, errors: Any) -> "pa.RecordBatch":
        import numpy as np
        import pyarrow as pa

        from tollway.engine import draw

        count = values.shape[1]
        draws = draw(self._program.inputs, self._seed, first, count, self._sampling)
        columns = [pa.array(np.arange(first + 1, first + count + 1, dtype=np.int64)), *map(pa.array, draws)]
        codes, texts = _error_texts()
        for numbers, failures in zip(values, errors, strict=True):
            failed = failures != 0
            columns.append(pa.array(numbers, mask=failed))
            columns.append(pa.DictionaryArray.from_arrays(pa.array(codes[failures], mask=~failed), texts))
        return pa.record_batch(columns, schema=self.schema)


def _error_texts() -> tuple[Any, "pa.Array"]:
    """Return where the text of each error code stands in the list of texts, and that list."""
    import numpy as np
    import pyarrow as pa

    from tollway.engine.values import ERROR_BY_CODE

    known = sorted(code for code in ERROR_BY_CODE if code)
    places = np.zeros(max(known) + 1, dtype=np.int8)
    places[known] = range(len(known))
    return places, pa.array([str(ERROR_BY_CODE[code]) for code in known])


def _schema(program: "Program", facts: dict[str, Any]) -> "pa.Schema":
    import pyarrow as pa

    fields = [pa.field(ITERATION_COLUMN, pa.int64(), nullable=False)]
    taken = {ITERATION_COLUMN}
    for one in program.inputs:
        shape = json.dumps(one.distribution.as_json())
        about = {"kind": "input", "cell": one.cell, "name": one.name or "", "distribution": shape}
        column = _free_name(one.cell, taken)
        fields.append(pa.field(column, pa.float64(), nullable=False, metadata=about))
    for cell, name in zip(program.outputs, program.output_names, strict=True):
        about = {"kind": "output", "cell": cell, "name": name or ""}
        column = _free_name(cell, taken)
        fields.append(pa.field(column, pa.float64(), metadata=about))
        text = pa.dictionary(pa.int8(), pa.string())
        fields.append(pa.field(column + ERROR_SUFFIX, text, metadata={"kind": "error", "cell": cell}))
    return pa.schema(fields, metadata={"tollway": json.dumps(facts)})


def _free_name(cell: str, taken: set[str]) -> str:
    """Name a column by its cell; a cell that is drawn and watched too gets a number for its second one."""
    name, count = cell, 1
    while name in taken:
        count += 1
        name = f"{cell} ({count})"
    taken.add(name)
    return name


# --- what is read of a file ----------------------------------------------------------------------------


def convert_to_csv(samples: Path, target: Path) -> None:
    """Write the table of a Parquet file as CSV, a few thousand rows at a time."""
    from pyarrow import parquet

    # Buffered ahead, the whole file would come to lie in memory.
    with parquet.ParquetFile(samples, pre_buffer=False) as file:
        _write_csv(target, file.schema_arrow, file.iter_batches(batch_size=CSV_ROWS))


def _write_csv(path: Path, schema: "pa.Schema", batches: Iterable["pa.RecordBatch"]) -> None:
    """Write numbers so that reading them back gives the same bits; blanks are empty."""
    from pyarrow import csv

    options = csv.WriteOptions(quoting_style="needed")
    with csv.CSVWriter(path, schema, write_options=options) as file:
        for batch in batches:
            file.write_batch(batch)


def raw_values(samples: Path) -> list[list[float | None]]:
    """Read the numbers of each output from a Parquet file, in the order of the iterations; None where there is none."""
    from pyarrow import parquet

    with parquet.ParquetFile(samples) as file:
        outputs = [one.name for one in file.schema_arrow if (one.metadata or {}).get(b"kind") == b"output"]
        table = file.read(columns=outputs)
        return [table.column(name).to_pylist() for name in outputs]
