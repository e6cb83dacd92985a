"""Files that outlive a request: the data folder by default; S3, GCS or Azure by BLOB_URL (obstore)."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import obstore
from obstore.store import LocalStore, from_url


class BlobMissing(Exception):
    """There is no file of that name: it was deleted when its time was over, or never written."""


class Blobs:
    """Named files. A name is `kind/owner/id`; a file is written whole or not at all."""

    def __init__(self, store: Any) -> None:
        self._store = store

    @classmethod
    def at(cls, url: str, folder: Path) -> "Blobs":
        """Open the store that `url` names, or the folder where it is empty."""
        if url:
            return cls(from_url(url))
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return cls(LocalStore(str(folder)))

    async def put(self, name: str, content: bytes) -> None:
        """Write a file, over an earlier one of the same name if there is one."""
        await obstore.put_async(self._store, name, content)

    async def put_file(self, name: str, path: Path) -> None:
        """Write a file from the disk, part by part, so that its size needs no memory."""
        await obstore.put_async(self._store, name, path)

    async def get(self, name: str) -> bytes:
        """Read a file whole; raises BlobMissing."""
        try:
            found = await obstore.get_async(self._store, name)
        except FileNotFoundError as failure:
            raise BlobMissing(name) from failure
        return bytes(await found.bytes_async())

    async def read(self, name: str) -> AsyncIterator[bytes]:
        """Open a file and return its content piece by piece; raises BlobMissing at once, before the first piece."""
        try:
            found = await obstore.get_async(self._store, name)
        except FileNotFoundError as failure:
            raise BlobMissing(name) from failure
        return _pieces(found)

    async def open(self, name: str) -> tuple[int, AsyncIterator[bytes]]:
        """Open a file and return how many bytes it has and its content piece by piece; raises BlobMissing at once."""
        try:
            found = await obstore.get_async(self._store, name)
        except FileNotFoundError as failure:
            raise BlobMissing(name) from failure
        return int(found.meta["size"]), _pieces(found)

    async def delete(self, name: str) -> None:
        """Delete a file; one that is not there is as good as deleted."""
        try:
            await obstore.delete_async(self._store, name)
        except FileNotFoundError:
            return


async def _pieces(found: Any) -> AsyncIterator[bytes]:
    async for piece in found.stream():
        yield bytes(piece)
