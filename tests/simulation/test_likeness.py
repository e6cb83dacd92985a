"""Machines that would give other bits are told apart, and the same one is always like itself."""

import json
import subprocess
import sys
from dataclasses import asdict, replace

import pytest

from tollway.simulation.likeness import Traits, find_difference, read_traits

TELL = """
import json
from dataclasses import asdict
from tollway.simulation.likeness import read_traits
print(json.dumps(asdict(read_traits())))
"""


def test_another_process_of_this_machine_is_like_this_one() -> None:
    told = subprocess.run([sys.executable, "-c", TELL], capture_output=True, text=True, check=True)
    theirs = Traits(**json.loads(told.stdout))
    # The engine's files may be in somebody's editor while this runs; everything else is the machine's.
    assert find_difference(read_traits(), replace(theirs, engine=read_traits().engine)) is None


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("python", "has python 0.1"),
        ("numpy", "has numpy 0.1"),
        ("scipy", "has scipy 0.1"),
        ("engine", "has another version of tollway"),
        ("arithmetic", "rounds otherwise"),
    ],
)
def test_each_difference_says_what_to_do(name: str, says: str) -> None:
    ours = read_traits()
    assert set(asdict(ours)) == {"python", "numpy", "scipy", "engine", "arithmetic"}
    difference = find_difference(ours, replace(ours, **{name: "0.1"}))
    assert difference is not None
    assert difference.startswith(says)
    assert "every machine" in difference


def test_bits_that_a_processor_with_other_instructions_gives_are_told_apart() -> None:
    """Where this one has AVX-512, NumPy without it differs in last bits of some functions; elsewhere nothing does."""
    import numpy as np

    has_more = bool(np._core._multiarray_umath.__cpu_features__["AVX512_SKX"])
    told = subprocess.run(
        [sys.executable, "-c", TELL],
        capture_output=True,
        text=True,
        check=True,
        env={"NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR"} if has_more else {},
    )
    differs = json.loads(told.stdout)["arithmetic"] != read_traits().arithmetic
    assert differs == has_more
