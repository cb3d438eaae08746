"""Canceling in the middle of a blast: who waits is closed, who is with the carrier is not."""

from typing import Any

from api_client import NUMBER, START, StandingClock
from opengage.clock import Instant
from opengage.domain.ledger import Moves
from opengage.domain.records import Envelope, Text
from opengage.domain.states import EngagementStatus, EnvelopeStatus, Reason, TextStatus
from opengage.ids import Id, new_id
from opengage.operations import engagements, envelopes
from opengage.operations.accounts import Created, create_account
from opengage.operations.actors import Actor
from opengage.operations.engagement_changes import Changes
from opengage.store import ledgers, rows
from opengage.store.contract import NewEnvelope
from opengage.store.sqlite import SqliteStore


def text(account: Created, engagement_id: Id, envelope_id: Id, status: TextStatus) -> Text:
    """A text of an envelope, at some status."""
    return Text(
        account_id=1,
        id=new_id(),
        created_at=START,
        updated_at=START,
        created_by=account.membership_id,
        updated_by=account.membership_id,
        sender=NUMBER,
        recipient="+12025550123",
        direction="outbound",
        status=status,
        body="Hi",
        segments=1,
        phone_number_id=account.phone_number_id,
        service_profile_id=account.service_profile_id,
        engagement_id=engagement_id,
        envelope_id=envelope_id,
        attempts=1,
    )


async def in_mid_blast(
    store: SqliteStore, clock: StandingClock, account: Created, actor: Actor
) -> tuple[Id, dict[Reason, Id]]:
    """An engagement with one envelope at each of four places; their ids."""
    shown = await engagements.create(store, clock, new_id, actor, Changes(name="Blast"))
    engagement_id = shown.engagement.id
    added = await envelopes.add(
        store, clock, new_id, actor, [engagement_id] * 4, [NewEnvelope("+12025550123", "{}")] * 4, str
    )
    places = dict(zip((Reason.NONE, Reason.RETRYING, Reason.SENT, Reason.IN_DOUBT), added.ids, strict=True))
    statuses = {
        Reason.RETRYING: (TextStatus.QUEUED, EnvelopeStatus.PROCESSING, Instant(START + 5)),
        Reason.SENT: (TextStatus.SENT, EnvelopeStatus.PROCESSING, None),
        Reason.IN_DOUBT: (TextStatus.IN_DOUBT, EnvelopeStatus.HOLD, None),
    }
    moves = Moves()
    async with store.writing() as tx:
        for reason, (text_status, status, next_at) in statuses.items():
            found = await rows.find(tx, Envelope, 1, places[reason])
            assert found is not None
            sent = text(account, engagement_id, found.id, text_status)
            await rows.insert(tx, sent)
            await rows.change(tx, found, status=status, reason=reason, next_at=next_at, text_id=sent.id)
            moves.leave(1, engagement_id, Reason.NONE)
            moves.arrive(1, engagement_id, reason)
        await ledgers.move(tx, moves)
        await rows.change(tx, shown.engagement, status=EngagementStatus.PROCESSING, started_at=START)
    return engagement_id, places


async def test_only_those_who_wait_are_closed(store: SqliteStore, clock: StandingClock) -> None:
    """Pending and retrying become canceled, with their text; sent and in-doubt stay; all are counted."""
    account = await create_account(store, clock, new_id, key="firstbank", phone_number=NUMBER)
    actor = Actor(1, "firstbank", account.membership_id, "owner")
    engagement_id, places = await in_mid_blast(store, clock, account, actor)
    clock.instant = Instant(START + 7)
    shown = await engagements.update(store, clock, new_id, actor, engagement_id, Changes(status="canceled"))
    assert shown.engagement.status is EngagementStatus.CANCELED
    assert shown.ledger is not None
    assert shown.ledger.reasons == {"canceled": 2, "in-doubt": 1, "sent": 1}
    assert shown.ledger.total == 4
    async with store.reading() as tx:
        found: dict[Id, Any] = await rows.find_many(tx, Envelope, 1, list(places.values()))
        canceled = await rows.every(tx, Text, status=TextStatus.CANCELED)
    assert {place: found[id_].reason for place, id_ in places.items()} == {
        Reason.NONE: Reason.CANCELED,
        Reason.RETRYING: Reason.CANCELED,
        Reason.SENT: Reason.SENT,
        Reason.IN_DOUBT: Reason.IN_DOUBT,
    }
    assert found[places[Reason.NONE]].completed_at == clock.instant
    assert all(envelope.next_at is None for envelope in found.values())
    assert [one.envelope_id for one in canceled] == [places[Reason.RETRYING]]


async def test_another_engagement_is_left_alone(store: SqliteStore, clock: StandingClock) -> None:
    """Only the one that was canceled."""
    account = await create_account(store, clock, new_id, key="firstbank", phone_number=NUMBER)
    actor = Actor(1, "firstbank", account.membership_id, "owner")
    first, _ = await in_mid_blast(store, clock, account, actor)
    second, places = await in_mid_blast(store, clock, account, actor)
    await engagements.update(store, clock, new_id, actor, first, Changes(status="canceled"))
    async with store.reading() as tx:
        assert (await ledgers.read(tx, 1, second)).pending == 1
        found = await rows.find(tx, Envelope, 1, places[Reason.NONE])
    assert found is not None
    assert found.status is EnvelopeStatus.PENDING
