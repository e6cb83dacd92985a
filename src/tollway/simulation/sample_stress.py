"""The sample for a stress test: what bad years cost a lender."""

import math
from dataclasses import dataclass

from tollway.engine import Discrete, Distribution, Pert, Triangular
from tollway.simulation.sample_pages import KnownAnswer, Page, Sample, SampleInput, SampleOutput

SEVERITY = Discrete((1, 1.5, 2.5, 4), (0.6, 0.25, 0.12, 0.03))


@dataclass(frozen=True)
class _Segment:
    name: str
    exposure: float
    default_rate: Pert
    loss_given_default: Triangular


SEGMENTS = (
    _Segment("Mortgages", 400_000_000, Pert(0.002, 0.005, 0.014), Triangular(0.10, 0.18, 0.30)),
    _Segment("Small business", 150_000_000, Pert(0.010, 0.022, 0.060), Triangular(0.30, 0.42, 0.60)),
    _Segment("Corporate", 250_000_000, Pert(0.004, 0.010, 0.030), Triangular(0.25, 0.40, 0.55)),
    _Segment("Credit cards", 60_000_000, Pert(0.020, 0.035, 0.080), Triangular(0.60, 0.75, 0.90)),
    _Segment("Property developers", 90_000_000, Pert(0.010, 0.025, 0.090), Triangular(0.30, 0.45, 0.70)),
)
CAPITAL = 68_000_000
EARNINGS = 9_000_000
RISK_WEIGHTED_ASSETS = 560_000_000
CAPITAL_RATIO_MIN = 0.105


def _draw_stress(page: Page) -> None:
    page.label("A3", "Severity of the year")
    severity = page.number("B3", 1, "0.0", "input")
    page.note("C3", SEVERITY.describe())

    for column, text in zip(
        "ABCDE", ("Segment", "Exposure", "Default rate", "Loss given default", "Stressed loss"), strict=True
    ):
        page.heading(f"{column}5", text)
    losses = 0.0
    for row, segment in enumerate(SEGMENTS, start=6):
        page.label(f"A{row}", segment.name)
        exposure = page.number(f"B{row}", segment.exposure, "#,##0")
        default_rate = page.number(f"C{row}", segment.default_rate.mode, "0.0%", "input")
        loss_share = page.number(f"D{row}", segment.loss_given_default.mode, "0%", "input")
        loss = exposure * default_rate * loss_share * severity
        losses += page.formula(f"E{row}", f"=B{row}*C{row}*D{row}*$B$3", loss, "#,##0")
    page.label("A11", "All segments")
    page.formula("B11", "=SUM(B6:B10)", sum(segment.exposure for segment in SEGMENTS), "#,##0")
    page.formula("E11", "=SUM(E6:E10)", losses, "#,##0")

    page.heading("A13", "Capital")
    page.label("A14", "Capital today")
    page.number("B14", CAPITAL, "#,##0")
    page.label("A15", "Earnings before losses")
    page.number("B15", EARNINGS, "#,##0")
    page.label("A16", "Risk-weighted assets")
    page.number("B16", RISK_WEIGHTED_ASSETS, "#,##0")
    page.label("A17", "Smallest ratio allowed")
    page.number("B17", CAPITAL_RATIO_MIN, "0.0%")

    page.heading("A19", "Results")
    page.label("A20", "Loss")
    page.formula("B20", "=E11", losses, "#,##0", "output")
    page.label("A21", "Capital ratio after the year")
    ratio = (CAPITAL + EARNINGS - losses) / RISK_WEIGHTED_ASSETS
    page.formula("B21", "=(B14+B15-B20)/B16", ratio, "0.00%", "output")
    page.label("A22", "Capital to be raised")
    shortfall = max(0.0, CAPITAL_RATIO_MIN * RISK_WEIGHTED_ASSETS - (CAPITAL + EARNINGS - losses))
    page.formula("B22", "=MAX(0,B17*B16-(B14+B15-B20))", shortfall, "#,##0", "output")
    page.label("A23", "Ratio breached (1 = yes)")
    page.formula("B23", "=IF(B21<B17,1,0)", 1 if ratio < CAPITAL_RATIO_MIN else 0, "0", "output")


def _stress_answers() -> tuple[KnownAnswer, ...]:
    """Work out loss and ratio: loss = M S with M the severity, S the sum of exposure × rate × share.

    All are independent, so E[M S] = E[M] E[S] and E[(M S)²] = E[M²] E[S²], where the variance of S is the sum
    of exposure² (E[rate²] E[share²] - E[rate]² E[share]²).
    """
    mean = math.fsum(s.exposure * s.default_rate.mean * s.loss_given_default.mean for s in SEGMENTS)
    variance = math.fsum(
        s.exposure**2 * (_square(s.default_rate) * _square(s.loss_given_default)
                         - (s.default_rate.mean * s.loss_given_default.mean) ** 2)
        for s in SEGMENTS
    )  # fmt: skip
    loss_mean = SEVERITY.mean * mean
    loss_std = math.sqrt(_square(SEVERITY) * (variance + mean**2) - loss_mean**2)
    return (
        KnownAnswer("Stress!B20", loss_mean, loss_std),
        KnownAnswer(
            "Stress!B21",
            (CAPITAL + EARNINGS - loss_mean) / RISK_WEIGHTED_ASSETS,
            loss_std / RISK_WEIGHTED_ASSETS,
        ),
    )


def _square(distribution: Distribution) -> float:
    """Expected square."""
    return distribution.mean**2 + distribution.std**2


STRESS = Sample(
    name="stress",
    title="Stress test of a loan book",
    use_case="Stress Testing",
    filename="stress-test.xlsx",
    summary="What bad years cost a lender: losses of five segments, the capital ratio, and how often it is breached.",
    inputs=(
        SampleInput("Stress!B3", "Severity of the year", SEVERITY),
        *(
            SampleInput(f"Stress!C{row}", f"Default rate: {segment.name}", segment.default_rate)
            for row, segment in enumerate(SEGMENTS, start=6)
        ),
        *(
            SampleInput(f"Stress!D{row}", f"Loss share: {segment.name}", segment.loss_given_default)
            for row, segment in enumerate(SEGMENTS, start=6)
        ),
    ),
    outputs=(
        SampleOutput("Stress!B20", "Loss"),
        SampleOutput("Stress!B21", "Capital ratio after the year"),
        SampleOutput("Stress!B22", "Capital to be raised"),
        SampleOutput("Stress!B23", "Ratio breached (1 = yes)"),
    ),
    known_answers=_stress_answers(),
    draw_sheets=_draw_stress,
)
