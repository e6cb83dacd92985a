"""Results and samples as files over HTTP, and links to results that need no API key."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response, StreamingResponse

from tollway.admission.operations import Outcome
from tollway.kit.db import Transaction
from tollway.kit.http import ReplayingRoute
from tollway.kit.openapi import problem_responses
from tollway.simulation import answers, download_flows, download_operations, shapes
from tollway.simulation.downloads import (
    TOKEN_LENGTH_MAX,
    DownloadFormat,
    DownloadsBusy,
    DownloadTokenNotFound,
    DownloadTokenRefused,
    DownloadTokensAtOnce,
    FileFormat,
    FileNotMade,
    SampleFormat,
    SamplesNotKept,
)
from tollway.simulation.endpoints import RunId, TheWorkshop, ThisCall
from tollway.simulation.entities import ResultsDeleted, RunFailed, RunNotFinished, RunNotFound

router = APIRouter(prefix=shapes.PREFIX, route_class=ReplayingRoute, tags=["Monte Carlo API"])

Token = Annotated[
    str,
    Path(
        min_length=1,
        max_length=TOKEN_LENGTH_MAX,
        description="The `download_token` of the link.",
        examples=[answers.DOWNLOAD_TOKEN],
    ),
]
TokenId = Annotated[
    str, Path(description="The `download_token_id` of the links.", examples=[answers.DOWNLOAD_TOKEN_ID])
]
BINARY = {"schema": {"type": "string", "format": "binary"}}
CONTENT: dict[FileFormat | SampleFormat, dict[str, Any]] = {
    FileFormat.PDF: BINARY,
    FileFormat.XLSX: BINARY,
    FileFormat.JSON: {"schema": {"type": "object"}},
    SampleFormat.PARQUET: BINARY,
    SampleFormat.CSV: {"schema": {"type": "string"}},
}


def _file(*formats: FileFormat | SampleFormat) -> dict[int | str, dict[str, Any]]:
    """Declare an answer that is a file in one of some formats."""
    content = {download_flows.MEDIA_TYPES[one].partition(";")[0]: CONTENT[one] for one in formats}
    return {200: {"description": "The file.", "content": content}}


@router.get(
    "/simulations/{simulation_id}/download/{file_format}",
    summary="Download results",
    response_class=Response,
    responses=problem_responses(
        RunNotFound, ResultsDeleted, RunNotFinished, RunFailed, SamplesNotKept, DownloadsBusy, FileNotMade
    )
    | _file(*FileFormat, *SampleFormat),
)
async def download_results(
    simulation_id: RunId, file_format: DownloadFormat, call: ThisCall, workshop: TheWorkshop
) -> Response:
    """Download the results as a report (PDF), an Excel workbook with charts or JSON; the samples as Parquet or CSV.

    Samples are there where the run was started with `keep_samples`: one row an iteration, with every draw and every
    output, as the [guide to simulation](/docs/simulation) says.
    """
    return _answer(await download_flows.download(workshop, call, simulation_id, file_format.narrowed()))


@router.post(
    "/simulations/{simulation_id}/generate-download-token",
    status_code=201,
    summary="Make a download link",
    response_model=answers.DownloadToken,
    responses=problem_responses(RunNotFound, ResultsDeleted, RunNotFinished, RunFailed, DownloadTokensAtOnce),
)
async def generate_download_token(simulation_id: RunId, call: ThisCall) -> Response:
    """Make links to the results of a finished run that work without an API key, for an hour.

    Whoever has a link can download the results, so send it as you would send the file. It ends with the API key that
    made it, and can be taken back before. Each call makes a new token,
    also with an `Idempotency-Key`, because tokens are stored by their hash alone and cannot be told again.
    """

    async def work(tx: Transaction) -> Outcome:
        token = await download_operations.issue_download_token(tx, call.caller, simulation_id, call.now)
        return Outcome(body=shapes.issued_download_token(token))

    return await call.answer("change", work, status=201)


@router.get(
    "/simulations/{simulation_id}/download-tokens",
    summary="List download links",
    response_model=answers.DownloadTokens,
    responses=problem_responses(RunNotFound),
)
async def list_download_tokens(simulation_id: RunId, call: ThisCall) -> Response:
    """List the links to the results of a run that work now, the first to expire first; tokens are not told again."""

    async def work(tx: Transaction) -> Outcome:
        links = await download_operations.list_download_links(tx, call.caller, simulation_id, call.now)
        return Outcome(body={"download_tokens": [shapes.listed_download_link(one) for one in links]})

    return await call.answer("read", work)


@router.delete(
    "/simulations/{simulation_id}/download-tokens/{download_token_id}",
    summary="Take a download link back",
    response_model=answers.RevokedDownloadToken,
    responses=problem_responses(RunNotFound, DownloadTokenNotFound),
)
async def revoke_download_token(simulation_id: RunId, download_token_id: TokenId, call: ThisCall) -> Response:
    """Make the links of one token stop working at once."""

    async def work(tx: Transaction) -> Outcome:
        await download_operations.revoke_download_link(
            tx, call.caller, simulation_id, download_token_id, call.now
        )
        return Outcome(body={"message": "Download link taken back"})

    return await call.answer("change", work)


@router.get(
    "/download/{token}/{file_format}",
    summary="Download results by a link",
    response_class=Response,
    responses=problem_responses(DownloadTokenRefused, DownloadsBusy, FileNotMade) | _file(*FileFormat),
)
async def download_by_token(
    request: Request, token: Token, file_format: FileFormat, workshop: TheWorkshop
) -> Response:
    """Download the results of a run by a link, without an API key."""
    now = request.scope["received_at"]
    return _answer(await download_flows.download_by_token(workshop, token, file_format, now))


def _answer(download: download_flows.Download) -> Response:
    return StreamingResponse(download.pieces, headers=download.headers)
