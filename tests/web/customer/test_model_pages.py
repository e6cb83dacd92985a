"""Models and runs as pages: upload, mark, run, read; and nobody sees another's."""

import itertools
import re
from pathlib import Path

import openpyxl
import pytest
import xlsxwriter
from tests.simulation.conftest import XLSX, working
from tests.simulation.workbooks import portfolio
from tests.web.conftest import HTML, Visitor

from tollway.simulation.entities import CORRELATIONS_MAX, INPUTS_MAX
from tollway.web.customer.model_marks import MARK_FIELDS_MAX

ORIGIN = {"Origin": "http://localhost"}


async def use_sample(visitor: Visitor, name: str = "portfolio") -> str:
    answer = await visitor.post("/models/samples", {"sample": name})
    assert answer.status_code == 303, answer.text
    return answer.headers["location"].rsplit("/", 1)[1]


async def start_run(visitor: Visitor, model_id: str, **changes: object) -> str:
    answer = await visitor.post(f"/models/{model_id}/runs", run_form() | changes)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"].rsplit("/", 1)[1]


def run_form() -> dict[str, object]:
    return {
        "input_cell": ["Portfolio!B4", "Portfolio!B5", ""],
        "input_distribution": ["normal(0.15, 0.01)", "triangular(0.04, 0.05, 0.06)", ""],
        "output_cell": ["Portfolio!B16", "Portfolio!B18", ""],
        "iterations": "10,000",
        "seed": "7",
        "confidence": ["0.95"],
    }


async def test_a_workbook_is_uploaded_and_shown_with_its_cells(ana: Visitor) -> None:
    answer = await ana.client.post(
        "/models",
        files={"file": ("my model.xlsx", portfolio(), XLSX)},
        data={"name": ""},
        headers=HTML | ORIGIN,
    )
    assert answer.status_code == 303, answer.text
    page = await ana.get(answer.headers["location"])
    assert "<h1>my model</h1>" in page.text
    assert "data-cell=" in page.text
    assert "my model.xlsx" in page.text
    listed = await ana.get("/models")
    assert "my model" in listed.text


async def test_a_model_whose_formulas_disagree_says_so_before_it_runs(ana: Visitor, tmp_path: Path) -> None:
    path = tmp_path / "stale.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("Model")
        sheet.write("A1", 2)
        sheet.write_formula("B1", "=A1*3", None, 6)
        sheet.write_formula("B2", "=A1*4", None, 9)
        sheet.write_formula("B3", "=TODAY()", None, 40_000)
    answer = await ana.client.post(
        "/models", files={"file": ("stale.xlsx", path.read_bytes(), XLSX)}, headers=HTML | ORIGIN
    )
    model_id = answer.headers["location"].rsplit("/", 1)[1]
    page = await ana.get(f"/models/{model_id}")
    assert "1 of 2 cells recompute to another value than the file stores" in page.text
    assert "1 formula that changes by the moment" in page.text
    assert "Saved by Microsoft Excel" in page.text
    marked = await ana.post(
        f"/models/{model_id}/runs",
        run_form() | {"output_cell": ["Model!B2", "Model!B1"], "add_input": "Model!A1:normal(2, 1)"},
    )
    assert "Recomputes to 8; the file stores 9. Runs use what we compute." in marked.text
    assert marked.text.count("field-warning") == 1, "B1 agrees"


