"""The doctor says what is configured, what is connected and what is missing, and never breaks down itself."""

import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr
from tests.dask_processes import changed_engine, running_dask
from tests.parties import make_party
from tests.redis import running_redis

from tollway.customers import operations as customers
from tollway.customers.permissions import UserType
from tollway.doctor import examine
from tollway.kit.db import Database
from tollway.kit.findings import Finding
from tollway.kit.jobs import enqueue_job
from tollway.settings import Settings


async def found(settings: Settings) -> dict[str, Finding]:
    return {finding.part: finding for finding in await examine(settings)}


async def test_a_fresh_installation_is_told_what_it_lacks(settings: Settings, database: Database) -> None:
    findings = await found(settings)
    assert findings["database"].well
    assert findings["files"].well
    assert findings["jobs"] == Finding("jobs", True, "0 waiting, 0 failed")
    assert not findings["plans"].well
    assert "tollway migrate" in findings["plans"].says
    assert not findings["administrators"].well
    assert "tollway admin create" in findings["administrators"].says


async def test_a_whole_installation_is_well(settings: Settings, database: Database) -> None:
    now = datetime.now(UTC)
    await make_party(database, now)
    async with database.transaction() as tx:
        await customers.create_administrator(tx, "owner@example.org", UserType.SUPER_ADMIN, now)
    findings = await found(settings)
    assert {part: one.says for part, one in findings.items() if not one.well} == {}
    assert findings["plans"].says == "trial, starter, professional, enterprise"
    assert findings["administrators"].says == "1"


async def test_a_database_that_does_not_answer_is_a_finding(settings: Settings, tmp_path: Path) -> None:
    url = f"postgresql://tollway:hunter2@/tollway?host={tmp_path}"
    findings = await found(settings.model_copy(update={"database_url": SecretStr(url)}))
    assert not findings["database"].well
    assert "does not answer" in findings["database"].says
    assert "hunter2" not in str(findings)


async def test_a_database_of_another_version_is_a_finding(settings: Settings, database: Database) -> None:
    async with database.transaction() as tx:
        await tx.execute("UPDATE alembic_version SET version_num = '0000'")
    findings = await found(settings)
    assert not findings["database"].well
    assert "0000" in findings["database"].says
    assert "jobs" not in findings, "nothing is asked of tables that may not be there"


async def test_jobs_that_nobody_takes_are_a_finding(settings: Settings, database: Database) -> None:
    async with database.transaction() as tx:
        await enqueue_job(tx, "tests.waits", {})
        await enqueue_job(tx, "tests.later", {}, delay=timedelta(hours=1))
    assert (await found(settings))["jobs"].well
    async with database.transaction() as tx:
        await tx.execute("UPDATE pgqueuer SET execute_after = execute_after - interval '10 minutes'")
    jobs = (await found(settings))["jobs"]
    assert not jobs.well
    assert "tollway work" in jobs.says
    assert jobs.says.startswith("2 waiting")


async def test_a_data_folder_that_is_not_there_yet_is_no_breakdown(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    settings = settings.model_copy(update={"tollway_data": tmp_path / "not" / "there" / "yet"})
    assert "GB free" in (await found(settings))["data folder"].says


async def test_a_mail_server_is_asked(settings: Settings, database: Database) -> None:
    assert "/outbox" in (await found(settings))["mail"].says
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        answering = settings.model_copy(update={"smtp_host": "127.0.0.1", "smtp_port": port})
        assert (await found(answering))["mail"] == Finding("mail", True, f"127.0.0.1:{port} answers")
    assert not (await found(answering))["mail"].well


async def test_redis_is_asked_whether_it_is_there(settings: Settings, database: Database) -> None:
    assert "redis" not in await found(settings)
    with running_redis() as server:
        there = settings.model_copy(update={"redis_url": SecretStr(server.url)})
        assert (await found(there))["redis"] == Finding("redis", True, "answers")
    gone = settings.model_copy(update={"redis_url": SecretStr("redis://:hunter2@127.0.0.1:1/0")})
    finding = (await found(gone))["redis"]
    assert not finding.well
    assert "does not answer" in finding.says
    assert "hunter2" not in finding.says


@pytest.mark.promise("C7", "X16")
async def test_what_production_would_refuse_is_named_beforehand(
    settings: Settings, database: Database
) -> None:
    weak = settings.model_copy(update={"jwt_secret": SecretStr("a" * 40)})
    said = [finding.says for finding in await examine(weak)]
    assert any("JWT_SECRET repeats" in sentence for sentence in said)
    assert any("GATEWAY_URL" in sentence for sentence in said)


async def test_a_setting_that_no_part_uses_is_named(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRET", "hunter2")
    findings = await found(settings)
    assert "STRIPE_WEBHOOK_SECRET" in findings["setting"].says
    assert "hunter2" not in str(findings)


async def test_no_secret_is_told(settings: Settings, database: Database) -> None:
    said = str(await examine(settings))
    for secret in (settings.jwt_secret, settings.encryption_key, settings.database_url):
        assert secret.get_secret_value() not in said


@pytest.mark.xdist_group("dask")
async def test_the_cluster_that_computes_is_examined(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    assert "dask" not in await found(settings)
    async with running_dask(tmp_path) as dask:
        there = settings.model_copy(update={"dask_scheduler": dask.address})
        finding = (await found(there))["dask"]
        assert not finding.well
        assert "does not answer" in finding.says
        dask.start_scheduler()
        await dask.wait_for(set())
        finding = (await found(there))["dask"]
        assert not finding.well
        assert "no worker" in finding.says
        stranger = dask.start_worker(PYTHONPATH=str(changed_engine(tmp_path)))
        fellow = dask.start_worker()
        await dask.wait_for({stranger, fellow})
        findings = await found(there)
        assert findings["dask"].well
        assert findings["dask"].says.endswith("at once: 1")
        assert not findings["  worker"].well
        assert stranger in findings["  worker"].says
        assert "another version" in findings["  worker"].says
