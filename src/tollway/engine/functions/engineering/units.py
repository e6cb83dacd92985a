"""The units that CONVERT knows: what each measures, how large it is, and which prefixes it takes.

Sizes follow from the definitions of the units in SI units; where Excel keeps an older value (electronvolt and
atomic mass unit of CODATA 2006, mm of mercury of 133.322 Pa), the one it stores. Names as on Microsoft's CONVERT
page, and the older ones in brackets there.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


class Quantity(Enum):
    """What a unit measures; only units of one quantity convert into each other."""

    MASS = auto()
    DISTANCE = auto()
    TIME = auto()
    PRESSURE = auto()
    FORCE = auto()
    ENERGY = auto()
    POWER = auto()
    MAGNETISM = auto()
    TEMPERATURE = auto()
    VOLUME = auto()
    AREA = auto()
    INFORMATION = auto()
    SPEED = auto()


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of a quantity.

    `size` counts the quantity's first unit below. `prefix_power` is 0 for a unit that takes no prefix, 1 for
    one that does, 2 and 3 where the prefix belongs to the length that is squared or cubed.
    """

    quantity: Quantity
    size: float
    prefix_power: int = 0


PREFIXES = {
    "Y": 1e24, "Z": 1e21, "E": 1e18, "P": 1e15, "T": 1e12, "G": 1e9, "M": 1e6, "k": 1e3, "h": 1e2, "da": 1e1,
    "e": 1e1, "d": 1e-1, "c": 1e-2, "m": 1e-3, "u": 1e-6, "n": 1e-9, "p": 1e-12, "f": 1e-15, "a": 1e-18,
    "z": 1e-21, "y": 1e-24,
}  # fmt: skip
# Only bits and bytes take these.
BINARY_PREFIXES = {
    name: 2.0 ** (10 * step)
    for step, name in enumerate(("ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"), start=1)
}

_POUND = 453.59237
_INCH = 0.0254
_FOOT = 0.3048
_MILE = 1609.344
_NAUTICAL_MILE = 1852.0
_SURVEY_FOOT = 1200.0 / 3937.0
_POINT = _INCH / 72.0
_LIGHT_YEAR = 9460730472580800.0
_PARSEC = 3.0856775812815532e16
_GRAVITY = 9.80665
_POUND_FORCE = _POUND / 1000.0 * _GRAVITY
_HORSEPOWER = 550.0 * _FOOT * _POUND_FORCE
_CUBIC_INCH = _INCH**3
_GALLON = 231.0 * _CUBIC_INCH
_UK_GALLON = 4.54609e-3
_REGISTER_TON = 100.0 * _FOOT**3

