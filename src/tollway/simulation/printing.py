"""The child process that makes large files: a report as PDF, samples as CSV. Limits on itself first.

Run as `python -m tollway.simulation.printing` with a JSON order on standard input; the file is written to the path that
the order names. The server stays free while it works, and whatever it needs too much of dies with it.
"""

import json
import resource
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from tollway.simulation.reading import limit_this_process

# Address space, not memory: libraries map more than they use.
MEMORY_BYTES_MAX = 4_000_000_000
CPU_SECONDS_MAX = 300


def main() -> None:
    """Make the file that is ordered on standard input."""
    limit_this_process(resource.RLIMIT_CPU, CPU_SECONDS_MAX)
    limit_this_process(resource.RLIMIT_AS, MEMORY_BYTES_MAX)
    limit_this_process(resource.RLIMIT_CORE, 0)
    order = json.load(sys.stdin)
    MAKERS[order["make"]](order)


def make_report(order: dict[str, Any]) -> None:
    """Print the report of a run."""
    from tollway.simulation.export import RunFacts
    from tollway.simulation.report import report_pdf

    facts = order["facts"]
    moments = {name: datetime.fromisoformat(facts[name]) for name in ("created_at", "exported_at")}
    Path(order["target"]).write_bytes(report_pdf(RunFacts(**(facts | moments)), order["summaries"]))


def make_csv(order: dict[str, Any]) -> None:
    """Write the samples of a Parquet file as CSV."""
    from tollway.simulation.sample_files import convert_to_csv

    convert_to_csv(Path(order["samples"]), Path(order["target"]))


def make_raw_values(order: dict[str, Any]) -> None:
    """Write the numbers of each output, read from a Parquet file, as JSON."""
    from tollway.simulation.sample_files import raw_values

    Path(order["target"]).write_text(json.dumps(raw_values(Path(order["samples"]))))


MAKERS = {"report": make_report, "csv": make_csv, "raw_values": make_raw_values}

if __name__ == "__main__":
    main()
