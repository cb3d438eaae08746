"""The outbox on each database: what is written for whom, taken once, put down under its lease, resent and forgotten."""

from typing import Any

import msgspec

from opengage.clock import SECOND, Instant
from opengage.domain.records import Account, Engagement, WebhookAttempt, WebhookDelivery, WebhookEndpoint
from opengage.domain.webhooks import DeliveryStatus, Event, Happening
from opengage.ids import Id, floor, new_id, to_wire
from opengage.store import deliveries, outbox, rows
from opengage.store.contract import NewEnvelope, Store
from opengage.store.deliveries import Round, Target, Verdict
from store.samples import ACCOUNT, AUTHOR, NOW

LATER = Instant(NOW + 60 * SECOND)
URL = "https://crm.example.com/texts"


def authored(account_id: int = ACCOUNT) -> dict[str, Any]:
    """What a record that a member writes begins with."""
    common = {"account_id": account_id, "id": new_id(), "created_at": NOW, "updated_at": NOW}
    return common | {"created_by": AUTHOR, "updated_by": AUTHOR}


async def listen(store: Store, *events: str, account_id: int = ACCOUNT, **values: Any) -> WebhookEndpoint:
    """An endpoint that hears of these events, or of all, and its account."""
    told = msgspec.json.encode(list(events or ["*"])).decode()
    made = WebhookEndpoint(
        **authored(account_id), **{"kind": "events", "url": URL, "events": told, "secret": "sealed"} | values
    )
    async with store.writing() as tx:
        await rows.insert(tx, made)
        if await rows.first(tx, Account, account_id=account_id) is None:
            own: dict[str, Any] = {"account_id": account_id, "id": new_id(), "created_at": NOW, "updated_at": NOW}
            await rows.insert(tx, Account(**own, key=f"account-{account_id}", name="Bank"))
    return made


async def happen(store: Store, count: int = 1, account_id: int = ACCOUNT) -> list[Id]:
    """So many texts were sent; their ids."""
    ids = [new_id() for _ in range(count)]
    async with store.writing() as tx:
        happened = [Happening(account_id, Event.TEXT_SENT, "texts", id_) for id_ in ids]
        await outbox.announce(tx, happened, NOW, new_id)
    return ids


async def all_of(store: Store) -> list[WebhookDelivery]:
    """The outbox, oldest first."""
    async with store.reading() as tx:
        return sorted(await rows.every(tx, WebhookDelivery), key=lambda each: each.id)


async def take(store: Store, target: Target, most: int = 10, now: Instant = NOW) -> list[WebhookDelivery]:
    """Take what is due, for a minute."""
    async with store.writing() as tx:
        return await deliveries.take(tx, target, now, Instant(now + 60 * SECOND), most)


def verdict(delivery: WebhookDelivery, status: DeliveryStatus, next_at: Instant | None = None) -> Verdict:
    """What an attempt came to."""
    attempt = WebhookAttempt(
        account_id=delivery.account_id,
        id=new_id(),
        created_at=NOW,
        updated_at=NOW,
        delivery_id=delivery.id,
        number=delivery.attempts,
        url=URL,
        code=200,
        error=None,
        body="thanks",
        duration_ms=3,
    )
    return Verdict(delivery, status, next_at, attempt)


async def test_each_listener_gets_its_row(store: Store) -> None:
    """Those of the account that are on and ask for the event; callbacks of envelopes where the engagement has some."""
    one, two = await listen(store), await listen(store, "text.sent", "text.failed")
    await listen(store, "text.failed")
    await listen(store, is_active=False)
    await listen(store, kind="callbacks", url=None)
    await listen(store, account_id=ACCOUNT + 1)
    engagement = Engagement(**authored(), name="Blast", has_callbacks=True)
    quiet = Engagement(**authored(), name="Quiet")
    ids = [new_id() for _ in range(3)]
    async with store.writing() as tx:
        for each in (engagement, quiet):
            await rows.insert(tx, each)
        new = [NewEnvelope("+12025550143", "{}", URL, "text"), NewEnvelope("+12025550144", "{}")]
        await tx.batches.insert_envelopes(ACCOUNT, engagement.id, AUTHOR, ids[:2], new, NOW)
        await tx.batches.insert_envelopes(ACCOUNT, quiet.id, AUTHOR, ids[2:], new[:1], NOW)
        happened = [
            Happening(ACCOUNT, Event.TEXT_SENT, "texts", new_id(), owner.id, id_)
            for owner, id_ in zip((engagement, engagement, quiet), ids, strict=True)
        ]
        await outbox.announce(tx, happened, NOW, new_id)
    found = await all_of(store)
    assert [each.target for each in found] == [
        *(to_wire(one.id), to_wire(two.id), "https://crm.example.com:443"),
        *(to_wire(one.id), to_wire(two.id)) * 2,
    ]
    (callback,) = [each for each in found if each.endpoint_id is None]
    assert (callback.url, callback.include) == (URL, "text")
    assert (callback.subject_type, callback.subject_id) == ("envelopes", ids[0])