# Quantity, then names: size, power of prefixes.
_TABLE: list[tuple[Quantity, str, float, int]] = [
    (Quantity.MASS, "g", 1.0, 1),
    (Quantity.MASS, "sg", _POUND * _GRAVITY / _FOOT, 0),
    (Quantity.MASS, "lbm", _POUND, 0),
    (Quantity.MASS, "u", 1.660538782e-24, 1),
    (Quantity.MASS, "ozm", _POUND / 16.0, 0),
    (Quantity.MASS, "grain", _POUND / 7000.0, 0),
    (Quantity.MASS, "cwt shweight", _POUND * 100.0, 0),
    (Quantity.MASS, "uk_cwt lcwt hweight", _POUND * 112.0, 0),
    (Quantity.MASS, "stone", _POUND * 14.0, 0),
    (Quantity.MASS, "ton", _POUND * 2000.0, 0),
    (Quantity.MASS, "uk_ton LTON brton", _POUND * 2240.0, 0),
    (Quantity.DISTANCE, "m", 1.0, 1),
    (Quantity.DISTANCE, "mi", _MILE, 0),
    (Quantity.DISTANCE, "Nmi", _NAUTICAL_MILE, 0),
    (Quantity.DISTANCE, "in", _INCH, 0),
    (Quantity.DISTANCE, "ft", _FOOT, 0),
    (Quantity.DISTANCE, "yd", 3.0 * _FOOT, 0),
    (Quantity.DISTANCE, "ang", 1e-10, 1),
    (Quantity.DISTANCE, "ell", 45.0 * _INCH, 0),
    (Quantity.DISTANCE, "ly", _LIGHT_YEAR, 1),
    (Quantity.DISTANCE, "parsec pc", _PARSEC, 1),
    (Quantity.DISTANCE, "Picapt Pica", _POINT, 0),
    (Quantity.DISTANCE, "pica", _INCH / 6.0, 0),
    (Quantity.DISTANCE, "survey_mi", 5280.0 * _SURVEY_FOOT, 0),
    (Quantity.TIME, "sec s", 1.0, 1),
    (Quantity.TIME, "mn min", 60.0, 0),
    (Quantity.TIME, "hr", 3600.0, 0),
    (Quantity.TIME, "day d", 86400.0, 0),
    (Quantity.TIME, "yr", 365.25 * 86400.0, 0),
    (Quantity.PRESSURE, "Pa p", 1.0, 1),
    (Quantity.PRESSURE, "atm at", 101325.0, 1),
    (Quantity.PRESSURE, "mmHg", 133.322, 1),
    (Quantity.PRESSURE, "psi", _POUND_FORCE / _INCH**2, 0),
    (Quantity.PRESSURE, "Torr", 101325.0 / 760.0, 0),
    (Quantity.FORCE, "N", 1.0, 1),
    (Quantity.FORCE, "dyn dy", 1e-5, 1),
    (Quantity.FORCE, "lbf", _POUND_FORCE, 0),
    (Quantity.FORCE, "pond", _GRAVITY / 1000.0, 1),
    (Quantity.ENERGY, "J", 1.0, 1),
    (Quantity.ENERGY, "e", 1e-7, 1),
    (Quantity.ENERGY, "c", 4.184, 1),
    (Quantity.ENERGY, "cal", 4.1868, 1),
    (Quantity.ENERGY, "eV ev", 1.602176487e-19, 1),
    (Quantity.ENERGY, "HPh hh", _HORSEPOWER * 3600.0, 0),
    (Quantity.ENERGY, "Wh wh", 3600.0, 1),
    (Quantity.ENERGY, "flb", _FOOT * _POUND_FORCE, 0),
    (Quantity.ENERGY, "BTU btu", 1055.05585262, 0),
    (Quantity.POWER, "W w", 1.0, 1),
    (Quantity.POWER, "HP h", _HORSEPOWER, 0),
    (Quantity.POWER, "PS", 75.0 * _GRAVITY, 0),
    (Quantity.MAGNETISM, "T", 1.0, 1),
    (Quantity.MAGNETISM, "ga", 1e-4, 1),
    (Quantity.VOLUME, "m3 m^3", 1.0, 3),
    (Quantity.VOLUME, "tsp", _GALLON / 768.0, 0),
    (Quantity.VOLUME, "tspm", 5e-6, 0),
    (Quantity.VOLUME, "tbs", _GALLON / 256.0, 0),
    (Quantity.VOLUME, "oz", _GALLON / 128.0, 0),
    (Quantity.VOLUME, "cup", _GALLON / 16.0, 0),
    (Quantity.VOLUME, "pt us_pt", _GALLON / 8.0, 0),
    (Quantity.VOLUME, "uk_pt", _UK_GALLON / 8.0, 1),
    (Quantity.VOLUME, "qt", _GALLON / 4.0, 0),
    (Quantity.VOLUME, "uk_qt", _UK_GALLON / 4.0, 0),
    (Quantity.VOLUME, "gal", _GALLON, 0),
    (Quantity.VOLUME, "uk_gal", _UK_GALLON, 0),
    (Quantity.VOLUME, "l L lt", 1e-3, 1),
    (Quantity.VOLUME, "ang3 ang^3", 1e-30, 3),
    (Quantity.VOLUME, "barrel", 42.0 * _GALLON, 0),
    (Quantity.VOLUME, "bushel", 2150.42 * _CUBIC_INCH, 0),
    (Quantity.VOLUME, "ft3 ft^3", _FOOT**3, 0),
    (Quantity.VOLUME, "in3 in^3", _CUBIC_INCH, 0),
    (Quantity.VOLUME, "ly3 ly^3", _LIGHT_YEAR**3, 0),
    (Quantity.VOLUME, "mi3 mi^3", _MILE**3, 0),
    (Quantity.VOLUME, "yd3 yd^3", (3.0 * _FOOT) ** 3, 0),
    (Quantity.VOLUME, "Nmi3 Nmi^3", _NAUTICAL_MILE**3, 0),
    (Quantity.VOLUME, "Picapt3 Picapt^3 Pica3 Pica^3", _POINT**3, 0),
    (Quantity.VOLUME, "GRT regton", _REGISTER_TON, 0),
    (Quantity.VOLUME, "MTON", 0.4 * _REGISTER_TON, 0),
    (Quantity.AREA, "m2 m^2", 1.0, 2),
    (Quantity.AREA, "uk_acre", 4840.0 * (3.0 * _FOOT) ** 2, 0),
    (Quantity.AREA, "us_acre", 43560.0 * _SURVEY_FOOT**2, 0),
    (Quantity.AREA, "ang2 ang^2", 1e-20, 2),
    (Quantity.AREA, "ar", 100.0, 1),
    (Quantity.AREA, "ft2 ft^2", _FOOT**2, 0),
    (Quantity.AREA, "ha", 10000.0, 0),
    (Quantity.AREA, "in2 in^2", _INCH**2, 0),
    (Quantity.AREA, "ly2 ly^2", _LIGHT_YEAR**2, 0),
    (Quantity.AREA, "Morgen", 2500.0, 0),
    (Quantity.AREA, "mi2 mi^2", _MILE**2, 0),
    (Quantity.AREA, "Nmi2 Nmi^2", _NAUTICAL_MILE**2, 0),
    (Quantity.AREA, "Picapt2 Picapt^2 Pica2 Pica^2", _POINT**2, 0),
    (Quantity.AREA, "yd2 yd^2", (3.0 * _FOOT) ** 2, 0),
    (Quantity.INFORMATION, "bit", 1.0, 1),
    (Quantity.INFORMATION, "byte", 8.0, 1),
    (Quantity.SPEED, "m/s m/sec", 1.0, 1),
    (Quantity.SPEED, "m/h m/hr", 1.0 / 3600.0, 1),
    (Quantity.SPEED, "mph", _MILE / 3600.0, 1),
    (Quantity.SPEED, "kn", _NAUTICAL_MILE / 3600.0, 0),
    (Quantity.SPEED, "admkn", 6080.0 * _FOOT / 3600.0, 0),
    # The size of a degree; where each scale has its zero stands in conversion.py.
    (Quantity.TEMPERATURE, "K kel", 1.0, 1),
    (Quantity.TEMPERATURE, "C cel", 1.0, 0),
    (Quantity.TEMPERATURE, "F fah", 1.0 / 1.8, 0),
    (Quantity.TEMPERATURE, "Rank", 1.0 / 1.8, 0),
    (Quantity.TEMPERATURE, "Reau", 1.25, 0),
]

UNITS: dict[str, Unit] = {
    name: Unit(quantity, size, prefix_power)
    for quantity, names, size, prefix_power in _TABLE
    for name in names.split()
}


def find_unit(text: str) -> tuple[str, Unit, float] | None:
    """The name of a unit, the unit, and what its prefix multiplies it with; None for what CONVERT does not know.

    A text that is itself a unit is never read as a prefix and a unit.
    """
    if text in UNITS:
        return text, UNITS[text], 1.0
    for length in (1, 2):
        prefix, name = text[:length], text[length:]
        unit = UNITS.get(name)
        if unit is None or not unit.prefix_power:
            continue
        if unit.quantity is Quantity.INFORMATION and prefix in BINARY_PREFIXES:
            return name, unit, BINARY_PREFIXES[prefix]
        if prefix in PREFIXES:
            return name, unit, PREFIXES[prefix] ** unit.prefix_power
    return None
