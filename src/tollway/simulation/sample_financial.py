"""The sample for a financial model: what an investment of five years is worth today."""

import math

from tollway.engine import Lognormal, Normal, Triangular, Uniform
from tollway.simulation.sample_pages import KnownAnswer, Page, Sample, SampleInput, SampleOutput

REVENUE = Normal(2_400_000, 200_000)
GROWTH = Uniform(0.02, 0.08)
MARGIN = Triangular(0.18, 0.25, 0.30)
INVESTMENT = Lognormal(1_500_000, 180_000)
FIXED_COSTS = 120_000
TAX_RATE = 0.25
DISCOUNT_RATE = 0.09
YEARS = 5


def _draw_financial(page: Page) -> None:
    page.heading("A3", "Assumptions")
    varied = [
        (4, "Revenue in year 1", REVENUE.mean, "#,##0", REVENUE),
        (5, "Growth a year", GROWTH.mean, "0.0%", GROWTH),
        (6, "Operating margin", MARGIN.mode, "0.0%", MARGIN),
        (7, "Investment", INVESTMENT.mean, "#,##0", INVESTMENT),
    ]
    for row, label, value, number_format, distribution in varied:
        page.label(f"A{row}", label)
        page.number(f"B{row}", value, number_format, "input")
        page.note(f"C{row}", distribution.describe())
    page.label("A8", "Fixed costs a year")
    page.number("B8", FIXED_COSTS, "#,##0")
    page.label("A9", "Tax rate")
    page.number("B9", TAX_RATE, "0%")
    page.label("A10", "Discount rate")
    page.number("B10", DISCOUNT_RATE, "0.0%")
    page.note("C9", "A loss saves the same tax on other profits.")

    for row, label in enumerate(("Year", "Revenue", "Operating profit", "Tax", "Cash flow"), start=12):
        page.label(f"A{row}", label)
    revenue, growth, margin, investment = (page.values[f"B{row}"] for row in (4, 5, 6, 7))
    worth = 0.0
    for year, column in enumerate("BCDEF", start=1):
        page.number(f"{column}12", year, "0")
        previous = chr(ord(column) - 1)
        revenue = revenue if year == 1 else revenue * (1 + growth)
        page.formula(f"{column}13", "=B4" if year == 1 else f"={previous}13*(1+$B$5)", revenue, "#,##0")
        profit = page.formula(
            f"{column}14", f"={column}13*$B$6-$B$8", revenue * margin - FIXED_COSTS, "#,##0"
        )
        tax = page.formula(f"{column}15", f"={column}14*$B$9", profit * TAX_RATE, "#,##0")
        cash = page.formula(f"{column}16", f"={column}14-{column}15", profit - tax, "#,##0")
        worth += cash / (1 + DISCOUNT_RATE) ** year

    page.heading("A18", "Results")
    page.label("A19", "Present value of cash flows")
    page.formula("B19", "=NPV(B10,B16:F16)", worth, "#,##0")
    page.label("A20", "Net present value")
    page.formula("B20", "=B19-B7", worth - investment, "#,##0", "output")
    page.label("A21", "Profitability index")
    page.formula("B21", "=IFERROR(B19/B7,0)", worth / investment, "0.00", "output")
    page.label("A22", "Worth doing (1 = yes)")
    page.formula("B22", "=IF(B20>0,1,0)", 1 if worth > investment else 0, "0", "output")


def _financial_answers() -> tuple[KnownAnswer, ...]:
    """Work out net present value and profitability index.

    The cash flows are worth P = k R M A - k F N, with k = 1 - tax rate, R revenue, M margin, F fixed costs,
    d_t = (1 + discount rate)^-t, N the sum of d_t, and A the sum of (1 + growth)^(t - 1) d_t over the years.
    R, M, A and the investment I are independent. For growth uniform on [a, b]
    E[(1 + growth)^n] = ((1 + b)^(n + 1) - (1 + a)^(n + 1)) / ((n + 1) (b - a)), which gives E[A] and E[A²].
    Net present value is P - I. The index is P / I, where 1 / I is lognormal too:
    E[1 / I] = exp(s² / 2 - m) and E[1 / I²] = exp(2 s² - 2 m) for the logarithm's mean m and deviation s.
    """
    discounts = [(1 + DISCOUNT_RATE) ** -year for year in range(1, YEARS + 1)]
    growing = math.fsum(d * _growth_power(n) for n, d in enumerate(discounts))
    growing_square = math.fsum(
        d * e * _growth_power(n + m) for n, d in enumerate(discounts) for m, e in enumerate(discounts)
    )
    kept = 1 - TAX_RATE
    product_mean = REVENUE.mean * MARGIN.mean * growing
    product_square = (REVENUE.mean**2 + REVENUE.std**2) * (MARGIN.mean**2 + MARGIN.std**2) * growing_square
    worth_mean = kept * (product_mean - FIXED_COSTS * math.fsum(discounts))
    worth_variance = kept**2 * (product_square - product_mean**2)
    inverse = math.exp(INVESTMENT.log_std**2 / 2 - INVESTMENT.log_mean)
    inverse_square = math.exp(2 * INVESTMENT.log_std**2 - 2 * INVESTMENT.log_mean)
    index_mean = worth_mean * inverse
    index_square = (worth_variance + worth_mean**2) * inverse_square
    return (
        KnownAnswer(
            "Project!B20", worth_mean - INVESTMENT.mean, math.sqrt(worth_variance + INVESTMENT.std**2)
        ),
        KnownAnswer("Project!B21", index_mean, math.sqrt(index_square - index_mean**2)),
    )


def _growth_power(power: int) -> float:
    """Expected value of (1 + growth)^power."""
    low, high = 1 + GROWTH.min, 1 + GROWTH.max
    return (high ** (power + 1) - low ** (power + 1)) / ((power + 1) * (high - low))


FINANCIAL = Sample(
    name="financial",
    title="Investment over five years",
    use_case="Financial Modeling",
    filename="financial-model.xlsx",
    summary="What a project is worth today when its revenue, growth, margin and investment are uncertain.",
    inputs=(
        SampleInput("Project!B4", "Revenue in year 1", REVENUE),
        SampleInput("Project!B5", "Growth a year", GROWTH),
        SampleInput("Project!B6", "Operating margin", MARGIN),
        SampleInput("Project!B7", "Investment", INVESTMENT),
    ),
    outputs=(
        SampleOutput("Project!B20", "Net present value"),
        SampleOutput("Project!B21", "Profitability index"),
        SampleOutput("Project!B22", "Worth doing (1 = yes)"),
    ),
    known_answers=_financial_answers(),
    draw_sheets=_draw_financial,
)
