"""Forms are received within their limits, and what is beyond says which limit it passed."""

import httpx
import pytest
from fastapi import FastAPI, Request

from tollway.kit.forms import FormLimits, received_form
from tollway.kit.http import exception_handlers

LIMITS = FormLimits(
    fields_max=3, text_bytes_max=100, field_bytes_max=60, files_max=1, advice="Send less of it."
)


async def send(**body: object) -> httpx.Response:
    app = FastAPI(exception_handlers=exception_handlers("/docs", lambda *_: None))

    @app.post("/")
    async def receive(request: Request) -> dict[str, object]:
        async with received_form(request, LIMITS) as form:
            return {
                name: value if isinstance(value, str) else (await value.read()).decode()
                for name, value in form.items()
            }

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as client:
        return await client.post("/", **body)  # type: ignore[arg-type]  # data and files, as each test says


NO_FILE = {"files": {"sheet": ("", b"", "text/plain")}}


@pytest.mark.parametrize("parts", [{}, {"files": {"sheet": ("a.csv", b"1" * 1_000, "text/csv")}}])
async def test_a_form_within_its_limits_is_received(parts: dict[str, object]) -> None:
    answer = await send(data={"one": "a" * 50, "two": "\u00e9"}, **parts)
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"one": "a" * 50, "two": "\u00e9"} | ({"sheet": "1" * 1_000} if parts else {})


@pytest.mark.parametrize(
    ("body", "member", "words"),
    [
        ({"data": {"one": ["a"] * 4}}, "limit_fields", "more than 3 fields"),
        ({"data": {"one": ["a"] * 4}} | NO_FILE, "limit_fields", "more than 3 fields"),
        ({"data": {"one": "a" * 61}}, "limit_bytes", "more than 60 bytes in one field"),
        ({"data": {"one": "a" * 61}} | NO_FILE, "limit_bytes", "more than 60 bytes in one field"),
        ({"data": {"one": ["a" * 51] * 2}} | NO_FILE, "limit_bytes", "more than 100 bytes of text"),
        (
            {"files": [("sheet", (f"{name}.csv", b"1", "text/csv")) for name in "ab"]},
            "limit_files",
            "more than 1 file, the most",
        ),
    ],
)
async def test_what_is_beyond_a_limit_is_refused_by_its_name(
    body: dict[str, object], member: str, words: str
) -> None:
    refused = await send(**body)
    assert (refused.status_code, refused.json()["code"]) == (413, "too-large"), refused.text
    assert words in refused.json()["message"]
    assert refused.json()["message"].endswith("the most that is taken here. Send less of it.")
    assert isinstance(refused.json()[member], int)


async def test_a_form_that_cannot_be_read_is_no_matter_of_size() -> None:
    refused = await send(content=b"--x", headers={"Content-Type": "multipart/form-data"})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid-input")
