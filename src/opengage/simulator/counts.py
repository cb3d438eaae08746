"""What the simulator has seen: plain counts, and which texts it has taken before.

The end of the text's path in tests: what is counted here is what reached the network, whatever the sender believes.
"""

import errno
from collections import Counter
from hashlib import blake2b
from io import RawIOBase
from struct import Struct
from typing import Any, Final

import msgspec

from opengage.smpp.commands import status_name
from opengage.smpp.concatenation import Part
from opengage.smpp.pdu import SubmitSm

MOST_REMEMBERED: Final = 10_000_000
"""Texts recognised when they come again: about 100 bytes each, so 1 GB at most. Later ones count as `untracked`."""


_MARK: Final = Struct(">Q")
_OCTETS: Final = _MARK.size


def fingerprint(submit: SubmitSm, part: Part) -> int:
    """64 bits of a text's identity: source, destination, content and part number.

    The reference that joins parts is left out: it changes when a sender repeats a text. By chance two of ten million
    different texts are alike with a probability of 3 in a million.
    """
    data = b"%b\0%b\0%c%b" % (
        submit.source_addr.encode("latin-1"),
        submit.destination_addr.encode("latin-1"),
        part.number,
        part.payload,
    )
    return int.from_bytes(blake2b(data, digest_size=_OCTETS).digest(), "big")


class Seen:
    """The fingerprints of the texts taken; with a file also of those that earlier runs took, however they ended.

    The file is opened by its owner for reading and appending, unbuffered: 8 octets a text, handed to the system before
    the answers are. That outlives the process, not the machine.
    """

    def __init__(self, most: int = MOST_REMEMBERED, file: RawIOBase | None = None) -> None:
        self._most = most
        self._known: set[int] = set()
        self._file = file
        self._unwritten: list[bytes] = []
        self.duplicates = 0
        self.untracked = 0
        if file is not None:
            self._load(file)

    def _load(self, file: RawIOBase) -> None:
        file.seek(0)
        data = file.readall()
        whole = len(data) // _OCTETS * _OCTETS
        for (mark,) in _MARK.iter_unpack(data[:whole]):
            self._count(mark)
        # A write cut short by a full disk would put everything behind it out of step.
        file.truncate(whole)
        file.seek(whole)

    @property
    def unique(self) -> int:
        """Different texts, as far as they are remembered."""
        return len(self._known)

    def add(self, mark: int) -> None:
        """One more text was taken; `flush` before it is answered."""
        self._count(mark)
        if self._file is not None:
            self._unwritten.append(_MARK.pack(mark))

    def flush(self) -> None:
        """Hand what was added to the file. Raises OSError when it cannot be written."""
        if self._file is not None and self._unwritten:
            data = b"".join(self._unwritten)
            self._unwritten.clear()
            if self._file.write(data) != len(data):
                raise OSError(errno.ENOSPC, "the texts taken could not all be written down")

    def _count(self, mark: int) -> None:
        if mark in self._known:
            self.duplicates += 1
        elif len(self._known) < self._most:
            self._known.add(mark)
        else:
            self.untracked += 1


class Counts(msgspec.Struct):
    """Everything that is counted beside `Seen`; `report` tells all of it."""

    submits: int = 0
    """submit_sm read, whatever their answer."""
    receipts: int = 0
    """Receipts acknowledged by an ESME (deliver_sm_resp with status 0)."""
    inbound: int = 0
    """deliver_sm with texts of handsets, acknowledged."""
    receipts_sent: int = 0
    """deliver_sm with receipts given to a link, each repetition included."""
    redelivered: int = 0
    """Receipts and texts that must be sent again: refused, unanswered, or their link lost."""
    unanswered: int = 0
    """Submits that never get an answer, on purpose."""
    links_cut: int = 0
    """Links cut on purpose."""
    answers: Counter[int] = msgspec.field(default_factory=Counter)
    """Answers to submits by command_status."""
    binds: Counter[int] = msgspec.field(default_factory=Counter)
    """Answers to binds by command_status."""


def report(counts: Counts, seen: Seen, **more: Any) -> dict[str, Any]:
    """All counts as one JSON object; unique + duplicates + untracked are the texts taken."""
    return {
        "submits": counts.submits,
        "unique": seen.unique,
        "duplicates": seen.duplicates,
        "receipts": counts.receipts,
        "untracked": seen.untracked,
        "unanswered": counts.unanswered,
        "receipts-sent": counts.receipts_sent,
        "redelivered": counts.redelivered,
        "inbound": counts.inbound,
        "links-cut": counts.links_cut,
        "answers": {status_name(status): number for status, number in sorted(counts.answers.items())},
        "binds": {status_name(status): number for status, number in sorted(counts.binds.items())},
        **more,
    }
