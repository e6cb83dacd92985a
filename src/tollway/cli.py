"""The command line of an owner: start the product, look after it; and of an analyst: simulate a file."""

import asyncio
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from tollway import cli_conformance, cli_fit, cli_plans, cli_seek, cli_simulate

if TYPE_CHECKING:
    from tollway.processes import Installation
    from tollway.settings import Settings

app = typer.Typer(
    name="tollway",
    help="Turns an API into a business: customers, keys, limits, usage, and the risk of Excel workbooks.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
admin = typer.Typer(help="Administrators.", no_args_is_help=True)
app.add_typer(admin, name="admin")
cli_simulate.register(app)
cli_conformance.register(app)
cli_fit.register(app)
cli_seek.register(app)

# Exit statuses: 0 done, 1 something to look at was found, 2 it could not be done (the sentence says why),
# 130 it was interrupted.
FOUND_FAULTS, CANNOT, INTERRUPTED = 1, 2, 130


@contextlib.contextmanager
def _one_sentence() -> Iterator[None]:
    """Turn what keeps a command from running into one sentence on standard error."""
    import psycopg

    from tollway.kit.embedded import EmbeddedPostgresFailed
    from tollway.kit.problems import Problem
    from tollway.plans.entities import CatalogRefused
    from tollway.processes import CannotStart
    from tollway.settings import SettingsRefused

    try:
        yield
    except SettingsRefused as failure:
        for fault in failure.faults:
            typer.echo(f"tollway: {fault}", err=True)
        raise typer.Exit(CANNOT) from None
    except Problem as failure:
        typer.echo(f"tollway: {failure.message}", err=True)
        raise typer.Exit(CANNOT) from None
    except (EmbeddedPostgresFailed, CannotStart, CatalogRefused) as failure:
        typer.echo(f"tollway: {failure}", err=True)
        raise typer.Exit(CANNOT) from None
    except psycopg.OperationalError as failure:
        reason = " ".join(str(failure).split())
        typer.echo(
            f"tollway: The database does not answer; look at DATABASE_URL. It says: {reason}", err=True
        )
        raise typer.Exit(CANNOT) from None
    except OSError as failure:
        if not type(failure).__module__.startswith(("psycopg", "builtins")):
            raise
        typer.echo(f"tollway: {failure}", err=True)
        raise typer.Exit(CANNOT) from None


cli_plans.register(app, _one_sentence)


@app.command()
def demo() -> None:
    """Start everything at once, with demo data: database, servers, worker and shipper (what `make run` does)."""
    from tollway import demo as seeded
    from tollway.kit.log import configure_logging
    from tollway.kit.migrations import migrate
    from tollway.processes import Installation, all_roles, assert_port_free, connected
    from tollway.settings import read_settings

    stop = threading.Event()
    _stop_on_signals(stop)
    try:
        with _one_sentence():
            settings = read_settings()
            _assert_demo_allowed(settings)
            configure_logging("warning", as_json=False)
            assert_port_free(settings.host, settings.port)
            with connected(settings) as ready:
                migrate(ready.database_url.get_secret_value())
                facts = asyncio.run(seeded.seed(ready))
                installation = Installation(ready, all_roles(ready), quiet=True)
                try:
                    installation.start()
                    typer.echo(seeded.banner(ready, facts))
                    _watch(installation, stop)
                finally:
                    # Pressed twice or not: from here on everything ends in order.
                    signal.signal(signal.SIGINT, signal.SIG_IGN)
                    installation.stop()
    except KeyboardInterrupt:
        typer.echo("\nStopped before it was ready. What is half made is made again at the next start.")
        raise typer.Exit(INTERRUPTED) from None
    typer.echo("\nStopped.")
    # Everything is closed; taking the interpreter down module by module would only keep the prompt waiting.
    sys.stdout.flush()
    os._exit(0)


def _watch(installation: "Installation", stop: threading.Event) -> None:
    """Keep the processes alive until Ctrl-C, which from here on is the ordinary end."""
    with contextlib.suppress(KeyboardInterrupt):
        installation.watch(stop)


def _stop_on_signals(stop: threading.Event) -> None:
    """Let Ctrl-C and SIGTERM interrupt whatever is under way, once."""

    def end(_signal: int, _frame: FrameType | None) -> None:
        if not stop.is_set():
            stop.set()
            raise KeyboardInterrupt

    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, end)


