"""The one tree of the usage log is narrower."""

from pathlib import Path

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Make the index anew."""
    op.execute((Path(__file__).parent / "0010_usage_index.sql").read_text())
