"""What becomes of each due envelope: a text to send, or a reason why not. Pure; the sender asks inside its transaction.

Every check that keeps a person from being texted wrongly is made here, between reading the envelopes and writing the
intent, in one transaction: suppressed, already texted, a value missing, too long.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from opengage.domain.segments import TooManySegments, check
from opengage.domain.states import Reason
from opengage.domain.templates import RenderError, Template
from opengage.ids import Id, NewId
from opengage.store.contract import Due, Intent, Settled

_META = msgspec.json.Decoder(dict[str, Any])


class Plan(msgspec.Struct, frozen=True):
    """A batch decided: `intents` are to be written as sending, `settled` are to be closed without a text."""

    intents: list[Intent]
    settled: list[Settled]

    @property
    def segments(self) -> int:
        """What the intents cost on the wire."""
        return sum(intent.segments for intent in self.intents)


class Known(msgspec.Struct, frozen=True):
    """What the store knows of a batch's numbers."""

    suppressed: Collection[str]
    texted: Collection[tuple[str, str]]
    """(number, body) of texts that this engagement already has."""
    written: Mapping[Id, str] = {}
    """The words of texts that were put off: they stay as they are, whatever became of the template since."""


def plan(due: Sequence[Due], template: Template, known: Known, max_segments: int, new_id: NewId) -> Plan:
    """Decide a batch, in its order: of two envelopes that would say the same to one number, the first one speaks."""
    intents: list[Intent] = []
    settled: list[Settled] = []
    said: set[tuple[str, str]] = set()
    for envelope in due:
        verdict = _verdict(envelope, template, known, max_segments, said)
        if isinstance(verdict, Reason):
            settled.append(Settled(envelope.envelope_id, verdict, envelope.text_id))
            continue
        body, segments = verdict
        said.add((envelope.phone_number, body))
        intents.append(
            Intent(
                text_id=envelope.text_id or new_id(),
                envelope_id=envelope.envelope_id,
                recipient=envelope.phone_number,
                body=body,
                segments=segments,
                is_retry=envelope.text_id is not None,
            )
        )
    return Plan(intents, settled)


def _verdict(
    envelope: Due, template: Template, known: Known, max_segments: int, said: Collection[tuple[str, str]]
) -> tuple[str, int] | Reason:
    """The body to send and its segments, or why nothing may be sent."""
    if envelope.phone_number in known.suppressed:
        return Reason.OPTED_OUT
    try:
        # parts of a long text may have arrived already: the others must belong to the same words
        body = known.written[envelope.text_id] if envelope.text_id else template.render(_META.decode(envelope.meta))
        segments = check(body, max_segments).segments
    except (RenderError, TooManySegments) as refusal:
        return Reason(refusal.reason)
    said_already = (envelope.phone_number, body)
    # a text that was put off is in the store already: it is not its own duplicate
    if said_already in said or (envelope.text_id is None and said_already in known.texted):
        return Reason.DUPLICATE
    return body, segments
