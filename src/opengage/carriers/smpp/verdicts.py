"""What an SMSC's answers come to: one outcome for each text, whatever became of its segments.

Step 7 of the text's path, on the way back. Which command_status means what is data (`TREATMENTS`); how the segments of
a long text add up is `LongText`.
"""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final

from opengage.domain.outcomes import NEVER_SENT, Accepted, Deferred, Outcome, Refused, Submission, Unknown
from opengage.smpp.commands import Status, status_name


class Treatment(Enum):
    """What is made of a submit that was turned down."""

    THROTTLED = "throttled"
    """Too fast, or its queue is full: the text is fine, the pace is not."""
    TEMPORARY = "temporary"
    """Not now, and surely not taken."""
    PERMANENT = "permanent"
    """Not ever."""


TREATMENTS: Final[Mapping[int, Treatment]] = MappingProxyType(
    {
        Status.ESME_RTHROTTLED: Treatment.THROTTLED,
        Status.ESME_RMSGQFUL: Treatment.THROTTLED,
        Status.ESME_RSYSERR: Treatment.TEMPORARY,
        Status.ESME_RX_T_APPN: Treatment.TEMPORARY,
        # the SMSC has forgotten the bind; the connection will notice, and the next one is bound
        Status.ESME_RINVBNDSTS: Treatment.TEMPORARY,
    }
)
"""The statuses (SMPP 3.4 section 5.1.3) that do not end a text; every other one, a network's own included, does."""


def declined(text: Submission, status: int, treatments: Mapping[int, Treatment]) -> Refused | Deferred:
    """The outcome of a text of one segment that was answered with this command_status."""
    treatment = treatments.get(status, Treatment.PERMANENT)
    if treatment is Treatment.PERMANENT:
        return Refused(text.text_id, status_name(status), attempt=text.attempt)
    throttled = treatment is Treatment.THROTTLED
    return Deferred(text.text_id, status_name(status), throttled, attempt=text.attempt)


def never_sent(text: Submission) -> Deferred:
    """The outcome of a text of which no byte has left."""
    return Deferred(text.text_id, NEVER_SENT, throttled=True, attempt=text.attempt)


class LongText:
    """A text of several segments on its way: each is answered by itself, the text has one outcome.

    Every method takes the number of a segment (from 1) and returns the outcome that this makes known, if any.
    """

    __slots__ = (
        "_accepted",
        "_doubt",
        "_in_doubt",
        "_open",
        "_put_off",
        "_refusal",
        "_text",
        "_was_unknown",
        "total",
    )

    def __init__(self, text: Submission, total: int) -> None:
        """The segments that an earlier attempt got through are not sent again."""
        self._text = text
        self.total = total
        self._accepted = dict(text.accepted or {})
        self._open = set(range(1, total + 1)) - self._accepted.keys()
        self._in_doubt: set[int] = set()
        self._doubt = ""
        self._refusal = ""
        self._put_off: dict[Treatment | None, str] = {}
        self._was_unknown = False

    def numbers(self) -> list[int]:
        """The segments that are to be sent."""
        return sorted(self._open)

    def accept(self, number: int, carrier_ref: str) -> Outcome | None:
        """The SMSC took this segment."""
        self._accepted[number] = carrier_ref
        return self._close(number)

    def decline(self, number: int, status: int, treatments: Mapping[int, Treatment]) -> Outcome | None:
        """The SMSC turned this segment down."""
        treatment = treatments.get(status, Treatment.PERMANENT)
        if treatment is Treatment.PERMANENT:
            self._refusal = self._refusal or status_name(status)
        else:
            self._put_off.setdefault(treatment, status_name(status))
        return self._close(number)

    def miss(self, number: int) -> Outcome | None:
        """This segment never left."""
        self._put_off.setdefault(None, NEVER_SENT)
        return self._close(number)

    def doubt(self, number: int, code: str) -> Outcome | None:
        """This segment may have left, and no answer came."""
        self._in_doubt.add(number)
        self._doubt = code
        self._open.discard(number)
        return self.outcome()

    def _close(self, number: int) -> Outcome | None:
        """This segment's fate is known."""
        self._open.discard(number)
        self._in_doubt.discard(number)
        return self.outcome()

    def outcome(self) -> Outcome | None:
        """The outcome, once nothing is awaited and as long as it has not been told."""
        if self._open:
            return None
        text_id, attempt = self._text.text_id, self._text.attempt
        if self._in_doubt:
            if self._was_unknown:
                return None
            self._was_unknown = True
            return Unknown(text_id, self._doubt, self._refs(), attempt)
        if len(self._accepted) == self.total:
            return Accepted(text_id, tuple(ref for _, ref in self._refs()), attempt)
        return self._unfinished()

    def _unfinished(self) -> Outcome:
        """Every segment's fate is known and some were not taken."""
        text_id, attempt = self._text.text_id, self._text.attempt
        if self._refusal:
            return Refused(text_id, self._refusal, self._refs(), attempt)
        # what burns an attempt goes first, so that a text which always fails comes to its end
        for treatment in (Treatment.TEMPORARY, Treatment.THROTTLED, None):
            if treatment in self._put_off:
                break
        throttled = treatment is not Treatment.TEMPORARY
        return Deferred(text_id, self._put_off[treatment], throttled, self._refs(), attempt)

    def _refs(self) -> tuple[tuple[int, str], ...]:
        return tuple(sorted(self._accepted.items()))
