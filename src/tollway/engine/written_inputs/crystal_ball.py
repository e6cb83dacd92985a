"""The functions of Crystal Ball that draw: parameters, then two cutoffs and a name, which may all be left out.

Source: Oracle, "Crystal Ball User's Guide", appendix A: "Distribution Parameter Summary" (the parameters and their
order) and "Using Probability Functions" (Cutoff and NameOf; CB.Beta with a scale). A geometric and a negative binomial
count trials there, the successes among them.
"""

from collections.abc import Callable, Sequence

from tollway.engine.distributions import Adjusted, Distribution
from tollway.engine.distributions.notation import parse_distribution
from tollway.engine.distributions.parameters import BadDistribution, check_positive, number
from tollway.engine.written_inputs.forms import CRYSTAL_BALL, Given, WrittenFunction, shares, table

_CUTOFFS = ("low_cutoff", "high_cutoff", "name")
Shape = Callable[[dict[str, Given]], tuple[dict[str, object], object]]
"""From parameters by name to our form of the shape, and how far it is shifted."""


def _function(name: str, parameters: str, shape: Shape) -> WrittenFunction:
    names = parameters.split()

    def build(given: Sequence[Given]) -> Distribution:
        said = dict(zip([*(one.rstrip("[]") for one in names), *_CUTOFFS], given, strict=False))
        form, moved = shape(said)
        base = parse_distribution(form)
        shift = number(base.kind, "location", moved)
        ends = [
            None if said.get(end) is None else number(base.kind, end, said[end]) - shift
            for end in ("low_cutoff", "high_cutoff")
        ]
        if ends == [None, None]:
            return Adjusted(base, shift=shift) if shift else base
        return Adjusted(base, truncate=(ends[0], ends[1]), shift=shift)

    return WrittenFunction(name, CRYSTAL_BALL, (*names, *_CUTOFFS), len(names), build)


def _named(kind: str, **renamed: str) -> Shape:
    """A shape of ours, each of its parameters under the name it has there; "location" shifts it."""

    def shape(said: dict[str, Given]) -> tuple[dict[str, object], object]:
        form: dict[str, object] = {ours: said.get(theirs) for ours, theirs in renamed.items()}
        return {"type": kind, **form}, said.get("location", 0.0)

    return shape


def _beta(said: dict[str, Given]) -> tuple[dict[str, object], object]:
    return {
        "type": "beta_general", "alpha1": said["alpha"], "alpha2": said["beta"], "min": 0.0, "max": said["scale"],
    }, 0.0  # fmt: skip


def _exponential(said: dict[str, Given]) -> tuple[dict[str, object], object]:
    rate = number("exponential", "rate", said["rate"])
    check_positive("exponential", "rate", rate)
    return {"type": "exponential", "beta": 1 / rate}, 0.0


def _geometric(said: dict[str, Given]) -> tuple[dict[str, object], object]:
    return {"type": "geometric", "p": said["probability"]}, 1.0


def _negative_binomial(said: dict[str, Given]) -> tuple[dict[str, object], object]:
    return {"type": "negative_binomial", "s": said["shape"], "p": said["probability"]}, said["shape"]


def _custom(said: dict[str, Given]) -> tuple[dict[str, object], object]:
    """Values in one column, or values and probabilities in two."""
    given = said["range"]
    rows = [row for row in given if isinstance(row, list)] if isinstance(given, list) else []
    widths = {len(row) for row in rows}
    if widths == {1}:
        return {"type": "discrete_uniform", "values": [row[0] for row in rows]}, 0.0
    if widths == {2}:
        values, weights = zip(*rows, strict=True)
        return {"type": "discrete", "values": list(values), "probabilities": shares(list(weights))}, 0.0
    raise BadDistribution(
        "CB.Custom is read with one column of values, or two of values and their probabilities; ranges of values with "
        "steps are not drawn here."
    )


FUNCTIONS = table(
    _function("CB.Beta", "alpha beta scale", _beta),
    _function("CB.BetaPERT", "min likeliest max", _named("pert", min="min", mode="likeliest", max="max")),
    _function("CB.Binomial", "probability trials", _named("binomial", n="trials", p="probability")),
    _function("CB.Custom", "range[][]", _custom),
    _function("CB.DiscreteUniform", "min max", _named("integer_uniform", min="min", max="max")),
    _function("CB.Exponential", "rate", _exponential),
    _function("CB.Gamma", "location scale shape", _named("gamma", alpha="shape", beta="scale")),
    _function("CB.Geometric", "probability", _geometric),
    _function(
        "CB.Hypergeometric",
        "success trials population",
        _named("hypergeometric", n="trials", D="success", M="population"),
    ),
    _function("CB.Logistic", "mean scale", _named("logistic", alpha="mean", beta="scale")),
    _function("CB.Lognormal", "mean std", _named("lognormal", mean="mean", std="std")),
    _function("CB.MaxExtreme", "likeliest scale", _named("extreme_value", a="likeliest", b="scale")),
    _function("CB.MinExtreme", "likeliest scale", _named("extreme_value_min", a="likeliest", b="scale")),
    _function("CB.NegBinomial", "probability shape", _negative_binomial),
    _function("CB.Normal", "mean std", _named("normal", mean="mean", std="std")),
    _function("CB.Pareto", "threshold shape", _named("pareto", theta="shape", a="threshold")),
    _function("CB.Poisson", "rate", _named("poisson", **{"lambda": "rate"})),
    _function(
        "CB.Student",
        "midpoint scale degrees",
        _named("student", nu="degrees", location="midpoint", scale="scale"),
    ),
    _function(
        "CB.StudentT",
        "midpoint scale degrees",
        _named("student", nu="degrees", location="midpoint", scale="scale"),
    ),
    _function(
        "CB.Triangular", "min likeliest max", _named("triangular", min="min", mode="likeliest", max="max")
    ),
    _function("CB.Uniform", "min max", _named("uniform", min="min", max="max")),
    _function("CB.Weibull", "location scale shape", _named("weibull", alpha="shape", beta="scale")),
    _function("CB.YesNo", "probability", _named("bernoulli", p="probability")),
)
