"""What was found of one part of an installation."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of one part; `well` is False where an owner should look."""

    part: str
    well: bool
    says: str
