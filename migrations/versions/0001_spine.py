"""The spine: customers, keys, plans, usage, mails, models, runs."""

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make every table; forward only, because a dropped table is lost data."""
    for name in ("0001_jobs.sql", "0001_spine.sql"):
        op.execute((Path(__file__).parent / name).read_text())
