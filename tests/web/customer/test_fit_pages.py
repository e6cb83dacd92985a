"""Fitting distributions to data on a page: pasted or uploaded, drawn, ranked, and put into the model's input."""

import re
from html import unescape

import numpy as np
import pytest
from tests.simulation.conftest import XLSX
from tests.simulation.workbooks import portfolio
from tests.web.conftest import HTML, Visitor
from tests.web.customer.test_model_pages import run_form, use_sample

from tollway.kit.problems import Invalid
from tollway.web.customer.fit_pages import FORM_LIMITS, PASTED_BYTES_MAX, read_column

ORIGIN = {"Origin": "http://localhost"}
LOSSES = "\n".join(f"{value:.4f}" for value in np.random.default_rng(3).lognormal(1, 0.5, 300))


async def fitted(visitor: Visitor, model_id: str, **fields: object) -> str:
    form = (
        {"fit_model": model_id, "fit_cell": "Portfolio!B4", "fit_data": "", "fit_cells": ""}
        | run_form()
        | fields
    )
    answer = await visitor.post("/models/fits", form)
    assert answer.status_code == 200, answer.text
    return answer.text


async def test_pasted_numbers_are_fitted_drawn_and_put_into_the_input_beside_what_was_typed(
    ana: Visitor,
) -> None:
    model_id = await use_sample(ana)
    arrived = await ana.post("/models/fits", run_form() | {"iterations": "54321", "fit_model": model_id})
    assert "No data yet" in arrived.text
    page = await fitted(ana, model_id, fit_data=f"Loss\n{LOSSES}", iterations="54321")
    assert "distributions fitted to 300 numbers" in page
    assert page.count('class="line-') >= 3
    chosen = re.search(r'name="add_input" value="(Portfolio!B4:lognormal[^"]+)"', page)
    assert chosen, "it was drawn from one"
    carried: dict[str, object] = {}
    use = page[page.index('id="fits"') :].partition("</form>")[0]
    for name, value in re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', use):
        carried.setdefault(name, [])
        carried[name].append(unescape(value))  # type: ignore[attr-defined]  # a list, as above
    back = await ana.post(f"/models/{model_id}/runs", carried | {"add_input": unescape(chosen[1])})
    assert f'value="{chosen[1].partition(":")[2]}"' in back.text
    assert 'value="normal(0.15, 0.01)"' not in back.text, "it stands in the row of its cell"
    assert 'value="triangular(0.04, 0.05, 0.06)"' in back.text
    assert 'value="54321"' in back.text
    linked = await ana.get(f"/models/{model_id}/fit?cell=Portfolio!B5")
    assert 'name="fit_cell" value="Portfolio!B5"' in linked.text


async def test_a_column_of_a_file_is_fitted(ana: Visitor) -> None:
    model_id = await use_sample(ana)
    data = {"fit_model": model_id, "fit_cell": "Portfolio!B4", "fit_data": "", "fit_cells": ""}
    answer = await ana.client.post(
        "/models/fits",
        data=data,
        files={"fit_file": ("losses.csv", f"Loss,Year\n{LOSSES}".encode(), "text/csv")},
        headers=HTML | ORIGIN,
    )
    assert "fitted to 300 numbers" in answer.text
    refused = await ana.client.post(
        "/models/fits",
        data=data | {"fit_cells": "Risk!A1:A9"},
        files={"fit_file": ("book.xlsx", portfolio(), XLSX)},
        headers=HTML | ORIGIN,
    )
    assert refused.status_code == 422
    assert 'id="error-fit_cells"' in refused.text
    assert "which is not a number" in refused.text


@pytest.mark.parametrize(
    ("fields", "name", "says"),
    [
        ({}, "fit_data", "Paste a column of numbers"),
        ({"fit_data": "1\n2\nthree"}, "fit_data", "Line 3 holds &#39;three&#39;"),
        ({"fit_data": "1\n2\n3"}, "fit_data", "a fit needs at least 5"),
        ({"fit_data": "1\n2\n1,234\n5\n6"}, "fit_data", "thousands without a comma"),
        ({"fit_cell": "", "fit_data": "1\n2\n3\n4\n5"}, "fit_cell", "Name the cell"),
    ],
)
async def test_what_is_wrong_with_data_is_said_beside_its_field(
    ana: Visitor, fields: dict[str, str], name: str, says: str
) -> None:
    model_id = await use_sample(ana)
    form = {"fit_model": model_id, "fit_cell": "Portfolio!B4", "fit_data": ""} | fields
    answer = await ana.post("/models/fits", form)
    assert answer.status_code == 422
    assert f'id="error-{name}"' in answer.text
    assert says in answer.text


