"""Admission and metering: the usage log by month, roll-ups, leases, and what tells processes of changes."""

from pathlib import Path

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make them; every row of the usage log stays, in the partition of its month."""
    op.execute((Path(__file__).parent / "0004_admission.sql").read_text())
