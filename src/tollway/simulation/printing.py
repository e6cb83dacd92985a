"""What runs in the child process that makes a large file: a report, a workbook of results, samples as CSV.

Limits on itself first; then the file is written to the path that the order names. The server stays free while it works,
and whatever it needs too much of dies with it.
"""

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tollway.simulation.reading import limit_child

if TYPE_CHECKING:
    from tollway.simulation.export import RunFacts

# Address space, not memory: libraries map more than they use.
MEMORY_BYTES_MAX = 4_000_000_000
CPU_SECONDS_MAX = 300


def make_file(order: dict[str, Any]) -> None:
    """Make the file of an order (`MAKERS`) in a process of its own."""
    limit_child(CPU_SECONDS_MAX, MEMORY_BYTES_MAX)
    MAKERS[order["make"]](order)


def make_report(order: dict[str, Any]) -> None:
    """Print the report of a run."""
    from tollway.simulation.report import report_pdf

    Path(order["target"]).write_bytes(report_pdf(_facts_of(order), order["summaries"]))


def make_workbook(order: dict[str, Any]) -> None:
    """Write the results of a run as a workbook."""
    from tollway.simulation.export import results_xlsx

    Path(order["target"]).write_bytes(results_xlsx(_facts_of(order), order["summaries"]))


def _facts_of(order: dict[str, Any]) -> "RunFacts":
    from tollway.simulation.export import RunFacts

    facts = order["facts"]
    moments = {name: datetime.fromisoformat(facts[name]) for name in ("created_at", "exported_at")}
    return RunFacts(**(facts | moments))


def make_csv(order: dict[str, Any]) -> None:
    """Write the samples of a Parquet file as CSV."""
    from tollway.simulation.sample_files import convert_to_csv

    convert_to_csv(Path(order["samples"]), Path(order["target"]))


def make_raw_values(order: dict[str, Any]) -> None:
    """Write the numbers of each output, read from a Parquet file, as JSON."""
    from tollway.simulation.sample_files import raw_values

    Path(order["target"]).write_text(json.dumps(raw_values(Path(order["samples"]))))


MAKERS = {"report": make_report, "workbook": make_workbook, "csv": make_csv, "raw_values": make_raw_values}
