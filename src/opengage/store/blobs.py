"""Bytes of uploads and files, one file each in a folder: written once, durable before their row says that they exist.

Names are random and ours: nothing that a client sends ever becomes part of a path. Several processes, or on a shared
folder several machines, may read and write at once.
"""

import asyncio
import contextlib
import os
import re
import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import BinaryIO, Final

from opengage.domain.errors import Unavailable

_CHUNK: Final = 256 * 1024
_NAME: Final = re.compile(r"[0-9a-f]{32}\Z")
_COMING: Final = ".coming"
"""How the name of a file ends whose bytes are still arriving."""


class Arriving:
    """A blob whose bytes are coming in."""

    def __init__(self, name: str, path: Path, file: BinaryIO) -> None:
        self.name = name
        self.size = 0
        self.path = path
        self._file = file

    async def write(self, chunk: bytes) -> None:
        """Append some bytes."""
        await asyncio.to_thread(self._file.write, chunk)
        self.size += len(chunk)


class Blobs:
    """The folder; it is made when the first blob comes. Every method raises Unavailable when it cannot be used."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _path(self, name: str) -> Path:
        assert _NAME.match(name), "names of blobs are made here"
        return self._folder / name[:2] / name

    @contextlib.asynccontextmanager
    async def arriving(self) -> AsyncIterator[Arriving]:
        """A new blob: durable when the block ends, and gone when it raises."""
        name = secrets.token_hex(16)
        path = self._path(name)
        coming = path.with_name(name + _COMING)
        with self._translated():
            file = await asyncio.to_thread(_create, coming)
            try:
                with file:
                    yield Arriving(name, coming, file)
                    await asyncio.to_thread(_flush, file)
                await asyncio.to_thread(_settle, coming, path)
            except BaseException:
                coming.unlink(missing_ok=True)
                raise

    async def open(self, name: str) -> BinaryIO:
        """A blob's bytes, from the start."""
        with self._translated():
            return await asyncio.to_thread(self._path(name).open, "rb")

    async def pieces(self, file: BinaryIO) -> AsyncIterator[bytes]:
        """An opened blob's bytes, piece by piece; it is closed in the end."""
        with contextlib.closing(file):
            while chunk := await asyncio.to_thread(file.read, _CHUNK):
                yield chunk

    async def remove(self, name: str) -> None:
        """Delete a blob; one that is gone already is none of our worries."""
        with self._translated():
            await asyncio.to_thread(self._path(name).unlink, missing_ok=True)

    async def sweep(self, before: float) -> int:
        """Delete what never finished arriving and was last written before `before` (seconds since the epoch)."""
        with self._translated():
            return await asyncio.to_thread(_sweep, self._folder, before)

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        """Say the operating system's refusal in our words."""
        try:
            yield
        except OSError as error:
            raise Unavailable(
                f"The folder of files {self._folder} could not be used ({error.strerror}). Nothing was kept: check "
                "that it is there, yours to write and on a disk with free space, then send the request again."
            ) from error


def _create(path: Path) -> BinaryIO:
    path.parent.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    return path.open("xb")


def _flush(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _settle(coming: Path, path: Path) -> None:
    """Give a finished blob its name, durably."""
    coming.rename(path)
    for folder in (path.parent, path.parent.parent):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _sweep(folder: Path, before: float) -> int:
    count = 0
    for path in folder.glob(f"*/*{_COMING}"):
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_mtime < before:
                path.unlink()
                count += 1
    return count
