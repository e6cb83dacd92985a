"""How a journal is laid out: records of 128 bytes, little endian, each with its own checksum.

A segment is a file of slots of 128 bytes: its header, then its records in order. A slot of zeros was not written.
Every record begins with its kind, three bytes whose meaning depends on it, and its sequence number (the low 32 bits),
and ends with the CRC-32 of what stands before, begun with a seed of its source and segment: a record that a disk
brings back in the wrong place does not fit there.

    CALL       one call; what is said often in words is a number here, defined by STRING records before it
    TEXT       a part of the request id or the path of the CALL that comes next, where they do not fit into it
    STRING     a part of the text that a number stands for; every segment defines all that it uses
    LEASE_END  a lease whose remainder goes back; everything spent of it stands before
    CLOSE      the process ended in order; nothing follows
"""

import struct
import zlib
from enum import IntEnum
from typing import NamedTuple

import numpy as np

RECORD_BYTES = 128
BODY_BYTES = RECORD_BYTES - 4
MAGIC = b"TOLLWAY2"

# Sizes of what a record holds; longer texts continue in TEXT and STRING records.
ADDRESS_BYTES = 16
REQUEST_ID_BYTES = 32
TEXT_BYTES = 116
STRING_BYTES = 112
# In characters; more is cut off. A character takes 4 bytes at most, so 18 parts hold the longest.
STRING_LENGTH_MAX = 500
PATH_LENGTH_MAX = 255
REQUEST_ID_LENGTH_MAX = 128
# Numbers that stand for texts: 0 for none, 1 for every text that came after there was room for no more.
STRINGS_MAX = 4096
NO_STRING = 0
OTHER_STRING = 1
OTHER_TEXT = "(other)"

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "OTHER")
METHOD_CODES = {name: code for code, name in enumerate(METHODS)}


class Kind(IntEnum):
    """What a record says."""

    CALL = 1
    TEXT = 2
    STRING = 3
    LEASE_END = 4
    CLOSE = 5


class TextOf(IntEnum):
    """What a TEXT record continues."""

    REQUEST_ID = 1
    PATH = 2


HEADER = struct.Struct("<8sIIQQQ84x")
CALL = struct.Struct("<4sI40sqqIiHBB16s32s")
# Parts of it. The first two are the same in every record of one key at one endpoint, so they are packed once.
CALL_BEGINNING = struct.Struct("<BBBB")
CALL_CALLER = struct.Struct("<HHHxxqq16s")
# Zeros for a call that was served.
CALL_REMARKS = struct.Struct("<iHHq")
TEXT = struct.Struct("<BBBxI116s")
STRING = struct.Struct("<BBBBIHxx112s")
LEASE_END = struct.Struct("<BxxxIq108x")
CLOSE = struct.Struct("<BxxxI116x")
# A body and its checksum, written in one go so that the checksum comes last.
SEALED = struct.Struct("<124sI")

# The same bytes as arrays: a column of a segment is a view of it.
CALL_COLUMNS = np.dtype(
    [
        ("kind", "u1"), ("method", "u1"), ("live", "u1"), ("address_bytes", "u1"), ("sequence", "<u4"),
        ("endpoint", "<u2"), ("product", "<u2"), ("user_agent", "<u2"), ("spare", "<u2"), ("customer_id", "<i8"),
        ("api_key_id", "<i8"), ("address", "u1", (16,)), ("timestamp_us", "<i8"), ("lease_id", "<i8"),
        ("response_us", "<u4"), ("units", "<i4"), ("status", "<u2"), ("request_id_bytes", "u1"), ("texts", "u1"),
        ("credits", "<i4"), ("problem", "<u2"), ("limit_name", "<u2"), ("limit_value", "<i8"),
        ("request_id", "u1", (32,)), ("crc", "<u4"),
    ]
)  # fmt: skip

assert CALL_BEGINNING.size + CALL_CALLER.size + CALL_REMARKS.size == 4 + 40 + 16
assert {one.size for one in (HEADER, CALL, TEXT, STRING, LEASE_END, CLOSE)} == {BODY_BYTES}
assert CALL_COLUMNS.itemsize == SEALED.size == RECORD_BYTES


class Letterhead(NamedTuple):
    """What stands the same in every record of one key at one endpoint, from one address and program, packed."""

    beginning: bytes
    caller: bytes


def letterhead(
    *,
    customer_id: int,
    api_key_id: int,
    endpoint: int,
    method_code: int,
    product: int,
    live: bool,
    user_agent: int,
    address: bytes,
) -> Letterhead:
    """Pack what stands the same in many records.

    Args:
        api_key_id: 0 for none.
        endpoint, product, user_agent: numbers from the journal's `intern`, so it holds as long as that journal.
        address: 4 or 16 bytes, or none.
    """
    return Letterhead(
        CALL_BEGINNING.pack(Kind.CALL, method_code, live, len(address)),
        CALL_CALLER.pack(endpoint, product, user_agent, customer_id, api_key_id, address),
    )


def remarks(*, credit_count: int = 0, problem: int = 0, limit_name: int = 0, limit_value: int = 0) -> bytes:
    """Pack what only few calls have; the numbers of texts are 0 for none."""
    return CALL_REMARKS.pack(credit_count, problem, limit_name, limit_value)


def checksum_seed(source_id: int, segment: int) -> int:
    """Return what the checksums of one segment begin with."""
    return zlib.crc32(struct.pack("<QQ", source_id, segment))


def method_code(method: str) -> int:
    """Return the number of a method; methods that HTTP does not know share one."""
    return METHOD_CODES.get(method, METHOD_CODES["OTHER"])


def encoded(text: str, length_max: int) -> bytes:
    """Write a text as a database takes it: no NUL, no lone surrogate, no more characters than allowed."""
    return text[:length_max].replace("\0", "\ufffd").encode("utf-8", "replace")


def parts_of(data: bytes, size: int) -> list[bytes]:
    """Cut bytes into as many parts as they need, one at least."""
    return [data[start : start + size] for start in range(0, len(data), size)] or [b""]
