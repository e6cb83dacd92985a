"""evaluate() against each model computed again by hand in NumPy, from the same draws."""

from dataclasses import dataclass

import numpy as np
import pytest
from tests.engine.models import (
    ASSUMPTIONS,
    DEADLINE_DAYS,
    LOAN_TERMS,
    LOANS,
    MODELS,
    MONTHS,
    PRICE_STEPS,
    PROJECT,
    RISK_CLASSES,
    TASKS,
    VALUATION,
    YEARS,
    ModelCase,
)

from tollway.engine import build_program, draw, evaluate, read_workbook

ITERATIONS = 20_000
SEED = 20_261_120


@dataclass(frozen=True)
class Evaluated:
    outputs: np.ndarray
    errors: np.ndarray
    draws: dict[str, np.ndarray]


def evaluated(case: ModelCase, tmp_path) -> Evaluated:
    path = tmp_path / f"{case.name}.xlsx"
    case.write(path)
    program = build_program(read_workbook(path), case.inputs, case.outputs)
    draws = draw(case.inputs, SEED, 0, ITERATIONS)
    found = evaluate(program, draws)
    return Evaluated(found.values, found.errors, dict(zip(case.distributions, draws, strict=True)))


def assert_agree(found: Evaluated, expected: list[np.ndarray]) -> None:
    assert not found.errors.any()
    for row, values in enumerate(expected):
        np.testing.assert_allclose(found.outputs[row], values, rtol=1e-9, atol=0)


@pytest.mark.parametrize("case", MODELS, ids=lambda case: case.name)
def test_the_script_writes_as_many_formulas_as_it_says(case: ModelCase, tmp_path):
    path = tmp_path / "model.xlsx"
    case.write(path)
    sheets = read_workbook(path).sheets
    found = sum(cell.formula is not None for sheet in sheets for cell in sheet.cells.values())
    assert found == case.formulas_count


def test_the_valuation_agrees_with_numpy(tmp_path):
    found = evaluated(VALUATION, tmp_path)
    assert_agree(found, valuation_by_hand(found.draws))


def valuation_by_hand(draws: dict[str, np.ndarray]) -> list[np.ndarray]:
    a = {
        name: draws.get(f"Assumptions!B{row}", np.full(ITERATIONS, float(value)))
        for row, (name, value, _) in enumerate(ASSUMPTIONS, 1)
    }
    equity_cost = a["Risk-free rate"] + a["Beta"] * a["Equity premium"]
    capital_cost = (1 - a["Debt share"]) * equity_cost + a["Debt share"] * a["Cost of debt"] * (
        1 - a["Tax rate"]
    )
    revenue, capital = a["Revenue today"], a["Revenue today"] * 0.1
    invested = np.zeros(ITERATIONS)
    ebitdas, revenues, cash, discounts = [], [], [], []
    for year in YEARS:
        growth = a["Growth, years 1 to 5"] if year <= 5 else a["Growth, later years"]
        growth = growth + np.where(a["Year of the shock"] == year, a["Size of the shock"], 0.0)
        revenue = revenue * (1 + growth)
        cost = (
            revenue
            * (1 - a["Gross margin"])
            * (1 + a["Inflation of costs"]) ** (year - 1)
            / 1.02 ** (year - 1)
        )
        ebitda = revenue - cost - (revenue * a["Overhead share"] + revenue * a["Research share"])
        investment = revenue * a["Investment share"]
        invested = invested + investment
        depreciation = invested / a["Useful life"]
        ebit = ebitda - depreciation
        after_tax = ebit - np.maximum(0, ebit) * a["Tax rate"]
        before = capital
        capital = (
            revenue * a["Days until customers pay"]
            + cost * a["Days in stock"]
            - cost * a["Days until suppliers are paid"]
        ) / 365
        cash.append(after_tax + depreciation - investment - (capital - before))
        discounts.append((1 + capital_cost) ** -float(year))
        ebitdas.append(ebitda)
        revenues.append(revenue)
    present = sum(flow * discount for flow, discount in zip(cash, discounts, strict=True))
    for_ever = np.minimum(a["Growth for ever"], capital_cost - 0.01)
    enterprise = present + cash[-1] * (1 + for_ever) / (capital_cost - for_ever) * discounts[-1]
    equity = np.maximum(0, enterprise - a["Net debt"])
    share = np.floor(equity / a["Shares"] * 100 + 0.5) / 100
    margin = np.mean(ebitdas, axis=0) / np.mean(revenues, axis=0)
    distress = np.where((np.min(cash, axis=0) < a["Cash floor"]) | (equity == 0), 1.0, 0.0)
    return [enterprise, equity, share, margin, distress]


