"""Deliveries: signed, tried again by the schedule, recorded, fair, and at least once whatever is killed."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from dispatch.desk import QUICK, SEALER, Desk
from dispatch.hooks import LOOPBACK, Posted, calling, ok, receiving, status
from dispatch.world import HookedStore, World, until
from opengage.clock import SECOND
from opengage.dispatch.webhooks import Pace
from opengage.domain.errors import NotFound
from opengage.domain.records import WebhookEndpoint
from opengage.domain.webhooks import ATTEMPTS, SCHEDULE, Event, Happening
from opengage.ids import Id, new_id, to_wire
from opengage.operations import webhook_endpoints
from opengage.operations.webhook_endpoints import Changes, Told
from opengage.sealing import Sealer
from opengage.store import outbox


@pytest.fixture
async def desk(world: World) -> AsyncIterator[Desk]:
    """A desk whose receiver listens."""
    async with receiving() as receiver, calling() as caller:
        yield Desk(world, await world.tenant(), receiver, caller.post)


async def test_an_event_arrives_signed(desk: Desk) -> None:
    """Body and headers are as Standard Webhooks has them; the public library accepts the signature."""
    told = await desk.endpoint()
    (subject,) = await desk.happen()
    await desk.settle(desk.deliverer())
    (posted,) = desk.receiver.posts
    body: Any = posted.verified(told.secret)
    assert body["type"] == "text.sent"
    assert body["timestamp"].endswith("+00:00")
    assert body["data"]["data"]["id"] == to_wire(subject)
    assert posted.id == to_wire(desk.world.look("SELECT id FROM webhook_deliveries")[0][0])
    assert posted.headers["webhook-timestamp"] == str(desk.world.clock.now() // SECOND)
    assert posted.headers["content-type"] == "application/json"
    assert desk.delivery() == ("delivered", 1, None)
    assert desk.attempts() == [(1, 200, None, "thanks")]


async def test_a_failing_endpoint_is_tried_by_the_schedule(desk: Desk) -> None:
    """0 s, 5 s, 5 m, 30 m, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h; then it has failed; the id is the same throughout."""
    await desk.endpoint()
    await desk.happen()
    desk.receiver.answer = lambda _: status(500, body=b"broken")
    deliverer = desk.deliverer()
    for number, wait in enumerate(SCHEDULE, start=1):
        await desk.settle(deliverer)
        assert desk.delivery() == ("pending", number, wait)
        desk.world.clock.advance(wait - 0.001)
        await desk.settle(deliverer)
        assert len(desk.receiver.posts) == number, "not a moment too soon"
        desk.world.clock.advance(0.001)
    await desk.settle(deliverer)
    assert desk.delivery() == ("failed", ATTEMPTS, None)
    assert len({posted.id for posted in desk.receiver.posts}) == 1
    assert len({posted.headers["webhook-signature"] for posted in desk.receiver.posts}) == ATTEMPTS
    assert [row[:2] for row in desk.attempts()] == [(number, 500) for number in range(1, ATTEMPTS + 1)]
    desk.world.clock.advance(10 * 86400)
    await desk.settle(deliverer)
    assert len(desk.receiver.posts) == ATTEMPTS


@pytest.mark.parametrize("code", [301, 302, 307, 308, 400, 401, 404, 429, 500, 503])
async def test_all_but_success_is_failure(desk: Desk, code: int) -> None:
    """A redirect too."""
    await desk.endpoint()
    await desk.happen()
    desk.receiver.answer = lambda _: status(code, "Some", f"Location: {desk.receiver.url}")
    await desk.settle(desk.deliverer())
    assert desk.delivery() == ("pending", 1, 5.0)
    assert len(desk.receiver.posts) == 1


@pytest.mark.parametrize("code", [200, 201, 202, 204])
async def test_every_success_is_one(desk: Desk, code: int) -> None:
    """2xx, with or without a body."""
    await desk.endpoint()
    await desk.happen()
    desk.receiver.answer = lambda _: status(code)
    await desk.settle(desk.deliverer())
    assert desk.delivery()[0] == "delivered"


@pytest.mark.parametrize(("code", "wait"), [(429, 100.0), (503, 100.0), (500, 5.0), (302, 5.0)])
async def test_a_receiver_may_ask_for_rest(desk: Desk, code: int, wait: float) -> None:
    """Retry-After counts on 429 and 503."""
    await desk.endpoint()
    await desk.happen()
    desk.receiver.answer = lambda _: status(code, "Some", "Retry-After: 100")
    await desk.settle(desk.deliverer())
    assert desk.delivery() == ("pending", 1, wait)


async def test_gone_switches_an_endpoint_off(desk: Desk) -> None:
    """410: what else was coming is canceled, nothing new is written, and its owner sees why."""
    told = await desk.endpoint()
    await desk.happen(3)
    desk.receiver.answer = lambda _: status(410)
    await desk.settle(desk.deliverer(Pace(calls_per_target=1)))
    assert len(desk.receiver.posts) == 1
    states = [row[0] for row in desk.world.look("SELECT status FROM webhook_deliveries ORDER BY status")]
    assert states == ["canceled", "canceled", "failed"]
    assert desk.world.look("SELECT is_active, disabled_reason FROM webhook_endpoints") == [(0, "gone")]
    await desk.happen()
    assert len(desk.world.look("SELECT 1 FROM webhook_deliveries")) == 3
    changes = Changes(is_active=True)
    store, clock = desk.world.store, desk.world.clock
    again = await webhook_endpoints.update(store, clock, LOOPBACK, desk.actor, told.endpoint.id, changes)
    assert (again.is_active, again.disabled_reason) == (True, None)


async def test_a_receiver_that_hangs_or_resets_is_recorded(desk: Desk) -> None:
    """With the word for it, and tried again."""
    await desk.endpoint()
    await desk.happen()
    answers = iter([b"reset", None])
    desk.receiver.answer = lambda _: next(answers)
    async with calling(seconds=0.2) as caller:
        deliverer = desk.deliverer(post=caller.post)
        await desk.settle(deliverer)
        desk.world.clock.advance(5)
        await desk.settle(deliverer)
    assert desk.attempts() == [(1, None, "connection broken", None), (2, None, "timeout", None)]
    assert desk.delivery() == ("pending", 2, 300.0)


async def test_ten_megabytes_of_answer_are_not_kept(desk: Desk) -> None:
    """The first two kilobytes are."""
    await desk.endpoint()
    await desk.happen()
    desk.receiver.answer = lambda _: b"endless"
    await desk.settle(desk.deliverer())
    ((_, code, _, body),) = desk.attempts()
    assert (code, len(body)) == (200, 2048)


async def test_a_kill_between_commit_and_delivery_loses_nothing(desk: Desk) -> None:
    """What a dead worker had taken is taken again once its lease is over, under the same id."""
    await desk.endpoint()
    await desk.happen(2)
    desk.receiver.answer = lambda _: None
    dead = desk.deliverer(Pace(lease=90.0))
    assert await dead.turn() == 2
    while len(desk.receiver.posts) < 2:
        await asyncio.sleep(0)
    dead.abandon()
    desk.receiver.answer = lambda _: ok()
    alive = desk.deliverer()
    await desk.settle(alive)
    assert len(desk.receiver.posts) == 2, "the lease is not over"
    desk.world.clock.advance(90)
    await desk.settle(alive)
    ids = [posted.id for posted in desk.receiver.posts]
    assert sorted(ids[:2]) == sorted(ids[2:])
    assert desk.world.look("SELECT DISTINCT status, attempts FROM webhook_deliveries") == [("delivered", 2)]


async def test_a_result_that_comes_after_its_lease_changes_nothing(desk: Desk) -> None:
    """Another worker has delivered it meanwhile: the late failure is kept as an attempt, and no more."""
    await desk.endpoint()
    await desk.happen()
    release = asyncio.Event()

    async def slow(url: str, headers: Any, body: bytes) -> Any:
        await release.wait()
        return msgspec.structs.replace(await desk.post(url, headers, body), code=500)

    late = desk.deliverer(Pace(lease=10.0), post=slow)
    assert await late.turn() == 1
    desk.world.clock.advance(10)
    await desk.settle(desk.deliverer())
    release.set()
    await late.ended()
    await desk.settle(late)
    assert desk.delivery() == ("delivered", 2, None)
    assert [row[:2] for row in desk.attempts()] == [(2, 200), (1, 500)]


async def test_a_commit_that_fails_after_the_call_repeats_it(desk: Desk) -> None:
    """At least once: the receiver knows it by its id. The verdict is kept and written as soon as that is possible."""
    await desk.endpoint()
    await desk.happen()
    store = HookedStore(desk.world.store)
    deliverer = desk.deliverer(store=store)
    stop = asyncio.Event()
    assert await deliverer.turn() == 1
    await deliverer.ended()
    store.failures = 2
    running = asyncio.create_task(deliverer.run(stop))
    while desk.delivery()[0] != "delivered":
        await asyncio.sleep(0.001)
    stop.set()
    await running
    assert len(desk.receiver.posts) == 1


async def test_a_stop_gives_back_what_is_not_done(desk: Desk) -> None:
    """Within its grace: the attempt does not count, and the next worker makes it at once."""
    await desk.endpoint()
    await desk.happen()
    desk.receiver.answer = lambda _: None
    stop = asyncio.Event()
    running = asyncio.create_task(desk.deliverer(Pace(poll=0.01, grace=0.05)).run(stop))
    while not desk.receiver.posts:
        await asyncio.sleep(0.001)
    stop.set()
    await running
    assert desk.delivery() == ("pending", 0, 0.0)
    assert desk.attempts() == []


async def test_a_slow_target_starves_nobody(desk: Desk) -> None:
    """A hundred deliveries to one that hangs leave room for the others, of this account and of the next."""
    other = Desk(desk.world, await desk.world.tenant("otherbank"), desk.receiver, desk.post)
    hanging = desk.receiver.url.replace("/hooks", "/hang")
    await desk.endpoint(hanging, "text.failed")
    await desk.happen(100, Event.TEXT_FAILED)
    await desk.endpoint(None, "text.sent")
    await other.endpoint()
    desk.receiver.answer = lambda posted: None if posted.path == "/hang" else ok()
    deliverer = desk.deliverer(Pace(calls=12, calls_per_account=10, calls_per_target=8))
    assert await deliverer.turn() == 8
    await desk.happen(20)
    await other.happen(20)

    def served() -> list[Posted]:
        return [posted for posted in desk.receiver.posts if posted.path == "/hooks"]

    while len(served()) < 40:
        await deliverer.turn()
        await deliverer.ended()
    assert sum(posted.path == "/hang" for posted in desk.receiver.posts) == 8
    deliverer.abandon()


async def test_a_target_that_timed_out_gets_one_call_at_a_time(desk: Desk) -> None:
    """Until it answers again."""
    await desk.endpoint()
    await desk.happen(20)
    desk.receiver.answer = lambda _: None
    async with calling(seconds=0.1) as caller:
        deliverer = desk.deliverer(Pace(calls_per_target=4), post=caller.post)
        assert await deliverer.turn() == 4
        await until(lambda: not deliverer.calls)
        desk.receiver.answer = lambda _: ok()
        assert await deliverer.turn() == 1
        await until(lambda: not deliverer.calls)
        assert await deliverer.turn() == 4
        await desk.settle(deliverer)


async def test_two_workers_share_the_work(desk: Desk) -> None:
    """Nothing is taken twice."""
    await desk.endpoint()
    await desk.happen(30)
    one, two = desk.deliverer(), desk.deliverer()
    await asyncio.gather(desk.settle(one), desk.settle(two))
    assert len(desk.receiver.posts) == len({posted.id for posted in desk.receiver.posts}) == 30


async def test_a_rotation_signs_with_both_for_a_day(desk: Desk) -> None:
    """Old and new secret verify it during the overlap; after it the new one alone."""
    old = await desk.endpoint()
    store, clock = desk.world.store, desk.world.clock
    new = await webhook_endpoints.rotate(store, clock, SEALER, desk.actor, old.endpoint.id)
    assert new.secret != old.secret
    for wait, signatures in ((0, 2), (24 * 3600, 1)):
        clock.advance(wait)
        await desk.happen()
        await desk.settle(desk.deliverer())
        posted = desk.receiver.posts[-1]
        posted.verified(new.secret)
        assert len(posted.headers["webhook-signature"].split()) == signatures
        if signatures == 2:
            posted.verified(old.secret)


async def test_callbacks_are_signed_with_the_accounts_own_secret(desk: Desk) -> None:
    """Made when it is first needed, learnt by rotating it; its endpoint can be switched off."""
    store, clock = desk.world.store, desk.world.clock
    engagement = await desk.world.engagement(desk.tenant, 1, has_callbacks=True)
    desk.world.change("UPDATE envelopes SET callback = ?, callback_include = 'text'", desk.receiver.url)
    envelope_id = desk.world.look("SELECT id FROM envelopes")[0][0]
    what = Happening(desk.tenant.account_id, Event.TEXT_SENT, "texts", new_id(), engagement.id, envelope_id)

    async def happen() -> None:
        async with store.writing() as tx:
            await outbox.announce(tx, [what], clock.now(), new_id)
        await desk.settle(desk.deliverer())

    await happen()
    ((key_id, kind, url),) = desk.world.look("SELECT id, kind, url FROM webhook_endpoints")
    assert (kind, url) == ("callbacks", None)
    told = await webhook_endpoints.rotate(store, clock, SEALER, desk.actor, Id(key_id))
    await happen()
    body: Any = desk.receiver.posts[-1].verified(told.secret)
    assert body["data"]["data"]["type"] == "envelopes"
    assert body["data"]["data"]["attributes"]["include"] == "text"
    await webhook_endpoints.update(store, clock, LOOPBACK, desk.actor, Id(key_id), Changes(is_active=False))
    await happen()
    assert len(desk.receiver.posts) == 2
    assert desk.world.look("SELECT status FROM webhook_deliveries ORDER BY id")[-1] == ("canceled",)


async def test_gone_ends_a_callback_and_no_other(desk: Desk) -> None:
    """410 from one envelope's URL says nothing about the next one's."""
    await desk.world.engagement(desk.tenant, 2, has_callbacks=True)
    desk.world.change("UPDATE envelopes SET callback = ?", desk.receiver.url)
    found = desk.world.look("SELECT engagement_id, id FROM envelopes")
    whats = [Happening(desk.tenant.account_id, Event.TEXT_SENT, "texts", new_id(), *row) for row in found]
    async with desk.world.store.writing() as tx:
        await outbox.announce(tx, whats, desk.world.clock.now(), new_id)
    answers = iter([status(410), ok()])
    desk.receiver.answer = lambda _: next(answers)
    await desk.settle(desk.deliverer(Pace(calls_per_target=1)))
    states = [row[0] for row in desk.world.look("SELECT status FROM webhook_deliveries ORDER BY id")]
    assert sorted(states) == ["delivered", "failed"]


async def test_what_is_gone_is_named_by_type_and_id(desk: Desk) -> None:
    """A subject that was deleted meanwhile: the event is told all the same."""

    async def gone(*_: Any, **__: Any) -> bytes:
        raise NotFound("There is no text with this id in this account.")

    desk.render = gone
    await desk.endpoint()
    (subject,) = await desk.happen()
    await desk.settle(desk.deliverer())
    body = msgspec.json.decode(desk.receiver.posts[0].body)
    assert body["data"] == {"data": {"type": "texts", "id": to_wire(subject)}}


async def test_a_document_that_cannot_be_made_is_an_attempt_that_failed(desk: Desk) -> None:
    """A mistake of ours stops neither the loop nor the schedule."""

    async def broken(*_: Any, **__: Any) -> bytes:
        raise ZeroDivisionError

    desk.render = broken
    await desk.endpoint()
    await desk.happen()
    await desk.settle(desk.deliverer())
    assert desk.attempts() == [(1, None, "the document could not be made", None)]
    assert desk.delivery() == ("pending", 1, 5.0)


async def test_a_secret_that_does_not_open_is_said_so(desk: Desk) -> None:
    """With the key of another installation nothing is posted unsigned."""
    told = await desk.endpoint()
    foreign = Sealer([b"x" * 32]).seal("whsec_eA==", "elsewhere")
    await desk.world.set(told.endpoint, secret=foreign)
    await desk.happen()
    await desk.settle(desk.deliverer())
    assert desk.attempts() == [(1, None, "the signing secret could not be opened", None)]
    assert desk.receiver.posts == []


async def test_gone_counts_where_it_was_called(desk: Desk) -> None:
    """An endpoint that moved meanwhile stays on, as does every other; one that is off already is left as it is."""
    one, other = await desk.endpoint(), await desk.endpoint()
    own, now = one.endpoint, desk.world.clock.now()
    assert own.url
    async with desk.world.store.writing() as tx:
        key = (own.account_id, own.id)
        assert not await webhook_endpoints.gone(tx, *key, "https://crm.example.com/before", now)
        assert not await webhook_endpoints.gone(tx, own.account_id + 1, own.id, own.url, now)
        assert await webhook_endpoints.gone(tx, *key, own.url, now)
        assert not await webhook_endpoints.gone(tx, *key, own.url, now)
    found = dict(desk.world.look("SELECT id, is_active FROM webhook_endpoints"))
    assert {own.id: False, other.endpoint.id: True} == {id_: bool(is_on) for id_, is_on in found.items()}


async def test_one_endpoint_is_deleted(desk: Desk) -> None:
    """And no other of the account."""
    one, other = await desk.endpoint(), await desk.endpoint()
    await webhook_endpoints.delete(desk.world.store, desk.world.clock, desk.actor, one.endpoint.id)
    assert desk.world.look("SELECT id FROM webhook_endpoints") == [(other.endpoint.id,)]


async def test_an_endpoint_that_moved_is_called_where_it_is_now(desk: Desk) -> None:
    """Retries go to the URL of the day."""
    told: Told = await desk.endpoint("http://127.0.0.1:1/")
    await desk.happen()
    deliverer = desk.deliverer()
    await desk.settle(deliverer)
    assert desk.attempts()[0][2] == "connection refused"
    moved: WebhookEndpoint = await webhook_endpoints.update(
        desk.world.store,
        desk.world.clock,
        LOOPBACK,
        desk.actor,
        told.endpoint.id,
        Changes(url=desk.receiver.url),
    )
    assert moved.url == desk.receiver.url
    desk.world.clock.advance(5)
    await desk.settle(deliverer)
    assert desk.delivery() == ("delivered", 2, None)


async def test_a_deleted_endpoint_gets_nothing_more(desk: Desk) -> None:
    """What it still had coming is canceled."""
    told = await desk.endpoint()
    await desk.happen()
    await webhook_endpoints.delete(desk.world.store, desk.world.clock, desk.actor, told.endpoint.id)
    await desk.settle(desk.deliverer())
    assert desk.receiver.posts == []
    assert desk.delivery() == ("canceled", 0, None)


async def test_secrets_lie_sealed(desk: Desk) -> None:
    """The database holds nothing that signs."""
    told = await desk.endpoint()
    assert told.secret.removeprefix("whsec_") not in str(desk.world.look("SELECT * FROM webhook_endpoints"))
    assert desk.world.look("SELECT secret FROM webhook_endpoints")[0][0].startswith("sealed:1:")


async def test_what_has_ended_is_kept_for_a_month(desk: Desk) -> None:
    """Then it goes with its attempts; what is still to come stays, however old."""
    told = await desk.endpoint()
    await desk.happen(3)
    deliverer = desk.deliverer()
    await desk.settle(deliverer)
    desk.receiver.answer = lambda _: status(500)
    await desk.happen()
    await desk.settle(deliverer)
    desk.world.clock.advance(QUICK.keep - 60)
    await deliverer.sweep()
    assert len(desk.world.look("SELECT 1 FROM webhook_deliveries")) == 4
    desk.world.clock.advance(120)
    await deliverer.sweep()
    assert desk.delivery()[:2] == ("pending", 1)
    assert [row[:2] for row in desk.attempts()] == [(1, 500)]
    assert told.endpoint.is_active
