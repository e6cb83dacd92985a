"""Goal seeks by the priority of their plan."""

from pathlib import Path

from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Add the columns."""
    op.execute((Path(__file__).parent / "0015_goal_seek_turns.sql").read_text())
