"""The Monte Carlo API over HTTP: shapes, owners, limits, and what is refused."""

import json
from typing import Any

import httpx
import pytest
from tests.parties import Party, make_party
from tests.simulation import workbooks
from tests.simulation.conftest import (
    API,
    XLSX,
    Rows,
    results_of,
    run_body,
    started_id,
    upload,
    uploaded_id,
    working,
)

from tollway.app import Parts
from tollway.customers.entities import Mode
from tollway.kit.clock import read_now
from tollway.kit.problems import Problem
from tollway.plans.entities import SubscriptionStatus
from tollway.simulation.bodies import VariableIn
from tollway.simulation.endpoints import read_marks
from tollway.simulation.mark_flows import DistributionReader
from tollway.simulation.refusals import REFUSALS, BadDistribution

MODEL = "mdl_0123456789abcdef"
RUN = "sim_0123456789abcdef"
# Every endpoint that needs a key, with a body that would be good.
ENDPOINTS: list[tuple[str, str, dict[str, Any] | None]] = [
    ("POST", "/models", None),
    ("GET", "/models", None),
    ("GET", f"/models/{MODEL}", None),
    ("PUT", f"/models/{MODEL}", {"model_name": "New"}),
    ("DELETE", f"/models/{MODEL}", None),
    ("POST", "/simulations", run_body(MODEL)),
    ("GET", "/simulations", None),
    ("GET", f"/simulations/{RUN}/progress", None),
    ("GET", f"/simulations/{RUN}/results", None),
    ("DELETE", f"/simulations/{RUN}", None),
    ("GET", f"/simulations/{RUN}/download/json", None),
    ("GET", f"/simulations/{RUN}/download/xlsx", None),
]