async def test_many_are_written_at_once(store: Store) -> None:
    """More than one statement has room for."""
    await listen(store)
    ids = await happen(store, 1337)
    assert {each.subject_id for each in await all_of(store)} == set(ids)


async def test_targets_are_those_with_something_due(store: Store) -> None:
    """Of every account, each once, however much it has; not those whose next attempt is later."""
    endpoints = [await listen(store), await listen(store), await listen(store, account_id=ACCOUNT + 1)]
    await happen(store, 5)
    await happen(store, 5, ACCOUNT + 1)
    targets = {(each.account_id, to_wire(each.id)) for each in endpoints}
    async with store.reading() as tx:
        found = await deliveries.targets(tx, NOW, Round())
        assert await deliveries.targets(tx, Instant(NOW - 1), Round()) == []
    assert set(found) == targets
    assert len(found) == 3
    first = (ACCOUNT, to_wire(endpoints[0].id))
    assert len(await take(store, first)) == 5
    async with store.reading() as tx:
        assert set(await deliveries.targets(tx, NOW, Round())) == targets - {first}


async def test_targets_are_looked_at_in_rounds(store: Store) -> None:
    """However many there are, a look has an end, and the next one goes on from there: all come up in turn."""
    endpoints = [await listen(store) for _ in range(5)]
    endpoints += [await listen(store, account_id=ACCOUNT + 1) for _ in range(2)]
    await happen(store)
    await happen(store, 1, ACCOUNT + 1)
    round_ = Round()
    async with store.reading() as tx:
        looks = [await deliveries.targets(tx, NOW, round_, 2, 3) for _ in range(6)]
    assert [len(look) for look in looks] == [2, 2, 2, 1, 2, 2]
    assert {each for look in looks for each in look} == {(each.account_id, to_wire(each.id)) for each in endpoints}


async def test_what_is_taken_is_taken_once(store: Store) -> None:
    """Counted and put off; due again when the lease is over, in order."""
    endpoint = await listen(store)
    ids = await happen(store, 3)
    target = (ACCOUNT, to_wire(endpoint.id))
    taken = await take(store, target, 2)
    assert [each.subject_id for each in taken] == ids[:2]
    assert {(each.attempts, each.next_at) for each in taken} == {(1, LATER)}
    assert [each.subject_id for each in await take(store, target)] == ids[2:]
    assert await take(store, target) == []
    assert {each.attempts for each in await take(store, target, now=LATER)} == {2}


async def test_a_verdict_counts_under_its_lease(store: Store) -> None:
    """The attempt is kept in any case; the delivery changes for whoever had it last."""
    endpoint = await listen(store)
    await happen(store)
    target = (ACCOUNT, to_wire(endpoint.id))
    (late,) = await take(store, target)
    (newest,) = await take(store, target, now=LATER)
    async with store.writing() as tx:
        assert not await deliveries.record(tx, verdict(late, DeliveryStatus.FAILED), NOW)
        assert await deliveries.record(tx, verdict(newest, DeliveryStatus.DELIVERED), LATER)
        assert not await deliveries.record(tx, verdict(newest, DeliveryStatus.FAILED), LATER)
    (stored,) = await all_of(store)
    assert (stored.status, stored.next_at, stored.delivered_at) == ("delivered", None, LATER)
    async with store.reading() as tx:
        attempts = await deliveries.attempts_of(tx, ACCOUNT, [stored.id, new_id()])
    assert [each.number for each in attempts[stored.id]] == [1, 2, 2]


