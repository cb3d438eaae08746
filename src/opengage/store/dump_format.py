"""The file of a backup: the same whichever database it came from, and whichever it goes to.

A gzip stream of frames, each four octets of length (big-endian) and one MessagePack value: a `Header`, any number of
`Page`s, and an `End` with the count of every table and the SHA-256 of all octets before it. A file without its `End`
was cut off; one whose sum is another was damaged. Only one page is in memory at a time.
"""

import gzip
import hashlib
import struct
import zlib
from collections.abc import Iterator
from typing import IO, Any, Final

import msgspec

from opengage.clock import Instant
from opengage.domain.errors import Invalid

FORMAT: Final = "opengage-dump"
VERSION: Final = 1

_LENGTH: Final = struct.Struct(">I")
_MOST: Final = 1 << 28
"""Octets of one frame; more is no frame of ours."""
_LEVEL: Final = 4
"""Of gzip's nine: the harder ones take twice the time for a twentieth of the size."""


class Header(msgspec.Struct, frozen=True, tag="header"):
    """What a reader must know before the first row."""

    revision: str
    """The schema that the rows have."""
    made_at: Instant
    made_by: str
    """The version of Opengage."""
    format: str = FORMAT
    version: int = VERSION


class Page(msgspec.Struct, frozen=True, tag="page"):
    """Some rows of one table."""

    table: str
    columns: list[str]
    rows: list[tuple[Any, ...]]


class End(msgspec.Struct, frozen=True, tag="end"):
    """How many rows each table has, and the sum over everything before."""

    counts: dict[str, int]
    sha256: bytes


class Unreadable(Invalid):
    """The file is no backup, or not a whole one; nothing was restored."""


_decoder: Final[msgspec.msgpack.Decoder[Header | Page | End]] = msgspec.msgpack.Decoder(Header | Page | End)
_encoder: Final = msgspec.msgpack.Encoder()


class Writer:
    """Writes a dump onto a stream, which stays open."""

    def __init__(self, stream: IO[bytes], header: Header) -> None:
        self._zipped = gzip.GzipFile(fileobj=stream, mode="wb", compresslevel=_LEVEL, filename="", mtime=0)
        self._sum = hashlib.sha256()
        self._counts: dict[str, int] = {}
        self._frame(header)

    def page(self, page: Page) -> None:
        """Add some rows."""
        self._counts[page.table] = self._counts.get(page.table, 0) + len(page.rows)
        self._frame(page)

    def end(self) -> End:
        """Write the end; without it the dump counts for nothing."""
        end = End(self._counts, self._sum.digest())
        self._frame(end)
        self._zipped.close()
        return end

    def _frame(self, value: Header | Page | End) -> None:
        content = _encoder.encode(value)
        frame = _LENGTH.pack(len(content)) + content
        self._sum.update(frame)
        self._zipped.write(frame)


class Reader:
    """Reads a dump. Raises Unreadable for what is none, was cut off or damaged."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._zipped = gzip.GzipFile(fileobj=stream, mode="rb")
        self._sum = hashlib.sha256()
        self._counts: dict[str, int] = {}
        header = self._next()
        if not isinstance(header, Header) or header.format != FORMAT:
            raise Unreadable("This is no backup of Opengage. Name a file that “opengage backup” has written.")
        if header.version != VERSION:
            raise Unreadable(
                f"This backup has format {header.version}, and this version of Opengage reads {VERSION}. "
                f"Restore it with version {header.made_by} or newer."
            )
        self.header = header

    def pages(self) -> Iterator[Page]:
        """Every page, and then the proof that it was all of them: take none for good before the last."""
        while True:
            before = self._sum.digest()
            frame = self._next()
            if isinstance(frame, Page):
                self._counts[frame.table] = self._counts.get(frame.table, 0) + len(frame.rows)
                yield frame
                continue
            if not isinstance(frame, End) or frame.sha256 != before or frame.counts != self._counts:
                raise Unreadable("This backup was changed after it was written. Use another copy of it.")
            if self._read(1):
                raise Unreadable("Something follows the end of this backup. Use another copy of it.")
            return

    @property
    def counts(self) -> dict[str, int]:
        """How many rows of each table were read so far."""
        return self._counts

    def _next(self) -> Header | Page | End:
        prefix = self._read(_LENGTH.size)
        length = _LENGTH.unpack(prefix)[0] if len(prefix) == _LENGTH.size else _MOST + 1
        content = self._read(length) if length <= _MOST else b""
        if not content or len(content) < length:
            raise Unreadable("This is no whole backup: it ends in the middle. Use another copy of it.")
        self._sum.update(prefix + content)
        try:
            return _decoder.decode(content)
        except msgspec.MsgspecError:
            raise Unreadable("This backup cannot be read: it was damaged. Use another copy of it.") from None

    def _read(self, size: int) -> bytes:
        try:
            return self._zipped.read(size)
        except gzip.BadGzipFile:
            raise Unreadable("This is no backup of Opengage. Name a file that “opengage backup” has written.") from None
        except (EOFError, zlib.error):
            raise Unreadable("This is no whole backup: it was cut off or damaged. Use another copy of it.") from None
