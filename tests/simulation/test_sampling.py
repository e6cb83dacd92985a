"""Sampling methods and correlations through the Monte Carlo API: used, stored, told, and refused by their entry."""

from pathlib import Path
from typing import Any, get_args

import httpx
import pytest
from tests.parties import Party
from tests.simulation import workbooks
from tests.simulation.conftest import API, results_of, run_body, started_id, uploaded_id, working

from tollway.app import Parts
from tollway.engine import SamplingMethod, parse_distribution, read_workbook, simulate
from tollway.engine.sampling.correlation_entries import CORRELATED_INPUTS_MAX as ENGINE_INPUTS_MAX
from tollway.simulation.bodies import ConfigIn
from tollway.simulation.entities import CORRELATED_INPUTS_MAX, SAMPLING_METHODS, RunOrder

ITERATIONS = 20_000
CORRELATIONS = [
    {"cells": ["B4", "Risk!B5"], "correlation": -0.4},
    {"cells": ["B5", "B6"], "matrix": [[1, 0.3], [0.3, 1]]},
]
IMPOSSIBLE = [{"cells": ["B4", "B5", "B6"], "matrix": [[1, -0.9, -0.9], [-0.9, 1, -0.9], [-0.9, -0.9, 1]]}]


@pytest.mark.parametrize("sampling", ["latin_hypercube", "sobol"])
async def test_a_run_in_shards_gives_the_bits_of_the_library(
    parts: Parts, client: httpx.AsyncClient, party: Party, tmp_path: Path, sampling: str
) -> None:
    model = await uploaded_id(client, party)
    config = {"iterations": ITERATIONS, "sampling": sampling, "correlations": CORRELATIONS}
    async with working(parts):
        run = await started_id(client, party, model, **config)
        body = await results_of(client, party, run)
    assert body["sampling"] == sampling
    assert body["correlations"] == {
        "cells": ["Risk!B4", "Risk!B5", "Risk!B6"],
        "matrix": [[1.0, -0.4, 0.0], [-0.4, 1.0, 0.3], [0.0, 0.3, 1.0]],
        "repaired": None,
    }
    async with parts.database.transaction() as tx:
        # The files of its shards, which go once it is summed up.
        assert await tx.find_value("SELECT count(*) FROM discarded_blobs WHERE name LIKE 'shards/%'") > 1
    book = read_workbook(workbooks.write(tmp_path / "model.xlsx", workbooks.portfolio()))
    inputs = {one["cell"]: parse_distribution(one["distribution"]) for one in workbooks.PORTFOLIO_VARIABLES}
    expected = simulate(
        book,
        inputs,
        ["B16", "B18"],
        iterations=ITERATIONS,
        seed=7,
        sampling=sampling,
        correlations=CORRELATIONS,
    )["B16"]
    told = body["results"]["B16"]["statistics"]
    assert (told["mean"], told["std"], told["min"]) == (expected.mean, expected.std, expected.min)
    summary = expected.as_json()
    for name in ("percentiles", "kurtosis", "mode", "standard_errors"):
        assert told[name] == summary[name], name
    assert body["results"]["B16"]["convergence"] == summary["convergence"]
    for one, other in zip(body["results"]["B16"]["sensitivities"], summary["sensitivities"], strict=True):
        # Names differ: those of the request here, labels of the workbook there.
        assert one | {"name": None} == other | {"name": None}


async def test_a_repaired_matrix_is_told_in_results_and_files_and_a_plain_run_tells_of_none(
    parts: Parts, client: httpx.AsyncClient, party: Party
) -> None:
    model = await uploaded_id(client, party)
    async with working(parts):
        run = await started_id(client, party, model, correlations=IMPOSSIBLE)
        plain = await started_id(client, party, model)
        body, plain_body = await results_of(client, party, run), await results_of(client, party, plain)
    assert (plain_body["sampling"], plain_body["correlations"]) == ("monte_carlo", None)
    repaired = body["correlations"]["repaired"]
    assert repaired["asked"] == IMPOSSIBLE[0]["matrix"]
    assert repaired["cells"] == ["Risk!B4", "Risk!B5"]
    assert repaired["largest_change"] == pytest.approx(0.9 + body["correlations"]["matrix"][0][1])
    file = await client.get(body["download_links"]["json"], headers=party.headers)
    assert file.json()["correlations"] == body["correlations"]
    assert file.json()["simulation_summary"]["sampling"] == "monte_carlo"
    workbook = await client.get(body["download_links"]["xlsx"], headers=party.headers)
    assert workbook.status_code == 200


