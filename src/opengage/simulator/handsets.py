"""The phone wall: fake handsets that ring, the last stop of a text's path.

Each recipient number is a handset with an inbox. The newest texts are kept over all handsets together, the
counts are of all that ever rang. Concatenated parts are joined before a handset rings.
"""

import textwrap
from collections import deque
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final

import msgspec
from rich.cells import set_cell_size

from opengage.clock import SECOND, Instant
from opengage.domain import segments
from opengage.smpp import coding
from opengage.smpp.coding import DataCoding
from opengage.smpp.concatenation import Part, Reassembler, Whole
from opengage.smpp.pdu import SubmitSm

KEEP: Final = 10_000
"""Texts kept over all handsets together: about 5 MB."""

_UNFINISHED: Final = 10_000
_PATIENCE: Final = 300.0
_WIDTH: Final = 36
_LONGEST_SHORT_CODE = 6


class Text(msgspec.Struct, frozen=True, gc=False):
    """One text on a handset. The bytes are kept as they came and read when somebody looks."""

    source: str
    number: str
    data_coding: int
    payload: bytes
    at: Instant
    parts: int = 1
    complete: bool = True
    """False when some part never came."""

    @property
    def text(self) -> str:
        """What the screen shows."""
        return coding.decode(self.data_coding, self.payload)

    @property
    def encoding(self) -> str:
        """`gsm-7`, `ucs-2`, or the data_coding of anything else."""
        known = {int(DataCoding.DEFAULT): "gsm-7", int(DataCoding.UCS2): "ucs-2"}
        return known.get(self.data_coding, f"data-coding-{self.data_coding}")

    @property
    def segments(self) -> int:
        """Parts that travelled; for a long text in one PDU (message_payload) what it would take."""
        return self.parts if self.parts > 1 else segments.count(self.text).segments

    def shown(self) -> dict[str, Any]:
        """The text as a JSON object."""
        return {
            "from": self.source,
            "to": _plus(self.number),
            "text": self.text,
            "encoding": self.encoding,
            "segments": self.segments,
            "complete": self.complete,
            "at": datetime.fromtimestamp(self.at / SECOND, UTC).isoformat(),
        }


class PhoneWall:
    """All handsets."""

    def __init__(self, keep: int = KEEP, patience: float = _PATIENCE) -> None:
        self._keep = keep
        self._texts: deque[Text] = deque()  # an inbox is picked out of it when somebody looks: most ring unseen
        self._kept: dict[str, int] = {}
        """How many texts of each handset are kept."""
        self._joining: Reassembler[tuple[SubmitSm, int]] = Reassembler(_UNFINISHED, patience)
        self.rung = 0
        """Texts that ever rang, each once however many parts it had."""

    def ring(self, submit: SubmitSm, part: Part, at: Instant, now: float) -> None:
        """A text or a part of one reaches its handset; `at` on the wall clock, `now` in monotonic seconds."""
        if part.total == 1:
            self._put(_text(submit, part.payload, at))
            return
        self.give_up(at, now)
        for whole in self._joining.add(submit.source_addr, submit.destination_addr, part, (submit, part.total), now):
            self._put_whole(whole, at)

    def give_up(self, at: Instant, now: float) -> None:
        """Show what has waited too long for its missing parts."""
        for whole in self._joining.expire(now) if len(self._joining) else ():
            self._put_whole(whole, at)

    def _put_whole(self, whole: Whole[tuple[SubmitSm, int]], at: Instant) -> None:
        submit, total = whole.items[0]
        self._put(_text(submit, whole.payload, at, total, whole.complete))

    def _put(self, text: Text) -> None:
        self.rung += 1
        self._texts.append(text)
        self._kept[text.number] = self._kept.get(text.number, 0) + 1
        if len(self._texts) > self._keep:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        number = self._texts.popleft().number
        left = self._kept.pop(number) - 1
        if left:
            self._kept[number] = left

    def inbox(self, number: str) -> list[Text]:
        """The texts of one handset, oldest first; with or without the plus."""
        wanted = number.removeprefix("+")
        return [text for text in self._texts if text.number == wanted]

    def numbers(self, limit: int) -> list[str]:
        """The handsets that rang last, latest first."""
        latest = dict.fromkeys(text.number for text in reversed(self._texts))
        return [_plus(number) for number in islice(latest, limit)]

    def counts(self) -> dict[str, int]:
        """How much there is to see."""
        return {
            "rung": self.rung,
            "texts-kept": len(self._texts),
            "handsets": len(self._kept),
            "unfinished": len(self._joining),
        }

    def screen(self, number: str, limit: int = 5) -> str:
        """One handset's latest texts as lines for people, oldest first."""
        lines = [_rule("╭", f" {_plus(number.removeprefix('+'))} ", "╮")]
        for text in self.inbox(number)[-limit:]:
            lines += [_row(line) for line in _lines(text)]
        lines.append(_rule("╰", "", "╯"))
        return "\n".join(lines)


def _text(submit: SubmitSm, payload: bytes, at: Instant, parts: int = 1, complete: bool = True) -> Text:
    number = submit.destination_addr.removeprefix("+")
    return Text(submit.source_addr, number, submit.data_coding, payload, at, parts, complete)


def _plus(number: str) -> str:
    return f"+{number}" if number.isdigit() else number


def _sender(source: str) -> str:
    """As a handset shows it: a number in full, a short code or a name as it is."""
    return _plus(source) if len(source) > _LONGEST_SHORT_CODE else source


def _rule(left: str, title: str, right: str) -> str:
    return f"{left}{title.center(_WIDTH + 2, '─')}{right}"


def _row(line: str) -> str:
    return f"│ {set_cell_size(line, _WIDTH)} │"


def _lines(text: Text) -> list[str]:
    """Who and when, the words, and what they cost; control characters would tear the frame."""
    clean = "".join(character if character.isprintable() else " " for character in text.text)
    time = datetime.fromtimestamp(text.at / SECOND, UTC).strftime("%H:%M:%S")
    cost = f"{text.encoding}, {text.segments} segment{'s' if text.segments > 1 else ''}"
    words = textwrap.wrap(clean, _WIDTH) or [""]
    return [f"{_sender(text.source):<{_WIDTH - 9}} {time}", *words, cost if text.complete else f"{cost}, incomplete"]