async def test_a_model_lists_what_is_not_computed_and_refuses_only_the_run_that_needs_it(
    ana: Visitor, tmp_path: Path
) -> None:
    path = tmp_path / "partly.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("Model")
        sheet.write("A1", 2)
        sheet.write_formula("B1", "=A1*3", None, 6)
        sheet.write_formula("B2", '=CUBEVALUE("a","b")', None, 9)
        sheet.write_formula("B3", "=B2+A1", None, 11)
        sheet.write_formula("B4", "=TODAY()", None, 40_000)
    answer = await ana.client.post(
        "/models", files={"file": ("partly.xlsx", path.read_bytes(), XLSX)}, headers=HTML | ORIGIN
    )
    model_id = answer.headers["location"].rsplit("/", 1)[1]
    page = await ana.get(f"/models/{model_id}")
    assert "1 formula, and 1 cell that needs one of them" in page.text
    assert "<code>Model!B2</code><code>CUBEVALUE</code>" in page.text
    assert "give the moment at which the workbook was saved" in page.text

    order = run_form() | {"input_cell": ["Model!A1"], "input_distribution": ["normal(2, 1)"]}
    refused = await ana.post(f"/models/{model_id}/runs", order | {"output_cell": ["Model!B1", "Model!B3"]})
    assert refused.status_code == 422
    assert "Model!B3 needs Model!B2, which is not computed." in refused.text
    assert 'aria-describedby="output-error-2"' in refused.text
    assert "Needs a formula that is not computed. A run with it is refused." in refused.text
    await start_run(ana, model_id, **order | {"output_cell": ["Model!B1"]})


@pytest.mark.parametrize(
    ("filename", "content", "status", "says"),
    [
        ("old.xls", b"\xd0\xcf\x11\xe0", 415, "save as .xlsx"),
        ("notes.csv", b"a,b\n1,2\n", 415, "only .xlsx and .xlsm"),
        ("fake.xlsx", b"a,b\n1,2\n", 422, "workbook"),
        ("empty.xlsx", b"", 422, "empty"),
    ],
)
async def test_a_file_that_cannot_be_used_is_refused_beside_the_field(
    ana: Visitor, filename: str, content: bytes, status: int, says: str
) -> None:
    answer = await ana.client.post(
        "/models", files={"file": (filename, content, XLSX)}, headers=HTML | ORIGIN
    )
    assert answer.status_code == status
    assert 'id="error-file"' in answer.text
    assert says in answer.text


async def test_no_file_is_said_to_be_missing(ana: Visitor) -> None:
    answer = await ana.client.post(
        "/models", data={"name": "x"}, files={"other": b"x"}, headers=HTML | ORIGIN
    )
    assert answer.status_code == 422
    assert "Choose an .xlsx or .xlsm workbook." in answer.text


async def test_a_body_larger_than_the_plan_is_refused_while_it_is_read(ana: Visitor) -> None:
    answer = await ana.client.post(
        "/models", files={"file": ("big.xlsx", b"P" * 10_200_000, XLSX)}, headers=HTML | ORIGIN
    )
    assert answer.status_code == 413
    assert "larger than" in answer.text


@pytest.mark.promise("A44", "A61")
async def test_a_sample_runs_and_its_results_are_read(ana: Visitor) -> None:
    model_id = await use_sample(ana)
    async with working(ana.parts):
        run_id = await start_run(ana, model_id)
        while "Run again" not in (page := (await ana.get(f"/runs/{run_id}")).text):
            assert "Cancel run" in page, "it neither runs nor is over"
    assert "Portfolio value" in page
    assert "What moves" in page
    assert page.count("View as table") == 2 * 7, "a table under every chart of both outputs but the scatter's"
    assert "These iterations are enough" in page
    assert "Standard error" in page
    assert page.count('role="tabpanel"') == 2 * 4
    drawn = await ana.get(f"/runs/{run_id}/scatter?output=0&input=1")
    assert drawn.text.lstrip().startswith('<section class="card" id="output-1-scatter"')
    assert "over Expected return" in drawn.text
    assert "over Expected return" in (await ana.get(f"/runs/{run_id}?output=0&input=1")).text, (
        "without a script"
    )
    for wrong in ("output=9&input=0", "output=0&input=9"):
        assert (await ana.get(f"/runs/{run_id}/scatter?{wrong}")).status_code == 404
        assert (await ana.get(f"/runs/{run_id}?{wrong}")).status_code == 200
    assert (await ana.get(f"/runs/{run_id}/scatter?output=-1")).status_code == 422
    saved = await ana.get(f"/runs/{run_id}/download/json")
    assert saved.json()["simulation_summary"]["iterations_completed"] == 10_000
    workbook = await ana.get(f"/runs/{run_id}/download/xlsx")
    assert workbook.content[:2] == b"PK"
    assert run_id in (await ana.get("/runs")).text
    usage = (await ana.client.get("/dashboard", headers={"Accept": "application/json"})).json()
    assert usage["usage_this_month"] == "2 / 100 requests", "the upload and the run, as X11 counts"


