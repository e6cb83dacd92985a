"""A customer's data, to take away and to erase: for a person who has just proven who they are, never for a key."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from tollway.customers.callers import Caller
from tollway.customers.entities import COMPANY_LENGTH_MAX, AddressNotVerified, SignInAgain
from tollway.customers.guard import Needs
from tollway.customers.permissions import Permission
from tollway.kit import idempotency
from tollway.kit.http import ReplayingRoute, database_of
from tollway.kit.idempotency import BadIdempotencyKey, IdempotencyKeyReused
from tollway.kit.openapi import IDEMPOTENCY_HEADER, problem_responses
from tollway.kit.problems import NotFound
from tollway.lifecycle import erasure_operations as erasure
from tollway.lifecycle import export_flows
from tollway.lifecycle import export_operations as exports
from tollway.lifecycle.entities import (
    Export,
    ExportNotAvailable,
    ExportStatus,
    ExportUnderWay,
    TooManyExports,
)

EXPORT_ID_LENGTH_MAX = 30

router = APIRouter(prefix="/api/customers/me", route_class=ReplayingRoute, tags=["Your data"])

Exporting = Annotated[Caller, Depends(Needs(Permission.DATA_EXPORT))]
ExportingProven = Annotated[Caller, Depends(Needs(Permission.DATA_EXPORT, proven=True, verified=True))]
ErasingProven = Annotated[Caller, Depends(Needs(Permission.DATA_ERASE, proven=True, verified=True))]


class ExportOut(BaseModel):
    """One export."""

    id: str
    status: ExportStatus
    size_bytes: int | None = Field(description="Null until it is ready.")
    created_at: datetime
    ready_at: datetime | None
    expires_at: datetime | None = Field(description="When the file is deleted.")


class ExportList(BaseModel):
    """The exports that were asked for lately, newest first."""

    exports: list[ExportOut]


class ErasureIn(BaseModel):
    """What must be typed, so that nobody erases a customer by accident."""

    model_config = ConfigDict(extra="forbid")

    company_name: str = Field(
        min_length=1, max_length=COMPANY_LENGTH_MAX, description="The company's name, exactly."
    )


class ErasureOut(BaseModel):
    """What an erasure did."""

    message: str
    people_erased: int
    people_left: int = Field(description="Who belongs to another customer too, and left only this one.")


@router.post(
    "/export",
    summary="Ask for an export",
    status_code=202,
    response_model=ExportOut,
    responses=problem_responses(
        BadIdempotencyKey,
        IdempotencyKeyReused,
        ExportUnderWay,
        TooManyExports,
        SignInAgain,
        AddressNotVerified,
    ),
    openapi_extra={"parameters": [IDEMPOTENCY_HEADER]},
)
async def request_export(request: Request, caller: ExportingProven) -> Any:
    """Ask for a zip of JSON and CSV with everything that is your customer's, workbooks included.

    It is made in the background; a mail tells the owners when it is ready. One is made at a time, at most 3
    within 24 hours, and each is kept for 7 days.
    """
    now = request.scope["received_at"]
    key = request.headers.get("idempotency-key")
    scope = f"{caller.owner_id}/export"
    async with database_of(request).transaction() as tx:
        if key is not None:
            stored = await idempotency.begin(tx, scope, key, idempotency.digest(scope), now)
            if stored is not None:
                return stored.body
        answer = export_shape(await exports.request_export(tx, caller, now)).model_dump(mode="json")
        if key is not None:
            await idempotency.finish(tx, scope, key, 202, answer)
    return answer


@router.get("/exports", summary="List exports")
async def list_exports(request: Request, caller: Exporting) -> ExportList:
    """List the exports that were asked for lately, newest first."""
    async with database_of(request).transaction() as tx:
        found = await exports.list_exports(tx, caller.owner_id)
    return ExportList(exports=[export_shape(one) for one in found])


@router.get(
    "/exports/{export_id}/download",
    summary="Download an export",
    response_class=Response,
    responses=problem_responses(NotFound, ExportNotAvailable, SignInAgain, AddressNotVerified)
    | {
        200: {
            "description": "The file.",
            "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def download_export(
    request: Request,
    caller: ExportingProven,
    export_id: Annotated[str, Path(max_length=EXPORT_ID_LENGTH_MAX)],
) -> Response:
    """Download the file of an export that is ready; that you did is on record."""
    pieces, headers = await export_flows.open_export(
        database_of(request), request.app.state.blobs, caller, export_id, request.scope["received_at"]
    )
    return StreamingResponse(pieces, media_type="application/zip", headers=headers)


@router.delete(
    "/data",
    summary="Erase everything",
    responses=problem_responses(SignInAgain, AddressNotVerified),
)
async def erase_data(request: Request, caller: ErasingProven, body: ErasureIn) -> ErasureOut:
    """Erase your customer for good: everything that was made, and every trace of its people.

    Numbers that the books need stay, and so does the audit list, which names nobody any more. It cannot be
    undone; ask for an export first.
    """
    async with database_of(request).transaction() as tx:
        erased = await erasure.erase_customer(tx, caller, body.company_name, request.scope["received_at"])
    return ErasureOut(
        message="Everything was erased",
        people_erased=erased.people_erased,
        people_left=erased.people_left,
    )


def export_shape(export: Export) -> ExportOut:
    """Show an export as the API does."""
    return ExportOut(
        id=export.public_id,
        status=export.status,
        size_bytes=export.size_bytes,
        created_at=export.created_at,
        ready_at=export.ready_at,
        expires_at=export.expires_at,
    )
