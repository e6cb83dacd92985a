"""Three workbooks of the kinds customers bring, made by a script: a valuation, a project, a pool of loans.

They hold 218, 70 and 3,249 formulas. Each comes with the cells to draw and the cells to read.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import xlsxwriter

from tollway.engine import Input, parse_distribution_text

YEARS = range(1, 11)
MONTHS = range(1, 361)


@dataclass(frozen=True)
class ModelCase:
    name: str
    write: Callable[[Path], None]
    formulas_count: int
    distributions: dict[str, str]
    outputs: tuple[str, ...]

    @property
    def inputs(self) -> list[Input]:
        return [Input(cell, parse_distribution_text(text)) for cell, text in self.distributions.items()]


# --- valuation -----------------------------------------------------------------------------------------

# name, value, distribution; the row on the sheet follows from the order.
ASSUMPTIONS = (
    ("Revenue today", 1000, "normal(1000, 50)"),
    ("Growth, years 1 to 5", 0.08, "normal(0.08, 0.02)"),
    ("Growth, later years", 0.03, "normal(0.03, 0.01)"),
    ("Gross margin", 0.42, "triangular(0.35, 0.42, 0.48)"),
    ("Overhead share", 0.18, "normal(0.18, 0.015)"),
    ("Research share", 0.05, "uniform(0.04, 0.06)"),
    ("Tax rate", 0.25, "triangular(0.21, 0.25, 0.28)"),
    ("Investment share", 0.06, "triangular(0.04, 0.06, 0.09)"),
    ("Useful life", 8, None),
    ("Days until customers pay", 45, "normal(45, 5)"),
    ("Days until suppliers are paid", 40, "normal(40, 4)"),
    ("Days in stock", 30, "normal(30, 4)"),
    ("Risk-free rate", 0.035, "normal(0.035, 0.004)"),
    ("Beta", 1.15, "normal(1.15, 0.1)"),
    ("Equity premium", 0.055, "uniform(0.045, 0.065)"),
    ("Cost of debt", 0.06, "normal(0.06, 0.005)"),
    ("Debt share", 0.3, None),
    ("Growth for ever", 0.02, "triangular(0.01, 0.02, 0.03)"),
    ("Net debt", 900, "normal(900, 40)"),
    ("Shares", 100, None),
    ("Year of the shock", 4, "discrete(1:0.25, 4:0.5, 9:0.25)"),
    ("Size of the shock", -0.15, "triangular(-0.35, -0.15, 0)"),
    ("Cash floor", 20, None),
    ("Inflation of costs", 0.02, "normal(0.02, 0.005)"),
)
FORECAST_ROWS = (
    "Year", "Growth", "Revenue", "Cost of sales", "Gross profit", "Overhead", "Research", "EBITDA", "Investment",
    "Depreciation", "EBIT", "Tax", "After tax", "Owed by customers", "Stock", "Owed to suppliers",
    "Working capital", "Change", "Free cash", "Discount", "Present value",
)  # fmt: skip


def write_valuation(path: Path) -> None:
    with xlsxwriter.Workbook(path) as book:
        _write_assumptions(book.add_worksheet("Assumptions"))
        _write_forecast(book.add_worksheet("Forecast"))
        _write_value(book.add_worksheet("Value"))


def _assumed(name: str) -> str:
    row = next(row for row, (known, _, _) in enumerate(ASSUMPTIONS, 1) if known == name)
    return f"Assumptions!$B${row}"


def _write_assumptions(sheet) -> None:
    for row, (name, value, _) in enumerate(ASSUMPTIONS):
        sheet.write(row, 0, name)
        sheet.write(row, 1, value)


def _write_forecast(sheet) -> None:
    sheet.write_column(0, 0, FORECAST_ROWS)
    sheet.write_formula("B3", f"={_assumed('Revenue today')}")
    sheet.write_formula("B17", "=B3*0.1")
    for year in YEARS:
        now, before = chr(66 + year), chr(65 + year)
        sheet.write(f"{now}1", year)
        lines = (
            (
                f"=IF({now}1<=5,{_assumed('Growth, years 1 to 5')},{_assumed('Growth, later years')})"
                f"+IF({now}1={_assumed('Year of the shock')},{_assumed('Size of the shock')},0)"
            ),
            f"={before}3*(1+{now}2)",
            (
                f"={now}3*(1-{_assumed('Gross margin')})"
                f"*(1+{_assumed('Inflation of costs')})^({now}1-1)/(1+0.02)^({now}1-1)"
            ),
            f"={now}3-{now}4",
            f"={now}3*{_assumed('Overhead share')}",
            f"={now}3*{_assumed('Research share')}",
            f"={now}5-SUM({now}6:{now}7)",
            f"={now}3*{_assumed('Investment share')}",
            f"=SUM($C9:{now}9)/{_assumed('Useful life')}",
            f"={now}8-{now}10",
            f"=MAX(0,{now}11)*{_assumed('Tax rate')}",
            f"={now}11-{now}12",
            f"={now}3*{_assumed('Days until customers pay')}/365",
            f"={now}4*{_assumed('Days in stock')}/365",
            f"={now}4*{_assumed('Days until suppliers are paid')}/365",
            f"={now}14+{now}15-{now}16",
            f"={now}17-{before}17",
            f"={now}13+{now}10-{now}9-{now}18",
            f"=1/(1+Value!$B$2)^{now}1",
            f"={now}19*{now}20",
        )
        for row, formula in enumerate(lines, 2):
            sheet.write_formula(f"{now}{row}", formula)


def _write_value(sheet) -> None:
    lines = (
        ("Cost of equity", f"={_assumed('Risk-free rate')}+{_assumed('Beta')}*{_assumed('Equity premium')}"),
        (
            "Cost of capital",
            (
                f"=(1-{_assumed('Debt share')})*B1"
                f"+{_assumed('Debt share')}*{_assumed('Cost of debt')}*(1-{_assumed('Tax rate')})"
            ),
        ),
        ("Present value of cash", "=SUM(Forecast!C21:L21)"),
        ("The same by NPV", "=NPV(B2,Forecast!C19:L19)"),
        ("Growth for ever", f"=MIN({_assumed('Growth for ever')},B2-0.01)"),
        ("Terminal value", "=Forecast!L19*(1+B5)/(B2-B5)"),
        ("Its present value", "=B6*Forecast!L20"),
        ("Enterprise value", "=B3+B7"),
        ("Equity value", f"=MAX(0,B8-{_assumed('Net debt')})"),
        ("Value of a share", f"=ROUND(B9/{_assumed('Shares')},2)"),
        ("Terminal share", "=IF(B8=0,0,B7/B8)"),
        ("Mean margin", "=AVERAGE(Forecast!C8:L8)/AVERAGE(Forecast!C3:L3)"),
        ("Least free cash", "=MIN(Forecast!C19:L19)"),
        ("Weighted cash", "=SUMPRODUCT(Forecast!C19:L19,Forecast!C20:L20)"),
        ("In distress", f"=IF(OR(B13<{_assumed('Cash floor')},B9=0),1,0)"),
        ("Difference of both ways", "=ABS(B3-B4)"),
    )
    for row, (name, formula) in enumerate(lines):
        sheet.write(row, 0, name)
        sheet.write_formula(row, 1, formula)


VALUATION = ModelCase(
    "valuation",
    write_valuation,
    218,
    {f"Assumptions!B{row}": text for row, (_, _, text) in enumerate(ASSUMPTIONS, 1) if text},
    ("Value!B8", "Value!B9", "Value!B10", "Value!B12", "Value!B15"),
)

# --- project -------------------------------------------------------------------------------------------

# name, risk class, days, cost of a day, tasks before it
TASKS = (
    ("Design", "Low", 30, 800, ()),
    ("Permits", "High", 45, 300, (1,)),
    ("Ground work", "Medium", 25, 900, (2,)),
    ("Foundations", "Medium", 40, 1200, (3,)),
    ("Frame", "Medium", 55, 1500, (4,)),
    ("Roof", "Low", 20, 1000, (5,)),
    ("Wiring", "High", 30, 1100, (5,)),
    ("Pipes", "Medium", 28, 1050, (5,)),
    ("Interior", "Low", 45, 950, (6, 7, 8)),
    ("Handover", "Extreme", 15, 2000, (9,)),
)
RISK_CLASSES = (("Low", 1.0, 0.02), ("Medium", 1.1, 0.1), ("High", 1.25, 0.25), ("Extreme", 1.5, 0.4))
PRICE_STEPS = ((0, 1.0), (60, 1.03), (120, 1.07), (180, 1.12), (240, 1.2), (300, 1.3))
DEADLINE_DAYS = 330


def write_project(path: Path) -> None:
    with xlsxwriter.Workbook(path) as book:
        plan, tables = book.add_worksheet("Plan"), book.add_worksheet("Tables")
        for row, line in enumerate(RISK_CLASSES):
            tables.write_row(row, 0, line)
        for row, line in enumerate(PRICE_STEPS):
            tables.write_row(row, 4, line)
        plan.write_row(0, 0, ("Task", "Risk", "Days", "Day cost", "Factor", "Chance", "u", "Event days"))
        plan.write_row(0, 8, ("Start", "Days in all", "End", "Price level"))
        for number, task in enumerate(TASKS, 1):
            _write_task(plan, number + 1, *task)
        _write_project_totals(plan)


def _write_task(plan, row: int, name: str, risk: str, days: int, cost: int, before: tuple[int, ...]) -> None:
    plan.write_row(row - 1, 0, (name, risk, days, cost))
    plan.write_row(row - 1, 6, (0.5, 10))
    ends = [f"K{number + 1}" for number in before]
    start = "0" if not ends else ends[0] if len(ends) == 1 else f"MAX({','.join(ends)})"
    for column, formula in (
        ("E", f"VLOOKUP(B{row},Tables!$A$1:$C$4,2,FALSE)"),
        ("F", f"VLOOKUP(B{row},Tables!$A$1:$C$4,3,FALSE)"),
        ("I", start),
        ("J", f"C{row}*E{row}+IF(G{row}<F{row},H{row},0)"),
        ("K", f"I{row}+ROUNDUP(J{row},0)"),
        ("L", f"INDEX(Tables!$F$1:$F$6,MATCH(K{row},Tables!$E$1:$E$6,1))"),
    ):
        plan.write_formula(f"{column}{row}", f"={formula}")


def _write_project_totals(plan) -> None:
    lines = (
        ("Direct cost", "=SUMPRODUCT(J2:J11,D2:D11,L2:L11)"),
        ("End", "=MAX(K2:K11)"),
        ("Deadline", DEADLINE_DAYS),
        ("Days late", "=MAX(0,B15-B16)"),
        ("Penalty", "=IF(B17>60,60*2000+(B17-60)*5000,IF(B17>0,B17*2000,0))"),
        ("Overhead of a day", 450),
        ("Overhead", "=B15*B19"),
        ("Total", "=B14+B18+B20"),
        ("Status", '=IF(B17=0,"OK",IF(B17>60,"CRITICAL","LATE"))'),
        (
            "Reserve",
            '=VLOOKUP(IF(B22="OK","Low",IF(B22="LATE","Medium","Extreme")),Tables!A1:C4,3,FALSE)*B14',
        ),
        ("Events", "=SUMPRODUCT((G2:G11<F2:F11)*1)"),
        ("Total with reserve", "=IFERROR(B21+B23,0)"),
    )
    for row, (name, content) in enumerate(lines, 13):
        plan.write(row, 0, name)
        plan.write(row, 1, content)


def _project_distributions() -> dict[str, str]:
    found: dict[str, str] = {}
    for row, (_, _, days, _, _) in enumerate(TASKS, 2):
        found[f"Plan!C{row}"] = f"pert({days * 0.8}, {days}, {days * 1.6})"
        found[f"Plan!G{row}"] = "uniform(0, 1)"
        found[f"Plan!H{row}"] = "triangular(2, 10, 30)"
    return found | {"Plan!B19": "normal(450, 30)"}


PROJECT = ModelCase(
    "project",
    write_project,
    70,
    _project_distributions(),
    ("Plan!B25", "Plan!B15", "Plan!B18", "Plan!B24"),
)

# --- loans ---------------------------------------------------------------------------------------------

LOAN_TERMS = (
    ("Lent", 1_000_000, None),
    ("Months", 360, None),
    ("Margin", 0.015, "normal(0.015, 0.002)"),
    ("Paid back early, a year", 0.06, "triangular(0.02, 0.06, 0.12)"),
    ("Lost, a year", 0.015, "triangular(0.005, 0.012, 0.04)"),
    ("Loss given default", 0.4, "triangular(0.2, 0.35, 0.7)"),
    ("Servicing", 0.0025, None),
    ("Discount rate", 0.05, "normal(0.05, 0.006)"),
    ("Highest rate", 0.09, None),
    ("Lowest rate", 0.02, None),
    ("Tired of paying early", 0.7, "uniform(0.5, 0.9)"),
)


def write_loans(path: Path) -> None:
    with xlsxwriter.Workbook(path) as book:
        terms, months, result = (book.add_worksheet(name) for name in ("Terms", "Months", "Result"))
        for row, (name, value, _) in enumerate(LOAN_TERMS):
            terms.write_row(row, 0, (name, value))
        for year in range(1, 31):
            terms.write_row(year - 1, 3, (year, 0.035))
        months.write_row(0, 0, ("Month", "Rate", "Open", "Payment", "Interest", "Principal", "Early", "Lost"))
        months.write_row(0, 8, ("Close", "Cash"))
        for month in MONTHS:
            _write_month(months, month)
        _write_loan_result(result)


def _write_month(sheet, month: int) -> None:
    row = month + 1
    sheet.write(row - 1, 0, month)
    for column, formula in enumerate(
        (
            f"=MAX(Terms!$B$10,MIN(Terms!$B$9,INDEX(Terms!$E$1:$E$30,ROUNDUP(A{row}/12,0))+Terms!$B$3))/12",
            "=Terms!$B$1" if month == 1 else f"=I{row - 1}",
            f"=IF(C{row}<0.01,0,-PMT(B{row},Terms!$B$2-A{row}+1,C{row}))",
            f"=C{row}*B{row}",
            f"=MIN(C{row},D{row}-E{row})",
            f"=(C{row}-F{row})*Result!$B$1*MIN(1,A{row}/30)*IF(B{row}*12>0.06,Terms!$B$11,1)",
            f"=MIN(C{row}-F{row}-G{row},C{row}*Result!$B$2)",
            f"=C{row}-F{row}-G{row}-H{row}",
            f"=E{row}+F{row}+G{row}+H{row}*(1-Terms!$B$6)-C{row}*Terms!$B$7/12",
        ),
        1,
    ):
        sheet.write_formula(row - 1, column, formula)


def _write_loan_result(sheet) -> None:
    lines = (
        ("Early, a month", "=1-(1-Terms!B4)^(1/12)"),
        ("Lost, a month", "=1-(1-Terms!B5)^(1/12)"),
        ("Net present value", "=NPV(Terms!B8/12,Months!J2:J361)-Terms!B1"),
        ("Interest", "=SUM(Months!E2:E361)"),
        ("Losses", "=SUM(Months!H2:H361)*Terms!B6"),
        ("Mean life", "=SUMPRODUCT(Months!A2:A361,Months!F2:F361+Months!G2:G361)/12/Terms!B1"),
        ("Highest payment", "=MAX(Months!D2:D361)"),
        ("Losses to interest", "=IF(B4=0,0,B5/B4)"),
        ("At a loss", "=IF(B3<0,1,0)"),
    )
    for row, (name, formula) in enumerate(lines):
        sheet.write(row, 0, name)
        sheet.write_formula(row, 1, formula)


LOANS = ModelCase(
    "loans",
    write_loans,
    3249,
    {f"Terms!B{row}": text for row, (_, _, text) in enumerate(LOAN_TERMS, 1) if text}
    | {f"Terms!E{year}": "normal(0.035, 0.008)" for year in range(1, 31)},
    ("Result!B3", "Result!B4", "Result!B5", "Result!B6", "Result!B7"),
)

MODELS = (VALUATION, PROJECT, LOANS)
