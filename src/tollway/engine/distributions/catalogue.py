"""Every shape there is: its group, when to use it, how it is written, and what each parameter stands for.

Guides, pages and the notation read this list, so a shape stands here or nowhere.
"""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields

from tollway.engine import distributions as shapes
from tollway.engine.distributions import Distribution, parameter_names

EVERYDAY = "Everyday"
BOUNDED = "Between two ends"
BELLS = "Bells without ends"
POSITIVE = "Never negative"
HEAVY = "Heavy tails"
COUNTS = "Counts"
POINTS = "From points or data"


@dataclass(frozen=True)
class Entry:
    """One shape of the catalogue."""

    shape: type[Distribution]
    group: str
    use: str
    """One sentence: when to use it."""
    example: str
    """As `parse_distribution_text` reads it."""
    peer: str
    """The function of @RISK with the same parameters in the same order; "" where it has none."""
    roles: tuple[str, ...] = ()
    """What each parameter stands for, for whoever solves for it: location, scale, shape, low, mode, high, share;
    "fixed" cannot be solved for. Empty for shapes that are lists."""

    @property
    def kind(self) -> str:
        """The word in JSON and text."""
        return self.shape.kind

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the parameters in their order."""
        return parameter_names(self.shape)

    @property
    def optional(self) -> frozenset[str]:
        """Parameters that may be left out."""
        given = fields(self.shape)  # type: ignore[arg-type]  # each shape is a dataclass
        return frozenset(field.name.rstrip("_") for field in given if field.default is not MISSING)

    def built(self, given: Mapping[str, object]) -> Distribution:
        """Build the shape from parameters by their names. Raises: BadDistribution."""
        # Names that Python or a shape keeps for itself end in _ in code.
        names = {field.name.rstrip("_"): field.name for field in fields(self.shape)}  # type: ignore[arg-type]  # each shape is a dataclass
        return self.shape(**{names[name]: value for name, value in given.items()})

    @property
    def is_list(self) -> bool:
        """Whether some parameter is a list of numbers."""
        return bool({"values", "probabilities"} & set(self.parameters))


def _entry(
    shape: type[Distribution], group: str, roles: str, example: str, peer: str, use: str
) -> tuple[str, Entry]:
    return shape.kind, Entry(shape, group, use, example, peer, tuple(roles.split()))


CATALOGUE: dict[str, Entry] = dict(
    [
        _entry(shapes.Uniform, EVERYDAY, "low high", "uniform(0, 10)", "RiskUniform", "You know only the two ends."),
        _entry(shapes.Triangular, EVERYDAY, "low mode high", "triangular(0, 2, 10)", "RiskTriang",
               "You can name the ends and the likeliest value."),
        _entry(shapes.Normal, EVERYDAY, "location scale", "normal(1000, 50)", "RiskNormal",
               "Many small causes add up."),
        _entry(shapes.Lognormal, EVERYDAY, "scale scale", "lognormal(10, 3)", "RiskLognorm",
               "Many small causes multiply; never negative."),
        _entry(shapes.Pert, EVERYDAY, "low mode high", "pert(0, 2, 10)", "RiskPert",
               "As triangular, with less weight on the ends."),
        _entry(shapes.Discrete, EVERYDAY, "", "discrete(1:0.2, 5:0.8)", "RiskDiscrete",
               "There are only a few possible values, each with its probability."),
        _entry(shapes.Beta, BOUNDED, "shape shape", "beta(2, 4)", "RiskBeta",
               "A share between 0 and 1, such as a rate of defects."),
        _entry(shapes.BetaGeneral, BOUNDED, "shape shape low high", "beta_general(2, 4, 10, 30)", "RiskBetaGeneral",
               "A beta distribution stretched over your two ends."),
        _entry(shapes.BetaSubjective, BOUNDED, "low mode location high", "beta_subjective(0, 2, 4, 10)",
               "RiskBetaSubj", "You know the ends, the likeliest value and the mean."),
        _entry(shapes.Kumaraswamy, BOUNDED, "shape shape low high", "kumaraswamy(2, 4, 0, 1)", "RiskKumaraswamy",
               "Much like beta, with a simple formula."),
        _entry(shapes.Trigen, BOUNDED, "fixed fixed fixed fixed fixed", "trigen(1, 2, 5, 10, 90)", "RiskTrigen",
               "A triangle by two percentiles, where nobody can name the very ends."),
        _entry(shapes.Reciprocal, BOUNDED, "scale scale", "reciprocal(1, 1000)", "RiskReciprocal",
               "You know only the order of magnitude."),
        _entry(shapes.JohnsonSB, BOUNDED, "location shape low high", "johnson_sb(1, 2, 0, 10)", "RiskJohnsonSB",
               "Any skewness between two ends."),
        _entry(shapes.Student, BELLS, "shape location scale", "student(4, 0.05, 0.02)", "RiskStudent",
               "Returns and errors with more outliers than a normal."),
        _entry(shapes.Logistic, BELLS, "location scale", "logistic(10, 2)", "RiskLogistic",
               "A bell with somewhat heavier tails than a normal."),
        _entry(shapes.Laplace, BELLS, "location scale", "laplace(0, 1)", "RiskLaplace",
               "Differences of two waits; a sharp peak."),
        _entry(shapes.Cauchy, BELLS, "location scale", "cauchy(0, 1)", "RiskCauchy",
               "Outliers of any size; there is no mean."),
        _entry(shapes.HyperbolicSecant, BELLS, "location scale", "hyperbolic_secant(0, 1)", "RiskHypSecant",
               "Daily returns: between normal and Laplace."),
        _entry(shapes.ExtremeValue, BELLS, "location scale", "extreme_value(50, 10)", "RiskExtvalue",
               "The largest of many, such as the worst flood of a year (Gumbel)."),
        _entry(shapes.ExtremeValueMin, BELLS, "location scale", "extreme_value_min(50, 10)", "RiskExtValueMin",
               "The smallest of many, such as the weakest link."),
        _entry(shapes.JohnsonSU, BELLS, "location shape location scale", "johnson_su(-1, 2, 0, 1)", "RiskJohnsonSU",
               "Any skewness with heavy tails."),
        _entry(shapes.Exponential, POSITIVE, "scale", "exponential(4)", "RiskExpon",
               "The wait for what happens at a steady rate."),
        _entry(shapes.Gamma, POSITIVE, "shape scale", "gamma(2, 3)", "RiskGamma",
               "Sums of waits, total losses, rainfall."),
        _entry(shapes.Erlang, POSITIVE, "fixed scale", "erlang(3, 2)", "RiskErlang",
               "The wait for the m-th event at a steady rate."),
        _entry(shapes.ChiSquared, POSITIVE, "shape", "chi_squared(5)", "RiskChiSq", "Sums of squared errors."),
        _entry(shapes.Maxwell, POSITIVE, "scale", "maxwell(2)", "", "Speeds in three dimensions."),
        _entry(shapes.Weibull, POSITIVE, "shape scale", "weibull(1.5, 1000)", "RiskWeibull",
               "Lifetimes and wind; alpha below 1 fails early, above 1 late."),
        _entry(shapes.Rayleigh, POSITIVE, "scale", "rayleigh(3)", "RiskRayleigh",
               "Distances in two dimensions, heights of waves."),
        _entry(shapes.InverseGaussian, POSITIVE, "scale scale", "inverse_gaussian(2, 3)", "RiskInvgauss",
               "The time until a drift reaches a line."),
        _entry(shapes.Pareto, HEAVY, "shape scale", "pareto(3, 100)", "RiskPareto",
               "Many small and few huge: claims above a, incomes."),
        _entry(shapes.Pareto2, HEAVY, "scale shape", "pareto2(100, 3)", "RiskPareto2",
               "A Pareto tail that begins at 0."),
        _entry(shapes.LogLogistic, HEAVY, "location scale shape", "log_logistic(0, 10, 4)", "RiskLogLogistic",
               "As lognormal, with heavier tails: times until a repair ends."),
        _entry(shapes.Frechet, HEAVY, "location scale shape", "frechet(0, 10, 4)", "RiskFrechet",
               "The largest of many with heavy tails."),
        _entry(shapes.Pearson5, HEAVY, "shape scale", "pearson5(4, 30)", "RiskPearson5",
               "Times to finish a task; one over a gamma."),
        _entry(shapes.Pearson6, HEAVY, "shape shape scale", "pearson6(3, 5, 10)", "RiskPearson6",
               "Ratios of two gammas."),
        _entry(shapes.F, HEAVY, "shape shape", "f(5, 12)", "RiskF", "Ratios of two variances."),
        _entry(shapes.Burr12, HEAVY, "location scale shape shape", "burr12(0, 10, 3, 2)", "RiskBurr12",
               "Incomes and claims where Pareto is too stiff."),
        _entry(shapes.Dagum, HEAVY, "location scale shape shape", "dagum(0, 10, 4, 2)", "RiskDagum",
               "Incomes and wealth with a thick lower end."),
        _entry(shapes.Levy, HEAVY, "location scale", "levy(0, 1)", "RiskLevy",
               "First arrivals without drift; there is no mean."),
        _entry(shapes.Bernoulli, COUNTS, "share", "bernoulli(0.1)", "RiskBernoulli",
               "It happens (1) or it does not (0)."),
        _entry(shapes.Binomial, COUNTS, "fixed share", "binomial(20, 0.1)", "RiskBinomial", "How many of n succeed."),
        _entry(shapes.NegativeBinomial, COUNTS, "fixed share", "negative_binomial(3, 0.2)", "RiskNegbin",
               "Failures before the s-th success."),
        _entry(shapes.Geometric, COUNTS, "share", "geometric(0.2)", "RiskGeomet", "Failures before the first success."),
        _entry(shapes.Hypergeometric, COUNTS, "fixed fixed fixed", "hypergeometric(10, 30, 100)", "RiskHypergeo",
               "How many of the D marked among M items are in a sample of n."),
        _entry(shapes.Poisson, COUNTS, "scale", "poisson(4)", "RiskPoisson",
               "How many events in a period, lambda on average."),
        _entry(shapes.IntegerUniform, COUNTS, "fixed fixed", "integer_uniform(1, 6)", "RiskIntUniform",
               "Every whole number from min to max, like a die."),
        _entry(shapes.DiscreteUniform, POINTS, "", "discrete_uniform(1, 2, 5)", "RiskDUniform",
               "Each value of a list is equally likely."),
        _entry(shapes.Empirical, POINTS, "", "empirical(3, 3, 4, 7)", "RiskResample",
               "Data of yours, drawn again; what stands there twice is twice as likely."),
        _entry(shapes.Histogram, POINTS, "", "histogram(0, 30, 1, 5, 2)", "RiskHistogrm",
               "Bars of equal width from min to max, with their weights."),
        _entry(shapes.General, POINTS, "", "general(0, 10, 2:1, 5:3)", "RiskGeneral",
               "A density through points (value: weight)."),
        _entry(shapes.Cumulative, POINTS, "", "cumulative(0, 10, 2:0.3, 5:0.8)", "RiskCumul",
               "A curve through points (value: probability of at most it)."),
        _entry(shapes.Metalog, POINTS, "", "metalog(10:0.1, 15:0.5, 30:0.9)", "",
               "A smooth shape through percentiles that somebody named; min and max may be given."),
    ]
)  # fmt: skip