def test_the_project_agrees_with_numpy(tmp_path):
    found = evaluated(PROJECT, tmp_path)
    assert_agree(found, project_by_hand(found.draws))


def project_by_hand(draws: dict[str, np.ndarray]) -> list[np.ndarray]:
    classes = {name: (factor, chance) for name, factor, chance in RISK_CLASSES}
    days_at, prices = (np.array(part, dtype=float) for part in zip(*PRICE_STEPS, strict=True))
    ends: list[np.ndarray] = []
    direct, events = np.zeros(ITERATIONS), np.zeros(ITERATIONS)
    for row, (_, risk, _, cost, before) in enumerate(TASKS, 2):
        factor, chance = classes[risk]
        happens = draws[f"Plan!G{row}"] < chance
        days = draws[f"Plan!C{row}"] * factor + np.where(happens, draws[f"Plan!H{row}"], 0.0)
        start = np.max([ends[number - 1] for number in before], axis=0) if before else np.zeros(ITERATIONS)
        end = start + np.ceil(days)
        level = prices[(end[:, None] >= days_at).sum(axis=1) - 1]
        ends.append(end)
        direct += days * cost * level
        events += happens
    finish = np.max(ends, axis=0)
    late = np.maximum(0, finish - DEADLINE_DAYS)
    penalty = np.where(late > 60, 120_000 + (late - 60) * 5_000, late * 2_000)
    reserve = np.where(late == 0, 0.02, np.where(late > 60, 0.4, 0.1)) * direct
    total = direct + penalty + finish * draws["Plan!B19"] + reserve
    return [total, finish, penalty, events]


def test_the_loans_agree_with_numpy(tmp_path):
    found = evaluated(LOANS, tmp_path)
    assert_agree(found, loans_by_hand(found.draws))


def loans_by_hand(draws: dict[str, np.ndarray]) -> list[np.ndarray]:
    t = {
        name: draws.get(f"Terms!B{row}", np.full(ITERATIONS, float(value)))
        for row, (name, value, _) in enumerate(LOAN_TERMS, 1)
    }
    early_share = 1 - (1 - t["Paid back early, a year"]) ** (1 / 12)
    lost_share = 1 - (1 - t["Lost, a year"]) ** (1 / 12)
    owed = t["Lent"]
    interests, losses, life, value, highest = (np.zeros(ITERATIONS) for _ in range(5))
    for month in MONTHS:
        index_rate = draws[f"Terms!E{(month + 11) // 12}"]
        yearly = np.clip(index_rate + t["Margin"], t["Lowest rate"], t["Highest rate"])
        rate = yearly / 12
        payment = owed * rate / (1 - (1 + rate) ** -(361.0 - month))
        payment = np.where(owed < 0.01, 0.0, payment)
        interest = owed * rate
        principal = np.minimum(owed, payment - interest)
        tired = np.where(rate * 12 > 0.06, t["Tired of paying early"], 1.0)
        early = (owed - principal) * early_share * min(1.0, month / 30) * tired
        lost = np.minimum(owed - principal - early, owed * lost_share)
        cash = (
            interest + principal + early + lost * (1 - t["Loss given default"]) - owed * t["Servicing"] / 12
        )
        value += cash / (1 + t["Discount rate"] / 12) ** month
        interests += interest
        losses += lost
        life += month * (principal + early)
        highest = np.maximum(highest, payment)
        owed = owed - principal - early - lost
    return [
        value - t["Lent"],
        interests,
        losses * t["Loss given default"],
        life / 12 / t["Lent"],
        highest,
    ]


def test_any_cut_of_the_iterations_gives_the_same_bits(tmp_path):
    path = tmp_path / "project.xlsx"
    PROJECT.write(path)
    program = build_program(read_workbook(path), PROJECT.inputs, PROJECT.outputs)
    draws = draw(PROJECT.inputs, SEED, 0, 10_000)
    whole = evaluate(program, draws).values
    parts = [evaluate(program, draws[:, start : start + 777]).values for start in range(0, 10_000, 777)]
    assert np.array_equal(whole, np.concatenate(parts, axis=1))
