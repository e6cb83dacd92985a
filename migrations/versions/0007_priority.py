"""Runs by the priority of their plan."""

from pathlib import Path

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Make them."""
    op.execute((Path(__file__).parent / "0007_priority.sql").read_text())