def assert_problem(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    document = dict(response.json())
    assert document["code"] == code, document
    return document


# --- who calls -----------------------------------------------------------------------------------------


@pytest.mark.promise("A43")
async def test_health_needs_no_key_and_tells_what_is_true(client: httpx.AsyncClient) -> None:
    response = await client.get(f"{API}/health")
    body = response.json()
    assert response.status_code == 200
    assert body["status"] == "healthy"
    assert body["version"] == "1.0.0"
    assert body["gpu_available"] is False
    assert body["system_metrics"]["uptime"] >= 0
    assert body["system_metrics"]["memory_usage"] > 10
    assert body["system_metrics"]["active_simulations"] == 0
    assert body["timestamp"].startswith("20")


@pytest.mark.parametrize(("method", "path", "body"), ENDPOINTS)
async def test_without_a_key_every_endpoint_answers_401(
    client: httpx.AsyncClient, method: str, path: str, body: dict[str, Any] | None
) -> None:
    response = await client.request(method, API + path, json=body)
    assert response.status_code == 401


@pytest.mark.parametrize(
    ("method", "path", "body"), [one for one in ENDPOINTS if MODEL in str(one) or RUN in str(one)]
)
async def test_what_is_not_there_is_404(
    client: httpx.AsyncClient, party: Party, method: str, path: str, body: dict[str, Any] | None
) -> None:
    response = await client.request(method, API + path, json=body, headers=party.headers)
    assert response.status_code == 404, response.text


async def test_another_customers_things_are_not_there(
    client: httpx.AsyncClient, parts: Parts, party: Party, other: Party
) -> None:
    """Fault 4: results, progress, cancel and download had no owner check."""
    model = await uploaded_id(client, party)
    run = await started_id(client, party, model)
    live = await make_party(
        parts.database, read_now(), tier="starter", status=SubscriptionStatus.ACTIVE, mode=Mode.LIVE
    )
    for stranger in (other, live):
        for method, path, body in ENDPOINTS:
            if MODEL not in str((path, body)) and RUN not in path:
                continue
            theirs = json.loads(json.dumps(body).replace(MODEL, model)) if body else None
            response = await client.request(
                method,
                API + path.replace(MODEL, model).replace(RUN, run),
                json=theirs,
                headers=stranger.headers,
            )
            assert response.status_code == 404, (method, path)
        listed = await client.get(f"{API}/models", headers=stranger.headers)
        assert listed.json() == {"models": [], "next_cursor": None}
        listed = await client.get(f"{API}/simulations", headers=stranger.headers)
        assert listed.json() == {"simulations": [], "next_cursor": None}


async def test_no_part_of_a_key_is_in_any_answer(client: httpx.AsyncClient, party: Party) -> None:
    """Fault 29: key text in logs and answers."""
    wrong = party.secret[:-1] + ("a" if party.secret[-1] != "a" else "b")
    response = await client.get(f"{API}/models", headers={"Authorization": f"Bearer {wrong}"})
    assert response.status_code == 401
    assert wrong[8:20] not in response.text


# --- models --------------------------------------------------------------------------------------------


@pytest.mark.promise("A44")
async def test_an_upload_answers_with_what_is_in_the_workbook(
    client: httpx.AsyncClient, party: Party
) -> None:
    """Fault 3: variables_detected was hard-coded."""
    response = await upload(
        client, party, filename="Fund 7.xlsx", model_name="Fund", description="Ours", tags="a, b"
    )
    assert response.status_code == 201, response.text
    body = response.json()
    assert body["model_id"].startswith("mdl_")
    assert len(body["model_id"]) == 20
    assert body["filename"] == "Fund 7.xlsx"
    assert body["status"] == "uploaded"
    assert body["processing_time_estimate"].endswith("seconds")
    assert body["formulas_count"] == 7
    detected = {one["cell"]: one for one in body["variables_detected"]}
    assert detected["Risk!B5"]["current_value"] == 0.08
    assert detected["Risk!B5"]["name"] == "Expected return"
    assert detected["Risk!B5"]["suggested_distribution"]["type"] == "normal"
    assert body["agreement"]["different"] == 0
    assert body["agreement"]["equal"] == 7
    assert body["created_at"]

    shown = (await client.get(f"{API}/models/{body['model_id']}", headers=party.headers)).json()
    assert shown["model_name"] == "Fund"
    assert shown["description"] == "Ours"
    assert shown["tags"] == ["a", "b"]
    assert shown["inputs"] == []
    listed = (await client.get(f"{API}/models", headers=party.headers)).json()["models"]
    assert [one["model_id"] for one in listed] == [body["model_id"]]
    assert listed[0]["filename"] == "Fund 7.xlsx"
    assert listed[0]["formulas_count"] == 7
    assert listed[0]["uploaded_at"] == body["created_at"]


async def test_a_workbook_with_macros_is_accepted_and_runs(
    parts: Parts, client: httpx.AsyncClient, party: Party
) -> None:
    """Fault 6: .xlsm was accepted, then only *.xlsx was found."""
    content = workbooks.with_part(workbooks.portfolio(), "xl/vbaProject.bin", b"\xd0\xcf\x11\xe0 a macro")
    response = await upload(client, party, content, "model.XLSM")
    assert response.status_code == 201
    async with working(parts):
        run = await started_id(client, party, response.json()["model_id"], iterations=1_000)
        assert (await results_of(client, party, run))["status"] == "completed"


@pytest.mark.parametrize("filename", ["model.xls", "model.csv", "model.xlsb", "model", "xlsx"])
async def test_other_file_types_are_415_and_told_what_to_do(
    client: httpx.AsyncClient, party: Party, filename: str
) -> None:
    """Fault 6: .xls was accepted."""
    document = assert_problem(await upload(client, party, filename=filename), 415, "unsupported-file-type")
    assert "save as .xlsx" in document["message"]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "bad-upload"),
        (b"a,b\n1,2\n", "not-a-workbook"),
        (workbooks.encrypted(), "not-a-workbook"),
        (workbooks.bomb(), "workbook-too-large"),
        (workbooks.with_formula('=CUBEVALUE("a","b")+B1'), "unsupported-function"),
        (workbooks.with_formula("=B1+B2"), "circular-reference"),
    ],
    ids=["empty", "renamed csv", "encrypted", "bomb", "unsupported", "circular"],
)
async def test_an_unusable_workbook_is_422_counts_nothing_and_the_server_lives(
    parts: Parts, client: httpx.AsyncClient, party: Party, content: bytes, code: str
) -> None:
    assert_problem(await upload(client, party, content), 422, code)
    assert (await client.get(f"{API}/health")).status_code == 200
    async with parts.database.transaction() as tx:
        assert await tx.find_value("SELECT count(*) FROM models") == 0
        assert await tx.find_value("SELECT COALESCE(sum(units), 0) FROM api_usage_logs") == 0


