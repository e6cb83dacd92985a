"""Distributions: tails to 13 digits, arguments at and beyond the edge of their domain, sums by exact arithmetic."""

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.engine.sheets import value_of

from tollway.engine import ErrorValue
from tollway.engine.functions import statistical

DIV0, NUM, NA = ErrorValue.DIV0, ErrorValue.NUM, ErrorValue.NA

# Far tails, large parameters and inverses, by mpmath 1.3 with 60 digits.
TAILS = [
    ("=NORM.S.DIST(-20,TRUE)", 2.7536241186062337e-89),
    ("=NORM.S.DIST(-37,TRUE)", 5.7255712225245768e-300),
    ("=T.DIST(-40,5,TRUE)", 9.2059810858864772e-8),
    ("=T.DIST.2T(12,1000)", 4.3240573867745275e-31),
    ("=T.DIST(2.5,100000,FALSE)", 0.017529420643109394),
    ("=F.DIST.RT(50,3,200)", 3.7078652387597537e-24),
    ("=F.DIST(0.001,20,30,TRUE)", 3.3499930055693413e-26),
    ("=CHISQ.DIST.RT(1000,10)", 1.8702907209159497e-208),
    ("=CHISQ.DIST(900,1000,TRUE)", 0.010717238091289742),
    ("=GAMMA.DIST(50,400,0.5,TRUE)", 7.7374301181701744e-113),
    ("=GAMMA.DIST(1200,1000,1,FALSE)", 2.2082197790506572e-10),
    ("=POISSON.DIST(80,200,TRUE)", 3.8750883951768787e-22),
    ("=POISSON.DIST(1000000,1000000,FALSE)", 0.00039894224715624403),
    ("=BINOM.DIST(100,1000,0.25,TRUE)", 2.1329167977502528e-33),
    ("=BINOM.DIST(500000,1000000,0.5,FALSE)", 0.00079788436133175009),
    ("=NEGBINOM.DIST(3,50,0.25,TRUE)", 7.9510276713357306e-27),
    ("=HYPGEOM.DIST(5,500,2000,5000,TRUE)", 1.1478571359802795e-108),
    ("=BETA.DIST(0.125,300,20,TRUE)", 1.6771742217124646e-242),
    ("=BETA.DIST(0.75,0.5,0.25,FALSE)", 0.62279073896847138),
    ("=CHISQ.INV(1E-30,3)", 2.4179879310247046e-20),
    ("=CHISQ.INV.RT(1E-30,3)", 142.67798622346094),
    ("=GAMMA.INV(0.001,0.125,4)", 2.4746745393258237e-24),
    ("=T.INV(1E-10,4)", -416.17514032960412),
    ("=T.INV.2T(1E-20,1000)", 9.5456977424938171),
    ("=F.INV(1E-12,3,7)", 7.550532230139072e-9),
    ("=F.INV.RT(1E-12,3,7)", 7966.5510382581692),
    ("=BETA.INV(0.0078125,0.25,6)", 4.4646621873050929e-10),
    ("=NORM.S.INV(1E-100)", -21.273453560965324),
    ("=GAMMALN(0.001)", 6.9071788853838537),
    ("=GAMMA(-170.5)", -3.3127395215386073e-308),
]

