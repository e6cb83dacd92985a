"""Local copies of workbooks: fetched once, bounded, and gone with their process."""

import hashlib
import os
import tempfile
from pathlib import Path

import pytest

from tollway.kit.blobs import BlobMissing, Blobs
from tollway.simulation import copies
from tollway.simulation.copies import COPIES_KEPT, FOLDER_PREFIX, LocalCopies


def sha256(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


async def test_a_workbook_is_fetched_once_and_deleted_at_the_end(tmp_path: Path) -> None:
    blobs = Blobs.at("", tmp_path)
    await blobs.put("workbooks/1/a", b"content")
    local = LocalCopies(blobs)
    path = await local.get("workbooks/1/a", sha256(b"content"))
    assert path.read_bytes() == b"content"
    assert path.parent.stat().st_mode & 0o077 == 0
    await blobs.delete("workbooks/1/a")
    assert await local.get("workbooks/1/a", sha256(b"content")) == path
    local.close()
    assert not path.parent.exists()
    with pytest.raises(BlobMissing):
        await local.get("workbooks/1/a", sha256(b"content"))
    local.close()


@pytest.mark.parametrize("whole_folder", [False, True])
async def test_a_copy_that_the_system_tidied_away_is_fetched_again(
    tmp_path: Path, *, whole_folder: bool
) -> None:
    blobs = Blobs.at("", tmp_path)
    await blobs.put("workbooks/1/a", b"content")
    local = LocalCopies(blobs)
    path = await local.get("workbooks/1/a", sha256(b"content"))
    path.unlink()
    if whole_folder:
        path.parent.rmdir()
    assert (await local.get("workbooks/1/a", sha256(b"content"))).read_bytes() == b"content"
    local.close()


async def test_only_the_copies_used_last_are_kept(tmp_path: Path) -> None:
    blobs = Blobs.at("", tmp_path)
    local = LocalCopies(blobs)
    paths = []
    for number in range(COPIES_KEPT + 1):
        content = str(number).encode()
        await blobs.put(f"workbooks/1/{number}", content)
        paths.append(await local.get(f"workbooks/1/{number}", sha256(content)))
    assert not paths[0].exists()
    assert all(path.exists() for path in paths[1:])
    local.close()


async def test_what_a_killed_process_left_is_deleted_by_the_next(tmp_path: Path) -> None:
    # No process has this number: Linux stops at 2**22.
    left = Path(tempfile.gettempdir()) / f"{FOLDER_PREFIX}{2**22 + 1}-abc"
    mine = Path(tempfile.gettempdir()) / f"{FOLDER_PREFIX}{os.getpid()}-abc"
    for folder in (left, mine):
        folder.mkdir()
        (folder / "x.xlsx").write_bytes(b"content")
    made = copies._make_folder()
    assert not left.exists()
    assert (mine / "x.xlsx").exists()
    for folder in (made, mine):
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
