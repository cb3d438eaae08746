"""Where one PDU ends and the next begins.

The first step of everything that arrives (SMPP 3.4 section 3.2).
"""

from struct import Struct

from opengage.smpp.commands import Status
from opengage.smpp.errors import FramingError

Frame = tuple[int, int, int, bytes]
"""command_id, command_status, sequence_number, body.

A plain tuple: it is made once per PDU on the hot path.
"""

HEADER = Struct(">IIII")
HEADER_LENGTH = 16
MAX_LENGTH = 65_536
"""Octets of the largest PDU that is accepted; room for a full message_payload."""

_LENGTH = Struct(">I")


def frame(command: int, status: int, sequence: int, body: bytes = b"") -> bytes:
    """The bytes of one PDU."""
    return HEADER.pack(16 + len(body), command, status, sequence) + body


class Splitter:
    """Turns chunks of any size into whole frames; every octet is copied a bounded number of times.

    A command_length that cannot be (below 16 or above `max_length`) ends the stream: the frames before it are
    still returned, `error` is set, and later chunks are ignored.
    """

    __slots__ = ("_held", "_max_length", "_needed", "error")

    def __init__(self, max_length: int = MAX_LENGTH) -> None:
        self._max_length = max_length
        self._held = bytearray()
        self._needed = HEADER_LENGTH
        self.error: FramingError | None = None

    @property
    def held(self) -> int:
        """Octets of an unfinished PDU that wait for their rest."""
        return len(self._held)

    def feed(self, chunk: bytes) -> list[Frame]:
        """The frames that this chunk completes, in order."""
        if self.error is not None:
            return []
        if self._held:
            self._held += chunk
            # The length is judged as soon as it is known: a giant one must not make us hoard.
            if len(self._held) < self._needed and not self._length_just_known():
                return []
            chunk = bytes(self._held)
            self._held.clear()
        return self._split(chunk)

    def _length_just_known(self) -> bool:
        return self._needed == HEADER_LENGTH and len(self._held) >= _LENGTH.size

    def _split(self, data: bytes) -> list[Frame]:
        frames: list[Frame] = []
        unpack, most, end, start = HEADER.unpack_from, self._max_length, len(data), 0
        while end - start >= HEADER_LENGTH:
            length, command, status, sequence = unpack(data, start)
            if not HEADER_LENGTH <= length <= most:
                self._fail(length)
                return frames
            stop = start + length
            if stop > end:
                break
            frames.append((command, status, sequence, data[start + HEADER_LENGTH : stop]))
            start = stop
        if start < end:
            self._hold(data, start)
        return frames

    def _hold(self, data: bytes, start: int) -> None:
        self._needed = HEADER_LENGTH
        if len(data) - start >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(data, start)
            if not HEADER_LENGTH <= length <= self._max_length:
                self._fail(length)
                return
            self._needed = length
        self._held += memoryview(data)[start:]

    def _fail(self, length: int) -> None:
        self._held.clear()
        self.error = FramingError(Status.ESME_RINVCMDLEN, f"command_length {length} is out of bounds")
