"""`make run`: real processes on a real machine, started, interrupted, killed and started again."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest
from tests.installed import Installed, free_port, wait_until

from tollway.authentication.entities import totp_code
from tollway.kit.clock import read_now
from tollway.kit.embedded import EmbeddedPostgres
from tollway.settings import new_secret
from tollway.simulation.samples import SAMPLES

UNDER_WAY = "SELECT count(*) FROM runs WHERE status IN ('queued', 'running')"

pytestmark = [pytest.mark.xdist_group("processes"), pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def shared() -> Iterator[Installed]:
    """One installation for the tests that leave it sound."""
    folder = Path(tempfile.mkdtemp(prefix="tollway-run-"))
    folder.chmod(0o711)
    made = Installed(folder, free_port())
    yield made
    if made.process is not None and made.process.poll() is None:
        made.interrupt()
    EmbeddedPostgres(folder / "postgres").stop()
    shutil.rmtree(folder)


@pytest.fixture
def running(shared: Installed) -> Installed:
    """It, started."""
    if shared.process is None or shared.process.poll() is not None:
        shared.start()
        shared.wait_ready()
    return shared


@pytest.mark.promise("C17")
def test_it_starts_prints_what_works_stops_and_starts_again(installed: Installed) -> None:
    installed.start()
    installed.wait_ready()
    curl = re.search(r'curl http://localhost:\d+(\S+) -H "(Authorization): (Bearer \w+)"', installed.output)
    assert curl, installed.output
    answer = httpx.get(installed.url + curl.group(1), headers={curl.group(2): curl.group(3)})
    assert answer.status_code == 200
    assert [model["model_name"] for model in answer.json()["models"]] == ["Portfolio risk"]
    first_key = installed.api_key()
    with httpx.Client(base_url=installed.url) as browser:
        signed_in = browser.post(
            "/signin", data={"email": "demo@tollway.example", "password": "demo-password"}
        )
        assert signed_in.status_code == 303
        assert _administers(installed)
        # An open event stream must not hold up the end.
        with browser.stream("GET", "/dashboard") as page:
            assert page.status_code == 200
            assert installed.interrupt() == 0
    assert "Stopped." in installed.output
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(EmbeddedPostgres(installed.folder / "postgres").url)

    installed.start()
    installed.wait_ready()
    assert installed.api_key() == first_key, "the second start finds what the first one made"
    assert installed.interrupt() == 0


def _administers(installed: Installed) -> bool:
    """Sign the demo administrator in by what the banner says."""
    told = re.search(r"Administrator +(\S+) +(\S+)\n.*secret ([A-Z2-7]+)", installed.output)
    assert told, installed.output
    email, password, secret = told.groups()
    with httpx.Client(base_url=installed.url) as browser:
        first = browser.post("/signin", data={"email": email, "password": password})
        assert first.headers["location"].startswith("/signin/second-factor")
        assert browser.get("/admin/audit").status_code == 401
        browser.post("/signin/second-factor", data={"code": totp_code(secret, read_now())})
        return browser.get("/admin/audit").status_code == 200


@pytest.mark.promise("A24")
def test_several_servers_share_one_port_and_one_limit(installed: Installed) -> None:
    installed.environment |= {"SERVER_PROCESSES": "2", "MAX_REQUESTS_PER_MINUTE": "60"}
    installed.start()
    installed.wait_ready()
    children = installed.children()
    assert sorted(children) == ["centre", "serve", "serve 2", "ship", "work"]
    # Each request on a connection of its own, so that both servers get some.
    statuses = [httpx.get(f"{installed.url}/monitoring/health").status_code for _ in range(140)]
    assert 55 <= statuses.count(200) <= 90, statuses
    assert statuses[-1] == 429

    os.kill(children["serve 2"], signal.SIGKILL)
    os.kill(children["centre"], signal.SIGKILL)

    def both_back() -> bool:
        present = installed.children()
        return len(present) == 5 and not set(present.values()) & {children["serve 2"], children["centre"]}

    wait_until(both_back, lambda: installed.output)
    wait_until(lambda: _status(installed) == 200, lambda: installed.output)
    assert installed.interrupt() == 0


def _status(installed: Installed) -> int:
    return httpx.get(f"{installed.url}/monitoring/health").status_code


def test_an_open_event_stream_does_not_hold_up_the_end(running: Installed) -> None:
    with running.client() as client:
        # The oldest is the one that is there from the start.
        model_id = client.get("/models").json()["models"][-1]["model_id"]
        started = client.post(
            "/simulations",
            json={"model_id": model_id, "simulation_config": {"iterations": 100_000, "seed": 1}},
        )
        assert started.status_code == 201, started.text
        url = started.json()["progress_url"].removeprefix("/monte-carlo-api")
        # The worker is gone, so the run cannot end and the stream stays open.
        os.kill(running.children()["work"], signal.SIGSTOP)
        with client.stream("GET", url, headers={"Accept": "text/event-stream"}) as stream:
            next(stream.iter_lines())
            assert running.interrupt() == 0


def test_a_port_in_use_is_said_in_one_sentence(installed: Installed) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", installed.port))
        taken.listen()
        installed.start()
        assert installed.wait_end() == 2
    wait_until(lambda: "in use" in installed.output, lambda: installed.output)
    assert installed.output.strip() == (
        f"tollway: Port {installed.port} is in use. Stop what uses it, or choose another: "
        f"PORT={installed.port + 1} make run."
    )


def test_a_data_folder_that_cannot_be_written_is_said_in_one_sentence(installed: Installed) -> None:
    installed.environment["TOLLWAY_DATA"] = "/dev/null/tollway"
    installed.start()
    assert installed.wait_end() == 2
    wait_until(lambda: "TOLLWAY_DATA" in installed.output, lambda: installed.output)
    assert len(installed.output.strip().splitlines()) == 1
    assert "/dev/null/tollway" in installed.output


def test_an_interrupted_first_start_leaves_nothing_that_stops_the_next(installed: Installed) -> None:
    installed.start()
    # In the middle: the database is being made, or is there and not yet migrated.
    wait_until((installed.folder / "postgres" / "database-password").exists, lambda: installed.output)
    assert installed.interrupt() != 0
    wait_until(lambda: "Stopped" in installed.output, lambda: installed.output)
    assert "Traceback" not in installed.output
    installed.start()
    installed.wait_ready()


def test_a_half_made_database_is_set_aside(installed: Installed) -> None:
    half_made = installed.folder / "postgres" / "database"
    half_made.mkdir(parents=True)
    (half_made / "postgresql.conf").write_text("# interrupted\n")
    installed.start()
    installed.wait_ready()
    assert "was half made; it is kept as database.incomplete-" in installed.output
    aside = list((installed.folder / "postgres").glob("database.incomplete-*"))
    assert len(aside) == 1, "nothing is deleted that might be somebody's"


def test_killing_the_whole_product_leaves_no_process_behind_but_the_database(running: Installed) -> None:
    children = running.children()
    running.kill()
    wait_until(lambda: not any(_alive(one) for one in children.values()), lambda: str(children))
    running.start()
    running.wait_ready()


def _alive(process_id: int) -> bool:
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_run_survives_the_killing_of_server_and_worker(running: Installed) -> None:
    """Acceptance 4: the run finishes, and no usage row is lost or doubled."""
    with running.client() as client:
        # What a test before this one left is computed first.
        wait_until(lambda: running.query(UNDER_WAY) == [(0,)], lambda: running.output)
        uploaded = client.post("/models", files={"file": ("portfolio.xlsx", SAMPLES["portfolio"].to_bytes())})
        assert uploaded.status_code == 201, uploaded.text
        variables = [
            {"cell": one.cell, "distribution": one.distribution.as_json()}
            for one in SAMPLES["portfolio"].inputs
        ]
        body = {
            "model_id": uploaded.json()["model_id"],
            "simulation_config": {
                "iterations": 100_000,
                "variables": variables,
                "output_cells": ["Portfolio!B16", "Portfolio!B18"],
                "seed": 11,
            },
        }
        started = client.post("/simulations", json=body)
        assert started.status_code == 201, started.text
        run_id = started.json()["simulation_id"]
        before = running.query("SELECT endpoint, units, request_id FROM api_usage_logs ORDER BY id")
        for process_id in running.children().values():
            os.kill(process_id, signal.SIGKILL)
        # The supervisor starts both again.
        url = f"/simulations/{run_id}/progress"

        def over() -> bool:
            try:
                answer = client.get(url)
            except httpx.TransportError:
                return False
            return answer.status_code == 200 and answer.json()["status"] in ("completed", "failed")

        wait_until(over, lambda: running.output)
        results: list[httpx.Response] = []

        def answered() -> bool:
            # A server that was killed begins with empty buckets: who asks fast may be told to wait for a second.
            results.append(client.get(f"/simulations/{run_id}/results"))
            return results[-1].status_code != 429

        wait_until(answered, lambda: running.output)
    assert results[-1].status_code == 200, results[-1].text
    assert results[-1].json()["results"]["Portfolio!B16"]["statistics"]["count"] == 100_000
    counted = running.query("SELECT units, request_id FROM api_usage_logs WHERE units <> 0 ORDER BY id")
    assert counted == [(units, request) for _, units, request in before if units]
    used = running.query("SELECT sum(requests_used) FROM usage_quotas WHERE mode = 'test'")
    this_month = running.query(
        "SELECT sum(units) FROM api_usage_logs l JOIN usage_quotas q ON q.mode = l.mode"
        " AND l.request_timestamp >= q.period_start WHERE l.mode = 'test'"
    )
    assert used == this_month


@pytest.mark.parametrize("command", ["demo", "seed"])
def test_public_passwords_are_never_made_in_production(command: str, tmp_path: Path) -> None:
    """`demo` and `seed` print their passwords, so strangers know them."""
    tmp_path.chmod(0o711)
    finished = subprocess.run(
        [sys.executable, "-m", "tollway", command],
        env=os.environ
        | {
            "ENVIRONMENT": "production",
            "JWT_SECRET": new_secret(),
            "ENCRYPTION_KEY": new_secret(),
            "TOLLWAY_DATA": str(tmp_path),
            "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nowhere",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert finished.returncode == 2
    assert "not made with ENVIRONMENT=production" in finished.stderr
