"""Local copies of stored workbooks, for the processes that read them by path."""

import asyncio
import os
import shutil
import tempfile
from collections import OrderedDict
from pathlib import Path

from tollway.kit.blobs import Blobs

COPIES_KEPT = 32
FOLDER_PREFIX = "tollway-workbooks-"


class LocalCopies:
    """A folder of this process with the workbooks used last; the folder goes with the process."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._folder: Path | None = None
        self._paths: OrderedDict[bytes, Path] = OrderedDict()
        self._fetching = asyncio.Lock()

    async def get(self, blob: str, sha256: bytes) -> Path:
        """Return where a workbook lies, fetching it on first use. Raises: BlobMissing."""
        async with self._fetching:
            path = self._paths.get(sha256)
            # Systems tidy their temporary folders, and a server outlives that.
            if path is None or not path.exists():
                content = await self._blobs.get(blob)
                if self._folder is None or not self._folder.exists():
                    self._folder = await asyncio.to_thread(_make_folder)
                path = self._folder / f"{sha256.hex()}.xlsx"
                await asyncio.to_thread(path.write_bytes, content)
                self._paths[sha256] = path
            self._paths.move_to_end(sha256)
            while len(self._paths) > COPIES_KEPT:
                _, oldest = self._paths.popitem(last=False)
                oldest.unlink(missing_ok=True)
            return path

    def close(self) -> None:
        """Delete the folder."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None
            self._paths.clear()


def _make_folder() -> Path:
    """Make a folder that only this user can read, and delete those of processes that were killed."""
    for left in Path(tempfile.gettempdir()).glob(f"{FOLDER_PREFIX}*-*"):
        number = left.name.removeprefix(FOLDER_PREFIX).partition("-")[0]
        if number.isdecimal() and not _lives(int(number)):
            shutil.rmtree(left, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{FOLDER_PREFIX}{os.getpid()}-"))


def _lives(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except OSError:
        # Somebody else's, so it is there.
        return True
    return True
