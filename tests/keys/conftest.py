"""Customers with keys, in front of the whole application."""

from tests.firms import firm, make_firm, other

__all__ = ["firm", "make_firm", "other"]
