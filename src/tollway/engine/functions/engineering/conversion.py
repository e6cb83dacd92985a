"""CONVERT. Source: Microsoft's page; its units stand in units.py."""

from __future__ import annotations

from tollway.engine.functions.engineering.units import Quantity, find_unit
from tollway.engine.functions.registry import FailedError, function
from tollway.engine.values import ErrorValue

_CELSIUS_ZERO = 273.15
_FAHRENHEIT_ZERO_RANKINE = 459.67
_FREEZING_FAHRENHEIT = 32.0


@function("CONVERT", "single text text")
def convert(number: float, from_unit: str, to_unit: str) -> float:
    """A number of one unit in another unit of the same quantity: CONVERT(1,"lbm","kg") is 0.45359237.

    Units are written as Excel writes them, upper and lower case apart; metric ones take prefixes such as k or
    m, bits and bytes also ki, Mi and so on.

    Errors: #N/A for a unit that is not known, and for two that measure different things; #VALUE! for a logical.
    """
    given, wanted = find_unit(from_unit), find_unit(to_unit)
    if given is None or wanted is None or given[1].quantity is not wanted[1].quantity:
        raise FailedError(ErrorValue.NA)
    given_name, given_unit, given_factor = given
    wanted_name, wanted_unit, wanted_factor = wanted
    if given_unit.quantity is Quantity.TEMPERATURE:
        return _temperature(number * given_factor, given_name, wanted_name) / wanted_factor
    return number * (given_unit.size * given_factor) / (wanted_unit.size * wanted_factor)


def _temperature(degrees: float, given: str, wanted: str) -> float:
    """By the shortest way, so that 68 °F is 20 °C to the last digit."""
    given, wanted = _SCALES[given], _SCALES[wanted]
    if given == wanted:
        return degrees
    if {given, wanted} == {"F", "Rank"}:
        return degrees + (_FAHRENHEIT_ZERO_RANKINE if given == "F" else -_FAHRENHEIT_ZERO_RANKINE)
    if {given, wanted} == {"K", "Rank"}:
        return degrees / 1.8 if given == "Rank" else degrees * 1.8
    return _from_celsius(_to_celsius(degrees, given), wanted)


def _to_celsius(degrees: float, scale: str) -> float:
    if scale == "F":
        return (degrees - _FREEZING_FAHRENHEIT) / 1.8
    if scale == "Reau":
        return degrees * 1.25
    if scale == "C":
        return degrees
    return (degrees if scale == "K" else degrees / 1.8) - _CELSIUS_ZERO


def _from_celsius(degrees: float, scale: str) -> float:
    if scale == "F":
        return degrees * 1.8 + _FREEZING_FAHRENHEIT
    if scale == "Reau":
        return degrees / 1.25
    if scale == "C":
        return degrees
    kelvin = degrees + _CELSIUS_ZERO
    return kelvin if scale == "K" else kelvin * 1.8


_SCALES = {
    "C": "C", "cel": "C", "F": "F", "fah": "F", "K": "K", "kel": "K", "Rank": "Rank", "Reau": "Reau",
}  # fmt: skip