async def test_what_was_not_tried_is_given_back(store: Store) -> None:
    """Due at once, its attempt not counted."""
    endpoint = await listen(store)
    await happen(store)
    (taken,) = await take(store, (ACCOUNT, to_wire(endpoint.id)))
    async with store.writing() as tx:
        await deliveries.release(tx, taken, NOW)
        await deliveries.release(tx, taken, NOW)
    (stored,) = await all_of(store)
    assert (stored.attempts, stored.next_at) == (0, NOW)


async def test_a_target_is_canceled_and_one_of_it_resent(store: Store) -> None:
    """Whatever it had coming, under way or not; resending begins anew, and only what has ended."""
    endpoint, other = await listen(store), await listen(store)
    await happen(store, 2)
    target = (ACCOUNT, to_wire(endpoint.id))
    await take(store, target, 1)
    async with store.writing() as tx:
        assert await deliveries.cancel(tx, target, NOW) == 2
        assert await deliveries.cancel(tx, target, NOW) == 0
    found = await all_of(store)
    assert [each.status for each in found if each.endpoint_id == endpoint.id] == ["canceled"] * 2
    assert [each.status for each in found if each.endpoint_id == other.id] == ["pending"] * 2
    async with store.writing() as tx:
        assert await deliveries.resend(tx, ACCOUNT, found[0].id, LATER)
        assert not await deliveries.resend(tx, ACCOUNT, found[0].id, LATER)
        assert not await deliveries.resend(tx, ACCOUNT + 1, found[1].id, LATER)
    again = (await all_of(store))[0]
    assert (again.status, again.attempts, again.next_at) == ("pending", 0, LATER)


async def test_old_ones_are_forgotten_with_their_attempts(store: Store) -> None:
    """Up to so many, and none that has something to come."""
    endpoint = await listen(store)
    await happen(store, 3)
    target = (ACCOUNT, to_wire(endpoint.id))
    taken = await take(store, target, 2)
    async with store.writing() as tx:
        for each in taken:
            await deliveries.record(tx, verdict(each, DeliveryStatus.DELIVERED), NOW)
        before = floor(Instant(2**52))
        assert await deliveries.forget(tx, ACCOUNT, floor(NOW), 10) == 0
        assert await deliveries.forget(tx, ACCOUNT, before, 1) == 1
        assert await deliveries.forget(tx, ACCOUNT, before, 10) == 1
        assert await deliveries.forget(tx, ACCOUNT, before, 10) == 0
    assert [each.status for each in await all_of(store)] == ["pending"]
    async with store.reading() as tx:
        assert await rows.every(tx, WebhookAttempt) == []


async def test_callbacks_are_found_by_their_subject(store: Store) -> None:
    """Not what endpoints were told of it."""
    await listen(store)
    (subject,) = await happen(store)
    callback = msgspec.structs.replace((await all_of(store))[0], id=new_id(), endpoint_id=None, url=URL)
    async with store.writing() as tx:
        await rows.insert(tx, callback)
    async with store.reading() as tx:
        assert await deliveries.of_subjects(tx, ACCOUNT, [subject, new_id()]) == [callback]
        assert await deliveries.of_subjects(tx, ACCOUNT + 1, [subject]) == []


async def test_what_is_done_to_one_is_done_to_no_other(store: Store) -> None:
    """Those that were taken together have one lease: an attempt, a return or a resend is of its own delivery alone."""
    endpoint = await listen(store)
    await happen(store, 3)
    target = (ACCOUNT, to_wire(endpoint.id))
    one, two, three = await take(store, target)
    async with store.writing() as tx:
        assert await deliveries.record(tx, verdict(one, DeliveryStatus.DELIVERED), NOW)
        await deliveries.release(tx, two, NOW)
    found = await all_of(store)
    assert [(each.status, each.attempts) for each in found] == [
        (DeliveryStatus.DELIVERED, 1),
        (DeliveryStatus.PENDING, 0),
        (DeliveryStatus.PENDING, 1),
    ]
    assert [each.next_at for each in found] == [None, NOW, three.next_at]
    async with store.writing() as tx:
        assert await deliveries.record(tx, verdict(three, DeliveryStatus.FAILED), NOW)
        assert await deliveries.resend(tx, ACCOUNT, three.id, LATER)
    assert [each.status for each in await all_of(store)] == [
        DeliveryStatus.DELIVERED,
        DeliveryStatus.PENDING,
        DeliveryStatus.PENDING,
    ]
