"""Engineering functions as tables. Results are those of Microsoft's own pages where they show one, else of the
corpus saved by Excel; errors are those of the remarks on those pages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.engine.sheets import value_of

from tollway.engine import ErrorValue
from tollway.engine.functions.engineering.units import UNITS, Quantity

DIV0, NUM, VALUE, NA = ErrorValue.DIV0, ErrorValue.NUM, ErrorValue.VALUE, ErrorValue.NA

CELLS = {"A1": True, "A2": "text", "A3": "7", "A4": ErrorValue.NA, "B1": "3+4i", "B2": "5-3i", "B3": "5-3j"}


def near(number):
    """As many digits as Microsoft's pages print."""
    return pytest.approx(number, rel=1e-6)


def exact(number):
    """What the corpus stores."""
    return pytest.approx(number, rel=1e-12)


BESSEL = [
    ("=BESSELI(1.5,1)", near(0.981666428)),
    ("=BESSELI(10,7)", exact(238.025587847593)),
    ("=BESSELI(-2.4,7)", exact(-0.000849664862008219)),
    ("=BESSELI(0,3)", 0.0),
    ("=BESSELI(1000,1)", NUM),
    ("=BESSELJ(1.9,2)", near(0.329925829)),
    ("=BESSELJ(0,0)", exact(1.00000000283141)),
    ("=BESSELJ(10,1)", exact(0.04347224965225415)),
    ("=BESSELJ(32,0)", exact(0.13807900971253675)),
    ("=BESSELJ(-10,7)", exact(-0.2167104380031489)),
    ("=BESSELJ(2,30)", exact(3.650256266474097e-33)),
    ("=BESSELJ(1,1.999)", exact(0.4400505856771301)),
    ("=BESSELJ(1,-1)", NUM),
    ("=BESSELJ(A1,1)", VALUE),
    ("=BESSELK(1.5,1)", near(0.277387804)),
    ("=BESSELK(10,10)", exact(0.0016142553062810975)),
    ("=BESSELK(0,1)", NUM),
    ("=BESSELK(1E-10,40)", NUM),
    ("=BESSELY(2.5,1)", near(0.145918138)),
    ("=BESSELY(32,10)", exact(-0.1417774805939537)),
    ("=BESSELY(-1,1)", NUM),
    ("=BESSELY(A2,1)", VALUE),
]
NUMERALS = [
    ("=BIN2DEC(1100100)", 100.0),
    ('=BIN2DEC("1111111111")', -1.0),
    ('=BIN2DEC("")', 0.0),
    ("=BIN2DEC(2)", NUM),
    ("=BIN2DEC(1.1)", NUM),
    ("=BIN2DEC(10000000000)", NUM),
    ("=BIN2DEC(A1)", VALUE),
    ("=BIN2DEC(A4)", NA),
    ("=BIN2HEX(11111011,4)", "00FB"),
    ("=BIN2HEX(1111111111,1)", "FFFFFFFFFF"),
    ("=BIN2OCT(1001,3)", "011"),
    ("=BIN2OCT(1111111111)", "7777777777"),
    ("=DEC2BIN(9,4)", "1001"),
    ("=DEC2BIN(-100)", "1110011100"),
    ("=DEC2BIN(512)", NUM),
    ("=DEC2BIN(9,3)", NUM),
    ("=DEC2BIN(9,4.9)", "1001"),
    ("=DEC2BIN(9,C1)", NUM),
    ("=DEC2BIN(A2,4)", VALUE),
    ("=DEC2BIN(A2,11)", NUM),
    ("=DEC2HEX(100,4)", "0064"),
    ("=DEC2HEX(-54)", "FFFFFFFFCA"),
    ("=DEC2HEX(2^39)", NUM),
    ("=DEC2OCT(58,3)", "072"),
    ("=DEC2OCT(-100)", "7777777634"),
    ('=HEX2BIN("F",8)', "00001111"),
    ('=HEX2BIN("fffffffffe")', "1111111110"),
    ('=HEX2BIN("200")', NUM),
    ('=HEX2DEC("A5")', 165.0),
    ('=HEX2DEC("FFFFFFFF5B")', -165.0),
    ('=HEX2DEC("3DA408B9")', 1034160313.0),
    ('=HEX2DEC("G")', NUM),
    ('=HEX2OCT("3B4E")', "35516"),
    ('=HEX2OCT("FFFFFFFF00")', "7777777400"),
    ("=OCT2BIN(3,3)", "011"),
    ("=OCT2BIN(7777777000)", "1000000000"),
    ("=OCT2DEC(54)", 44.0),
    ("=OCT2DEC(7777777533)", -165.0),
    ("=OCT2DEC(8)", NUM),
    ("=OCT2HEX(100,4)", "0040"),
    ("=OCT2HEX(7777777533)", "FFFFFFFF5B"),
]
BITS = [
    ("=BITAND(13,25)", 9.0),
    ("=BITAND(A1,1)", 1.0),
    ("=BITAND(-1,1)", NUM),
    ("=BITAND(1.5,1)", NUM),
    ("=BITAND(2^48,1)", NUM),
    ("=BITOR(23,10)", 31.0),
    ("=BITXOR(5,3)", 6.0),
    ("=BITLSHIFT(4,2)", 16.0),
    ("=BITLSHIFT(4,-2)", 1.0),
    ("=BITLSHIFT(1,48)", NUM),
    ("=BITLSHIFT(0,54)", NUM),
    ("=BITRSHIFT(13,2)", 3.0),
    ("=BITRSHIFT(13,-2)", 52.0),
    ("=BITRSHIFT(13,53)", 0.0),
]
STEPS = [
    ("=ERF(0.745)", near(0.70792892)),
    ("=ERF(1)", near(0.84270079)),
    ("=ERF(2,1)", exact(-0.15262147206923782)),
    ("=ERF(A1)", VALUE),
    ("=ERF.PRECISE(0.745)", near(0.70792892)),
    ("=ERFC(1)", near(0.15729921)),
    ("=ERFC.PRECISE(7)", exact(4.1838256077794166e-23)),
    ("=DELTA(5,4)", 0.0),
    ("=DELTA(0.5,0)", 0.0),
    ("=DELTA(5,5)", 1.0),
    ("=DELTA(0)", 1.0),
    ("=DELTA(A1,1)", VALUE),
    ("=GESTEP(5,4)", 1.0),
    ("=GESTEP(-4,-5)", 1.0),
    ("=GESTEP(-1)", 0.0),
    ('=GESTEP("x")', VALUE),
]
COMPLEX = [
    ("=COMPLEX(3,4)", "3+4i"),
    ('=COMPLEX(3,4,"j")', "3+4j"),
    ("=COMPLEX(0,1)", "i"),
    ("=COMPLEX(1,0)", "1"),
    ("=COMPLEX(0,0)", "0"),
    ("=COMPLEX(-1,-1)", "-1-i"),
    ("=COMPLEX(1E-16,0)", "0.0000000000000001"),
    ("=COMPLEX(1E-20,1E21)", "1E-20+1E+21i"),
    ("=COMPLEX(1/86400,0)", "1.15740740740741E-05"),
    ("=COMPLEX(1E20,0)", "100000000000000000000"),
    ('=COMPLEX(3,4,"k")', VALUE),
    ("=COMPLEX(3,4,A4)", NA),
    ("=COMPLEX(A1,4)", VALUE),
    ('=IMABS("5+12i")', 13.0),
    ('=IMAGINARY("3+4i")', 4.0),
    ('=IMAGINARY("0-j")', -1.0),
    ("=IMAGINARY(4)", 0.0),
    ('=IMARGUMENT("3+4i")', near(0.92729522)),
    ('=IMARGUMENT("0")', DIV0),
    ('=IMARGUMENT("-1")', near(3.141592654)),
    ('=IMCONJUGATE("3+4i")', "3-4i"),
    ('=IMCOS("1+i")', "0.833730025131149-0.988897705762865i"),
    ('=IMCOSH("4+3i")', "-27.0349456030742+3.85115333481178i"),
    ('=IMCOT("4+3i")', "0.00490118239430447-0.999266927805902i"),
    ('=IMCOT("0")', NUM),
    ('=IMCSC("4+3i")', "-0.0754898329158637+0.0648774713706355i"),
    ('=IMCSCH("4+3i")', "-0.036275889628626-0.0051744731840194i"),
    ('=IMCSCH("0")', NUM),
    ('=IMDIV("-238+240i","10+24i")', "5+12i"),
    ('=IMDIV("1","0")', NUM),
    ('=IMEXP("1+i")', "1.46869393991589+2.28735528717884i"),
    ('=IMEXP("1000")', NUM),
    ('=IMLN("3+4i")', "1.6094379124341+0.927295218001612i"),
    ('=IMLN("0")', NUM),
    ('=IMLOG10("3+4i")', "0.698970004336019+0.402719196273373i"),
    ('=IMLOG2("3+4i")', "2.32192809488736+1.33780421245098i"),
    ('=IMPOWER("2+3i",3)', "-46+9.00000000000001i"),
    ('=IMPOWER("0",0)', NUM),
    ('=IMPOWER("0",2)', "0"),
    ('=IMPRODUCT("3+4i","5-3i")', "27+11i"),
    ('=IMPRODUCT("1+2i",30)', "30+60i"),
    ("=IMPRODUCT(B1:B2)", "27+11i"),
    ('=IMREAL("6-9i")', 6.0),
    ('=IMREAL("34i")', 0.0),
    ('=IMREAL("4i+3")', NUM),
    ('=IMREAL("3+4I")', NUM),
    ('=IMREAL(" 3")', NUM),
    ('=IMREAL("3+4i5")', NUM),
    ("=IMREAL(A1)", VALUE),
    ("=IMREAL(C1)", 0.0),
    ('=IMREAL("1E400")', NUM),
    ('=IMSECH("4+3i")', "-0.0362534969158689-0.00516434460775318i"),
    ('=IMSIN("4+3i")', "-7.61923172032141-6.548120040911i"),
    ('=IMSINH("4+3i")', "-27.0168132580039+3.85373803791938i"),
    ('=IMSQRT("1+i")', "1.09868411346781+0.455089860562227i"),
    ('=IMSQRT("-1")', "6.12323399573677E-17+i"),
    ('=IMSUB("13+4i","5+3i")', "8+i"),
    ('=IMSUM("3+4i","5-3i")', "8+i"),
    ("=IMSUM(B1:B2,1)", "9+i"),
    ("=IMSUM(B1:B3)", VALUE),
    ("=IMSUM(A3)", "7"),
    ('=IMTAN("4+3i")', "0.00490825806749606+1.00070953606723i"),
]
CONVERSION = [
    ('=CONVERT(1,"lbm","kg")', exact(0.45359237)),
    ('=CONVERT(68,"F","C")', 20.0),
    ('=CONVERT(2.5,"ft","sec")', NA),
    ('=CONVERT(CONVERT(100,"ft","m"),"ft","m")', exact(9.290304)),
    ('=CONVERT(1,"mi","km")', exact(1.609344)),
    ('=CONVERT(1,"hr","min")', exact(60.0)),
    ('=CONVERT(1,"cm2","mm2")', exact(100.0)),
    ('=CONVERT(1,"dam","m")', exact(10.0)),
    ('=CONVERT(1,"em","m")', exact(10.0)),
    ('=CONVERT(1,"kibyte","bit")', 8192.0),
    ('=CONVERT(1,"kim","m")', NA),
    ('=CONVERT(1,"kmi","m")', NA),
    ('=CONVERT(1,"Pica","in")', exact(1 / 72)),
    ('=CONVERT(1,"pica","in")', exact(1 / 6)),
    ('=CONVERT(0,"C","K")', 273.15),
    ('=CONVERT(0,"K","Rank")', 0.0),
    ('=CONVERT(459.67,"Rank","F")', 0.0),
    ('=CONVERT(80,"Reau","cel")', 100.0),
    ('=CONVERT(100,"C","fah")', 212.0),
    ('=CONVERT(1,"kK","K")', 1000.0),
    ('=CONVERT(-5,"C","C")', -5.0),
    ('=CONVERT(1,"M","m")', NA),
    ('=CONVERT("7","g","g")', 7.0),
    ('=CONVERT(A1,"g","g")', VALUE),
    ('=CONVERT(1,A4,"g")', NA),
]


