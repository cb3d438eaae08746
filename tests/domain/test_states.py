"""States: the whole law of what may become what, pair by pair."""

import itertools

import pytest

from opengage.domain.states import (
    STATUS_OF,
    EngagementStatus,
    EnvelopeStatus,
    Reason,
    TextEvent,
    TextStatus,
    change,
    place,
    write_engagement_status,
)

T, E, N = TextStatus, TextEvent, EngagementStatus

CHANGES = {
    (T.QUEUED, E.SUBMIT): T.SENDING,
    (T.QUEUED, E.CANCEL): T.CANCELED,
    (T.QUEUED, E.REFUSED): T.FAILED,
    (T.QUEUED, E.LAPSED): T.FAILED,
    (T.SENDING, E.ACCEPTED): T.SENT,
    (T.SENDING, E.REFUSED): T.FAILED,
    (T.SENDING, E.DEFERRED): T.QUEUED,
    (T.SENDING, E.NO_ANSWER): T.IN_DOUBT,
    (T.QUEUED, E.RESTORED): T.IN_DOUBT,
    (T.SENDING, E.RESTORED): T.IN_DOUBT,
    (T.QUEUED, E.ACCEPTED): T.SENT,
    (T.QUEUED, E.DELIVERY): T.DELIVERED,
    (T.IN_DOUBT, E.ACCEPTED): T.SENT,
    (T.IN_DOUBT, E.REFUSED): T.FAILED,
    (T.IN_DOUBT, E.DEFERRED): T.QUEUED,
    (T.IN_DOUBT, E.DELIVERY): T.DELIVERED,
    (T.IN_DOUBT, E.NON_DELIVERY): T.UNDELIVERED,
    (T.IN_DOUBT, E.EXPIRY): T.UNDELIVERED,
    (T.IN_DOUBT, E.RESEND): T.QUEUED,
    (T.IN_DOUBT, E.GIVE_UP): T.FAILED,
    (T.IN_DOUBT, E.CONFIRM): T.DELIVERED,
    (T.SENT, E.DELIVERY): T.DELIVERED,
    (T.SENT, E.NON_DELIVERY): T.UNDELIVERED,
    (T.SENT, E.EXPIRY): T.UNDELIVERED,
    (T.SENT, E.RECEIPT_WINDOW_OVER): T.SENT,
}
TERMINAL = (T.DELIVERED, T.UNDELIVERED, T.FAILED, T.CANCELED, T.RECEIVED)

WRITES = {
    N.PENDING: {N.PENDING: N.PENDING, N.SCHEDULED: N.SCHEDULED, N.CANCELED: N.CANCELED},
    N.SCHEDULED: {N.SCHEDULED: N.SCHEDULED, N.PAUSED: N.PAUSED, N.CANCELED: N.CANCELED},
    N.PROCESSING: {N.SCHEDULED: N.PROCESSING, N.PAUSED: N.PAUSED, N.CANCELED: N.CANCELED},
    N.PAUSED: {N.SCHEDULED: N.PROCESSING, N.PAUSED: N.PAUSED, N.CANCELED: N.CANCELED},
    N.COMPLETED: {},
    N.CANCELED: {N.CANCELED: N.CANCELED},
}


@pytest.mark.parametrize(("status", "event"), list(itertools.product(TextStatus, TextEvent)))
def test_every_event_on_every_status(status: TextStatus, event: TextEvent) -> None:
    """What is not in the table changes nothing."""
    assert change(status, event) is CHANGES.get((status, event))


@pytest.mark.parametrize("status", TERMINAL)
def test_the_end_is_the_end(status: TextStatus) -> None:
    """Nothing moves a terminal status: a late or second receipt is a no-op."""
    assert [change(status, event) for event in TextEvent] == [None] * len(TextEvent)


def test_what_is_in_doubt_is_queued_again_only_by_the_carriers_or_an_operators_word() -> None:
    """A late "not now" says that it was not taken, an operator takes the risk; nothing else leads to another submit."""
    again = [event for event in TextEvent if change(T.IN_DOUBT, event) in (T.QUEUED, T.SENDING)]
    assert again == [E.DEFERRED, E.RESEND]


def test_every_outbound_status_can_be_reached() -> None:
    """From queued, the events lead to every status of an outbound text."""
    reached = {T.QUEUED}
    while found := {after for status in reached for event in TextEvent if (after := change(status, event))} - reached:
        reached |= found
    assert reached == set(TextStatus) - {T.RECEIVED}


@pytest.mark.parametrize(("current", "wanted"), list(itertools.product(EngagementStatus, EngagementStatus)))
def test_every_write_of_an_engagement_status(current: EngagementStatus, wanted: EngagementStatus) -> None:
    """What a client's PATCH leads to from each status; what is not in the table is not allowed."""
    assert write_engagement_status(current, wanted) is WRITES[current].get(wanted)


@pytest.mark.parametrize("current", EngagementStatus)
def test_clients_neither_start_nor_complete(current: EngagementStatus) -> None:
    """`processing` and `completed` are for the dispatcher to write."""
    assert write_engagement_status(current, N.PROCESSING) is None
    assert write_engagement_status(current, N.COMPLETED) is None


def test_every_reason_belongs_to_one_status() -> None:
    """A reason alone names an envelope's place, and every status has at least one."""
    assert set(STATUS_OF) == set(Reason)
    assert set(STATUS_OF.values()) == set(EnvelopeStatus)


@pytest.mark.parametrize(
    ("status", "reason", "envelope"),
    [
        (T.QUEUED, Reason.RETRYING, EnvelopeStatus.PROCESSING),
        (T.SENDING, Reason.SENDING, EnvelopeStatus.PROCESSING),
        (T.SENT, Reason.SENT, EnvelopeStatus.PROCESSING),
        (T.DELIVERED, Reason.DELIVERED, EnvelopeStatus.COMPLETE),
        (T.UNDELIVERED, Reason.UNDELIVERED, EnvelopeStatus.INCOMPLETE),
        (T.FAILED, Reason.REJECTED, EnvelopeStatus.INCOMPLETE),
        (T.IN_DOUBT, Reason.IN_DOUBT, EnvelopeStatus.HOLD),
        (T.CANCELED, Reason.CANCELED, EnvelopeStatus.INCOMPLETE),
    ],
)
def test_where_an_envelope_stands(status: TextStatus, reason: Reason, envelope: EnvelopeStatus) -> None:
    """A text's status puts its envelope in one named place."""
    assert place(status) is reason
    assert STATUS_OF[reason] is envelope


@pytest.mark.parametrize(
    ("status", "event", "reason"),
    [
        (T.UNDELIVERED, E.EXPIRY, Reason.EXPIRED),
        (T.UNDELIVERED, E.NON_DELIVERY, Reason.UNDELIVERED),
        (T.SENT, E.RECEIPT_WINDOW_OVER, Reason.SENT_UNCONFIRMED),
        (T.SENT, E.ACCEPTED, Reason.SENT),
    ],
)
def test_what_brought_it_there_may_say_more(status: TextStatus, event: TextEvent, reason: Reason) -> None:
    """Expiry and a receipt window that ran out have reasons of their own."""
    assert place(status, event) is reason


def test_an_inbound_text_has_no_envelope() -> None:
    """There is no place to ask for."""
    with pytest.raises(KeyError):
        place(T.RECEIVED)
