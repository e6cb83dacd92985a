"""Financial functions. Importing the package registers them."""

from tollway.engine.functions.financial import (
    annuities,
    bonds,
    cash_flows,
    coupons,
    depreciation,
    discount_securities,
    interest_rates,
    odd_bonds,
    treasury,
)

__all__ = [
    "annuities",
    "bonds",
    "cash_flows",
    "coupons",
    "depreciation",
    "discount_securities",
    "interest_rates",
    "odd_bonds",
    "treasury",
]
