"""Real parts for every test: PostgreSQL from the wheel, the whole application, real files.

Each test gets a database of its own, as the real migrations leave one, so tests may commit, race and crash
without seeing each other.
"""

import base64
import gc
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import psycopg
import pytest
from pydantic import SecretStr
from tests.databases import Databases
from tests.installed import Installed, free_port

from tollway.app import Parts, build_app, open_parts
from tollway.kit.db import Database
from tollway.kit.embedded import EmbeddedPostgres
from tollway.kit.log import configure_logging
from tollway.kit.migrations import migrate
from tollway.settings import Settings

# As `tollway keygen` prints them: any other text is stretched, which takes long.
LINK_SECRET = base64.b64encode(b"for tests: links, codes, tokens.").decode()
SEALING_SECRET = base64.b64encode(b"for tests: what is kept sealed..").decode()
CORPUS = Path(os.environ.get("CORPUS", Path(__file__).parents[1] / "../shared/corpus"))


@dataclass(frozen=True)
class Postgres:
    """The server of this test process, and the database that all others are copied from."""

    server: EmbeddedPostgres
    template: str

    def url(self, database: str) -> str:
        return self.server.url.replace("/tollway?", f"/{database}?")


# What runs in one process from beginning to end comes first, longest first: begun late, it would keep one processor
# busy while the others have nothing left to do.
LONGEST_FIRST = (
    "tests/journeys/",
    "tests/test_processes.py",
    "tests/admission/test_kills.py",
    "tests/test_openapi.py",
)


def pytest_xdist_auto_num_workers() -> int:
    """How many processes `-n auto` gives: one more than processors, as tests wait a third of their time."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the tests so that all processors are busy until the end; chance orders what is left."""

    def place(item: pytest.Item) -> int:
        found = (place for place, path in enumerate(LONGEST_FIRST) if item.nodeid.startswith(path))
        return next(found, len(LONGEST_FIRST))

    items.sort(key=place)


def pytest_collection_finish() -> None:
    """Let the collector of garbage look at what tests make alone, not at all that was imported for them."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def logging_configured() -> None:
    configure_logging("warning", as_json=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    # Not pytest's own folder: the server's account must be able to enter every parent.
    folder = Path(tempfile.mkdtemp(prefix="tollway-tests-"))
    folder.chmod(0o711)
    server = EmbeddedPostgres(folder)
    server.start()
    migrate(server.url)
    with psycopg.connect(server.url, autocommit=True) as connection:
        # Nothing here has to survive a power cut.
        for setting in ("fsync = off", "synchronous_commit = off", "full_page_writes = off"):
            connection.execute(f"ALTER SYSTEM SET {setting}")
        connection.execute("SELECT pg_reload_conf()")
    try:
        yield Postgres(server, "tollway")
    finally:
        server.stop()
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def databases(postgres: Postgres) -> Iterator[Databases]:
    """What `database_url` lends from."""
    made = Databases(postgres.url("postgres"), postgres.template)
    yield made
    made.close()


@pytest.fixture
def database_url(databases: Databases) -> Iterator[str]:
    """A migrated database that nobody else uses."""
    with databases.lend() as url:
        yield url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = Database(database_url, connections_max=20)
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    """What a development server on this machine would have."""
    return Settings(
        environment="test",
        tollway_data=tmp_path / "data",
        database_url=SecretStr(database_url),
        jwt_secret=SecretStr(LINK_SECRET),
        encryption_key=SecretStr(SEALING_SECRET),
        worker_processes=1,
    )


@pytest.fixture
async def parts(settings: Settings) -> AsyncIterator[Parts]:
    """Everything the application is joined from, with the catalogue loaded."""
    opened = await open_parts(settings)
    yield opened
    await opened.close()


@pytest.fixture
async def client(parts: Parts) -> AsyncIterator[httpx.AsyncClient]:
    """The whole application, spoken to over ASGI, as a browser at http://localhost would."""
    transport = httpx.ASGITransport(
        app=build_app(parts), raise_app_exceptions=False, client=("127.0.0.1", 50000)
    )
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as opened:
        yield opened


@pytest.fixture
def now() -> datetime:
    """An instant in the middle of a month, so that no test depends on the day it runs."""
    return datetime(2026, 6, 15, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The workbooks whose values Excel computed."""
    if not CORPUS.is_dir():
        pytest.skip(f"the corpus of workbooks is not at {CORPUS}; set CORPUS to its folder")
    return CORPUS


@pytest.fixture
def installed() -> Iterator[Installed]:
    folder = Path(tempfile.mkdtemp(prefix="tollway-run-"))
    folder.chmod(0o711)
    made = Installed(folder, free_port())
    try:
        yield made
    finally:
        if made.process is not None and made.process.poll() is None:
            made.interrupt()
        # Whatever a killed test left: the database stops by its own pid file.
        EmbeddedPostgres(folder / "postgres").stop()
        shutil.rmtree(folder)
