"""Kill loops: server and worker are killed at random moments, and nothing is lost or counted twice."""

import os
import random
import signal
import time

import httpx
import pytest
from tests.installed import Installed, wait_until

from tollway.simulation.samples import SAMPLES

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3600)]

KILLS = 25
RUNS_AT_ONCE = 2


def test_no_run_is_lost_and_no_request_counted_twice_over_many_kills(installed: Installed) -> None:
    # A server that was killed begins with empty buckets, and whoever asks as often as this would wait for long.
    installed.environment["MAX_REQUESTS_PER_MINUTE"] = "100000"
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    chance = random.Random(seed)
    installed.start()
    installed.wait_ready()
    # The demo customer's plan has 100 requests; the loop needs more than what is left of them.
    installed.query("UPDATE usage_quotas SET requests_included = NULL")
    sent: dict[str, str] = {}
    with installed.client() as client:
        model_id = _uploaded(client)
        for number in range(KILLS):
            key = f"soak-{seed}-{number}"
            sent[key] = _started(client, model_id, key, number)
            time.sleep(chance.uniform(0, 1.5))
            victim = chance.choice(list(installed.children().values()))
            os.kill(victim, signal.SIGKILL)
            if number % RUNS_AT_ONCE == RUNS_AT_ONCE - 1:
                _wait_over(installed, client, list(sent.values())[-RUNS_AT_ONCE:])
        _wait_over(installed, client, list(sent.values()))
        statuses = [client.get(f"/simulations/{run}/progress").json()["status"] for run in sent.values()]
    assert statuses == ["completed"] * KILLS
    assert len(set(sent.values())) == KILLS
    runs = installed.query(
        "SELECT count(*) FROM api_usage_logs WHERE endpoint LIKE '%/simulations' AND units = 1"
    )
    made = installed.query("SELECT count(*) FROM runs")
    # The demo's own history counts runs that are no rows of ours.
    history = installed.query(
        "SELECT count(*) FROM api_usage_logs WHERE user_agent = 'demo' AND endpoint LIKE '%/simulations' AND units = 1"
    )
    assert runs[0][0] - history[0][0] == made[0][0] - 1, "one usage row for each run but the demo's"


def _uploaded(client: httpx.Client) -> str:
    answer = client.post("/models", files={"file": ("portfolio.xlsx", SAMPLES["portfolio"].to_bytes())})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["model_id"])


def _started(client: httpx.Client, model_id: str, key: str, number: int) -> str:
    """Start a run as a careful client does: the same request again until it is answered."""
    body = {
        "model_id": model_id,
        "simulation_config": {
            "iterations": 100_000,
            "seed": number,
            "variables": [
                {"cell": one.cell, "distribution": one.distribution.as_json()}
                for one in SAMPLES["portfolio"].inputs
            ],
            "output_cells": ["Portfolio!B16"],
        },
    }
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            answer = client.post("/simulations", json=body, headers={"Idempotency-Key": key})
        except httpx.TransportError:
            time.sleep(0.2)
            continue
        if answer.status_code == 201:
            return str(answer.json()["simulation_id"])
        assert answer.status_code in (429, 503), answer.text
        time.sleep(0.2)
    raise AssertionError("the run could not be started")


def _wait_over(installed: Installed, client: httpx.Client, runs: list[str]) -> None:
    def over() -> bool:
        try:
            return all(
                client.get(f"/simulations/{run}/progress").json().get("status") in ("completed", "failed")
                for run in runs
            )
        except (httpx.TransportError, ValueError):
            return False

    wait_until(over, lambda: installed.output)
