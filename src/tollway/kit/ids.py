"""Public identifiers: a prefix that names the kind, and sixteen hexadecimal digits of randomness.

Rows have bigint identities inside; outside the database only these are seen, so that nobody can
count our customers or guess a neighbour.
"""

import secrets

# 64 bits: at ten million objects of one kind a collision has odds of about one in 400,000,
# and the unique index on every public id turns it into a retry, never into a mix-up.
ID_BYTES = 8


def new_id(prefix: str) -> str:
    """Make a public id such as `mdl_9f86d081884c7d65`."""
    return f"{prefix}_{secrets.token_hex(ID_BYTES)}"
