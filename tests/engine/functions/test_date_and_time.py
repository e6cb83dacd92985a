"""Date and time functions as tables. Printed results are those of Microsoft's pages; what those leave open is as
Excel stored it in the corpus."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.engine.sheets import value_of

from tollway.engine import ErrorValue
from tollway.engine.serials import date_from_serial, serial_from_date

NUM, VALUE, NA = ErrorValue.NUM, ErrorValue.VALUE, ErrorValue.NA
CELLS = {"A1": 39778, "A2": 39786, "A3": 39834, "A4": None, "B1": True, "B2": "x", "B3": ErrorValue.NA}

TEXTS = [
    ('=DATEVALUE("8/22/2011")', 40777.0),
    ('=DATEVALUE(REPT("1 ",16000))', VALUE),
    ('=VALUE("1/2/2020"&REPT(" ",200)&"3:00")', 43832.125),
    ('=VALUE(REPT("1",250))', pytest.approx(10.0**250 / 9)),
    ('=DATEVALUE("22-MAY-2011")', 40685.0),
    ('=DATEVALUE("2011/02/23")', 40597.0),
    ('=DATEVALUE("2024-02-29 06:00")', 45351.0),
    ('=DATEVALUE("February 29, 2024")', 45351.0),
    ('=DATEVALUE("Feb 29, 2024 6:00 PM")', 45351.0),
    ('=DATEVALUE("29 Feb 24")', 45351.0),
    ('=DATEVALUE(" 2/29/24 ")', 45351.0),
    ('=DATEVALUE("2-29-24")', 45351.0),
    ('=DATEVALUE("Feb 2024")', 45323.0),
    ('=DATEVALUE("2/2024")', 45323.0),
    ('=DATEVALUE("Sept-2024")', 45536.0),
    ('=DATEVALUE("1/1/29")', 47119.0),
    ('=DATEVALUE("1/1/30")', 10959.0),
    ('=DATEVALUE("29-Feb-1900")', 60.0),
    ('=DATEVALUE("10:30")', 0.0),
    ('=DATEVALUE("29-Feb-2023")', VALUE),
    ('=DATEVALUE("13/1/2023")', VALUE),
    ('=DATEVALUE("12/31/1899")', VALUE),
    ('=DATEVALUE("45351")', VALUE),
    ('=DATEVALUE("Febru 1, 2024")', VALUE),
    ("=DATEVALUE(45351)", VALUE),
    ('=TIMEVALUE("2:24 AM")', pytest.approx(0.1)),
    ('=TIMEVALUE("22-Aug-2011 6:35 AM")', pytest.approx(0.2743055555555556)),
    ('=TIMEVALUE("12:00 AM")', 0.0),
    ('=TIMEVALUE("12 PM")', 0.5),
    ('=TIMEVALUE("24:00")', 0.0),
    ('=TIMEVALUE("30:15.5")', pytest.approx(1815.5 / 86_400)),
    ('=TIMEVALUE("1/1/2020")', 0.0),
    ('=TIMEVALUE("13:00 PM")', VALUE),
    ('=TIMEVALUE("1:60")', VALUE),
    ('="February 29, 2024"+0', 45351.0),
]
PARTS = [
    ("=TIME(12,0,0)", 0.5),
    ("=TIME(16,48,10)", pytest.approx(0.7001157, abs=5e-8)),
    ("=TIME(24,2,3)", 0.0014236111111110006),
    ("=TIME(0,-1,0)", NUM),
    ("=TIME(32768,0,0)", NUM),
    ('=HOUR("7/18/2011 7:45")', 7.0),
    ("=HOUR(0.75)", 18.0),
    ('=MINUTE("12:45:00 PM")', 45.0),
    ('=SECOND("4:48:18 PM")', 18.0),
    ("=SECOND(0.9999999)", 0.0),
    ("=HOUR(0.9999999)", 0.0),
    ("=HOUR(-0.5)", NUM),
    ("=WEEKDAY(DATE(2008,2,14))", 5.0),
    ("=WEEKDAY(DATE(2008,2,14),2)", 4.0),
    ("=WEEKDAY(DATE(2008,2,14),3)", 3.0),
    ("=WEEKDAY(DATE(2008,2,14),11)", 4.0),
    ("=WEEKDAY(DATE(2008,2,14),17)", 5.0),
    ("=WEEKDAY(1)", 1.0),
    ("=WEEKDAY(1,4)", NUM),
    ("=WEEKNUM(DATE(2012,3,9))", 10.0),
    ("=WEEKNUM(DATE(2012,3,9),2)", 11.0),
    ("=WEEKNUM(DATE(2021,1,3),21)", 53.0),
    ("=WEEKNUM(DATE(2012,3,9),3)", NUM),
    ("=ISOWEEKNUM(DATE(2012,3,9))", 10.0),
    ("=ISOWEEKNUM(DATE(2018,12,31))", 1.0),
    ("=ISOWEEKNUM(1)", 52.0),
    ("=ISOWEEKNUM(-1)", NUM),
    ("=EDATE(0,1)", 31.0),
    ("=EDATE(61,-7)", NUM),
    ("=EDATE(DATE(2011,1,15),2.9)", 40617.0),
    ("=EOMONTH(DATE(9999,12,1),1)", NUM),
]
DIFFERENCES = [
    ('=DATEDIF(DATE(2001,1,1),DATE(2003,1,1),"Y")', 2.0),
    ('=DATEDIF(DATE(2001,6,1),DATE(2002,8,15),"D")', 440.0),
    ('=DATEDIF(DATE(2001,6,1),DATE(2002,8,15),"yd")', 75.0),
    ('=DATEDIF(DATE(2006,1,31),DATE(2006,3,1),"MD")', -2.0),
    ('=DATEDIF(2,1,"D")', NUM),
    ('=DATEDIF(1,2,"W")', NUM),
    ('=DAYS("3/15/2021","2/1/2021")', 42.0),
    ("=DAYS360(DATE(2011,1,30),DATE(2011,2,1))", 1.0),
    ("=DAYS360(DATE(2011,1,1),DATE(2011,12,31))", 360.0),
    ("=DAYS360(DATE(2011,1,1),DATE(2011,2,1))", 30.0),
    ("=DAYS360(DATE(2024,2,29),DATE(2025,2,28))", 358.0),
    ("=DAYS360(DATE(2025,1,1),DATE(2025,1,31),TRUE)", 29.0),
    ('=DAYS360(1,2,"abc")', VALUE),
    ("=YEARFRAC(DATE(2012,1,1),DATE(2012,7,30))", pytest.approx(0.58055556, abs=5e-9)),
    ("=YEARFRAC(DATE(2012,1,1),DATE(2012,7,30),1)", pytest.approx(0.57650273, abs=5e-9)),
    ("=YEARFRAC(DATE(2012,1,1),DATE(2012,7,30),3)", pytest.approx(0.57808219, abs=5e-9)),
    ("=YEARFRAC(DATE(1980,3,4),DATE(1994,1,1),1)", pytest.approx(13.8282533309, rel=1e-11)),
    ("=YEARFRAC(DATE(2023,2,28),DATE(2024,2,29))", 1.0),
    ("=YEARFRAC(DATE(2023,3,1),DATE(2024,2,28),1)", pytest.approx(364 / 365)),
    ("=YEARFRAC(DATE(2023,3,1),DATE(2024,2,29),1)", pytest.approx(365 / 366)),
    ("=YEARFRAC(DATE(1993,12,31),DATE(1998,3,31),0)", 4.25),
    ("=YEARFRAC(44921,44561,2)", 1.0),
    ("=YEARFRAC(1,2,5)", NUM),
    ("=YEARFRAC(TRUE,2)", VALUE),
]
WORKING_DAYS = [
    ("=NETWORKDAYS(DATE(2012,10,1),DATE(2013,3,1))", 110.0),
    ("=NETWORKDAYS(DATE(2012,10,1),DATE(2013,3,1),DATE(2012,11,22))", 109.0),
    ("=NETWORKDAYS(DATE(2012,10,1),DATE(2013,3,1),{41235,41247,41295})", 107.0),
    ("=NETWORKDAYS(DATE(2006,2,28),DATE(2006,1,31))", -21.0),
    ("=NETWORKDAYS.INTL(DATE(2006,1,1),DATE(2006,1,31))", 22.0),
    ('=NETWORKDAYS.INTL(DATE(2006,1,1),DATE(2006,2,1),7,{"1/2/2006","1/16/2006"})', 22.0),
    ('=NETWORKDAYS.INTL(DATE(2006,1,1),DATE(2006,2,1),"0010001",{"1/2/2006","1/16/2006"})', 20.0),
    ('=NETWORKDAYS.INTL(1,20,"1111111")', 0.0),
    ("=NETWORKDAYS.INTL(1,20,8)", NUM),
    ('=NETWORKDAYS.INTL(1,20,"000012")', VALUE),
    ("=WORKDAY(DATE(2008,10,1),151)", 39933.0),
    ("=WORKDAY(DATE(2008,10,1),151,A1:A4)", 39938.0),
    ("=WORKDAY(DATE(2008,10,4),0)", 39725.0),
    ("=WORKDAY(DATE(2008,10,1),1,B1:B1)", VALUE),
    ("=WORKDAY(DATE(2008,10,1),1,B2:B2)", VALUE),
    ("=WORKDAY(DATE(2008,10,1),1,B3:B3)", NA),
    ("=WORKDAY(1,9999999)", NUM),
    ("=WORKDAY(1,-9999)", NUM),
    ("=WORKDAY.INTL(DATE(2012,1,1),90,11)", 41013.0),
    ("=WORKDAY.INTL(DATE(2012,1,1),30,17)", 40944.0),
    ("=WORKDAY.INTL(DATE(2012,1,1),30,0)", NUM),
    ('=WORKDAY.INTL(1,1,"1111111")', VALUE),
]


@pytest.mark.parametrize(("formula", "expected"), [*TEXTS, *PARTS, *DIFFERENCES, *WORKING_DAYS])
def test_a_date_or_time_function_gives_what_excel_gives(formula, expected):
    assert value_of(formula, CELLS) == expected


def test_a_1904_workbook_counts_its_own_days():
    assert value_of('=DATEVALUE("8/22/2011")', is_1904=True) == 40777.0 - 1462.0
    assert value_of("=WEEKDAY(DATE(2008,2,14))", is_1904=True) == 5.0
    assert value_of("=WORKDAY(DATE(2008,10,1),151)", is_1904=True) == 39933.0 - 1462.0
    assert value_of("=YEARFRAC(0,1,1)", is_1904=True) == pytest.approx(1 / 366)


@given(
    start=st.integers(10_000, 100_000),
    days=st.integers(-3_000, 3_000).filter(bool),
    weekend=st.integers(1, 7),
)
def test_counting_working_days_undoes_going_by_them(start, days, weekend):
    holidays = "{40000,40001,40500,41000}"
    end = value_of(f"=WORKDAY.INTL({start},{days},{weekend},{holidays})")
    first, last = (start + 1, end) if days > 0 else (end, start - 1)
    assert value_of(f"=NETWORKDAYS.INTL({first},{last},{weekend},{holidays})") == abs(days)


@given(serial=st.integers(1, 2_958_465))
def test_a_serial_number_survives_being_taken_apart(serial):
    assert serial_from_date(*date_from_serial(serial)) == serial
