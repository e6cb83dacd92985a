"""The files that `tollway simulate` writes beside what it prints: a workbook, a report, every sample."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tollway.engine import Program, RunDraws, Shard
    from tollway.simulation.export import RunFacts

SAMPLE_SUFFIXES = (".parquet", ".csv")


class CannotWrite(Exception):
    """A file that is asked for cannot be written there; the message says what to write instead."""


@dataclass(frozen=True)
class FilesAsked:
    """Where to write what; None for what is not asked for."""

    xlsx: Path | None = None
    report: Path | None = None
    samples: Path | None = None

    def check(self, workbook: Path) -> None:
        """Refuse, before anything is computed, what could not be written. Raises: CannotWrite."""
        named = [(option, path) for option, path in self._named() if path is not None]
        for option, path in named:
            if not path.parent.is_dir():
                raise CannotWrite(
                    f"There is no folder {path.parent} to write {path.name} into; make it, or name another."
                )
            if path.exists() and path.samefile(workbook):
                raise CannotWrite(f"{path} is the workbook that is simulated; give {option} another name.")
        if len({path.resolve() for _, path in named}) < len(named):
            raise CannotWrite(
                "Two of --xlsx, --report and --keep-samples name the same file; give each its own."
            )
        if self.samples is not None and self.samples.suffix.lower() not in SAMPLE_SUFFIXES:
            raise CannotWrite(
                f"--keep-samples is {self.samples.name[:80]!r}; its name must end in .parquet or .csv, which says how "
                "samples are written."
            )

    def write_samples(
        self, program: "Program", draws: "RunDraws", shards: Iterable["Shard"], facts: dict[str, Any]
    ) -> None:
        """Write every draw and every value, where that is asked for."""
        if self.samples is None:
            return
        from tollway.simulation.sample_files import SampleTable

        table = SampleTable(program, draws.seed, draws.sampling, facts)
        if self.samples.suffix.lower() == ".csv":
            table.write_csv(self.samples, shards)
        else:
            table.write_parquet(self.samples, shards)

    def write_results(self, facts: "RunFacts", summaries: Sequence[dict[str, Any]]) -> None:
        """Write the workbook and the report, where they are asked for."""
        if self.xlsx is not None:
            from tollway.simulation.export import results_xlsx

            self.xlsx.write_bytes(results_xlsx(facts, summaries))
        if self.report is not None:
            from tollway.simulation.report import report_pdf

            self.report.write_bytes(report_pdf(facts, summaries))

    def written(self) -> Iterator[Path]:
        """Yield each file that is written."""
        yield from (path for _, path in self._named() if path is not None)

    def _named(self) -> list[tuple[str, Path | None]]:
        return [("--xlsx", self.xlsx), ("--report", self.report), ("--keep-samples", self.samples)]
