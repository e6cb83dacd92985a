"""Three workbooks to start with, one for each kind of use, whose answers are known before any run."""

from pathlib import Path

from tollway.simulation.sample_financial import FINANCIAL
from tollway.simulation.sample_pages import Sample
from tollway.simulation.sample_portfolio import PORTFOLIO
from tollway.simulation.sample_stress import STRESS

__all__ = ["SAMPLES", "Sample", "write_sample"]

SAMPLES: dict[str, Sample] = {sample.name: sample for sample in (PORTFOLIO, STRESS, FINANCIAL)}


def write_sample(name: str, path: Path) -> None:
    """Write a sample to a file. Raises: KeyError for a name that is not in SAMPLES, OSError."""
    path.write_bytes(SAMPLES[name].to_bytes())
