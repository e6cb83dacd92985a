"""`tollway plans`: what an owner reads and does, over a real database."""

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from tests.parties import make_party

from tollway.customers import operations as customers
from tollway.kit.clock import read_now
from tollway.kit.db import Database
from tollway.plans import operations as plans


@pytest.fixture
def tollway(database_url: str, tmp_path: Path) -> "Command":
    return Command(database_url, tmp_path)


class Command:
    """The installed program, over one database."""

    def __init__(self, url: str, folder: Path) -> None:
        self.environment = os.environ | {
            "DATABASE_URL": url, "TOLLWAY_DATA": str(folder),
        }  # fmt: skip

    def __call__(self, *arguments: str) -> tuple[int, str]:
        finished = subprocess.run(
            [str(Path(sys.executable).with_name("tollway")), "plans", *arguments],
            env=self.environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        return finished.returncode, " ".join((finished.stdout + finished.stderr).split())


async def test_the_list_has_every_plan_with_its_holders(database: Database, tollway: Command) -> None:
    await make_party(database, read_now(), tier="starter")
    status, said = tollway("list")
    assert status == 0
    assert "montecarlo starter 1 $99 a month 1,000 yes 1" in said
    assert "by arrangement" in said
    assert "free_existing" in said


@pytest.mark.promise("B61", "B62")
async def test_grandfathering_names_whom_it_moved(database: Database, tollway: Command) -> None:
    now = read_now()
    party = await make_party(database, now - timedelta(days=20))
    async with database.transaction() as tx:
        customer = await customers.get_customer(tx, party.customer_id)
    assert tollway("grandfather")[0] == 2
    status, said = tollway("grandfather", "--signed-up-before", f"{now:%Y-%m-%d}")
    assert (status, said) == (0, f"1 customer moved to Free of montecarlo: {customer.public_id}.")
    async with database.transaction() as tx:
        held = await plans.get_entitlement(tx, party.customer_id, "montecarlo", now)
    assert held.plan.tier == "free_existing"
    status, said = tollway("grandfather", "--customer", "cus_unknown")
    assert (status, said) == (2, "tollway: There is no customer 'cus_unknown'.")


@pytest.mark.promise("B61")
async def test_moving_holders_sooner_than_in_30_days_is_refused(database: Database, tollway: Command) -> None:
    now = read_now()
    await make_party(database, now, tier="starter")
    status, said = tollway("migrate", "montecarlo", "starter", "--at", f"{now + timedelta(days=29):%Y-%m-%d}")
    assert status == 2
    assert "no sooner than 30 days" in said
    status, said = tollway("migrate", "montecarlo", "starter")
    assert status == 0
    assert said.startswith("0 customers will move on ")
    assert tollway("migrate", "montecarlo", "gold")[0] == 2
    assert tollway("migrate", "montecarlo", "starter", "--at", "soon")[0] == 2
