"""What the forms of studies read alike: whole numbers as people type them."""

from tollway.simulation.entities import SEED_MAX

# Python refuses to read a number of thousands of digits, and reads slowly before it does.
DIGITS_MAX = 30
_CONFIDENCE_LEVELS = (0.95, 0.99)


def iterations_of(text: str) -> int | None:
    """Read a count such as 100,000; None for anything else."""
    return _whole(text.replace(",", "").replace("_", "").replace(" ", ""))


def seed_of(text: str) -> int | None:
    """Read a seed; None where there is none, or none that can be."""
    seed = _whole(text)
    return None if seed is None or seed > SEED_MAX else seed


def confidence_levels() -> list[float]:
    """Of value at risk, where a form does not ask."""
    return list(_CONFIDENCE_LEVELS)


def number_of(text: str) -> float | None:
    """Read a number such as 1,250.5 or -3e6; None for anything else."""
    plain = text.strip().replace(",", "").replace("\u2212", "-")
    if not plain or len(plain) > DIGITS_MAX or not plain.isascii() or "_" in plain:
        return None
    try:
        number = float(plain)
    except ValueError:
        return None
    return number if number - number == 0 else None


def _whole(text: str) -> int | None:
    return int(text) if text.isdecimal() and text.isascii() and len(text) <= DIGITS_MAX else None
