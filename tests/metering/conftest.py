"""Fixtures that tests of metering share."""

from tests.firms import firm, make_firm, other

__all__ = ["firm", "make_firm", "other"]
