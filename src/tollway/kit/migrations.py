"""Brings a database to the present schema, and tells whether it is there."""

from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

FOLDER = Path(__file__).parents[3] / "migrations"


def migrate(url: str) -> None:
    """Run every migration that the database has not seen, in one transaction."""
    # Asked first: a database that does not answer says so itself, and not from inside the migrations.
    present_revision(url)
    command.upgrade(_config(url), "head")


def newest_revision() -> str:
    """Return the revision that this version of the code needs."""
    return str(ScriptDirectory.from_config(_config("")).get_current_head())


def present_revision(url: str) -> str | None:
    """Return the revision a database is at, or None where it was never migrated."""
    with psycopg.connect(url, connect_timeout=5) as connection:
        known = connection.execute("SELECT to_regclass('alembic_version')").fetchone()
        if known is None or known[0] is None:
            return None
        found = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        return None if found is None else str(found[0])


def _config(url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.attributes["url"] = url
    return config
