"""Each function of each peer against our own shape, or against SciPy where parameters mean something else."""

import math

import numpy as np
import pytest
import scipy.stats
from tests.engine.sheets import workbook_of

from tollway.engine import (
    CATALOGUE,
    BadDistribution,
    build_program,
    parse_distribution,
    parse_distribution_text,
)
from tollway.engine.written_inputs.analytic_solver import FUNCTIONS as ANALYTIC_SOLVER
from tollway.engine.written_inputs.atrisk import FUNCTIONS as AT_RISK
from tollway.engine.written_inputs.crystal_ball import FUNCTIONS as CRYSTAL_BALL
from tollway.engine.written_inputs.directory import FUNCTIONS

UNIFORMS = np.array([0.001, 0.05, 0.3, 0.5, 0.77, 0.95, 0.9999])


def shape_of(formula, **cells):
    """The distribution that a formula draws from."""
    program = build_program(workbook_of({"A1": f"={formula}", "A2": "=A1", **cells}), [], ["A2"])
    (drawn,) = program.inputs
    return drawn.distribution


def called(name, entry):
    """A call with the parameters of the catalogue's example, in their order."""
    form = parse_distribution_text(entry.example).as_json()
    arguments = [
        "{" + ",".join(repr(one) for one in form[name]) + "}"
        if isinstance(form[name], list)
        else repr(form[name])
        for name in entry.parameters
        if name in form
    ]
    return f"{name}({','.join(arguments)})"


@pytest.mark.parametrize("kind", [kind for kind, entry in CATALOGUE.items() if entry.peer != "RiskResample"])
def test_functions_with_our_parameters_draw_our_shape(kind):
    entry = CATALOGUE[kind]
    ours = parse_distribution_text(entry.example)
    if entry.peer:
        assert np.allclose(
            shape_of(called(entry.peer, entry)).quantile(UNIFORMS), ours.quantile(UNIFORMS), rtol=1e-12
        )
    tried = 0
    for function in ANALYTIC_SOLVER.values():
        if function.parameters and function.name.removeprefix("Psi").lower() == kind.replace("_", ""):
            tried += 1
            assert np.allclose(
                shape_of(called(function.name, entry)).quantile(UNIFORMS), ours.quantile(UNIFORMS)
            )
    assert tried <= 1


