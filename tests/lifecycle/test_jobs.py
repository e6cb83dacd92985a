from datetime import timedelta

from tests.lifecycle.conftest import Town
from tests.parties import SEALER

from tollway.kit.clock import read_now
from tollway.kit.jobs import JobRegistry
from tollway.lifecycle import jobs, operations
from tollway.lifecycle.entities import SignUpForm


async def sign_up_days_ago(town: Town, days: int, email: str) -> int:
    visit = town.visit(read_now() - timedelta(days=days))
    async with town.database.transaction() as tx:
        form = SignUpForm(email, "Example Ltd", "Other")
        return (await operations.sign_up(tx, town.parts, form, visit)).user.id


async def test_the_nightly_job_forgets_strangers_and_their_files_and_may_run_twice(town):
    assert town.parts.sealer is SEALER
    gone = [await sign_up_days_ago(town, 31, f"user{number}@example.com") for number in range(3)]
    stays = await sign_up_days_ago(town, 29, "ana@example.com")
    async with town.database.transaction() as tx:
        await tx.execute(
            """
            INSERT INTO models (public_id, customer_id, mode, name, filename, workbook_blob, workbook_bytes,
                workbook_sha256, formulas_count, inspection, created_at, updated_at, expires_at)
            SELECT 'mdl_1', id, 'test', 'a', 'a.xlsx', 'workbooks/1/a', 1, 'x', 1, '{}', now(), now(), now()
            FROM api_customers WHERE user_id = %(user_id)s
            """,
            {"user_id": gone[0]},
        )
    registry = JobRegistry()
    jobs.register(registry, town.database)
    crontab, runner = registry.schedules["lifecycle.delete_expired"]
    assert crontab == "41 2 * * *"
    await runner({})
    await runner({})
    assert await town.rows("SELECT id FROM users") == [{"id": stays}]
    assert await town.rows("SELECT name FROM discarded_blobs") == [{"name": "workbooks/1/a"}]
    assert await town.rows("SELECT id FROM models") == []
