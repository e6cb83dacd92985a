"""Take links to downloads back, and end them with the key that made them."""

from pathlib import Path

from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Add the columns."""
    op.execute((Path(__file__).parent / "0014_download_links.sql").read_text())