SCIPY = [
    ("RiskErf(2)", scipy.stats.norm(0, 1 / (2 * math.sqrt(2)))),
    ("PsiErf(2)", scipy.stats.norm(0, 1 / (2 * math.sqrt(2)))),
    ("RiskLognorm2(1,0.5)", scipy.stats.lognorm(0.5, scale=math.e)),
    ("PsiLogNorm2(1,0.5)", scipy.stats.lognorm(0.5, scale=math.e)),
    ("RiskBeta(2,3,10,20)", scipy.stats.beta(2, 3, 10, 10)),
    ("RiskTnormal(10,2,8,12)", scipy.stats.truncnorm(-1, 1, 10, 2)),
    ("RiskNormal(10,2,RiskTruncate(8,12))", scipy.stats.truncnorm(-1, 1, 10, 2)),
    ("RiskNormal(10,2,RiskShift(5))", scipy.stats.norm(15, 2)),
    ("RiskNormal(10,2,RiskShift(5),RiskTruncate(8,12))", scipy.stats.truncnorm(-1, 1, 15, 2)),
    ("RiskNormal(10,2,RiskShift(5),RiskTruncate2(13,17))", scipy.stats.truncnorm(-1, 1, 15, 2)),
    ("RiskNormal(10,2,RiskTruncateP(0.5,))", scipy.stats.truncnorm(0, math.inf, 10, 2)),
    ("RiskNormal(10,2,RiskTruncate(,10))", scipy.stats.truncnorm(-math.inf, 0, 10, 2)),
    ("PsiNormal(10,2,PsiTruncate(-1,1,2))", scipy.stats.truncnorm(-1, 1, 10, 2)),
    ("PsiNormal(10,2,PsiTruncate(0.5,,3))", scipy.stats.truncnorm(0, math.inf, 10, 2)),
    ("PsiNormal(10,2,PsiShift(5),PsiTruncateP(0.5,))", scipy.stats.truncnorm(0, math.inf, 15, 2)),
    ("RiskNormalAlt(5%,1,95%,10)", scipy.stats.norm(5.5, 9 / 2 / 1.6448536269514722)),
    ("RiskNormalAltD(95%,1,5%,10)", scipy.stats.norm(5.5, 9 / 2 / 1.6448536269514722)),
    ('RiskNormalAlt("mu",10,84.1344746068543%,12)', scipy.stats.norm(10, 2)),
    ('RiskUniformAlt("min",0,50%,5)', scipy.stats.uniform(0, 10)),
    ('RiskTriangAlt("min",0,"m. likely",2,"max",10)', scipy.stats.triang(0.2, 0, 10)),
    ('RiskExponAlt(63.2120558828558%,14,"loc",4)', scipy.stats.expon(4, 10)),
    ("PsiNormalAlt(5%,1,95%,10)", scipy.stats.norm(5.5, 9 / 2 / 1.6448536269514722)),
    ("CB.Beta(2,3,10)", scipy.stats.beta(2, 3, 0, 10)),
    ("CB.Exponential(0.25)", scipy.stats.expon(0, 4)),
    ("CB.Gamma(3,2,5)", scipy.stats.gamma(5, 3, 2)),
    ("CB.Logistic(10,2)", scipy.stats.logistic(10, 2)),
    ("CB.Lognormal(10,3)", scipy.stats.lognorm(math.sqrt(math.log(1.09)), scale=10 / math.sqrt(1.09))),
    ("CB.MaxExtreme(50,10)", scipy.stats.gumbel_r(50, 10)),
    ("CB.MinExtreme(50,10)", scipy.stats.gumbel_l(50, 10)),
    ("CB.Normal(10,2)", scipy.stats.norm(10, 2)),
    ("CB.Normal(10,2,8,12)", scipy.stats.truncnorm(-1, 1, 10, 2)),
    ('CB.Normal(10,2,8,,"Price")', scipy.stats.truncnorm(-1, math.inf, 10, 2)),
    ("CB.Pareto(100,3)", scipy.stats.pareto(3, scale=100)),
    ("CB.Student(5,2,7)", scipy.stats.t(7, 5, 2)),
    ("CB.StudentT(5,2,7)", scipy.stats.t(7, 5, 2)),
    ("CB.Triangular(0,2,10)", scipy.stats.triang(0.2, 0, 10)),
    ("CB.Uniform(1,3)", scipy.stats.uniform(1, 2)),
    ("CB.Weibull(3,2,1.5)", scipy.stats.weibull_min(1.5, 3, 2)),
    ("CB.Binomial(0.3,20)", scipy.stats.binom(20, 0.3)),
    ("CB.DiscreteUniform(1,6)", scipy.stats.randint(1, 7)),
    ("CB.Geometric(0.2)", scipy.stats.geom(0.2)),
    ("CB.Hypergeometric(30,10,100)", scipy.stats.hypergeom(100, 30, 10)),
    ("CB.NegBinomial(0.4,3)", scipy.stats.nbinom(3, 0.4, loc=3)),
    ("CB.Poisson(4)", scipy.stats.poisson(4)),
    ("CB.YesNo(0.3)", scipy.stats.bernoulli(0.3)),
    ("NORM.INV(RAND(),10,2)", scipy.stats.norm(10, 2)),
    ("NORMINV(RAND(),10,2)", scipy.stats.norm(10, 2)),
    ("NORM.S.INV(RAND())", scipy.stats.norm()),
    ("NORMSINV(RAND())", scipy.stats.norm()),
    ("LOGNORM.INV(RAND(),1,0.5)", scipy.stats.lognorm(0.5, scale=math.e)),
    ("LOGINV(RAND(),1,0.5)", scipy.stats.lognorm(0.5, scale=math.e)),
    ("GAMMA.INV(RAND(),2,3)", scipy.stats.gamma(2, scale=3)),
    ("GAMMAINV(RAND(),2,3)", scipy.stats.gamma(2, scale=3)),
    ("BETA.INV(RAND(),2,3)", scipy.stats.beta(2, 3)),
    ("BETAINV(RAND(),2,3,10,20)", scipy.stats.beta(2, 3, 10, 10)),
    ("CHISQ.INV(RAND(),5.9)", scipy.stats.chi2(5)),
    ("T.INV(RAND(),7.2)", scipy.stats.t(7)),
    ("F.INV(RAND(),5,12)", scipy.stats.f(5, 12)),
    ("BINOM.INV(20,0.3,RAND())", scipy.stats.binom(20, 0.3)),
    ("CRITBINOM(20,0.3,RAND())", scipy.stats.binom(20, 0.3)),
    ("RANDBETWEEN(1,6)", scipy.stats.randint(1, 7)),
    ("RANDBETWEEN(0.5,6.9)", scipy.stats.randint(1, 7)),
    ("RAND()", scipy.stats.uniform()),
]  # fmt: skip


