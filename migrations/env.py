"""Runs the migrations: one straight line of plain SQL, the same for the product and its tests."""

import psycopg
from alembic import context
from sqlalchemy import create_engine, pool, text

# Two processes that start at once migrate one after the other; the number only has to be ours.
LOCK = 706541

url: str = context.config.attributes["url"]
# psycopg reads the URL itself, so every spelling of it that the product takes works here too.
engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(url), poolclass=pool.NullPool)

with engine.connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        context.run_migrations()
