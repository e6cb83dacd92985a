"""Models whose answer is known in closed form: the engine's lies within its stated band around it.

docs/guides/known-answers.md tells the same models to readers; a test holds the two together.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist

import pytest
from tests.engine.sheets import workbook_of

from tollway.engine import OutputSummary, simulate

GUIDE = Path(__file__).parents[2] / "docs/guides/known-answers.md"
ITERATIONS = 200_000
# A right engine leaves a band this wide once in 147,000 seeds, for each number; the seed is fixed.
STANDARD_ERRORS = 4.5
phi, density = NormalDist().cdf, NormalDist().pdf


@dataclass(frozen=True)
class Known:
    """A model and what is known of its one output. None where there is no closed form."""

    name: str
    cells: Mapping[str, float | str]
    inputs: Mapping[str, str]
    output: str
    mean: float
    std: float


# --- a European call: Black and Scholes 1973 -----------------------------------------------------------

SPOT, STRIKE, RATE, VOLATILITY, YEARS = 100.0, 105.0, 0.03, 0.2, 1.0


def call_price_and_spread() -> tuple[float, float]:
    """The price, and the standard deviation of the discounted payoff (by E[payoff^2], closed too)."""
    spread = VOLATILITY * math.sqrt(YEARS)
    d1 = (math.log(SPOT / STRIKE) + (RATE + VOLATILITY**2 / 2) * YEARS) / spread
    d2, discount = d1 - spread, math.exp(-RATE * YEARS)
    price = SPOT * phi(d1) - STRIKE * discount * phi(d2)
    second_moment = (
        SPOT**2 * math.exp(spread**2) * phi(d1 + spread)
        - 2 * SPOT * STRIKE * discount * phi(d1)
        + (STRIKE * discount) ** 2 * phi(d2)
    )
    return price, math.sqrt(second_moment - price**2)


CALL = Known(
    "A European call",
    {
        "B1": SPOT,
        "B2": STRIKE,
        "B3": RATE,
        "B4": VOLATILITY,
        "B5": YEARS,
        "B6": 0,
        "B7": "=B1*EXP((B3-B4^2/2)*B5+B4*SQRT(B5)*B6)",
        "B8": "=EXP(-B3*B5)*MAX(B7-B2,0)",
    },
    {"B6": "normal(0, 1)"},
    "B8",
    *call_price_and_spread(),
)

# --- a project's completion: Clark 1961 for the later of two paths -------------------------------------


def completion() -> tuple[float, float]:
    """A beginning drawn as PERT(5, 8, 14) days, then two paths side by side: N(12, 2) + N(8, 1), N(10, 3) + N(9, 1)."""
    beginning_mean = (5 + 4 * 8 + 14) / 6
    beginning_variance = (beginning_mean - 5) * (14 - beginning_mean) / 7
    (mean1, variance1), (mean2, variance2) = (20.0, 5.0), (19.0, 10.0)
    gap = math.sqrt(variance1 + variance2)
    alpha = (mean1 - mean2) / gap
    later_mean = mean1 * phi(alpha) + mean2 * phi(-alpha) + gap * density(alpha)
    later_square = (
        (mean1**2 + variance1) * phi(alpha)
        + (mean2**2 + variance2) * phi(-alpha)
        + (mean1 + mean2) * gap * density(alpha)
    )
    return beginning_mean + later_mean, math.sqrt(beginning_variance + later_square - later_mean**2)


PROJECT = Known(
    "A project's completion",
    {"B1": 8, "B2": 12, "B3": 8, "B4": 10, "B5": 9, "B6": "=B1+MAX(B2+B3,B4+B5)"},
    {
        "B1": "pert(5, 8, 14)",
        "B2": "normal(12, 2)",
        "B3": "normal(8, 1)",
        "B4": "normal(10, 3)",
        "B5": "normal(9, 1)",
    },
    "B6",
    *completion(),
)

# --- an insurer's ruin: Abel's volume, as Takacs 1967 uses it for ballots -------------------------------

CAPITAL, PREMIUM, RUIN_YEARS = 3.0, 1.2, 20


def ruin_probability() -> float:
    """That losses of some first k years, exponential with mean 1 a year, exceed capital and premiums of k years.

    S_k lies above CAPITAL + k PREMIUM for the first time at k with probability exp(-b_k) times the volume of
    0 < s_1 < .. < s_(k-1) with s_i < b_i, b_i = CAPITAL + i PREMIUM, which is b_1 b_k^(k-2) / (k-1)!.
    """
    edges = [CAPITAL + year * PREMIUM for year in range(1, RUIN_YEARS + 1)]
    return math.fsum(
        math.exp(-edge) * edges[0] * edge ** (years - 2) / math.factorial(years - 1)
        for years, edge in enumerate(edges, 1)
    )


def ruin_cells() -> dict[str, float | str]:
    """A column of losses, the capital at each year's end, and whether it was ever below nothing."""
    cells: dict[str, float | str] = {"A1": CAPITAL, "A2": PREMIUM}
    for year in range(1, RUIN_YEARS + 1):
        before = "$A$1" if year == 1 else f"C{year - 1}"
        cells |= {f"B{year}": 1, f"C{year}": f"={before}+$A$2-B{year}"}
    return cells | {"D1": f"=IF(MIN(C1:C{RUIN_YEARS})<0,1,0)"}