@pytest.mark.parametrize(("formula", "expected"), SCIPY)
def test_functions_with_other_parameters_agree_with_scipy(formula, expected):
    found = shape_of(formula)
    # Tables of slow inverses carry their stated error; a percentile with 13 digits carries its own.
    assert np.allclose(found.exact_quantile(UNIFORMS), expected.ppf(UNIFORMS), rtol=1e-8, atol=1e-10)


def test_every_function_of_crystal_ball_and_every_inverse_stands_in_the_table_above():
    written = {formula.partition("(")[0].upper() for formula, _ in SCIPY}
    assert set(CRYSTAL_BALL) - written == {"CB.BETAPERT", "CB.CUSTOM"}


@pytest.mark.parametrize(
    ("formula", "cells", "expected"),
    [
        ("CB.BetaPERT(0,2,10)", {}, {"type": "pert", "min": 0, "mode": 2, "max": 10}),
        ("CB.Custom(D1:D3)", {"D1": 1, "D2": 2, "D3": 5}, {"type": "discrete_uniform", "values": [1, 2, 5]}),
        ("CB.Custom(D1:E2)", {"D1": 1, "E1": 3, "D2": 2, "E2": 1},
         {"type": "discrete", "values": [1, 2], "probabilities": [0.75, 0.25]}),
        ("RiskDiscrete(D1:D2,E1:E2)", {"D1": 1, "E1": 3, "D2": 2, "E2": 1},
         {"type": "discrete", "values": [1, 2], "probabilities": [0.75, 0.25]}),
        ("RiskDuniform({1,2,5})", {}, {"type": "discrete_uniform", "values": [1, 2, 5]}),
        ("RiskCumulD(0,10,{2,5},{0.7,0.2})", {},
         {"type": "cumulative", "min": 0, "max": 10, "values": [2, 5], "probabilities": [0.3, 0.8]}),
        ("RiskResample(2,D1:D3)", {"D1": 1, "D2": 2, "D3": 5}, {"type": "empirical", "values": [1, 2, 5]}),
        ("PsiTriangGen(1,2,5,0.1,0.9)", {},
         {"type": "trigen", "bottom": 1, "mode": 2, "top": 5, "bottom_percent": 10, "top_percent": 90}),
        ('RiskNormal(10,2,RiskName("Price"),RiskUnits("EUR"),RiskCategory("a"),RiskSeed(1,2))', {},
         {"type": "normal", "mean": 10, "std": 2}),
    ],
)  # fmt: skip
def test_lists_ranges_and_properties_are_read(formula, cells, expected):
    ours = parse_distribution(expected)
    assert np.allclose(shape_of(formula, **cells).quantile(UNIFORMS), ours.quantile(UNIFORMS), rtol=1e-12)


@pytest.mark.parametrize(
    ("formula", "words"),
    [
        ("RiskNormalAlt(5%,1,95%)", "they come in pairs"),
        ("RiskNormalAlt(5%,1,5%,2)", "names p5 twice"),
        ('RiskNormalAlt("beta",1,5%,2)', "names no parameter of a normal"),
        ("RiskNormalAlt(5,1,95,2)", "is no percentile"),
        ("RiskLognormAlt(5%,1,50%,2,95%,9)", "RiskLognormAlt: "),
        ("RiskResample(1,{1,2})", "without replacement"),
        ("RiskErf(0)", "RiskErf: h"),
        ("RiskLognorm2(900,1)", "too large"),
        ("CB.Exponential(0)", "CB.Exponential: rate"),
        ("CB.Custom({1,2,3})", "one column of values, or two"),
        ("CB.Normal(10,2,8,12,1,RiskTruncate(9,11))", "truncated twice"),
        ("PsiNormal(10,2,PsiTruncate(1,2,4))", "must be 1 (values)"),
        ("RiskNormal(10,2,RiskTruncate(1,2,3,4))", "too many"),
        ('RiskNormal(10,2,RiskStatic("x"))', "static value"),
    ],
)
def test_what_arguments_cannot_mean_is_said(formula, words):
    with pytest.raises(BadDistribution) as refusal:
        shape_of(formula)
    assert refusal.value.message.startswith("S!A1: ")
    assert words in refusal.value.message


def test_every_function_says_how_it_is_written():
    assert len(AT_RISK) > 100
    for name, function in FUNCTIONS.items():
        assert function.form.startswith(f"{function.name}(")
        assert name == "XLRISKLOGNORM" or name == function.name.upper()
