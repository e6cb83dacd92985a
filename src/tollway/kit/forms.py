"""Receives a form within named limits, and says which one it passed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fastapi import Request
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser

from tollway.kit.problems import TooLarge

FIELD_BYTES_MAX = 1_000_000


@dataclass(frozen=True, slots=True)
class FormLimits:
    """What a form may hold, beside the bound of its whole body."""

    fields_max: int
    """Fields that are no files."""
    text_bytes_max: int
    """Of all these fields together, which are held in memory; files are not."""
    advice: str
    """A sentence: what somebody can do whose form is refused."""
    field_bytes_max: int = FIELD_BYTES_MAX
    """Of each of these fields."""
    files_max: int = 0


@asynccontextmanager
async def received_form(request: Request, limits: FormLimits) -> AsyncIterator[FormData]:
    """Receive a form; its files are open for as long as the block lasts.

    Raises: TooLarge for a form beyond its limits; what Starlette raises for one that cannot be read.
    """
    if request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        form = await _received_parts(request, limits)
    else:
        form = await _received_pairs(request, limits)
    try:
        yield form
    finally:
        await form.close()


async def _received_parts(request: Request, limits: FormLimits) -> FormData:
    try:
        return await _BoundedParser(request, limits).parse()
    except MultiPartException as failure:
        raise _refusal(failure.message, limits) or HTTPException(400, failure.message) from failure


async def _received_pairs(request: Request, limits: FormLimits) -> FormData:
    bound = limits.text_bytes_max
    # The whole body is text here, so that it is bounded while it comes in.
    request.scope["body_bytes_max"] = min(bound, request.scope.get("body_bytes_max", bound))
    try:
        return await request.form(
            max_files=0, max_fields=limits.fields_max, max_part_size=limits.field_bytes_max
        )
    except HTTPException as failure:
        raise _refusal(failure.detail, limits) or failure from failure


class _BoundedParser(MultiPartParser):
    """Starlette's parser, which bounds each field but not all of them together."""

    def __init__(self, request: Request, limits: FormLimits) -> None:
        super().__init__(
            request.headers,
            request.stream(),
            max_files=limits.files_max,
            max_fields=limits.fields_max,
            max_part_size=limits.field_bytes_max,
        )
        self._limits, self._text_bytes = limits, 0

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        """Count what is held in memory. Raises: TooLarge."""
        if self._current_part.file is None:
            self._text_bytes += end - start
            if self._text_bytes > self._limits.text_bytes_max:
                raise _too_large("limit_bytes", "bytes of text", self._limits.text_bytes_max, self._limits)
        super().on_part_data(data, start, end)


def _refusal(told: str, limits: FormLimits) -> TooLarge | None:
    """Say what Starlette says of a limit in our words; None where it speaks of something else."""
    if told.startswith("Too many fields"):
        return _too_large("limit_fields", "fields", limits.fields_max, limits)
    if told.startswith("Too many files"):
        words = "file" if limits.files_max == 1 else "files"
        return _too_large("limit_files", words, limits.files_max, limits)
    if "exceeded maximum size" in told:
        return _too_large("limit_bytes", "bytes in one field", limits.field_bytes_max, limits)
    return None


def _too_large(member: str, words: str, most: int, limits: FormLimits) -> TooLarge:
    return TooLarge(
        f"This form holds more than {most:,} {words}, the most that is taken here. {limits.advice}",
        members={member: most},
    )
