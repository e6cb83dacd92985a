"""Local copies of stored workbooks, for the processes that read them by path."""

import asyncio
import tempfile
from collections import OrderedDict
from pathlib import Path

from tollway.kit.blobs import Blobs

COPIES_KEPT = 32


class LocalCopies:
    """A folder of this process with the workbooks used last; the folder goes with the process."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._folder = tempfile.TemporaryDirectory(prefix="tollway-workbooks-")
        self._paths: OrderedDict[bytes, Path] = OrderedDict()
        self._fetching = asyncio.Lock()

    async def get(self, blob: str, sha256: bytes) -> Path:
        """Return where a workbook lies, fetching it on first use. Raises: BlobMissing."""
        async with self._fetching:
            path = self._paths.get(sha256)
            if path is None:
                content = await self._blobs.get(blob)
                path = Path(self._folder.name) / f"{sha256.hex()}.xlsx"
                await asyncio.to_thread(path.write_bytes, content)
                self._paths[sha256] = path
            self._paths.move_to_end(sha256)
            while len(self._paths) > COPIES_KEPT:
                _, oldest = self._paths.popitem(last=False)
                oldest.unlink(missing_ok=True)
            return path

    def close(self) -> None:
        """Delete the folder."""
        self._folder.cleanup()
