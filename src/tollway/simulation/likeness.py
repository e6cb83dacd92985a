"""Whether two machines compute the same bits: the same engine and libraries, and processors that round alike.

NumPy takes other instructions on other processors, and some of its functions then differ in the last bit: a machine
with AVX-512 and one without do not agree on `exp`. No version tells that, so a sample of the arithmetic is compared.
"""

import hashlib
import math
import sys
from dataclasses import dataclass, fields
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import tollway

# So many numbers go through each function; a function whose instructions differ differs in some per cent of them.
SAMPLE_COUNT = 2_048
DIGEST_DIGITS = 16


@dataclass(frozen=True, slots=True)
class Traits:
    """What the bits of a result depend on beside its task; the names are those that people read."""

    python: str
    numpy: str
    scipy: str
    # Of the engine's source: a version says less while somebody works on it.
    engine: str
    # Of what a sample of functions gives on this machine.
    arithmetic: str


@cache
def read_traits() -> Traits:
    """Say what the bits of this process's results depend on."""
    return Traits(
        python=f"{sys.version_info.major}.{sys.version_info.minor}",
        numpy=version("numpy"),
        scipy=version("scipy"),
        engine=_engine_digest(),
        arithmetic=_arithmetic_digest(),
    )


def find_difference(ours: Traits, theirs: Traits) -> str | None:
    """Say in what another machine differs so that its bits may differ too; None where it does not."""
    for name in (one.name for one in fields(Traits)):
        here, there = getattr(ours, name), getattr(theirs, name)
        if here == there:
            continue
        if name == "engine":
            return "has another version of tollway; install the same one on every machine"
        if name == "arithmetic":
            return (
                "rounds otherwise, because its processor has other instructions; "
                "set NPY_DISABLE_CPU_FEATURES and OPENBLAS_CORETYPE alike on every machine"
            )
        return f"has {name} {there}, and {here} is needed; install the same one on every machine"
    return None


def _engine_digest() -> str:
    # By its files: a process imports only what it needs of it.
    folder = Path(tollway.__file__).parent / "engine"
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(f"{path.relative_to(folder)}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:DIGEST_DIGITS]


def _arithmetic_digest() -> str:
    """Digest what functions of NumPy, SciPy and the C library give, of each family that the engine calls."""
    import numpy as np
    from scipy import special

    # Both ends of the shares are open: 0 and 1 are exact everywhere.
    shares = (np.arange(SAMPLE_COUNT) + 0.5) / SAMPLE_COUNT
    wide, positive = (shares - 0.5) * 40.0, shares * 40.0
    matrix = np.cos(np.arange(64.0).reshape(8, 8)) + 8.0 * np.eye(8)
    of_wide = (np.exp, np.exp2, np.expm1, np.sin, np.cos, np.tan, np.sinh, np.cosh, np.tanh, np.arctan, np.arcsinh,
               np.cbrt, special.ndtr)  # fmt: skip
    of_positive = (np.log, np.log2, np.log10, np.log1p, np.sqrt, special.gammaln)
    of_shares = (np.arcsin, np.arccos, np.arctanh, special.ndtri)
    of_one_wide = (
        math.exp,
        math.sin,
        math.cos,
        math.tan,
        math.sinh,
        math.cosh,
        math.tanh,
        math.erf,
        math.expm1,
    )
    of_one_positive = (math.log, math.log10, math.log1p, math.lgamma, math.gamma, math.sqrt)
    results: list[Any] = [
        *(function(wide) for function in of_wide),
        *(function(positive) for function in of_positive),
        *(function(shares) for function in of_shares),
        np.arccosh(1.0 + positive),
        np.power(positive, wide / 4.0),
        np.hypot(positive, wide),
        np.arctan2(wide, positive),
        np.logaddexp(wide, positive),
        special.betaincinv(2.5, 3.5, shares),
        special.gammaincinv(2.5, shares),
        np.linalg.cholesky(matrix @ matrix.T),
        np.linalg.eigh(matrix + matrix.T)[0],
        np.vecdot(matrix, matrix),
        [wide.sum(), np.add.reduce(positive * shares), float(np.finfo(np.longdouble).nmant)],
        *([function(one) for one in wide.tolist()] for function in of_one_wide),
        *([function(one) for one in positive.tolist()] for function in of_one_positive),
        [math.pow(x, y / 4.0) for x, y in zip(positive.tolist(), wide.tolist(), strict=True)],
    ]
    digest = hashlib.sha256()
    for one in results:
        digest.update(np.ascontiguousarray(one, dtype=np.float64).tobytes())
    return digest.hexdigest()[:DIGEST_DIGITS]