@pytest.mark.parametrize(("formula", "expected"), [*BESSEL, *NUMERALS, *BITS, *STEPS, *COMPLEX, *CONVERSION])
def test_an_engineering_function_gives_what_excel_gives(formula, expected):
    found = value_of(formula, CELLS)
    assert found == expected
    if isinstance(expected, (str, float, ErrorValue)):
        assert type(found) is type(expected)


@given(st.integers(-512, 511))
def test_numerals_of_every_base_come_back_to_the_number(number):
    assert value_of(f"=BIN2DEC(OCT2BIN(HEX2OCT(DEC2HEX({number}))))") == number
    assert value_of(f"=HEX2DEC(OCT2HEX(BIN2OCT(DEC2BIN({number}))))") == number


@pytest.mark.parametrize("name", sorted(UNITS))
def test_every_unit_converts_into_the_others_of_its_quantity_and_back(name):
    unit = UNITS[name]
    for other, found in UNITS.items():
        if found.quantity is unit.quantity:
            there_and_back = f'=CONVERT(CONVERT(12.5,"{name}","{other}"),"{other}","{name}")'
            assert value_of(there_and_back) == pytest.approx(12.5, rel=1e-12)
    other_kind = "g" if unit.quantity is not Quantity.MASS else "m"
    assert value_of(f'=CONVERT(1,"{name}","{other_kind}")') is NA


floats = st.floats(-50, 50).map(lambda number: round(number, 6))


@given(floats, floats, floats, floats)
def test_a_complex_quotient_times_its_divisor_is_the_dividend(a, b, c, d):
    if abs(complex(c, d)) > 1e-3:
        quotient = f"IMDIV(COMPLEX({a},{b}),COMPLEX({c},{d}))"
        off = value_of(f"=IMABS(IMSUB(IMPRODUCT({quotient},COMPLEX({c},{d})),COMPLEX({a},{b})))")
        assert off <= 1e-11
