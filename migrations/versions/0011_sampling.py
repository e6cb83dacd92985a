"""How a run draws: its sampling method, and the correlation of its inputs."""

from pathlib import Path

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add the columns."""
    op.execute((Path(__file__).parent / "0011_sampling.sql").read_text())
