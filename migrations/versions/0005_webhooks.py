"""Webhooks: where customers want to be told, and what was delivered."""

from pathlib import Path

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make them."""
    op.execute((Path(__file__).parent / "0005_webhooks.sql").read_text())
