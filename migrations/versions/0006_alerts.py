"""Alerts: what was noticed, who was told, and the rules of the owner."""

from pathlib import Path

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make them."""
    op.execute((Path(__file__).parent / "0006_alerts.sql").read_text())