# What the arguments do at and beyond the edge of their domains; where Excel strays from its own pages, by the
# list of differences that HyperFormula's documentation keeps.
EDGES = [
    ("=BETA.DIST(0,1,3,FALSE)", NUM),
    ("=BETA.DIST(0.6,1,1,FALSE,0.6,0.7)", 0.0),
    ("=BETA.DIST(0.5,0,1,TRUE)", NUM),
    ("=BETA.DIST(0.5,1,1,TRUE,2,2)", NUM),
    ("=BETA.DIST(4,1,1,TRUE,1,3)", NUM),
    ("=BETA.INV(0,1,1)", NUM),
    ("=BETA.INV(1,1,1)", NUM),
    ("=BINOM.DIST(2.9,3.9,0.5,TRUE)", 0.875),
    ("=BINOM.DIST(-0.5,3,0.5,TRUE)", NUM),
    ("=BINOM.DIST(4,3,0.5,TRUE)", NUM),
    ("=BINOM.DIST(0,0,0.5,FALSE)", 1.0),
    ("=BINOM.DIST(3,3,1,FALSE)", 1.0),
    ("=BINOM.DIST(2,3,0,FALSE)", 0.0),
    ("=BINOM.DIST(2,3,1.1,FALSE)", NUM),
    ("=BINOM.DIST.RANGE(10,0.5,6,5)", NUM),
    ("=BINOM.DIST.RANGE(30000,0.5,0,30000)", 1.0),
    ("=BINOM.INV(2,0.5,0.75)", 1.0),
    ("=BINOM.INV(1,0.8,0.2)", 1.0),
    ("=BINOM.INV(10,1,0.5)", NUM),
    ("=BINOM.INV(-0.001,0.5,0.5)", NUM),
    ("=BINOM.DIST(0.5,0.4,1,FALSE)", 1.0),
    ("=BINOM.INV(5,0.5,0)", NUM),
    ("=BINOM.INV(200,0.5,1)", NUM),
    ("=BINOM.INV(-1,0.5,0.5)", NUM),
    ("=CHISQ.DIST(-1,2,TRUE)", NUM),
    ("=CHISQ.DIST(0,2,FALSE)", 0.5),
    ("=CHISQ.DIST(0,1,FALSE)", NUM),
    ("=CHISQ.DIST(1,0.9,TRUE)", NUM),
    ("=CHISQ.DIST(1,1.9,TRUE)", 0.6826894921370859),
    ("=CHISQ.DIST.RT(0,3)", 1.0),
    ("=CHISQ.INV(0,3)", 0.0),
    ("=CHISQ.INV(1,3)", NUM),
    ("=CHISQ.INV.RT(1,3)", 0.0),
    ("=CHISQ.INV.RT(0,3)", NUM),
    ("=CHISQ.TEST({1,2},{1;2})", 1.0),
    ("=CHISQ.TEST({1,2},{1,2,3})", NA),
    ("=CHISQ.TEST(G1:H1,{1,2})", DIV0),
    ("=CHISQ.TEST({1,2},{0,2})", DIV0),
    ("=CHISQ.TEST({1,2},{-1,2})", NUM),
    ("=CHISQ.TEST({1},{2})", NA),
    ("=CONFIDENCE.NORM(0.05,1,0.9)", NUM),
    ("=CONFIDENCE.T(0.05,1,1)", DIV0),
    ("=EXPON.DIST(0,2,FALSE)", 2.0),
    ("=EXPON.DIST(-1,2,TRUE)", NUM),
    ("=F.DIST(0,2,5,FALSE)", 1.0),
    ("=F.DIST(0,1,5,FALSE)", NUM),
    ("=F.DIST(0,3,5,TRUE)", 0.0),
    ("=F.DIST(1,0,5,TRUE)", NUM),
    ("=F.INV(0,2,5)", 0.0),
    ("=F.INV(1,2,5)", NUM),
    ("=F.INV.RT(1,2,5)", 0.0),
    ("=F.TEST({1},{1,2})", DIV0),
    ("=F.TEST({1,1},{1,2})", DIV0),
    ("=FISHER(1)", NUM),
    ("=GAMMA(0)", NUM),
    ("=GAMMA(-2)", NUM),
    ("=GAMMA(172)", NUM),
    ("=GAMMALN(0)", NUM),
    ("=GAMMA.DIST(0,1,4,FALSE)", 0.25),
    ("=GAMMA.DIST(0,0.5,4,FALSE)", NUM),
    ("=GAMMA.INV(1,2,3)", NUM),
    ("=HYPGEOM.DIST(0,15,8,20,TRUE)", NUM),
    ("=HYPGEOM.DIST(8,15,8,20,TRUE)", 1.0),
    ("=LOGNORM.DIST(0,1,1,TRUE)", NUM),
    ("=LOGNORM.INV(1,1,1)", NUM),
    ("=NEGBINOM.DIST(0,0,0.5,TRUE)", NUM),
    ("=NEGBINOM.DIST(0,2,0.5,TRUE)", 0.25),
    ("=NEGBINOM.DIST(0,1,1,FALSE)", NUM),
    ("=NORM.DIST(1,1,0,TRUE)", NUM),
    ("=NORM.INV(0.5,3,2)", 3.0),
    ("=NORM.S.INV(0)", NUM),
    ("=PERMUT(3,4)", NUM),
    ("=PERMUT(3,0)", 1.0),
    ("=PERMUT(1000,500)", NUM),
    ("=PERMUTATIONA(0,0)", 1.0),
    ("=PERMUTATIONA(-1,2)", NUM),
    ("=POISSON.DIST(0,0,TRUE)", 1.0),
    ("=POISSON.DIST(-0.1,5,TRUE)", NUM),
    ("=POISSON.DIST(0,-0.01,FALSE)", math.exp(0.01)),
    ("=POISSON.DIST(2,-0.01,FALSE)", NUM),
    ("=POISSON.DIST(0,-0.01,TRUE)", NUM),
    ("=PROB({1,2},{0.5,0.4},1)", NUM),
    ("=PROB({1,2},{0,1},1)", NUM),
    ("=PROB({1,2},{0.5,0.5},2,1)", 0.0),
    ("=PROB({1,2},{1},1)", NA),
    ("=T.DIST(0,3,TRUE)", 0.5),
    ("=T.DIST(1E200,3,TRUE)", 1.0),
    ("=T.DIST(1,0.5,TRUE)", NUM),
    ("=T.DIST(1,0.9,FALSE)", DIV0),
    ("=TDIST(0,1,1.5)", 0.5),
    ("=HYPGEOM.DIST(12.1,20,12,40,TRUE)", 1.0),
    ("=T.DIST(-1,1E12,TRUE)", 0.15865525393157804),
    ("=T.DIST.2T(-1,3)", NUM),
    ("=TDIST(1,3,3)", NUM),
    ("=T.INV(0.5,3)", 0.0),
    ("=T.INV(1,3)", NUM),
    ("=T.INV(0,3)", DIV0),
    ("=T.INV.2T(0,3)", DIV0),
    ("=T.INV.2T(1,3)", 0.0),
    ("=T.TEST({1,2},{1,2,3},2,1)", NA),
    ("=T.TEST({1,2},{1,2,3},3,2)", NUM),
    ("=T.TEST({1,2},{1,2,3},2,4)", NUM),
    ("=T.TEST({1,1},{1,1},2,2)", DIV0),
    ("=WEIBULL.DIST(0,1,4,FALSE)", 0.0),
    ("=WEIBULL.DIST(1E9,1E9,1,TRUE)", 1.0),
    ("=Z.TEST({1,2},1,0)", NUM),
    ("=Z.TEST({1},1)", DIV0),
    ("=Z.TEST(G1:G3,1)", NA),
]