async def test_an_upload_without_a_file_or_with_two_is_422(client: httpx.AsyncClient, party: Party) -> None:
    url = f"{API}/models"
    none = await client.post(url, headers=party.headers, data={"model_name": "x"})
    document = assert_problem(none, 422, "bad-upload")
    assert document["errors"][0]["pointer"] == "/file"
    file = ("a.xlsx", workbooks.portfolio(), XLSX)
    two = await client.post(url, headers=party.headers, files=[("file", file), ("file", file)])
    assert "2 files" in assert_problem(two, 422, "bad-upload")["message"]
    three = await client.post(url, headers=party.headers, files=[("file", file)] * 3)
    assert three.status_code == 422


@pytest.mark.parametrize("declared", [True, False], ids=["declared", "chunked"])
async def test_a_file_over_the_plan_is_413_and_names_the_plans_limit(
    client: httpx.AsyncClient, party: Party, *, declared: bool
) -> None:
    boundary = "boundary"
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.xlsx"\r\n'
        f"Content-Type: {XLSX}\r\n\r\n"
    ).encode()
    body = head + bytes(10_200_000) + f"\r\n--{boundary}--\r\n".encode()

    async def chunks() -> Any:
        for first in range(0, len(body), 1_000_000):
            yield body[first : first + 1_000_000]

    response = await client.post(
        f"{API}/models",
        headers=party.headers | {"Content-Type": f"multipart/form-data; boundary={boundary}"},
        content=body if declared else chunks(),
    )
    document = assert_problem(response, 413, "too-large")
    assert document["limit_bytes"] == 10_000_000
    assert "Free trial" in document["message"]


async def test_a_file_just_over_the_plan_is_413(client: httpx.AsyncClient, party: Party) -> None:
    content = workbooks.portfolio() + bytes(10_000_000)
    document = assert_problem(await upload(client, party, content), 413, "too-large")
    assert document["limit_bytes"] == 10_000_000


async def test_a_repeated_upload_with_the_same_idempotency_key_has_one_effect(
    parts: Parts, client: httpx.AsyncClient, party: Party
) -> None:
    content, bodies = workbooks.portfolio(), []
    for _ in range(2):
        response = await client.post(
            f"{API}/models",
            headers=party.headers | {"Idempotency-Key": "one"},
            files={"file": ("a.xlsx", content, XLSX)},
        )
        assert response.status_code == 201, response.text
        bodies.append(response.json())
    assert bodies[0] == bodies[1]
    async with parts.database.transaction() as tx:
        assert await tx.find_value("SELECT count(*) FROM models") == 1
        assert await tx.find_value("SELECT requests_used FROM usage_quotas") == 1
        assert await tx.find_value("SELECT count(*) FROM discarded_blobs") == 0
    changed = await client.post(
        f"{API}/models",
        headers=party.headers | {"Idempotency-Key": "one"},
        files={"file": ("b.xlsx", workbooks.portfolio("Other"), XLSX)},
    )
    assert_problem(changed, 409, "idempotency-key-reused")


