"""The command line of an owner, for plans: what is on sale, who keeps a free plan, who moves to a newer version."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from tollway.kit.db import Transaction
    from tollway.plans.entities import Plan
    from tollway.plans.move_operations import Moved

ACTOR = "system:command-line"
CUSTOMERS_NAMED_MAX = 1_000
NAMES_SHOWN_MAX = 20
# Where the answer goes to a file or a pipe there is no screen to fit.
PIPED_WIDTH = 120

Answer = TypeVar("Answer")
OneSentence = Callable[[], AbstractContextManager[None]]


def register(app: typer.Typer, one_sentence: OneSentence) -> None:
    """Add `plans` to the command line.

    Args:
        one_sentence: turns what keeps a command from running into one sentence.
    """
    commands = typer.Typer(help="Plans: what is on sale, and who holds it.", no_args_is_help=True)
    app.add_typer(commands, name="plans")

    @commands.command("list")
    def list_plans() -> None:
        """Show every plan as it is on sale now, the private ones too."""
        with one_sentence():
            table = Table(
                "Product",
                "Tier",
                "Version",
                "Price",
                "Requests",
                "Public",
                "Holders",
                box=None,
                pad_edge=False,
            )
            for plan, holder_count in _in_transaction(_list_plans):
                requests = "unlimited" if plan.requests_included is None else f"{plan.requests_included:,}"
                table.add_row(
                    plan.product,
                    plan.tier,
                    str(plan.version),
                    plan.price_text,
                    requests,
                    "yes" if plan.public else "no",
                    str(holder_count),
                )
            Console(width=None if sys.stdout.isatty() else PIPED_WIDTH).print(table)

    @commands.command("grandfather")
    def grandfather(
        product: Annotated[str, typer.Option(help="Of which product.")] = "montecarlo",
        signed_up_before: Annotated[
            str, typer.Option(help="Everyone who signed up before this day and whose free trial ended.")
        ] = "",
        customer: Annotated[
            list[str] | None, typer.Option(help="A customer by id, cus_..., may be given many times.")
        ] = None,
    ) -> None:
        """Give those who were here before plans were sold the free plan that only they have."""
        from tollway.plans import operations as plans

        named = tuple(customer or ())
        before = _day(signed_up_before, "--signed-up-before")
        if before is None and not named:
            raise typer.BadParameter("Say whom: --signed-up-before 2026-01-31, or --customer cus_...")
        if len(named) > CUSTOMERS_NAMED_MAX:
            raise typer.BadParameter(f"At most {CUSTOMERS_NAMED_MAX:,} customers can be named at once.")
        with one_sentence():
            moved = _in_transaction(
                lambda tx, now: plans.grandfather(
                    tx, product, signed_up_before=before, customer_ids=named, by=ACTOR, now=now
                )
            )
            typer.echo(_report(moved, "moved to", "they hold another plan"))

    @commands.command("migrate")
    def migrate(
        product: Annotated[str, typer.Argument(help="Of which product.")],
        tier: Annotated[str, typer.Argument(help="Which plan of it.")],
        at: Annotated[
            str, typer.Option(help="The day, at least 30 days from now; left out: in 30 days.")
        ] = "",
    ) -> None:
        """Move everyone who holds an older version of a plan to the newest one; each is told 30 days before."""
        from tollway.plans import operations as plans

        moment = _day(at, "--at")
        with one_sentence():
            moved = _in_transaction(
                lambda tx, now: plans.migrate_holders(tx, product, tier, at=moment, by=ACTOR, now=now)
            )
            will_move = f"will move on {moved.effective_at:%Y-%m-%d} to"
            typer.echo(_report(moved, will_move, "another change of theirs waits"))


def _day(text: str, option: str) -> datetime | None:
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{option} takes a day such as 2026-01-31, not {text!r}.") from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _report(moved: "Moved", verb: str, left_because: str) -> str:
    lines = [
        f"{_customers(moved.moved)} {verb} {moved.plan.name} of {moved.plan.product}{_names(moved.moved)}"
    ]
    if moved.left:
        lines.append(f"{_customers(moved.left)} left alone, as {left_because}{_names(moved.left)}")
    return "\n".join(lines)


def _customers(names: tuple[str, ...]) -> str:
    return f"{len(names)} customer{'s' * (len(names) != 1)}"


def _names(names: tuple[str, ...]) -> str:
    if not names:
        return "."
    more = f" and {len(names) - NAMES_SHOWN_MAX} more" if len(names) > NAMES_SHOWN_MAX else ""
    return f": {', '.join(names[:NAMES_SHOWN_MAX])}{more}."


async def _list_plans(tx: "Transaction", _now: datetime) -> "list[tuple[Plan, int]]":
    from tollway.plans import operations as plans

    return await plans.list_on_sale_with_holders(tx)


def _in_transaction(work: "Callable[[Transaction, datetime], Awaitable[Answer]]") -> Answer:
    """Run one piece of work in one transaction of the configured database."""
    from tollway.kit.clock import read_now
    from tollway.kit.db import Database
    from tollway.processes import connected
    from tollway.settings import Settings, read_settings

    async def run(ready: Settings) -> Answer:
        database = Database(ready.database_url.get_secret_value())
        await database.open()
        try:
            async with database.transaction() as tx:
                return await work(tx, read_now())
        finally:
            await database.close()

    with connected(read_settings()) as ready:
        return asyncio.run(run(ready))
