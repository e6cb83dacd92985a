"""Indexes for questions that had none."""

from pathlib import Path

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make them."""
    op.execute((Path(__file__).parent / "0002_indexes.sql").read_text())