async def test_an_output_in_the_midst_of_a_sheet_has_the_name_beside_it(ana: Visitor) -> None:
    page = (await ana.get(f"/models/{await use_sample(ana, 'financial')}")).text
    assert "<b>Net present value</b>" in page
    assert "<b>Project!B20</b>" not in page


async def test_marks_are_remembered_and_a_run_can_be_started_from_another(ana: Visitor) -> None:
    model_id = await use_sample(ana)
    run_id = await start_run(ana, model_id)
    again = (await ana.get(f"/models/{model_id}")).text
    assert 'value="normal(0.15, 0.01)"' in again
    from_run = (await ana.get(f"/models/{model_id}?from={run_id}")).text
    assert 'value="7"' in from_run


def pairs(*rows: tuple[str, str, str]) -> dict[str, object]:
    columns = list(zip(*rows, ("", "", ""), strict=True))
    return {
        f"correlation_{name}": list(columns[place]) for place, name in enumerate(("first", "second", "value"))
    }


async def results_page(visitor: Visitor, run_id: str) -> str:
    while "Run again" not in (page := (await visitor.get(f"/runs/{run_id}")).text):
        assert "Cancel run" in page, "it neither runs nor is over"
    return page


async def test_sampling_and_correlations_are_used_shown_and_started_from_again(ana: Visitor) -> None:
    model_id = await use_sample(ana)
    form = await ana.get(f"/models/{model_id}")
    assert form.text.count('name="correlation_first"') == 2, "one spare row, and the script's template"
    changes = pairs(("Portfolio!B4", "Portfolio!B5", "0.6")) | {
        "sampling": "latin_hypercube",
        "targets": "1,000,000; 1.1e6",
        "tolerance": "0.01 %",
    }
    async with working(ana.parts):
        run_id = await start_run(ana, model_id, **changes)
        page = await results_page(ana, run_id)
    assert 'value="0.6"' in (await ana.get(f"/models/{model_id}")).text, "they stay with the model"
    assert "Latin hypercube; the standard error shown is that of chance alone" in page
    assert re.search(r"Portfolio!B4</code>.*Portfolio!B5</code>.*0\.6<", page)
    assert ">Asked for</th>" not in page
    assert "The probability of staying at or below each value" in page
    assert re.search(r">1,000,000</th><td class=\"number\">\d\d?\.\d\d%</td>", page)
    assert "not yet known within 0.01%" in page
    again = (await ana.get(f"/models/{model_id}?from={run_id}")).text
    assert '<option value="latin_hypercube" selected>' in again
    assert 'value="0.6"' in again
    assert 'value="1000000; 1100000"' in again
    assert 'value="0.01"' in again
    assert again.count('name="correlation_first"') == 3


