"""Remember when a quota's terms held."""

from pathlib import Path

from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Add the column."""
    op.execute((Path(__file__).parent / "0013_quota_terms.sql").read_text())
