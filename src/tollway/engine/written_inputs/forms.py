"""What a call that draws takes, and how its arguments become a shape."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tollway.engine.distributions import Distribution
from tollway.engine.distributions.catalogue import CATALOGUE, Entry
from tollway.engine.distributions.notation import parse_distribution

Row = list[float | None]
Given = float | str | bool | None | Row | list[Row]
"""An argument's value: None where it is left out, a list where a range or an array may stand, or its rows."""
Build = Callable[[Sequence[Given]], Distribution]

AT_RISK = "@RISK"
ANALYTIC_SOLVER = "Analytic Solver"
CRYSTAL_BALL = "Crystal Ball"
EXCEL = "Excel"


@dataclass(frozen=True)
class WrittenFunction:
    """One function that draws. `build` raises BadDistribution for arguments that cannot be meant.

    Parameters that are lists end in "[]"; with `repeats` the last two may stand any number of times.
    """

    name: str
    """As its makers write it."""
    peer: str
    parameters: tuple[str, ...]
    required: int
    build: Build
    repeats: bool = False

    def accepts(self, count: int) -> bool:
        """Whether it may be called with so many parameters."""
        return self.required <= count and (self.repeats or count <= len(self.parameters))

    def is_list(self, index: int) -> bool:
        """Whether a range or an array stands at a place counted from 0."""
        return index < len(self.parameters) and self.parameters[index].endswith("[]")

    @property
    def form(self) -> str:
        """How it is written: `RiskNormal(mean, std)`."""
        names = [name.rstrip("[]") for name in self.parameters]
        shown = [*names[: self.required], *(f"[{name}]" for name in names[self.required :])]
        return f"{self.name}({', '.join(shown)}{', ...' if self.repeats else ''})"


def of_catalogue(name: str, peer: str, kind: str) -> WrittenFunction:
    """A function with the parameters of one of our shapes, in the same order."""
    entry = CATALOGUE[kind]
    lists = ("values", "probabilities")
    parameters = tuple(f"{one}[]" if one in lists else one for one in entry.parameters)
    required = len(entry.parameters) - sum(one in entry.optional for one in entry.parameters)
    return WrittenFunction(name, peer, parameters, required, lambda given: built(entry, given))


def made(
    name: str, peer: str, parameters: str, build: Build, required: int | None = None, *, repeats: bool = False
) -> WrittenFunction:
    """A function whose parameters mean something else than those of our shapes."""
    names = tuple(parameters.split())
    return WrittenFunction(name, peer, names, len(names) if required is None else required, build, repeats)


def built(entry: Entry, given: Sequence[Given]) -> Distribution:
    """Build a shape from its parameters in order; those that are left out may be None."""
    form: dict[str, object] = dict(zip(entry.parameters, given, strict=False))
    if entry.kind == "discrete":
        form["probabilities"] = shares(form["probabilities"])
    return parse_distribution({"type": entry.kind, **form})


def shares(weights: object) -> object:
    """Weights as probabilities, which they are in proportion; what are no weights stays, to be refused."""
    if not isinstance(weights, list) or not all(isinstance(one, float) and one >= 0 for one in weights):
        return weights
    total = sum(weights)
    return [one / total for one in weights] if 0 < total < float("inf") else weights


def table(*functions: WrittenFunction) -> dict[str, WrittenFunction]:
    """Functions by their names in capitals."""
    return {one.name.upper(): one for one in functions}
