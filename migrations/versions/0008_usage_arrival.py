"""One tree to keep for each row of the usage log."""

from pathlib import Path

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Arrange the indexes."""
    op.execute((Path(__file__).parent / "0008_usage_arrival.sql").read_text())