async def test_a_repaired_correlation_says_what_was_asked_for(ana: Visitor) -> None:
    model_id = await use_sample(ana)
    three = {
        "input_cell": ["Portfolio!B4", "Portfolio!B5", "Portfolio!B6"],
        "input_distribution": ["normal(0.15, 0.01)", "normal(0.05, 0.01)", "normal(0.03, 0.01)"],
    }
    impossible = pairs(
        ("Portfolio!B4", "Portfolio!B5", "-0.9"),
        ("Portfolio!B4", "Portfolio!B6", "-0.9"),
        ("B5", "B6", "-.9"),
    )
    async with working(ana.parts):
        run_id = await start_run(ana, model_id, **three, **impossible)
        page = await results_page(ana, run_id)
    assert "the nearest possible ones were used" in page
    assert ">Asked for</th>" in page
    again = (await ana.get(f"/models/{model_id}?from={run_id}")).text
    assert again.count('value="-0.9"') == 3


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (pairs(("Portfolio!B4", "", "0.5")), "Name two inputs"),
        (pairs(("Portfolio!B4", "Portfolio!B5", "1.5")), "Enter a number from -1 to 1"),
        (pairs(("Portfolio!B4", "Portfolio!B5", "nan")), "Enter a number from -1 to 1"),
        (pairs(("Portfolio!B4", "Portfolio!B7", "0.5")), "Portfolio!B7 is correlated and is no input"),
        (pairs(("Portfolio!B4", "B4", "0.5")), "stands twice in one correlation"),
        (pairs(("B" * 101, "B4", "0.5")), "at most 100 characters"),
        ({"sampling": "halton"}, "Choose one of the three"),
        ({"input_distribution": ["normal(0.15, 0)", "uniform(0, 1)", ""]}, "std"),
        ({"input_distribution": ["nonsense", "uniform(0, 1)", ""]}, "distribution"),
        ({"input_cell": ["Nowhere!B4", "Portfolio!B5", ""]}, "Nowhere"),
        ({"input_cell": ["", "", ""], "input_distribution": ["", "", ""]}, "at least one input"),
        ({"output_cell": [""]}, "at least one output"),
        ({"output_cell": ["Portfolio!A1"]}, "Portfolio!A1"),
        ({"iterations": "10"}, "from 1,000 on"),
        ({"iterations": "200000"}, "100,000"),
        ({"iterations": "many"}, "whole number"),
        ({"iterations": "9" * 5_000}, "whole number"),
        ({"seed": "-1"}, "whole number"),
        ({"seed": "9" * 5_000}, "whole number"),
        ({"confidence": []}, "Choose at least one"),
        ({"targets": "1,000; many"}, "&#39;many&#39; is no number"),
        ({"targets": "1,00"}, "is no number"),
        ({"targets": "1e200"}, "none beyond"),
        ({"targets": " ".join(map(str, range(21)))}, "at most 20 values"),
        ({"tolerance": "0"}, "above 0 and below 100"),
        ({"tolerance": "wide"}, "above 0 and below 100"),
        ({"output_cell": ["Portfolio!B16"] * 101}, "at most 1,000 inputs and 100 outputs"),
        ({"output_cell": ["B" * 101]}, "at most 100 characters"),
    ],
)
async def test_what_is_wrong_with_a_run_is_said_and_nothing_typed_is_lost(
    ana: Visitor, changes: dict[str, object], says: str
) -> None:
    model_id = await use_sample(ana)
    answer = await ana.post(f"/models/{model_id}/runs", run_form() | changes)
    assert answer.status_code == 422, answer.headers
    assert says in answer.text
    for typed in (run_form() | changes)["input_distribution"]:  # type: ignore[attr-defined]  # a list, as above
        assert not typed or f'value="{typed}"' in answer.text


async def test_adding_a_candidate_needs_no_script(ana: Visitor) -> None:
    model_id = await use_sample(ana)
    form = run_form() | {"add_input": "Portfolio!B6:normal(0.03, 0.005)"}
    answer = await ana.post(f"/models/{model_id}/runs", form)
    assert answer.status_code == 200
    assert 'value="normal(0.03, 0.005)"' in answer.text


async def test_deleting_asks_first_and_takes_the_runs_along(ana: Visitor) -> None:
    model_id = await use_sample(ana)
    run_id = await start_run(ana, model_id)
    asked = await ana.get(f"/models/{model_id}/delete")
    assert "1 run" in asked.text
    assert (await ana.post(f"/models/{model_id}/delete")).status_code == 303
    assert (await ana.get(f"/models/{model_id}")).status_code == 404
    assert (await ana.get(f"/runs/{run_id}")).status_code == 404