async def test_marks_are_checked_kept_and_used_by_runs(
    parts: Parts, client: httpx.AsyncClient, party: Party
) -> None:
    model = await uploaded_id(client, party)
    url = f"{API}/models/{model}"
    wrong = await client.put(
        url,
        headers=party.headers,
        json={"inputs": workbooks.PORTFOLIO_VARIABLES, "outputs": ["B16", "B7"]},
    )
    document = assert_problem(wrong, 422, "bad-output-cell")
    assert document["errors"][0]["pointer"] == "/outputs/1"

    missing = await client.post(
        f"{API}/simulations",
        headers=party.headers,
        json={"model_id": model, "simulation_config": {"iterations": 1_000}},
    )
    document = assert_problem(missing, 422, "nothing-marked")
    assert document["errors"][0]["pointer"] == "/simulation_config/variables"

    marked = await client.put(
        url,
        headers=party.headers,
        json={
            "model_name": "Marked",
            "tags": ["x"],
            "inputs": workbooks.PORTFOLIO_VARIABLES,
            "outputs": ["B16"],
        },
    )
    assert marked.status_code == 200, marked.text
    assert marked.json()["outputs"] == ["B16"]
    renamed = (await client.put(url, headers=party.headers, json={"description": "d"})).json()
    assert renamed["model_name"] == "Marked"
    assert renamed["outputs"] == ["B16"]
    assert renamed["description"] == "d"
    async with working(parts):
        response = await client.post(
            f"{API}/simulations",
            headers=party.headers,
            json={"model_id": model, "simulation_config": {"iterations": 1_000}},
        )
        assert response.status_code == 201, response.text
        body = await results_of(client, party, response.json()["simulation_id"])
    assert list(body["results"]) == ["B16"]
    assert len(body["variables"]) == 3


async def test_a_model_is_deleted_with_its_runs_only_when_asked(
    client: httpx.AsyncClient, party: Party
) -> None:
    model = await uploaded_id(client, party)
    run = await started_id(client, party, model)
    url = f"{API}/models/{model}"
    document = assert_problem(await client.delete(url, headers=party.headers), 409, "model-has-runs")
    assert document["runs_count"] == 1
    response = await client.delete(f"{url}?delete_runs=true", headers=party.headers)
    assert response.status_code == 200
    assert response.json()["runs_deleted"] == 1
    assert_problem(await client.get(url, headers=party.headers), 404, "model-not-found")
    progress = await client.get(f"{API}/simulations/{run}/progress", headers=party.headers)
    assert_problem(progress, 404, "run-not-found")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"model_name": ""}, "/model_name"),
        ({"name": "x"}, "/name"),
        ({"tags": "a"}, "/tags"),
        (
            {"inputs": [{"cell": "B5", "distribution": {"type": "normal", "mean": 1}}]},
            "/inputs/0/distribution/std",
        ),
        ({"outputs": [1]}, "/outputs/0"),
    ],
)
async def test_a_bad_change_is_422_and_pointed_at(
    client: httpx.AsyncClient, party: Party, body: dict[str, Any], pointer: str
) -> None:
    response = await client.put(f"{API}/models/{MODEL}", headers=party.headers, json=body)
    assert response.status_code == 422, response.text
    assert response.json()["errors"][0]["pointer"] == pointer


# --- runs ----------------------------------------------------------------------------------------------


async def test_a_run_is_answered_with_where_to_look_and_what_it_cost(
    parts: Parts, client: httpx.AsyncClient, party: Party
) -> None:
    model = await uploaded_id(client, party)
    response = await client.post(
        f"{API}/simulations", headers=party.headers, json=run_body(model, iterations=20_000)
    )
    assert response.status_code == 201
    body = response.json()
    assert body["simulation_id"].startswith("sim_")
    assert body["status"] == "queued"
    assert body["progress_url"] == f"{API}/simulations/{body['simulation_id']}/progress"
    assert body["estimated_completion"] > read_now().isoformat()
    assert body["credits_consumed"] == 21
    assert body["seed"] == 7
    standing = (await client.get(body["progress_url"], headers=party.headers)).json()
    assert standing["simulation_id"] == body["simulation_id"]
    assert standing["status"] == "queued"
    assert standing["progress"]["percentage"] == 0
    assert standing["progress"]["iterations_total"] == 20_000
    assert standing["progress"]["phase"] == "initialization"
    assert standing["progress"]["estimated_remaining"] >= 0
    assert set(standing["performance_metrics"]) == {
        "iterations_per_second",
        "gpu_utilization",
        "memory_usage",
    }
    early = await client.get(f"{API}/simulations/{body['simulation_id']}/results", headers=party.headers)
    document = assert_problem(early, 409, "run-not-finished")
    assert document["progress_url"] == body["progress_url"]
    listed = (await client.get(f"{API}/simulations?model_id={model}", headers=party.headers)).json()
    assert [one["simulation_id"] for one in listed["simulations"]] == [body["simulation_id"]]
    async with parts.database.transaction() as tx:
        assert await tx.find_value("SELECT sum(credits_consumed) FROM api_usage_logs") == 21


