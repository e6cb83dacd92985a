"""Finds what a function's name stands for: one that draws, one that marks an output, one that is known and refused."""

from tollway.engine.written_inputs import analytic_solver, atrisk, crystal_ball, worksheet
from tollway.engine.written_inputs.forms import WrittenFunction

FUNCTIONS: dict[str, WrittenFunction] = {
    **atrisk.FUNCTIONS,
    **analytic_solver.FUNCTIONS,
    **crystal_ball.FUNCTIONS,
    **worksheet.FUNCTIONS,
    "XLRISKLOGNORM": atrisk.XLRISK_LOGNORMAL,
}
"""Every function that draws, by its name in capitals."""

OUTPUT_MARKS = frozenset({"RISKOUTPUT", "PSIOUTPUT"})
_PREFIXES = ("_XLL.", "_XLUDF.", "__XLUDF.")
_STATISTICS = (
    "MEAN", "MEDIAN", "MODE", "MODEC", "STDDEV", "STDEV", "VARIANCE", "SKEWNESS", "KURTOSIS", "MIN", "MAX", "RANGE",
    "PERCENTILE", "PERCENTILED", "PTOX", "PTOXD", "QTOX", "XTOP", "XTOQ", "XTOY", "TARGET", "TARGETD", "DATA", "CORREL",
    "CVAR", "BVAR", "STDERR", "STDERROFMEAN", "COEFFOFVARIATION", "MEANABSDEV", "SEMIDEV", "SEMISTDDEV", "SEMIVARIANCE",
    "FREQUENCY", "SENSITIVITY", "RESULTSGRAPH", "SIMULATIONINFO", "THEOMEAN", "THEOSTDDEV", "THEOVARIANCE", "THEOMIN",
    "THEOMAX", "THEOPTOX", "THEOXTOP", "THEOPERCENTILE", "THEOTARGET", "THEOMODE", "THEOSKEWNESS", "THEOKURTOSIS",
    "CONVERGENCELEVEL", "STOPRUN", "CPK", "SIGMALEVEL",
)  # fmt: skip
_STATISTIC_NAMES = frozenset(f"{maker}{name}" for maker in ("RISK", "PSI") for name in _STATISTICS) | {
    "CB.GETFORESTATFN", "CB.GETFOREPERCENTFN", "CB.GETFOREDATAFN", "CB.GETCERTAINTYFN", "CB.GETASSUMFN",
    "CB.GETASSUMPERCENTFN", "CB.GETRUNPREFSFN", "CB.ITERATIONSFN",
}  # fmt: skip


def bare_name(name: str) -> str:
    """A function's name in capitals without what marks those of add-ins in files: RISKNORMAL for _XLL.RISKNORMAL."""
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    return name


def find_written(name: str) -> WrittenFunction | None:
    """The function that draws, by its name in capitals; None for one that does not."""
    return FUNCTIONS.get(name)


def is_statistic(name: str) -> bool:
    """Whether a peer's function tells of a simulation that is over."""
    return name in _STATISTIC_NAMES