async def test_cancelling_keeps_the_page_and_says_so(ana: Visitor) -> None:
    run_id = await start_run(ana, await use_sample(ana))
    assert (await ana.post(f"/runs/{run_id}/cancel")).status_code == 303
    assert "This run was cancelled." in (await ana.get(f"/runs/{run_id}")).text
    assert (await ana.post(f"/runs/{run_id}/cancel")).status_code == 303, "pressing twice does no harm"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/models/{model}"),
        ("GET", "/models/{model}/delete"),
        ("POST", "/models/{model}/delete"),
        ("POST", "/models/{model}/runs"),
        ("GET", "/runs/{run}"),
        ("GET", "/runs/{run}/events"),
        ("GET", "/runs/{run}/scatter"),
        ("GET", "/models/{model}/fit"),
        ("POST", "/runs/{run}/cancel"),
        ("GET", "/runs/{run}/download/json"),
        ("GET", "/runs/{run}/download/xlsx"),
    ],
)
async def test_what_is_anothers_is_not_found_and_strangers_sign_in(
    ana: Visitor, ben: Visitor, stranger: Visitor, method: str, path: str
) -> None:
    model_id = await use_sample(ana)
    run_id = await start_run(ana, model_id)
    address = path.format(model=model_id, run=run_id)
    data = run_form() if path.endswith("/runs") else None
    theirs = await ben.client.request(method, address, data=data, headers=HTML | ORIGIN)
    assert theirs.status_code == 404, theirs.text
    nobody = await stranger.client.request(method, address, data=data, headers=HTML | ORIGIN)
    assert nobody.status_code == 303
    assert nobody.headers["location"].startswith("/signin")
    assert (await ana.get(f"/runs/{run_id}")).status_code == 200, "and nothing happened to it"


async def test_lists_show_only_ones_own(ana: Visitor, ben: Visitor) -> None:
    model_id = await use_sample(ana)
    run_id = await start_run(ana, model_id)
    assert model_id in (await ana.get("/models")).text
    assert model_id not in (await ben.get("/models")).text
    assert run_id not in (await ben.get("/runs")).text


async def test_empty_lists_offer_a_way_on(ana: Visitor) -> None:
    assert "/models/samples" in (await ana.get("/models")).text
    assert "No run yet" in (await ana.get("/runs")).text


async def test_lists_are_paged(ana: Visitor) -> None:
    await use_sample(ana)
    async with ana.parts.database.transaction() as tx:
        # Twenty more of the same, without reading the workbook again for each of them.
        await tx.execute(
            """
            INSERT INTO models (public_id, customer_id, mode, name, description, tags, filename, workbook_blob,
                workbook_bytes, workbook_sha256, formulas_count, inspection, preview, inputs, outputs, created_at,
                updated_at, expires_at)
            SELECT m.public_id || copy, customer_id, mode, name, description, tags, filename, workbook_blob || copy,
                workbook_bytes, workbook_sha256, formulas_count, inspection, preview, inputs, outputs, created_at,
                updated_at, expires_at
            FROM models m, generate_series(10, 29) AS copy
            """
        )
    first = await ana.get("/models")
    onward = re.search(r'href="(/models\?cursor=[^"]+)"', first.text)
    assert onward
    second = await ana.get(onward.group(1))
    assert "Back to the newest" in second.text
    assert (await ana.get("/models?cursor=forged")).status_code == 422


async def test_a_workbook_without_a_formula_says_so(ana: Visitor, tmp_path: Path) -> None:
    written = openpyxl.Workbook()
    assert written.active is not None
    written.active.append(["Price", 10])
    written.save(tmp_path / "numbers.xlsx")
    answer = await ana.client.post(
        "/models",
        files={"file": ("numbers.xlsx", (tmp_path / "numbers.xlsx").read_bytes(), XLSX)},
        headers=HTML | ORIGIN,
    )
    assert "holds no formula" in (await ana.get(answer.headers["location"])).text


