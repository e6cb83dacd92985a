"""Self-service: people and roles, second factors, key scopes and rotation, plan changes, tickets, exports."""

from pathlib import Path

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make them; what customers have so far keeps its meaning."""
    op.execute((Path(__file__).parent / "0003_self_service.sql").read_text())
