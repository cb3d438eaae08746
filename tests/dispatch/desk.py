"""A desk for tests of webhooks: one account, its endpoint at a receiver on loopback, deliverers over its store."""

from typing import Any

from dispatch.hooks import LOOPBACK, Receiver, render
from dispatch.world import Tenant, World
from opengage.clock import SECOND
from opengage.dispatch.webhooks import Deliverer, Pace, Post, Render
from opengage.domain.webhooks import Event, Happening
from opengage.ids import Id, new_id
from opengage.operations import webhook_endpoints
from opengage.operations.actors import OWNER, Actor
from opengage.operations.webhook_endpoints import Changes, Told
from opengage.sealing import Sealer
from opengage.store import outbox
from opengage.store.contract import Store

SEALER = Sealer([b"k" * 32])
QUICK = Pace(poll=0.01, grace=0.5)


class Desk:
    """One account, its endpoint at a receiver on loopback, and deliverers over its store."""

    def __init__(self, world: World, tenant: Tenant, receiver: Receiver, post: Post) -> None:
        self.world, self.tenant, self.receiver, self.post = world, tenant, receiver, post
        self.render: Render = render

    @property
    def actor(self) -> Actor:
        """The account's owner."""
        return Actor(self.tenant.account_id, "firstbank", self.tenant.member, OWNER)

    async def endpoint(self, url: str | None = None, *events: str) -> Told:
        """An endpoint; at the receiver, if nothing else is said."""
        changes = Changes(url=url or self.receiver.url, events=events or ("*",))
        store, clock = self.world.store, self.world.clock
        return await webhook_endpoints.create(store, clock, new_id, SEALER, LOOPBACK, self.actor, changes)

    async def happen(self, count: int = 1, event: Event = Event.TEXT_SENT) -> list[Id]:
        """So many events, of as many texts; their ids."""
        subjects = [new_id() for _ in range(count)]
        happenings = [Happening(self.tenant.account_id, event, "texts", each) for each in subjects]
        async with self.world.store.writing() as tx:
            await outbox.announce(tx, happenings, self.world.clock.now(), new_id)
        return subjects

    def deliverer(self, pace: Pace = QUICK, store: Store | None = None, post: Post | None = None) -> Deliverer:
        """A deliverer, at rest."""
        world = self.world
        chosen = store or world.store
        return Deliverer(chosen, world.clock, new_id, lambda: 0.0, post or self.post, self.render, SEALER, pace)

    async def settle(self, deliverer: Deliverer) -> None:
        """Turns until nothing is due and all that was begun is put down."""
        for _ in range(1000):
            began = await deliverer.turn()
            if not began and not deliverer.is_busy:
                return
            await deliverer.ended()
        raise AssertionError("it never came to rest")

    def delivery(self) -> tuple[Any, ...]:
        """(status, attempts, seconds until the next one) of the one delivery."""
        ((state, attempts, next_at),) = self.world.look("SELECT status, attempts, next_at FROM webhook_deliveries")
        return state, attempts, None if next_at is None else (next_at - self.world.clock.now()) / SECOND

    def attempts(self) -> list[tuple[Any, ...]]:
        """(number, code, error, body) of every attempt."""
        return self.world.look("SELECT number, code, error, body FROM webhook_attempts ORDER BY id")
