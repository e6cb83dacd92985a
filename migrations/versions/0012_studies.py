"""What studies need beyond single runs: batches, goal seeks, kept samples, links to downloads."""

from pathlib import Path

from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Add the tables and columns."""
    op.execute((Path(__file__).parent / "0012_studies.sql").read_text())