async def test_results_come_as_json_and_as_a_workbook(
    parts: Parts, client: httpx.AsyncClient, party: Party
) -> None:
    model = await uploaded_id(client, party)
    async with working(parts):
        run = await started_id(client, party, model)
        body = await results_of(client, party, run)
    links = body["download_links"]
    assert set(links) == {"json", "xlsx", "pdf"}
    as_json = await client.get(links["json"], headers=party.headers)
    assert as_json.status_code == 200
    assert as_json.headers["content-disposition"] == f'attachment; filename="{run}.json"'
    document = as_json.json()
    assert document["metadata"]["simulation_id"] == run
    assert document["results"]["B16"]["statistics"]["mean"] == body["results"]["B16"]["statistics"]["mean"]
    as_xlsx = await client.get(links["xlsx"], headers=party.headers)
    assert as_xlsx.status_code == 200
    assert as_xlsx.headers["content-type"] == XLSX
    assert as_xlsx.content.startswith(b"PK\x03\x04")
    unknown = await client.get(f"{API}/simulations/{run}/download/docx", headers=party.headers)
    assert unknown.status_code == 422
    finished = await client.delete(f"{API}/simulations/{run}", headers=party.headers)
    assert_problem(finished, 409, "run-is-over")


async def test_a_repeated_run_with_the_same_idempotency_key_has_one_effect(
    parts: Parts, client: httpx.AsyncClient, party: Party
) -> None:
    model = await uploaded_id(client, party)
    headers = party.headers | {"Idempotency-Key": "run one"}
    body = run_body(model)
    del body["simulation_config"]["seed"]
    answers = [(await client.post(f"{API}/simulations", headers=headers, json=body)).json() for _ in range(2)]
    assert answers[0]["simulation_id"] == answers[1]["simulation_id"]
    assert answers[0] == answers[1]
    async with parts.database.transaction() as tx:
        assert await tx.find_value("SELECT count(*) FROM runs") == 1
        assert await tx.find_value("SELECT requests_used FROM usage_quotas") == 2


async def test_a_repeated_request_is_answered_as_before_whatever_changed_since(
    parts: Parts, client: httpx.AsyncClient, party: Party
) -> None:
    headers, files = party.headers | {"Idempotency-Key": "one"}, {"file": ("a.xlsx", workbooks.portfolio())}
    uploaded = await client.post(f"{API}/models", headers=headers, files=files)
    model = uploaded.json()["model_id"]
    started = await client.post(f"{API}/simulations", headers=headers, json=run_body(model))
    deleted = await client.delete(f"{API}/models/{model}?delete_runs=true", headers=party.headers)
    assert deleted.status_code == 200
    async with parts.database.transaction() as tx:
        await tx.execute("UPDATE api_subscriptions SET trial_end = now() - interval '1 day'")
    again = await client.post(f"{API}/models", headers=headers, files=files)
    assert (again.status_code, again.json()) == (201, uploaded.json())
    again = await client.post(f"{API}/simulations", headers=headers, json=run_body(model))
    assert (again.status_code, again.json()) == (201, started.json())
    changed = await client.post(f"{API}/simulations", headers=headers, json=run_body(model, seed=8))
    assert_problem(changed, 409, "idempotency-key-reused")