async def test_a_distribution_is_drawn_as_it_is_typed_or_said_to_be_wrong(
    ana: Visitor, stranger: Visitor
) -> None:
    async def part(text: str) -> str:
        answer = await ana.client.get("/parts/distribution", params={"distribution": text}, headers=HTML)
        assert answer.status_code == 200
        return answer.text.strip()

    assert (
        'aria-label="normal(1000, 50): half of all draws lie below 1,000; nine in ten lie between 918 and 1,082'
        in await part("normal(1000, 50)")
    )
    assert "It is cut off below 8." in await part("normal(10, 2, truncate=(8,))")
    assert "likeliest is" in await part("poisson(4)")
    assert "std" in (wrong := await part("normal(1, 0)"))
    assert "field-error" in wrong
    assert "low" in await part("triangular(3, 2, 1)"), "in the words of the form"
    assert await part("") == ""
    too_long = await ana.client.get("/parts/distribution", params={"distribution": "9" * 1_001}, headers=HTML)
    assert too_long.status_code == 422
    assert (await stranger.get("/parts/distribution")).status_code == 303


async def test_without_a_script_distributions_are_drawn_by_a_button_and_errors_stand_beside_them(
    ana: Visitor,
) -> None:
    model_id = await use_sample(ana)
    wrong = {"input_distribution": ["normal(0.15, 0)", "uniform(0, 1)", ""], "draw": "1"}
    answer = await ana.post(f"/models/{model_id}/runs", run_form() | wrong)
    assert answer.status_code == 200
    assert answer.text.count('<figure class="shape">') == 1
    assert answer.text.count("field-error") == 1
    assert "The run was not started" not in answer.text


def wide_book(path: Path, input_count: int) -> bytes:
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("Model")
        for row in range(input_count):
            sheet.write(row, 0, 1)
        sheet.write_formula("B1", f"=SUM(A1:A{input_count})", None, input_count)
    return path.read_bytes()


async def test_a_model_with_as_many_inputs_and_pairs_as_a_run_takes_is_run_from_its_page(
    ana: Visitor, tmp_path: Path
) -> None:
    content = wide_book(tmp_path / "wide.xlsx", INPUTS_MAX)
    answer = await ana.client.post(
        "/models", files={"file": ("wide.xlsx", content, XLSX)}, headers=HTML | ORIGIN
    )
    model_id = answer.headers["location"].rsplit("/", 1)[1]
    cells = [f"Model!A{row}" for row in range(1, INPUTS_MAX + 1)]
    rows = [(first, second, "0.1") for first, second in itertools.combinations(cells[:46], 2)]
    marked = {"input_cell": cells, "input_distribution": ["normal(1, 0.1)"] * INPUTS_MAX}
    await start_run(
        ana, model_id, **marked, output_cell="Model!B1", iterations="1000", **pairs(*rows[:CORRELATIONS_MAX])
    )
    async with ana.parts.database.transaction() as tx:
        run = (await tx.list_rows("SELECT inputs, correlations FROM runs"))[0]
    assert len(run["inputs"]) == INPUTS_MAX
    assert len(run["correlations"]["cells"]) == 46


async def test_a_form_with_more_fields_than_any_model_has_is_refused_with_what_to_do(ana: Visitor) -> None:
    model_id = await use_sample(ana)
    cells = [f"Model!A{row}" for row in range(MARK_FIELDS_MAX + 1)]
    for path in (f"/models/{model_id}/runs", "/parts/correlations"):
        refused = await ana.post(path, {"output_cell": cells})
        assert refused.status_code == 413
        assert f"more than {MARK_FIELDS_MAX:,} fields, the most that is taken here" in refused.text
        assert "take out what is beyond" in refused.text