@app.command()
def serve(
    exit_with_parent: Annotated[bool, typer.Option(hidden=True)] = False,
    listener: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> None:
    """Serve HTTP on PORT, with as many processes as SERVER_PROCESSES says."""
    from tollway import processes
    from tollway.settings import read_settings

    with _one_sentence():
        settings = read_settings()
        if listener is None:
            processes.assert_port_free(settings.host, settings.port)
        with processes.connected(settings) as ready:
            _assert_migrated(ready.database_url.get_secret_value())
            if listener is None and ready.server_processes > 1:
                _serve_many(ready)
            else:
                processes.serve(ready, exit_with_parent=exit_with_parent, listener=listener)


def _serve_many(settings: "Settings") -> None:
    """Start the servers and what they share, and keep them alive until SIGTERM or Ctrl-C."""
    from tollway.processes import Installation, server_roles

    stop = threading.Event()
    _stop_on_signals(stop)
    installation = Installation(settings, server_roles(settings), quiet=False)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            installation.start()
            installation.watch(stop)
    finally:
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, signal.SIG_IGN)
        installation.stop()


@app.command()
def work(exit_with_parent: Annotated[bool, typer.Option(hidden=True)] = False) -> None:
    """Run background jobs: simulations, mails, clean-up."""
    from tollway import processes
    from tollway.settings import read_settings

    with _one_sentence(), processes.connected(read_settings()) as ready:
        _assert_migrated(ready.database_url.get_secret_value())
        processes.work(ready, exit_with_parent=exit_with_parent)


@app.command()
def ship(exit_with_parent: Annotated[bool, typer.Option(hidden=True)] = False) -> None:
    """Carry the usage of this machine's servers to the database; one for each data folder."""
    from tollway import processes
    from tollway.settings import read_settings

    with _one_sentence(), processes.connected(read_settings()) as ready:
        _assert_migrated(ready.database_url.get_secret_value())
        processes.ship(ready, exit_with_parent=exit_with_parent)


@app.command()
def centre(exit_with_parent: Annotated[bool, typer.Option(hidden=True)] = False) -> None:
    """Count rate limits for several servers on this machine, where no REDIS_URL is set; `tollway serve` starts it."""
    from tollway import processes
    from tollway.settings import read_settings

    with _one_sentence():
        processes.be_centre(read_settings(), exit_with_parent=exit_with_parent)


def _assert_demo_allowed(settings: "Settings") -> None:
    from tollway.processes import CannotStart

    if settings.production:
        raise CannotStart(
            "Demo data have public passwords; they are not made with ENVIRONMENT=production. "
            "Use `tollway migrate`, `tollway serve` and `tollway work`."
        )


def _assert_migrated(url: str) -> None:
    from tollway.kit.migrations import newest_revision, present_revision
    from tollway.processes import CannotStart

    if present_revision(url) != newest_revision():
        raise CannotStart("The database is not at the schema of this version. Run `tollway migrate` first.")


@app.command()
def migrate() -> None:
    """Bring the database to the schema of this version, and load the catalogue of plans."""
    from tollway import demo as seeded
    from tollway.kit import migrations
    from tollway.processes import connected
    from tollway.settings import read_settings

    with _one_sentence(), connected(read_settings()) as ready:
        url = ready.database_url.get_secret_value()
        migrations.migrate(url)
        made = asyncio.run(seeded.load_catalog(ready))
        typer.echo(f"Schema {migrations.present_revision(url)}; {made} new plan versions.")


@app.command()
def seed() -> None:
    """Make the demo customer, its history and the demo administrator; does nothing a second time."""
    from tollway import demo as seeded
    from tollway.processes import connected
    from tollway.settings import read_settings

    with _one_sentence(), connected(read_settings()) as ready:
        _assert_demo_allowed(ready)
        _assert_migrated(ready.database_url.get_secret_value())
        facts = asyncio.run(seeded.seed(ready))
        typer.echo("The demo data are there. With `tollway serve` and `tollway work` running:")
        typer.echo(seeded.sign_ins(ready, facts))


@app.command()
def keygen() -> None:
    """Print fresh values for JWT_SECRET and ENCRYPTION_KEY."""
    from tollway.settings import new_secret

    typer.echo(f"JWT_SECRET={new_secret()}\nENCRYPTION_KEY={new_secret()}")


@admin.command("create")
def create_admin(email: Annotated[str, typer.Argument(help="The administrator's address.")]) -> None:
    """Make an administrator and print a link that signs them in."""
    from tollway import demo as seeded
    from tollway.processes import connected
    from tollway.settings import read_settings

    with _one_sentence(), connected(read_settings()) as ready:
        _assert_migrated(ready.database_url.get_secret_value())
        typer.echo(asyncio.run(seeded.create_administrator(ready, email)))


@app.command()
def doctor() -> None:
    """Say what is configured, what is connected and what is missing; exit status 1 where something is wrong."""
    from tollway.doctor import examine
    from tollway.processes import connected
    from tollway.settings import read_settings

    with _one_sentence(), connected(read_settings()) as ready:
        findings = asyncio.run(examine(ready))
    table = Table("part", "state", "what it says", box=None, pad_edge=False)
    for finding in findings:
        table.add_row(finding.part, "ok" if finding.well else "look", finding.says)
    Console(file=sys.stdout).print(table)
    if not all(finding.well for finding in findings):
        raise typer.Exit(FOUND_FAULTS)
