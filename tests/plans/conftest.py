"""Customers in front of the whole application."""

from tests.firms import firm, make_firm

__all__ = ["firm", "make_firm"]