@pytest.mark.parametrize(
    ("config", "code", "pointer", "words"),
    [
        ({"sampling": "halton"}, "invalid-input", "sampling", ""),
        ({"sampling": None}, "invalid-input", "sampling", ""),
        ({"correlations": [{"cells": ["B4", "B5"], "correlation": "0.5"}]}, "invalid-input",
         "correlations/0/correlation", ""),
        ({"correlations": [{"cells": ["B4", "B5"], "correlation": 1.5}]}, "bad-correlation",
         "correlations/0/correlation", "of Risk!B4 and Risk!B5 is 1.5"),
        ({"correlations": [{"cells": ["B4", "B7"], "correlation": 0.5}]}, "bad-correlation",
         "correlations/0/cells/1", "Risk!B7 is correlated and is no input"),
        ({"correlations": [{"cells": ["B4", "B5"]}]}, "bad-correlation", "correlations/0", "neither"),
        ({"correlations": [CORRELATIONS[0], {"cells": ["B5", "B6"], "matrix": [[1, 0.5], [0.4, 1]]}]},
         "bad-correlation", "correlations/1/matrix/1/0", "must be symmetric"),
        ({"correlations": [{"cells": ["B5", "B6"], "matrix": [[0.9, 0.5], [0.5, 1]]}]}, "bad-correlation",
         "correlations/0/matrix/0/0", "the diagonal must be 1"),
    ],
)  # fmt: skip
async def test_what_cannot_be_used_is_422_pointed_at_and_counts_nothing(
    parts: Parts,
    client: httpx.AsyncClient,
    party: Party,
    config: dict[str, Any],
    code: str,
    pointer: str,
    words: str,
) -> None:
    model = await uploaded_id(client, party)
    response = await client.post(f"{API}/simulations", headers=party.headers, json=run_body(model, **config))
    assert response.status_code == 422, response.text
    assert response.json()["code"] == code
    error = response.json()["errors"][0]
    assert error["pointer"] == f"/simulation_config/{pointer}"
    assert words in error["detail"]
    async with parts.database.transaction() as tx:
        assert await tx.find_value("SELECT count(*) FROM runs") == 0
        assert await tx.find_value("SELECT requests_used FROM usage_quotas") == 1


async def test_a_number_that_json_does_not_have_is_refused(client: httpx.AsyncClient, party: Party) -> None:
    body = '{"model_id": "mdl_0", "simulation_config": {"iterations": 1000, "correlations": [%s]}}'
    response = await client.post(
        f"{API}/simulations",
        headers=party.headers | {"content-type": "application/json"},
        content=body % '{"cells": ["A1", "A2"], "correlation": NaN}',
    )
    assert response.status_code == 422


def test_the_names_of_methods_are_the_engine_s_everywhere() -> None:
    assert tuple(SamplingMethod) == SAMPLING_METHODS
    assert get_args(ConfigIn.model_fields["sampling"].annotation) == SAMPLING_METHODS
    assert CORRELATED_INPUTS_MAX == ENGINE_INPUTS_MAX


def test_an_order_without_a_choice_is_told_apart_as_before_there_was_one() -> None:
    order = RunOrder("mdl_1", 1_000, None, None, [0.95], None)
    assert not {"sampling", "correlations"} & set(order.as_json())
    chosen = RunOrder("mdl_1", 1_000, None, None, [0.95], None, None, "sobol", CORRELATIONS)
    assert chosen.as_json() == order.as_json() | {"sampling": "sobol", "correlations": CORRELATIONS}


async def test_marked_correlations_are_used_where_a_run_takes_the_marked_inputs(
    parts: Parts, client: httpx.AsyncClient, party: Party
) -> None:
    model = await uploaded_id(client, party)
    url = f"{API}/models/{model}"
    marks = {
        "inputs": workbooks.PORTFOLIO_VARIABLES,
        "outputs": ["B16"],
        "correlations": [{"cells": ["B4", "B5"], "correlation": 0.6}],
    }
    changed = await client.put(url, headers=party.headers, json=marks)
    assert changed.status_code == 200, changed.text
    shown = await client.get(url, headers=party.headers)
    assert shown.json()["correlations"] == changed.json()["correlations"] == marks["correlations"]
    renamed = await client.put(url, headers=party.headers, json={"model_name": "Another"})
    assert renamed.json()["correlations"] == marks["correlations"]
    async with working(parts):
        told = []
        for changes in (
            {"variables": None, "output_cells": None},
            {},
            {"variables": None, "correlations": CORRELATIONS},
        ):
            run = await started_id(client, party, model, **changes)
            told.append((await results_of(client, party, run))["correlations"])
    assert told[0]["matrix"] == [[1.0, 0.6], [0.6, 1.0]]
    assert told[1] is None
    assert told[2]["cells"] == ["Risk!B4", "Risk!B5", "Risk!B6"]

    for correlations, pointer in (
        ([{"cells": ["B4", "B7"], "correlation": 0.6}], "/correlations/0/cells/1"),
        ([{"cells": ["B4", "B5"], "correlation": 2}], "/correlations/0/correlation"),
    ):
        refused = await client.put(url, headers=party.headers, json={"correlations": correlations})
        assert (refused.status_code, refused.json()["code"]) == (422, "bad-correlation")
        assert refused.json()["errors"][0]["pointer"] == pointer
    cleared = await client.put(url, headers=party.headers, json={"correlations": []})
    assert cleared.json()["correlations"] == []
