"""Outcomes: the closed list of what a carrier can say, and the mark that its receipts are known by."""

from typing import get_args

import pytest

from opengage.domain.outcomes import Accepted, Deferred, Outcome, ReceiptState, Refused, Unknown, reference_of
from opengage.domain.states import STATUS_OF, EnvelopeStatus, Reason, TextEvent, TextStatus, change
from opengage.ids import Id, new_id

EVENTS = {
    Accepted: TextEvent.ACCEPTED,
    Refused: TextEvent.REFUSED,
    Deferred: TextEvent.DEFERRED,
    Unknown: TextEvent.NO_ANSWER,
}


def test_the_list_is_closed() -> None:
    """There are four outcomes, and each moves a text that is being sent."""
    assert set(get_args(Outcome)) == set(EVENTS)
    assert all(change(TextStatus.SENDING, event) for event in EVENTS.values())


def test_unknown_is_not_resent() -> None:
    """Only a deferred text is queued again."""
    assert [kind for kind, event in EVENTS.items() if change(TextStatus.SENDING, event) is TextStatus.QUEUED] == [
        Deferred
    ]


def test_receipts_are_final() -> None:
    """A receipt delivers or does not; each word is a reason at which an envelope is closed."""
    closed = {Reason(state.value): STATUS_OF[Reason(state.value)] for state in ReceiptState}
    assert closed == {
        Reason.DELIVERED: EnvelopeStatus.COMPLETE,
        Reason.UNDELIVERED: EnvelopeStatus.INCOMPLETE,
        Reason.EXPIRED: EnvelopeStatus.INCOMPLETE,
    }


@pytest.mark.parametrize(("tail", "reference"), [(b"\0\0", 0), (b"\0\1", 1), (b"\1\0", 256), (b"\xff\xff", 65_535)])
def test_the_reference_is_the_ids_end(tail: bytes, reference: int) -> None:
    """Sixteen bits of the text's id, the same on every attempt."""
    assert reference_of(Id(bytes(14) + tail)) == reference


def test_references_spread() -> None:
    """Texts made in one go have different marks, mostly: the end of an id is its random part."""
    assert len({reference_of(new_id()) for _ in range(1000)}) > 900