async def test_a_file_of_another_kind_is_refused_beside_its_field(ana: Visitor) -> None:
    model_id = await use_sample(ana)
    for filename, content in (("notes.txt", b"1 2 3"), ("fake.xlsx", b"1 2 3")):
        answer = await ana.client.post(
            "/models/fits",
            data={"fit_model": model_id, "fit_cell": "Portfolio!B4", "fit_data": "", "fit_cells": "A:A"},
            files={"fit_file": (filename, content, "text/plain")},
            headers=HTML | ORIGIN,
        )
        assert answer.status_code == 422
        assert 'id="error-fit_file"' in answer.text


def test_numbers_are_read_as_people_paste_them() -> None:
    assert read_column("1\n2.5\n-3e2\n\u22124") == [1, 2.5, -300, -4]
    assert read_column("Cost\tYear\n12\t2001\n") == [12, 2001]
    assert read_column("1,2,3, 4") == [1, 2, 3, 4]
    assert read_column("1; 2;3") == [1, 2, 3]
    with pytest.raises(Invalid, match="Line 2"):
        read_column("1\n2.5 m\n3")


async def test_files_may_be_as_large_as_the_plan_says_and_the_model_is_ones_own(
    ana: Visitor, ben: Visitor
) -> None:
    model_id = await use_sample(ana)
    fields = {"fit_model": model_id, "fit_cell": "Portfolio!B4", "fit_data": "", "fit_cells": ""}
    padded = "\n".join(f"{value}{' ' * 3_000}" for value in LOSSES.splitlines() * 2)
    assert len(padded) > 1_000_000
    files = {"fit_file": ("losses.csv", padded.encode(), "text/csv")}
    answer = await ana.client.post("/models/fits", data=fields, files=files, headers=HTML | ORIGIN)
    assert "fitted to 600 numbers" in answer.text
    assert (await ben.client.post("/models/fits", data=fields, headers=HTML | ORIGIN)).status_code == 404
    assert (await ben.get(f"/models/{model_id}/fit")).status_code == 404


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"output_cell": ["A1"] * FORM_LIMITS.fields_max}, f"more than {FORM_LIMITS.fields_max:,} fields"),
        ({"fit_data": "1" * (PASTED_BYTES_MAX + 1)}, "more than 2,000,000 bytes in one field"),
        ({"targets": ["1" * (PASTED_BYTES_MAX - 1)] * 2}, "more than 3,000,000 bytes of text"),
    ],
)
async def test_a_form_beyond_its_limits_is_refused_with_what_is_expected(
    ana: Visitor, fields: dict[str, object], says: str
) -> None:
    model_id = await use_sample(ana)
    refused = await ana.client.post(
        "/models/fits",
        data={"fit_model": model_id} | fields,
        files={"fit_file": ("losses.csv", LOSSES.encode(), "text/csv")},
        headers=HTML | ORIGIN,
    )
    assert refused.status_code == 413
    assert says in refused.text
    assert "Paste at most 2,000,000 bytes of numbers, or choose one file" in refused.text


async def test_what_is_marked_in_the_largest_model_comes_along(ana: Visitor) -> None:
    model_id = await use_sample(ana)
    rows = {"input_cell": "Portfolio!B4", "input_distribution": "normal(0, 1)"}
    rows |= {f"correlation_{part}": "Portfolio!B4" for part in ("first", "second", "value")}
    marked = {name: [value] * 1_000 for name, value in rows.items()}
    page = await fitted(ana, model_id, fit_data=LOSSES, **marked, output_cell=["Portfolio!B16"] * 100)
    assert "fitted to 300 numbers" in page
