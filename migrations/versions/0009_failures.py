"""What failed is found without a look at what did not."""

from pathlib import Path

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add the indexes."""
    op.execute((Path(__file__).parent / "0009_failures.sql").read_text())
