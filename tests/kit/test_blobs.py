"""Files are written whole, read back, and gone once deleted."""

import asyncio
import os
from pathlib import Path

import pytest

from tollway.kit.blobs import BlobMissing, Blobs


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs.at("", tmp_path / "files")


@pytest.mark.parametrize("content", [b"", b"x", os.urandom(3_000_000)], ids=["empty", "tiny", "3 MB"])
async def test_a_file_comes_back_as_it_was_put(blobs: Blobs, content: bytes) -> None:
    await blobs.put("models/cus_1/mdl_1", content)
    assert await blobs.get("models/cus_1/mdl_1") == content


async def test_a_second_put_replaces_the_first(blobs: Blobs) -> None:
    await blobs.put("a/b", b"long first content")
    await blobs.put("a/b", b"second")
    assert await blobs.get("a/b") == b"second"


async def test_a_deleted_file_is_missing_and_deleting_again_is_no_failure(blobs: Blobs) -> None:
    await blobs.put("a/b", b"x")
    await blobs.delete("a/b")
    await blobs.delete("a/b")
    with pytest.raises(BlobMissing):
        await blobs.get("a/b")


async def test_a_file_that_never_was_is_missing(blobs: Blobs) -> None:
    with pytest.raises(BlobMissing, match="a/never"):
        await blobs.get("a/never")
    await blobs.delete("a/never")


async def test_names_cannot_leave_the_folder(blobs: Blobs, tmp_path: Path) -> None:
    (tmp_path / "outside").write_bytes(b"not yours")
    for name in ("../outside", "a/../../outside", "/../outside", str(tmp_path / "outside")):
        with pytest.raises(Exception):  # noqa: B017, PT011 - the store's own refusals differ by form
            await blobs.get(name)


async def test_a_reader_never_sees_half_a_file(blobs: Blobs) -> None:
    first, second = b"1" * 2_000_000, b"2" * 2_000_000
    await blobs.put("a", first)

    async def write() -> None:
        for number in range(20):
            await blobs.put("a", first if number % 2 else second)

    writer = asyncio.create_task(write())
    while not writer.done():
        assert await blobs.get("a") in {first, second}
    await writer


async def test_the_folder_belongs_to_its_owner_alone(blobs: Blobs, tmp_path: Path) -> None:
    await blobs.put("a", b"x")
    assert (tmp_path / "files").stat().st_mode & 0o777 == 0o700


async def test_a_store_is_named_by_its_url(tmp_path: Path) -> None:
    blobs = Blobs.at("memory:///", tmp_path / "unused")
    await blobs.put("a/b", b"x")
    assert await blobs.get("a/b") == b"x"
    with pytest.raises(BlobMissing):
        await blobs.get("a/c")
    await blobs.delete("a/c")
    assert not (tmp_path / "unused").exists()


async def test_a_file_of_the_disk_comes_back_piece_by_piece(blobs: Blobs, tmp_path: Path) -> None:
    content = bytes(range(256)) * 100_000
    (tmp_path / "large").write_bytes(content)
    await blobs.put_file("kind/owner/large", tmp_path / "large")
    pieces = [piece async for piece in await blobs.read("kind/owner/large")]
    assert len(pieces) > 1
    assert b"".join(pieces) == content


async def test_reading_what_is_not_there_fails_before_the_first_piece(blobs: Blobs) -> None:
    with pytest.raises(BlobMissing):
        await blobs.read("kind/owner/nothing")