async def test_impossible_correlations_are_told_before_a_run(ana: Visitor, stranger: Visitor) -> None:
    async def told(*rows: tuple[str, str, str]) -> str:
        answer = await ana.post("/parts/correlations", pairs(*rows))
        assert answer.status_code == 200
        return answer.text.strip()

    impossible = (
        ("A!B4", "A!B5", "-0.9"),
        ("$A$B4", "A!B6", "-0.9"),
        ("a!b4", "A!B6", "-0.9"),
        ("A!B5", "A!B6", "-.9"),
    )
    assert "the nearest possible ones" in await told(*impossible)
    assert await told(*impossible[:2]) == ""
    assert await told(("A!B4", "A!B5", "-0.9"), ("A!B4", "A!B6", "-9"), ("A!B5", "", "nan")) == ""
    assert (await stranger.post("/parts/correlations")).status_code == 303
    model_id = await use_sample(ana)
    answer = await ana.post(f"/models/{model_id}/runs", run_form() | pairs(*impossible) | {"draw": "1"})
    assert "the nearest possible ones" in answer.text, "without a script too"


async def test_run_again_holds_the_inputs_that_the_run_held(ana: Visitor) -> None:
    model = await use_sample(ana)
    run = await start_run(ana, model, stress="Portfolio!B4=0..10; Portfolio!B5=97.5..100")
    async with ana.parts.database.transaction() as tx:
        stress = await tx.find_value("SELECT stress FROM runs")
    assert stress == [
        {"cell": "Portfolio!B4", "percentiles": [0.0, 10.0]},
        {"cell": "Portfolio!B5", "percentiles": [97.5, 100.0]},
    ]
    again = (await ana.get(f"/models/{model}?from={run}")).text
    assert 'name="stress" type="text" value="Portfolio!B4=0..10; Portfolio!B5=97.5..100"' in again


@pytest.mark.parametrize(
    ("stress", "words"),
    [
        ("lowest tenth", "says not where an input is held"),
        ("Portfolio!B4=9..5", "which is no range"),
        ("Portfolio!B4=0..101", "a percentile lies between 0 and 100"),
        ("Portfolio!B7=0..5", "is to be held and is no input of this run"),
        ("'a;b'!B4=0..5", "no sheet"),
    ],
)
async def test_stress_that_cannot_be_meant_is_told_beside_its_field(
    ana: Visitor, stress: str, words: str
) -> None:
    model = await use_sample(ana)
    refused = await ana.post(f"/models/{model}/runs", run_form() | {"stress": stress})
    assert refused.status_code == 422
    [told] = re.findall(r'id="error-stress">(.+?)</p>', refused.text)
    assert words in told


async def test_correlated_inputs_of_a_run_are_told_by_name_and_cell(ana: Visitor) -> None:
    model = await use_sample(ana)
    cells = ["Portfolio!B4", "Portfolio!B4", "Portfolio!B5"]
    others = ["Portfolio!B5", "Portfolio!B6", "Portfolio!B6"]
    run = await start_run(
        ana,
        model,
        input_cell=["Portfolio!B4", "Portfolio!B5", "Portfolio!B6"],
        input_distribution=["normal(0.15, 0.01)", "normal(0.05, 0.01)", "normal(0.02, 0.01)"],
        correlation_first=cells,
        correlation_second=others,
        correlation_value=["0.9", "0.9", "-0.9"],
    )
    await ana.post(f"/runs/{run}/cancel")
    page = (await ana.get(f"/runs/{run}")).text
    [table] = re.findall(r'aria-label="Correlations of this run, scrollable".+?</section>', page, re.DOTALL)
    names = {
        cell: name
        for name, cell in re.findall(r'<th scope="row">([^<]+)</th><td><code>(Portfolio!B[456])</code>', page)
    }
    assert len(set(names.values()) - set(names)) == 3, "each input of the sample has a name"
    for cell, name in names.items():
        assert f"{name} <code>{cell}</code>" in table
        assert f"<code>{cell}</code>" not in table.replace(f"{name} <code>{cell}</code>", "")
    assert re.search(
        r"The largest change is [\d.]+, between [^(]+ \(Portfolio!B\d\) and [^(]+ \(Portfolio!B\d\)", table
    )
