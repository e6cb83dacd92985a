"""Engineering functions. Importing the package registers them."""

from tollway.engine.functions.engineering import (
    bessel,
    bits,
    error_functions,
    number_systems,
)

__all__ = ["bessel", "bits", "error_functions", "number_systems"]