@pytest.mark.parametrize("place", ["/simulation_config/webhook_url", "/webhook_url"])
async def test_a_webhook_url_that_nothing_is_delivered_to_is_refused(
    client: httpx.AsyncClient, party: Party, place: str
) -> None:
    """Fault 28: it must not lead into a network of ours."""
    body = run_body(MODEL)
    owner = body["simulation_config"] if place.startswith("/simulation_config") else body
    owner["webhook_url"] = "https://169.254.169.254/latest/meta-data/"
    response = await client.post(f"{API}/simulations", headers=party.headers, json=body)
    document = assert_problem(response, 422, "webhook-url-refused")
    assert document["errors"][0]["pointer"] == place
    assert "public" in document["message"]


async def test_two_different_webhook_urls_of_one_run_are_refused(
    client: httpx.AsyncClient, party: Party
) -> None:
    body = run_body(MODEL, webhook_url="https://example.org/one") | {"webhook_url": "https://example.org/two"}
    response = await client.post(f"{API}/simulations", headers=party.headers, json=body)
    assert assert_problem(response, 422, "invalid-input")["errors"][0]["pointer"] == "/webhook_url"


async def test_a_plan_without_webhooks_takes_no_webhook_url(client: httpx.AsyncClient, party: Party) -> None:
    model = await uploaded_id(client, party)
    body = run_body(model, webhook_url="https://example.org/hook")
    response = await client.post(f"{API}/simulations", headers=party.headers, json=body)
    document = assert_problem(response, 402, "feature-not-included")
    assert document["plan_needed"] == "professional"


@pytest.mark.parametrize(
    ("config", "pointer"),
    [
        ({"iterations": 999}, "/simulation_config/iterations"),
        ({"iterations": 10_000.5}, "/simulation_config/iterations"),
        ({"iterations": "10000"}, "/simulation_config/iterations"),
        ({"iterations": 100_000_001}, "/simulation_config/iterations"),
        ({"seed": -1}, "/simulation_config/seed"),
        ({"seed": 2**63}, "/simulation_config/seed"),
        ({"confidence_levels": []}, "/simulation_config/confidence_levels"),
        ({"confidence_levels": [1.0]}, "/simulation_config/confidence_levels/0"),
        ({"targets": [1.0] * 21}, "/simulation_config/targets"),
        ({"targets": [0, "much"]}, "/simulation_config/targets/1"),
        ({"tolerance": 0}, "/simulation_config/tolerance"),
        ({"tolerance": 1.0}, "/simulation_config/tolerance"),
        ({"colour": "red"}, "/simulation_config/colour"),
        ({"output_cells": [""]}, "/simulation_config/output_cells/0"),
        ({"variables": [{"cell": "B5"}]}, "/simulation_config/variables/0/distribution"),
        (
            {"variables": [{"cell": "B5", "distribution": {"type": "normal", "mean": 0.08, "std": -1}}]},
            "/simulation_config/variables/0/distribution/std",
        ),
        (
            {
                "variables": [
                    workbooks.PORTFOLIO_VARIABLES[0],
                    {"cell": "B5", "distribution": {"type": "triangular", "min": 2, "mode": 1, "max": 3}},
                ]
            },
            "/simulation_config/variables/1/distribution/mode",
        ),
        (
            {"variables": [{"cell": "B5", "distribution": {"type": "cosine"}}]},
            "/simulation_config/variables/0/distribution/type",
        ),
    ],
)
async def test_a_bad_run_is_422_and_pointed_at(
    client: httpx.AsyncClient, party: Party, config: dict[str, Any], pointer: str
) -> None:
    response = await client.post(f"{API}/simulations", headers=party.headers, json=run_body(MODEL, **config))
    assert response.status_code == 422, response.text
    assert response.json()["errors"][0]["pointer"] == pointer


async def test_parameters_of_another_distribution_that_are_null_are_left_out(
    client: httpx.AsyncClient, party: Party
) -> None:
    """Fault 1: a normal whose min, mode and max are null became triangular(0, 0.5, 1)."""
    model = await uploaded_id(client, party)
    variable = {
        "cell": "B5",
        "distribution": {
            "type": "normal", "mean": 0.08, "std": 0.02, "min": None, "mode": None, "max": None,
        },
    }  # fmt: skip
    run = await started_id(client, party, model, variables=[variable], output_cells=["B16"])
    assert run.startswith("sim_")


