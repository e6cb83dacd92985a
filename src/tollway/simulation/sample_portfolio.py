"""The sample for portfolio risk: what an investment is worth after a year."""

import math

from tollway.engine import Normal, Triangular
from tollway.simulation.sample_pages import KnownAnswer, Page, Sample, SampleInput, SampleOutput

VOLATILITY = Triangular(0.05, 0.15, 0.35)
EXPECTED_RETURN = Normal(0.08, 0.02)
RISK_FREE = Triangular(0.01, 0.03, 0.05)
INVESTMENT = 1_000_000


def _draw_portfolio(page: Page) -> None:
    page.heading("A3", "Assumptions")
    rows = [
        (4, "Volatility", 0.15, "0.0%", VOLATILITY),
        (5, "Expected return", 0.08, "0.0%", EXPECTED_RETURN),
        (6, "Risk-free rate", 0.03, "0.0%", RISK_FREE),
    ]
    for row, label, value, number_format, distribution in rows:
        page.label(f"A{row}", label)
        page.number(f"B{row}", value, number_format, "input")
        page.note(f"C{row}", distribution.describe())
    page.label("A7", "Amount invested")
    page.number("B7", INVESTMENT, "#,##0")
    volatility, expected_return, risk_free = (page.values[f"B{row}"] for row in (4, 5, 6))

    page.heading("A9", "Calculation")
    page.label("A10", "Excess return")
    premium = page.formula("B10", "=B5-B6", expected_return - risk_free, "0.0%")
    page.label("A11", "Sharpe ratio")
    sharpe = page.formula("B11", "=B10/B4", premium / volatility, "0.000")
    page.label("A12", "Value after a year")
    value = page.formula("B12", "=B7*(1+B10)", INVESTMENT * (1 + premium), "#,##0")
    page.label("A13", "Gain")
    page.formula("B13", "=B12-B7", value - INVESTMENT, "#,##0")

    page.heading("A15", "Results")
    page.label("A16", "Portfolio value")
    page.formula("B16", "=B12", value, "#,##0", "output")
    page.label("A17", "Gain in percent")
    page.formula("B17", "=(B12-B7)/B7*100", (value - INVESTMENT) / INVESTMENT * 100, "0.00", "output")
    page.label("A18", "Sharpe ratio")
    page.formula("B18", "=B11", sharpe, "0.000", "output")


def _portfolio_answers() -> tuple[KnownAnswer, ...]:
    """Work out the moments of the three outputs.

    B16 = 1,000,000 (1 + R - F) with R normal and F triangular, independent, so
    E = 1,000,000 (1 + 0.08 - 0.03) = 1,050,000 and
    sd = 1,000,000 sqrt(0.02² + 0.04² / 24) = 21,602: a symmetric triangle of width w has variance w² / 24.
    B17 is B16 less the amount, in percent. B18 = (R - F) / V, with V triangular on [a, b] around c, for which
    E[1 / V]  = 2 / (b - a) (b ln(b / c) / (b - c) - a ln(c / a) / (c - a)) and
    E[1 / V²] = 2 / (b - a) ((ln(c / a) + a / c - 1) / (c - a) + (b / c - 1 - ln(b / c)) / (b - c)).
    """
    premium_mean = EXPECTED_RETURN.mean - RISK_FREE.mean
    premium_std = math.hypot(EXPECTED_RETURN.std, RISK_FREE.std)
    a, c, b = VOLATILITY.min, VOLATILITY.mode, VOLATILITY.max
    inverse = 2 / (b - a) * (b * math.log(b / c) / (b - c) - a * math.log(c / a) / (c - a))
    inverse_square = (
        2 / (b - a) * ((math.log(c / a) + a / c - 1) / (c - a) + (b / c - 1 - math.log(b / c)) / (b - c))
    )
    sharpe_mean = premium_mean * inverse
    sharpe_square = (premium_mean**2 + premium_std**2) * inverse_square
    return (
        KnownAnswer("Portfolio!B16", INVESTMENT * (1 + premium_mean), INVESTMENT * premium_std),
        KnownAnswer("Portfolio!B17", 100 * premium_mean, 100 * premium_std),
        KnownAnswer("Portfolio!B18", sharpe_mean, math.sqrt(sharpe_square - sharpe_mean**2)),
    )


PORTFOLIO = Sample(
    name="portfolio",
    title="Portfolio risk",
    use_case="Portfolio Risk Analysis",
    filename="portfolio-risk.xlsx",
    summary="What a portfolio is worth after a year when volatility, return and risk-free rate are uncertain.",
    inputs=(
        SampleInput("Portfolio!B4", "Volatility", VOLATILITY),
        SampleInput("Portfolio!B5", "Expected return", EXPECTED_RETURN),
        SampleInput("Portfolio!B6", "Risk-free rate", RISK_FREE),
    ),
    outputs=(
        SampleOutput("Portfolio!B16", "Portfolio value"),
        SampleOutput("Portfolio!B17", "Gain in percent"),
        SampleOutput("Portfolio!B18", "Sharpe ratio"),
    ),
    known_answers=_portfolio_answers(),
    draw_sheets=_draw_portfolio,
)
