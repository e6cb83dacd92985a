"""Engineering functions. Importing the package registers them."""

from tollway.engine.functions.engineering import (
    bessel,
    bits,
    complex_functions,
    complex_numbers,
    conversion,
    error_functions,
    number_systems,
)

__all__ = [
    "bessel",
    "bits",
    "complex_functions",
    "complex_numbers",
    "conversion",
    "error_functions",
    "number_systems",
]