@pytest.mark.parametrize(
    ("config", "code", "pointer"),
    [
        ({"output_cells": ["B16", "B99"]}, "bad-output-cell", "/simulation_config/output_cells/1"),
        ({"output_cells": ["Sheet1!B16"]}, "bad-output-cell", "/simulation_config/output_cells/0"),
        (
            {"variables": [{"cell": "A4", "distribution": workbooks.RETURN}]},
            "bad-input-cell",
            "/simulation_config/variables/0/cell",
        ),
    ],
)
async def test_cells_that_the_workbook_lacks_are_pointed_at(
    parts: Parts,
    client: httpx.AsyncClient,
    party: Party,
    config: dict[str, Any],
    code: str,
    pointer: str,
) -> None:
    """Fault 7: the variable's sheet was assumed to be "Sheet1"."""
    model = await uploaded_id(client, party)
    response = await client.post(f"{API}/simulations", headers=party.headers, json=run_body(model, **config))
    document = assert_problem(response, 422, code)
    assert document["errors"][0]["pointer"] == pointer
    async with parts.database.transaction() as tx:
        assert await tx.find_value("SELECT count(*) FROM runs") == 0
        assert await tx.find_value("SELECT requests_used FROM usage_quotas") == 1


async def test_more_iterations_than_the_plan_has_are_refused_with_its_limit(
    parts: Parts, client: httpx.AsyncClient, party: Party, rows: Rows
) -> None:
    model = await rows.model(party, read_now())
    response = await client.post(
        f"{API}/simulations", headers=party.headers, json=run_body(model, iterations=100_001)
    )
    document = assert_problem(response, 422, "iterations-over-plan")
    assert document["limit_value"] == 100_000
    assert document["errors"][0]["pointer"] == "/simulation_config/iterations"
    assert "Free trial" in document["message"]


@pytest.mark.promise("X11")
async def test_runs_over_the_plans_number_are_429_with_when_to_come_back(
    client: httpx.AsyncClient, party: Party
) -> None:
    model = await uploaded_id(client, party)
    for _ in range(2):
        await started_id(client, party, model)
    response = await client.post(f"{API}/simulations", headers=party.headers, json=run_body(model))
    document = assert_problem(response, 429, "runs-at-once")
    assert int(response.headers["retry-after"]) == document["retry_after"] >= 1
    assert document["limit_value"] == 2


async def test_after_the_free_trial_everything_is_readable_and_nothing_new_is_made(
    parts: Parts, client: httpx.AsyncClient, rows: Rows
) -> None:
    ended = await make_party(parts.database, read_now(), trial_days=0)
    model = await rows.model(ended, read_now())
    assert (await client.get(f"{API}/models/{model}", headers=ended.headers)).status_code == 200
    assert_problem(await upload(client, ended), 402, "free-trial-ended")
    response = await client.post(f"{API}/simulations", headers=ended.headers, json=run_body(model))
    assert_problem(response, 402, "free-trial-ended")


@pytest.mark.parametrize("path", ["/models", "/simulations"])
async def test_a_bad_page_is_422_and_pointed_at(client: httpx.AsyncClient, party: Party, path: str) -> None:
    response = await client.get(f"{API}{path}?limit=0", headers=party.headers)
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == "/query/limit"
    response = await client.get(f"{API}{path}?cursor=mine", headers=party.headers)
    assert assert_problem(response, 422, "bad-cursor")["errors"][0]["pointer"] == "/cursor"