@pytest.mark.parametrize(("formula", "expected"), TAILS)
def test_tails_and_inverses_are_exact_to_twelve_digits_and_more(formula, expected):
    assert value_of(formula) == pytest.approx(expected, rel=2e-13, abs=0.0)


@pytest.mark.parametrize(
    ("formula", "stored"),
    [
        ("=NORM.S.INV(0.975)", 1.9599639845400536),
        ("=NORMSINV(0.9986501019683699)", 2.999999999999997),
        ("=NORM.INV(0.6305586598182364,-1,3)", 8.881784197001252e-16),
        ("=CONFIDENCE.NORM(0.05,0.0000000001,50)", 2.7718076486993548e-11),
    ],
)
def test_normal_quantiles_have_the_last_digits_that_excel_stores(formula, stored):
    assert value_of(formula) == stored


@pytest.mark.parametrize(("formula", "expected"), EDGES)
def test_arguments_at_the_edge_of_their_domain(formula, expected):
    value = value_of(formula)
    if isinstance(expected, float):
        assert value == pytest.approx(expected, rel=1e-13, abs=1e-15)
    else:
        assert value is expected


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 64))
def test_binomial_sums_equal_exact_fractions(successes, failures, sixty_fourths):
    trials, chance = successes + failures, Fraction(sixty_fourths, 64)
    terms = [math.comb(trials, k) * chance**k * (1 - chance) ** (trials - k) for k in range(successes + 1)]
    one = statistical.discrete.binomial(float(successes), float(trials), float(chance), False)
    upto = statistical.discrete.binomial(float(successes), float(trials), float(chance), True)
    assert one == pytest.approx(float(terms[-1]), rel=1e-12, abs=1e-300)
    assert upto == pytest.approx(float(sum(terms)), rel=1e-12, abs=1e-300)


@given(st.integers(1, 40), st.integers(0, 40), st.integers(0, 40))
def test_hypergeometric_sums_equal_exact_fractions(good, bad, drawn):
    size = good + bad
    drawn = max(1, min(drawn, size))
    lowest, highest = max(0, drawn - bad), min(drawn, good)
    total = Fraction(0)
    for count in range(lowest, highest + 1):
        term = Fraction(math.comb(good, count) * math.comb(bad, drawn - count), math.comb(size, drawn))
        total += term
        given_numbers = (float(count), float(drawn), float(good), float(size))
        assert statistical.discrete.hypergeometric(*given_numbers, False) == pytest.approx(
            float(term), rel=1e-12
        )
        assert statistical.discrete.hypergeometric(*given_numbers, True) == pytest.approx(
            float(total), rel=1e-12
        )


@given(
    st.floats(1e-9, 1 - 1e-9),
    st.integers(1, 400),
    st.integers(1, 400),
)
def test_inverses_lead_back_to_their_probability(chance, freedom, other):
    degrees, others = float(freedom), float(other)
    gamma_family, beta_family = statistical.gamma_family, statistical.beta_family
    below = gamma_family.chi_squared(gamma_family.chi_squared_inverse(chance, degrees), degrees, True)
    assert below == pytest.approx(chance, rel=1e-11)
    below = beta_family.f_distribution(beta_family.f_inverse(chance, degrees, others), degrees, others, True)
    assert below == pytest.approx(chance, rel=1e-11)
    below = beta_family.student(beta_family.student_inverse(chance, degrees), degrees, True)
    assert below == pytest.approx(chance, rel=1e-11)
