"""Financial functions as tables. Printed results are those of Microsoft's pages; errors are those of their remarks,
and what those leave open is as Excel stored it in the corpus."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.engine.sheets import value_of

from tollway.engine import ErrorValue

DIV0, NUM, VALUE, NA = ErrorValue.DIV0, ErrorValue.NUM, ErrorValue.VALUE, ErrorValue.NA
CELLS = {
    "A1": -10000, "A2": 2750, "A3": 4250, "A4": 3250, "A5": 2750,
    "B1": 39448, "B2": 39508, "B3": 39751, "B4": 39859, "B5": 39904,
    "C1": 0.09, "C2": None, "C3": 0.11, "D1": "0.1", "D2": True, "D3": ErrorValue.NA,
}  # fmt: skip


def printed(number: float, places: int):
    """A result as a page prints it, to so many decimal places."""
    return pytest.approx(number, abs=0.51 * 10.0**-places)


ANNUITIES = [
    ("=CUMIPMT(0.09/12,30*12,125000,13,24,0)", printed(-11135.23213, 5)),
    ("=CUMIPMT(0.09/12,30*12,125000,1,1,0)", printed(-937.5, 5)),
    ("=CUMPRINC(0.09/12,30*12,125000,13,24,0)", printed(-934.1071234, 7)),
    ("=CUMPRINC(0.09/12,30*12,125000,1,1,0)", printed(-68.27827118, 8)),
    ("=CUMIPMT(0,12,100,1,2,0)", NUM),
    ("=CUMIPMT(0.1,12,100,2,1,0)", NUM),
    ("=CUMIPMT(0.1,12,100,1,13,0)", NUM),
    ("=CUMPRINC(0.1,12,100,1,2,2)", NUM),
    ("=CUMPRINC(TRUE,12,100,1,2,0)", VALUE),
    ("=CUMIPMT(1E-9,9999999,100,1,9999999,0)", NUM),
    ("=ISPMT(0.1/12,1,3*12,8000000)", printed(-64814.8148, 4)),
    ("=ISPMT(0.1,1,3,8000000)", printed(-533333.3333, 4)),
    ("=ISPMT(0.1,1,0,8000000)", DIV0),
    ("=NPER(12%/12,-100,-1000,10000,1)", printed(59.6738657, 7)),
    ("=NPER(1%,-100,-1000,10000)", printed(60.0821229, 7)),
    ("=NPER(1%,-100,-1000)", printed(-9.57859404, 8)),
]
RATES = [
    ("=RATE(48,-200,8000)", printed(0.00770147, 8)),
    ("=RATE(0,-200,8000)", NUM),
    ("=RATE(2,-200,8000,0,1)", pytest.approx(-0.9743589743570107, rel=1e-14)),
    ("=RATE(300,-200,8000)", pytest.approx(0.024984769422422157, rel=1e-14)),
    ("=RATE(10,-1200,2000)", NUM),
    ("=EFFECT(0.0525,4)", printed(0.0535427, 7)),
    ("=NOMINAL(0.053543,4)", printed(0.05250032, 8)),
    ("=EFFECT(0.5,4.9)", pytest.approx(0.601806640625)),
    ("=EFFECT(0,4)", NUM),
    ("=NOMINAL(0.1,0.9)", NUM),
    ("=NOMINAL(TRUE,4)", VALUE),
    ('=EFFECT("0.0525","4")', printed(0.0535427, 7)),
    ("=RRI(96,10000,11000)", printed(0.0009933, 7)),
    ("=RRI(0,1,2)", NUM),
    ("=RRI(2,0,1)", NUM),
    ("=RRI(2,1,-1)", NUM),
    ("=PDURATION(2.5%,2000,2200)", printed(3.86, 2)),
    ("=PDURATION(0.025/12,1000,1200)", printed(87.6, 1)),
    ("=PDURATION(0,1,2)", NUM),
    ("=FVSCHEDULE(1,{0.09,0.11,0.1})", printed(1.33089, 5)),
    ("=FVSCHEDULE(1000,C1:C3)", pytest.approx(1209.9)),
    ("=FVSCHEDULE(1,D1:D1)", VALUE),
    ("=FVSCHEDULE(1,D2:D2)", VALUE),
    ("=FVSCHEDULE(1,D3:D3)", NA),
]
CASH_FLOWS = [
    ("=MIRR({-120000,39000,30000,21000,37000,46000},10%,12%)", printed(0.126094, 6)),
    ("=MIRR({-120000,39000,30000,21000},10%,12%)", printed(-0.048045, 6)),
    ("=MIRR({-120000,39000,30000,21000,37000,46000},10%,14%)", printed(0.134759, 6)),
    ("=MIRR({1,2},0.1,0.1)", DIV0),
    ("=XNPV(0.09,A1:A5,B1:B5)", printed(2086.647602, 6)),
    ("=XNPV(0.09,A1:A5,B1:B4)", NUM),
    ("=XNPV(-0.1,A1:A5,B1:B5)", NUM),
    ("=XNPV(0.1,{1,2},{10,9})", NUM),
    ("=XNPV(0.1,{1,2},{10,11000000})", NUM),
    ("=XIRR(A1:A5,B1:B5,0.1)", printed(0.373362535, 8)),
    ("=XIRR({-20,5,5,5,5,5},{44958,44986,45017,45078,45108,45139})", 1.1859161972999572),
    ("=XIRR({-55,10,5,5,5,5},{100,120,300,101,200,150})", -0.9271996639668942),
    ("=XIRR({-1000,230,200,125,200,10},{1,2,3,4,5,6})", NUM),
    ("=XIRR({0,-100,110},{1,2,367})", 0.1 * 2.0**-25),
    ("=XIRR({1,2},{1,2})", NUM),
    ("=XIRR({-1,2},{2,1})", NUM),
    ("=XIRR({-1,2},{1,2,3})", NUM),
    ("=XIRR({-1,2},{1,2},-1)", NUM),
    ('=XIRR({-1,"2"},{1,2})', VALUE),
    ("=XIRR({-1,TRUE},{1,2})", VALUE),
    ("=IRR({-1,3},-1)", VALUE),
    ("=IRR({-20,5,5,5,5,5})", pytest.approx(0.07930826116039724, rel=1e-14)),
    ("=IRR({-90,30,20,30,20,30})", pytest.approx(0.13709513129836592, rel=1e-14)),
    ("=IRR({-100,-10,10,100},0.5)", pytest.approx(-1.594280263362e-13, rel=1e-12)),
    ("=IRR({-400,1,1,1,1,1})", pytest.approx(-0.6737366751808405, rel=1e-12)),
]
DEPRECIATION = [
    ("=DB(1000000,100000,6,2,7)", printed(259639.42, 2)),
    ("=DB(1000000,100000,6,6,7)", printed(55841.76, 2)),
    ("=DDB(2400,300,3650,1)", printed(1.32, 2)),
    ("=DDB(2400,300,120,1,2)", printed(40.0, 2)),
    ("=DDB(2400,300,10,2,1.5)", printed(306.0, 2)),
    ("=SYD(30000,7500,10,1)", printed(4090.91, 2)),
    ("=SYD(30000,7500,10,10)", printed(409.09, 2)),
    ("=SYD(1,0,2,3)", NUM),
    ("=VDB(2400,300,3650,0,1)", printed(1.32, 2)),
    ("=VDB(2400,300,120,0,1)", printed(40.0, 2)),
    ("=VDB(2400,300,10,0,1)", printed(480.0, 2)),
    ("=VDB(2400,300,120,6,18)", printed(396.31, 2)),
    ("=VDB(2400,300,120,6,18,1.5)", printed(311.81, 2)),
    ("=VDB(2400,300,10,0,0.875,1.5)", printed(315.0, 2)),
    ("=VDB(1,0,14,11.5,12.5,1.25,FALSE)", pytest.approx(0.06872629045468406, rel=1e-12)),
    ("=VDB(100,0,10,9,10,2,TRUE)", pytest.approx(2.68435456)),
    ("=VDB(1,0,2,1,3)", NUM),
    ("=VDB(1,0,2,2,1)", NUM),
    ("=AMORLINC(2400,39679,39813,300,1,0.15,1)", 360.0),
    ("=AMORDEGRC(2400,39679,39813,300,1,0.15,1)", 776.0),
    ("=AMORDEGRC(2400,39679,39813,300,9,0.15,1)", 0.0),
    ("=AMORDEGRC(2400,39679,39813,300,1,0.22,1)", NUM),
    ("=AMORLINC(2400,39679,39813,300,1,0.15,2)", NUM),
    ("=AMORLINC(2400,39813,39679,300,1,0.15,1)", NUM),
]
COUPONS = [
    ("=COUPDAYBS(DATE(2011,1,25),DATE(2011,11,15),2,1)", 71.0),
    ("=COUPDAYS(DATE(2011,1,25),DATE(2011,11,15),2,1)", 181.0),
    ("=COUPDAYSNC(DATE(2011,1,25),DATE(2011,11,15),2,1)", 110.0),
    ("=COUPNCD(DATE(2011,1,25),DATE(2011,11,15),2,1)", 40678.0),
    ("=COUPNUM(DATE(2007,1,25),DATE(2008,11,15),2,1)", 4.0),
    ("=COUPPCD(DATE(2011,1,25),DATE(2011,11,15),2,1)", 40497.0),
    ("=COUPNCD(DATE(2021,1,1),DATE(2023,2,28),2)", 44255.0),
    ("=COUPPCD(DATE(2021,1,1),DATE(2023,2,28),2)", 44074.0),
    ("=COUPDAYS(DATE(2011,1,25),DATE(2011,11,15),4,3)", 91.25),
    ("=COUPNUM(DATE(2011,11,15),DATE(2011,11,15),2)", NUM),
    ("=COUPNUM(DATE(2011,1,25),DATE(2011,11,15),3)", NUM),
    ("=COUPNUM(DATE(2011,1,25),DATE(2011,11,15),2,5)", NUM),
    ('=COUPNUM("1/25/2007","11/15/2008",2.9,1.9)', 4.0),
    ("=COUPPCD(1,DATE(2011,11,15),1)", NUM),
]
BONDS = [
    ("=PRICE(39493,43054,0.0575,0.065,100,2,0)", printed(94.63436162, 8)),
    ("=PRICE(DATE(2025,4,1),DATE(2028,3,13),0.05,0.065,15,1,3)", pytest.approx(25.48409543503172, rel=1e-12)),
    ("=PRICE(39493,43054,-0.1,0.065,100,2,0)", NUM),
    ("=PRICE(39493,43054,0.1,0.065,0,2,0)", NUM),
    ("=YIELD(39493,42689,0.0575,95.04287,100,2,0)", printed(0.065, 7)),
    ("=YIELD(DATE(2020,1,1),DATE(2020,6,1),0.05,PRICE(DATE(2020,1,1),DATE(2020,6,1),0.05,0.07,100,2),100,2)",
     pytest.approx(0.07)),
    ("=YIELD(39493,42689,0.0575,0,100,2,0)", NUM),
    ("=DURATION(DATE(2018,7,1),DATE(2048,1,1),0.08,0.09,2,1)", printed(10.9191453, 7)),
    ("=MDURATION(39448,42370,0.08,0.09,2,1)", printed(5.73567, 5)),
    ("=ODDFPRICE(39763,44256,39736,39873,0.0785,0.0625,100,2,1)", printed(113.5977175, 6)),
    ("=ODDFYIELD(39763,44256,39736,39873,0.0575,84.5,100,2,0)", printed(0.077245542, 9)),
    ("=ODDFPRICE(DATE(2020,3,1),DATE(2030,3,1),DATE(2020,1,15),DATE(2021,3,1),0.075,0.067,120,2,2)",
     pytest.approx(115.84574814124899, rel=1e-12)),
    ("=ODDFPRICE(39763,44256,39736,39874,0.0785,0.0625,100,2,1)", NUM),
    ("=ODDFPRICE(39736,44256,39763,39873,0.0785,0.0625,100,2,1)", NUM),
    ("=ODDLPRICE(39485,39614,39370,0.0375,0.0405,100,2,0)", printed(99.87828601, 8)),
    ("=ODDLYIELD(39558,39614,39440,0.0375,99.875,100,2,0)", printed(0.0452, 4)),
    ("=ODDLPRICE(DATE(2020,3,1),DATE(2030,3,1),DATE(2020,1,15),0.08,0.0711,120,1,3)",
     pytest.approx(116.47338382128387, rel=1e-12)),
    ("=ODDLPRICE(39485,39614,39490,0.0375,0.0405,100,2,0)", NUM),
]  # fmt: skip
DISCOUNT_SECURITIES = [
    ("=ACCRINT(39508,39691,39569,0.1,1000,2,0)", printed(16.666667, 6)),
    ("=ACCRINT(DATE(2008,3,5),39691,39569,0.1,1000,2,0,FALSE)", printed(15.555556, 6)),
    ("=ACCRINT(DATE(2008,4,5),39691,39569,0.1,1000,2,0,TRUE)", printed(7.2222222, 7)),
    ("=ACCRINT(DATE(1990,3,4),DATE(1993,3,31),DATE(1992,3,4),0.07,10000,2,2)", printed(1394.166666667, 9)),
    ("=ACCRINT(DATE(1990,3,4),DATE(2010,7,5),DATE(1992,3,4),0.07,10000,4,1)", printed(1358.376068376, 9)),
    ("=ACCRINT(39508,39691,39508,0.1,1000,2,0)", NUM),
    ("=ACCRINT(39508,39691,39569,0,1000,2,0)", NUM),
    ("=ACCRINTM(39539,39614,0.1,1000,3)", printed(20.54794521, 8)),
    ("=ACCRINTM(39614,39539,0.1,1000,3)", NUM),
    ("=DISC(DATE(2007,1,25),DATE(2007,6,15),97.975,100,1)", printed(0.052420213, 9)),
    ("=DISC(39472,39614,97.975,100,5)", NUM),
    ("=DISC(39472,39614,97.975,100,2.4)", pytest.approx(0.051338028169014345, rel=1e-12)),
    ("=INTRATE(39493,39583,1000000,1014420,2)", printed(0.05768, 5)),
    ("=RECEIVED(39493,39583,1000000,0.0575,2)", printed(1014584.65, 2)),
    ("=RECEIVED(1,10000,100,0.5)", NUM),
    ("=PRICEDISC(39494,39508,0.0525,100,2)", printed(99.795833, 6)),
    ("=PRICEMAT(39493,39551,39397,0.061,0.061,0)", printed(99.98449888, 8)),
    ("=YIELDDISC(39494,39508,99.795,100,2)", printed(0.052823, 6)),
    ("=YIELDMAT(39522,39755,39394,0.0625,100.0123,0)", printed(0.0610, 4)),
    ("=YIELDMAT(39522,39755,39394,-0.0625,100.0123,0)", NUM),
    ("=PRICEMAT(39493,39551,39552,0.061,0.061,0)", NUM),
]
TREASURY = [
    ("=TBILLEQ(39538,39600,0.0914)", printed(0.09415149, 8)),
    ("=TBILLPRICE(39538,39600,0.09)", printed(98.45, 6)),
    ("=TBILLYIELD(39538,39600,98.45)", printed(0.09141696, 8)),
    ("=TBILLEQ(39538,39538+366,0.05)", NUM),
    ("=TBILLEQ(39538,39538+300,0)", NUM),
    ("=TBILLPRICE(39600,39538,0.09)", NUM),
    ("=DOLLARDE(1.02,16)", 1.125),
    ("=DOLLARDE(1.1,32)", pytest.approx(1.3125)),
    ("=DOLLARFR(1.125,16)", 1.02),
    ("=DOLLARFR(1.125,32)", 1.04),
    ("=DOLLARDE(-1.1,32.9)", pytest.approx(-1.3125)),
    ("=DOLLARDE(1.1,0.9)", DIV0),
    ("=DOLLARFR(1.1,-1)", NUM),
]
TABLES = [
    *ANNUITIES, *RATES, *CASH_FLOWS, *DEPRECIATION, *COUPONS, *BONDS, *DISCOUNT_SECURITIES, *TREASURY
]  # fmt: skip


@pytest.mark.parametrize(("formula", "expected"), TABLES)
def test_a_financial_function_gives_what_excel_gives(formula, expected):
    assert value_of(formula, CELLS) == expected


def test_dates_of_a_1904_workbook_mean_the_same_days():
    formula = "=COUPNCD(DATE(2011,1,25),DATE(2011,11,15),2,1)-DATE(2011,5,15)"
    assert value_of(formula, is_1904=True) == 0.0
    price = "=PRICE(DATE(2008,2,15),DATE(2017,11,15),0.0575,0.065,100,2,0)"
    assert value_of(price, is_1904=True) == printed(94.63436162, 8)


@given(
    rate=st.floats(0.0, 0.2), yield_rate=st.floats(0.0, 0.3), days=st.integers(30, 9_000),
    frequency=st.sampled_from([1, 2, 4]), basis=st.integers(0, 4),
)  # fmt: skip
def test_the_yield_of_a_price_is_the_yield_it_was_made_from(rate, yield_rate, days, frequency, basis):
    terms = f"44000,{44000 + days},{rate!r}"
    price = value_of(f"=PRICE({terms},{yield_rate!r},100,{frequency},{basis})")
    found = value_of(f"=YIELD({terms},{price!r},100,{frequency},{basis})")
    assert found == pytest.approx(yield_rate, abs=1e-7)
