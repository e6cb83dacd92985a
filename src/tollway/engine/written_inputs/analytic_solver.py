"""The functions of Analytic Solver (Risk Solver) that draw.

Source: solver.com, "PSI function help", pages of PsiNormal, PsiTriangGen, PsiVary, PsiMetalog; for the others the order
of arguments is that of the @RISK function of the same shape, which Analytic Solver converts by name. The guide says so.
"""

from collections.abc import Sequence

from tollway.engine.distributions import Distribution
from tollway.engine.distributions.catalogue import CATALOGUE
from tollway.engine.distributions.notation import parse_distribution
from tollway.engine.distributions.parameters import number
from tollway.engine.written_inputs.alternates import alternate
from tollway.engine.written_inputs.atrisk import descending_cumulative, error_function, lognormal_of_logarithm
from tollway.engine.written_inputs.forms import ANALYTIC_SOLVER, Given, made, of_catalogue, table

# Psi and the name, which is not always the one of @RISK.
_NAMES = {
    "Bernoulli": "bernoulli",
    "Beta": "beta",
    "BetaGen": "beta_general",
    "BetaSubj": "beta_subjective",
    "Binomial": "binomial",
    "Burr12": "burr12",
    "Cauchy": "cauchy",
    "ChiSquare": "chi_squared",
    "Cumul": "cumulative",
    "Dagum": "dagum",
    "Discrete": "discrete",
    "DisUniform": "discrete_uniform",
    "Erlang": "erlang",
    "Exponential": "exponential",
    "FDist": "f",
    "Frechet": "frechet",
    "Gamma": "gamma",
    "General": "general",
    "Geometric": "geometric",
    "Histogram": "histogram",
    "HyperGeo": "hypergeometric",
    "HypSecant": "hyperbolic_secant",
    "IntUniform": "integer_uniform",
    "InvNormal": "inverse_gaussian",
    "JohnsonSB": "johnson_sb",
    "JohnsonSU": "johnson_su",
    "Kumaraswamy": "kumaraswamy",
    "Laplace": "laplace",
    "Levy": "levy",
    "Logistic": "logistic",
    "LogLogistic": "log_logistic",
    "LogNormal": "lognormal",
    "MaxExtreme": "extreme_value",
    "MinExtreme": "extreme_value_min",
    "NegBinomial": "negative_binomial",
    "Normal": "normal",
    "Pareto": "pareto",
    "Pareto2": "pareto2",
    "Pearson5": "pearson5",
    "Pearson6": "pearson6",
    "Pert": "pert",
    "Poisson": "poisson",
    "Rayleigh": "rayleigh",
    "Reciprocal": "reciprocal",
    "Student": "student",
    "Triangular": "triangular",
    "Uniform": "uniform",
    "Weibull": "weibull",
}


def _triangle_by_percentiles(given: Sequence[Given]) -> Distribution:
    """As RiskTrigen, whose percentiles are in percent; shares of 1 are taken too."""
    low, mode, high, first, last = (
        number("trigen", name, one) for name, one in zip(("a", "m", "b", "p", "r"), given, strict=True)
    )
    scale = 100 if first <= 1 and last <= 1 else 1
    parameters = CATALOGUE["trigen"].parameters
    values = (low, mode, high, first * scale, last * scale)
    return parse_distribution({"type": "trigen", **dict(zip(parameters, values, strict=True))})


_OWN = [
    made("PsiErf", ANALYTIC_SOLVER, "h", error_function),
    made("PsiLogNorm2", ANALYTIC_SOLVER, "mu sigma", lognormal_of_logarithm),
    made("PsiCumulD", ANALYTIC_SOLVER, "min max values[] probabilities[]", descending_cumulative),
    made("PsiTriangGen", ANALYTIC_SOLVER, "a m b p r", _triangle_by_percentiles),
]
_ALTERNATES = [
    alternate(f"Psi{name}{ending}", ANALYTIC_SOLVER, kind, is_descending=is_descending)
    for name, kind in _NAMES.items()
    if CATALOGUE[kind].roles and "fixed" not in CATALOGUE[kind].roles
    for ending, is_descending in (("Alt", False), ("AltD", True))
]

FUNCTIONS = table(
    *(of_catalogue(f"Psi{name}", ANALYTIC_SOLVER, kind) for name, kind in _NAMES.items()), *_ALTERNATES, *_OWN
)