RUIN = Known(
    "An insurer's ruin",
    ruin_cells(),
    {f"B{year}": "exponential(1)" for year in range(1, RUIN_YEARS + 1)},
    "D1",
    ruin_probability(),
    math.sqrt(ruin_probability() * (1 - ruin_probability())),
)

# --- a portfolio's value after a year: sums of independent parts ----------------------------------------

PORTFOLIO = Known(
    "A portfolio after a year",
    {
        "B5": 0.08,
        "B6": 0.03,
        "B7": 1_000_000,
        "B10": "=B5-B6",
        "B12": "=B7*(1+B10)",
        "B16": "=B12",
    },
    {
        "B5": "normal(0.08, 0.02)",
        "B6": "triangular(0.01, 0.03, 0.05)",
    },
    "B16",
    1_050_000,
    1e6 * math.sqrt(0.02**2 + 0.04**2 / 24),
)

MODELS = (CALL, PROJECT, RUIN, PORTFOLIO)


def summary_of(known: Known, sampling: str) -> OutputSummary:
    workbook = workbook_of(known.cells)
    return simulate(workbook, known.inputs, [known.output], iterations=ITERATIONS, seed=7, sampling=sampling)[
        known.output
    ]


@pytest.mark.parametrize("sampling", ["monte_carlo", "latin_hypercube", "sobol"])
@pytest.mark.parametrize("known", MODELS, ids=lambda known: known.name)
def test_a_known_answer_is_found_within_the_stated_band(known, sampling):
    found = summary_of(known, sampling)
    # What the band says of itself is right too: the spread it is made of is the known one, to 2 %.
    assert found.std == pytest.approx(known.std, rel=0.02)
    assert found.mean_standard_error == pytest.approx(known.std / math.sqrt(ITERATIONS), rel=0.02)
    assert abs(found.mean - known.mean) < STANDARD_ERRORS * found.mean_standard_error


def test_ruin_within_a_year_is_the_tail_of_one_loss_and_within_many_nears_cramer_s_bound():
    """The closed form itself against two things that are simpler."""
    first = math.exp(-(CAPITAL + PREMIUM))
    # Lundberg's exponent: exp(-r PREMIUM) / (1 - r) = 1; ruin in any time is exactly (1 - r) exp(-r CAPITAL) here.
    low, high = 1e-9, 1 - 1e-9
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if math.exp(-middle * PREMIUM) / (1 - middle) < 1 else (low, middle)
    forever = (1 - low) * math.exp(-low * CAPITAL)
    assert first < ruin_probability() < forever
    edges = [CAPITAL + year * PREMIUM for year in range(1, 150)]
    nearly_forever = math.fsum(
        math.exp(-edge + math.log(edges[0]) + (years - 2) * math.log(edge) - math.lgamma(years))
        for years, edge in enumerate(edges, 1)
    )
    assert nearly_forever == pytest.approx(forever, rel=0.01)


def test_the_guide_names_each_model_and_its_answer():
    rows = re.findall(r"^\| ([^|]+?) \|.*\| ([\d,.]+) \| ([\d,.]+) \|$", GUIDE.read_text(), re.MULTILINE)
    told = {name: tuple(float(number.replace(",", "")) for number in numbers) for name, *numbers in rows}
    assert told.keys() == {known.name for known in MODELS}
    for known in MODELS:
        answer, found = told[known.name]
        assert answer == pytest.approx(known.mean, rel=5e-5)
        assert found == pytest.approx(summary_of(known, "monte_carlo").mean, rel=5e-5)