def test_every_code_has_a_page_with_its_title() -> None:
    from pathlib import Path

    from tollway.simulation import entities, refusals

    folder = Path(__file__).parents[2] / "docs" / "problems"
    leaves = {
        one
        for module in (entities, refusals)
        for one in vars(module).values()
        if isinstance(one, type) and issubclass(one, Problem) and one.__module__ == module.__name__
    }
    assert len(leaves) > 20
    for leaf in leaves:
        page = (folder / f"{leaf.code}.md").read_text()
        assert page.startswith(f"---\ntitle: {leaf.title}\n---\n"), leaf.code
    assert set(REFUSALS) <= {leaf.code for leaf in leaves}


async def test_iterations_may_be_written_as_1e5(client: httpx.AsyncClient, party: Party) -> None:
    model_id = await uploaded_id(client, party)
    response = await client.post(
        f"{API}/simulations", headers=party.headers, json=run_body(model_id, iterations=1e4)
    )
    assert response.status_code == 201, response.text
    refused = await client.post(
        f"{API}/simulations", headers=party.headers, json=run_body(model_id, iterations=10_000.5)
    )
    assert refused.status_code == 422


async def test_distributions_that_take_too_long_to_solve_are_refused_by_their_place() -> None:
    shape = {"type": "normal", "p5": 1, "p95": 2}
    given = [VariableIn(cell=cell, distribution=shape) for cell in ("B4", "B5")]
    marks = await read_marks(given, "/variables")
    assert marks is not None
    assert [one.cell for one in marks] == ["B4", "B5"]
    with pytest.raises(BadDistribution, match="write it by its parameters") as refused:
        await read_marks(given, "/variables", DistributionReader(seconds_max=0))
    assert [one.pointer for one in refused.value.errors] == ["/variables/0/distribution"]


@pytest.mark.parametrize(
    ("distribution", "begins", "pointer"),
    [
        ({"type": "normal", "mean": 1, "std": -5}, "Risk!B5: std of this normal distribution is -5;", "/std"),
        (
            {"type": "gamma", "p5": -10, "p95": 10},
            "Risk!B5, p5: No gamma distribution has 5 % below -10",
            "/p5",
        ),
        (
            {"type": "normal", "p5": 3, "p95": 2},
            "Risk!B5: p5 of this normal distribution is 3 and p95",
            "/p95",
        ),
        ({"type": "discrete_uniform", "values": [1, "x"]}, "Risk!B5: values[1] of this", "/values/1"),
        ({"type": "cubic"}, "Risk!B5: The type of this distribution is 'cubic';", "/type"),
        ({"mean": 5}, "Risk!B5: The type of this distribution is missing;", "/type"),
    ],
)
async def test_a_refused_distribution_is_told_with_its_cell_and_parameter(
    distribution: dict[str, Any], begins: str, pointer: str
) -> None:
    given = [
        VariableIn(cell="Risk!B4", distribution={"type": "uniform", "min": 0, "max": 1}),
        VariableIn(cell="Risk!B5", distribution=distribution),
    ]
    with pytest.raises(BadDistribution) as refused:
        await read_marks(given, "/inputs")
    problem = refused.value
    assert problem.message.startswith(begins), problem.message
    (error,) = problem.errors
    assert error.message == problem.message
    assert error.pointer == f"/inputs/1/distribution{pointer}"
    assert problem.members["cells"] == ["Risk!B5"]


HARD = {"type": "johnson_sb", "p5": 1, "p50": 2, "mean": 1.9, "std": 1}


async def test_distributions_of_a_request_share_the_time_for_solving_percentiles() -> None:
    reader = DistributionReader(seconds_max=0.02)
    # Thousands of shapes are tried before it is known that none has these.
    with pytest.raises(BadDistribution, match=r"not found within 0\.02 seconds"):
        await read_marks([VariableIn(cell="B4", distribution=HARD)], "/variables", reader)
    soon = {"type": "normal", "p5": 1, "p95": 2}
    given = [VariableIn(cell="B5", distribution={"type": "normal", "mean": 1, "std": 2})]
    assert await read_marks(given, "/variables", reader), "parameters take no time"
    with pytest.raises(BadDistribution, match="write it by its parameters"):
        await read_marks([*given, VariableIn(cell="B6", distribution=soon)], "/variables", reader)
