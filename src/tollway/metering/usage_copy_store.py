"""Many calls at once into the usage log, by COPY in PostgreSQL's binary format.

A row is two pieces of bytes: numbers, which numpy lays out for all rows of one shape at once, and texts, of which there
are few different ones. Rows go customer by customer, each one's in the order of the calls: indexes by customer and key
are written, and later read, in few places.
"""

import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tollway.kit.db import Transaction
from tollway.metering.entities import UsageBatch, taken
from tollway.metering.sums import group_rows, packed, response_ms_of

ROWS_PER_CHUNK = 2048
ENDPOINT_LENGTH_MAX = 255
# PostgreSQL counts microseconds from 2000 on.
EPOCH_US = 946_684_800_000_000
# Address families as PostgreSQL writes them, by the bytes that an address has.
FAMILIES = {4: 2, 16: 3}
COLUMN_COUNT = 18
NULL = -1

_int32 = struct.Struct(">i").pack
_NULL_FIELD = _int32(NULL)


async def copy_usage(tx: Transaction, batch: UsageBatch) -> None:
    """Write many calls to the usage log."""
    batch = batch.sorted_by_customer()
    await tx.copy_rows(
        """
        COPY api_usage_logs (request_timestamp, customer_id, status_code, response_time_ms, credits_consumed,
            units, api_key_id, limit_value, ip_address, request_id, endpoint, method, product, mode, user_agent,
            problem_code, limit_name, path)
        FROM STDIN (FORMAT BINARY)
        """,
        _chunks(batch),
    )


def _chunks(batch: UsageBatch) -> Iterator[bytes]:
    """Lay rows out, a few thousand at once: the server reads some while we write the next."""
    first, group = group_rows(
        [
            packed(batch.calls, "product", "live", "method", "endpoint"),
            packed(batch.calls, "user_agent", "problem", "limit_name"),
        ]
    )
    tails = np.empty(len(first), object)
    tails[:] = [_tail(batch, batch.calls[place]) for place in first.tolist()]
    for start in range(0, len(batch), ROWS_PER_CHUNK):
        part = batch.part(start, start + ROWS_PER_CHUNK)
        pieces: list[bytes] = [b""] * (2 * len(part))
        pieces[0::2] = _heads(part)
        pieces[1::2] = tails[group[start : start + ROWS_PER_CHUNK]].tolist()
        for place, path in part.paths.items():
            # The path comes last in a row, so it takes the place of the null there.
            pieces[2 * place + 1] = pieces[2 * place + 1][: -len(_NULL_FIELD)] + _field(path)
        yield b"".join(pieces)


def _heads(batch: UsageBatch) -> list[bytes]:
    """Lay out the numbers, the address and the request id of each call."""
    calls = batch.calls
    shapes = [
        (calls["api_key_id"] != 0).astype(np.int64),
        (calls["limit_name"] != 0).astype(np.int64),
        calls["address_bytes"].astype(np.int64),
        calls["request_id_bytes"].astype(np.int64),
    ]
    first, group = group_rows(shapes)
    heads = np.empty(len(calls), object)
    for shape, place in enumerate(first.tolist()):
        chosen: Any = slice(None) if len(first) == 1 else (group == shape).nonzero()[0]
        has_key, has_limit, address_bytes, request_id_bytes = (int(column[place]) for column in shapes)
        of_shape = calls if len(first) == 1 else taken(calls, chosen)
        laid_out = np.zeros(
            len(of_shape), _head_layout(bool(has_key), bool(has_limit), address_bytes, request_id_bytes)
        )
        _fill(laid_out, of_shape, address_bytes, request_id_bytes)
        heads[chosen] = laid_out.view(f"V{laid_out.itemsize}").tolist()
    for place, request_id in batch.request_ids.items():
        inline = len(_NULL_FIELD) + int(calls["request_id_bytes"][place])
        heads[place] = heads[place][:-inline] + _field(request_id)
    found: list[bytes] = heads.tolist()
    return found


def _head_layout(has_key: bool, has_limit: bool, address_bytes: int, request_id_bytes: int) -> np.dtype[Any]:
    fields: list[tuple[str, str] | tuple[str, str, tuple[int]]] = [("columns", ">i2")]
    for name, kind in (
        ("timestamp", ">i8"), ("customer_id", ">i8"), ("status", ">i4"), ("response_ms", ">i4"),
        ("credits", ">i4"), ("units", ">i4"), ("api_key_id", ">i8" if has_key else ""),
        ("limit_value", ">i8" if has_limit else ""),
    ):  # fmt: skip
        fields.append((f"{name}_size", ">i4"))
        if kind:
            fields.append((name, kind))
    fields.append(("address_size", ">i4"))
    if address_bytes:
        fields += [
            ("family", "u1"),
            ("bits", "u1"),
            ("cidr", "u1"),
            ("bytes", "u1"),
            ("address", "u1", (address_bytes,)),
        ]
    fields.append(("request_id_size", ">i4"))
    if request_id_bytes:
        fields.append(("request_id", "u1", (request_id_bytes,)))
    return np.dtype(fields)


def _fill(laid_out: NDArray[Any], calls: NDArray[Any], address_bytes: int, request_id_bytes: int) -> None:
    """Write the values of calls into rows of their shape."""
    values: dict[str, Any] = {
        "timestamp": calls["timestamp_us"] - EPOCH_US,
        "response_ms": response_ms_of(calls),
        **{
            name: calls[name]
            for name in ("customer_id", "status", "credits", "units", "api_key_id", "limit_value")
        },
    }
    names = laid_out.dtype.names or ()
    laid_out["columns"] = COLUMN_COUNT
    for name, column in values.items():
        if name in names:
            laid_out[f"{name}_size"] = laid_out.dtype[name].itemsize
            laid_out[name] = column
        else:
            laid_out[f"{name}_size"] = NULL
    laid_out["address_size"] = 4 + address_bytes if address_bytes else NULL
    if address_bytes:
        laid_out["family"] = FAMILIES[address_bytes]
        laid_out["bits"] = address_bytes * 8
        laid_out["bytes"] = address_bytes
        laid_out["address"] = calls["address"][:, :address_bytes]
    laid_out["request_id_size"] = request_id_bytes
    if request_id_bytes:
        laid_out["request_id"] = calls["request_id"][:, :request_id_bytes]


def _tail(batch: UsageBatch, call: Any) -> bytes:
    """Lay out the texts of a call; its path is null."""
    problem, limit_name = batch.text(int(call["problem"])), batch.text(int(call["limit_name"]))
    return b"".join(
        (
            _field(batch.text(int(call["endpoint"]))[:ENDPOINT_LENGTH_MAX]),
            _field(batch.methods[int(call["method"])]),
            _field(batch.text(int(call["product"]))),
            _field("live" if call["live"] else "test"),
            _field(batch.text(int(call["user_agent"]))),
            _field(problem or None),
            _field(limit_name or None),
            _NULL_FIELD,
        )
    )


def _field(text: str | None) -> bytes:
    if text is None:
        return _NULL_FIELD
    encoded = text.encode()
    return _int32(len(encoded)) + encoded
