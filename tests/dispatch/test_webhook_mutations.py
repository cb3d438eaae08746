"""The tests of webhooks can fail: each safeguard is taken away here in turn, and its test must notice."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import sqlalchemy as sa

from dispatch import test_callouts, test_outbox, test_webhooks
from dispatch.desk import Desk
from dispatch.hooks import calling, receiving
from dispatch.world import World
from opengage.dispatch import callouts
from opengage.dispatch import webhooks as delivering
from opengage.domain.webhooks import signature
from opengage.store import deliveries, outbox, tables

Mutation = Callable[[pytest.MonkeyPatch], None]
Behaviour = Callable[[Desk], Awaitable[None]]


def every_address_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a name leads to is not looked at."""
    monkeypatch.setattr(callouts, "may_call", lambda *_: True)


def a_lost_lease_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A result is written whoever has the delivery now."""
    table = tables.webhook_deliveries
    blind = (
        sa.update(table)
        .where(table.c.account_id == sa.bindparam("key_account_id"), table.c.id == sa.bindparam("key_id"))
        .values(
            status=sa.bindparam("status"), next_at=sa.bindparam("next_at"), delivered_at=sa.bindparam("delivered_at")
        )
    )
    monkeypatch.setattr(deliveries, "_RECORD", blind)


def one_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rotation forgets the old secret at once."""
    monkeypatch.setattr(delivering, "signature", lambda secrets, *rest: signature(secrets[:1], *rest))


def nobody_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A target that timed out keeps all its calls."""

    class Forgetful(set[Any]):
        def add(self, _: Any) -> None:
            """Forget it."""

    monkeypatch.setattr(delivering, "set", Forgetful, raising=False)


def untold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written to the outbox."""

    async def nothing(*_: Any) -> None:
        return

    monkeypatch.setattr(outbox, "announce", nothing)
    monkeypatch.setattr(outbox, "announce_results", nothing)


async def _astray(_: Desk) -> None:
    await test_callouts.test_a_name_that_leads_astray_is_not_called(["127.0.0.1", "10.0.0.1"])


async def _heard(desk: Desk) -> None:
    await test_outbox.test_an_endpoint_hears_of_every_text_and_of_the_end(desk.world)


HELD_BY: list[tuple[Mutation, Behaviour]] = [
    (every_address_will_do, _astray),
    (a_lost_lease_writes, test_webhooks.test_a_result_that_comes_after_its_lease_changes_nothing),
    (one_signature, test_webhooks.test_a_rotation_signs_with_both_for_a_day),
    (nobody_is_slow, test_webhooks.test_a_target_that_timed_out_gets_one_call_at_a_time),
    (untold, _heard),
]


@pytest.fixture
async def bare(world: World) -> AsyncIterator[Desk]:
    """A desk whose account is still to be made."""
    async with receiving() as receiver, calling() as caller:
        yield Desk(world, None, receiver, caller.post)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("mutation", "behaviour"), HELD_BY, ids=[f"{mutation.__name__}-{test.__name__}" for mutation, test in HELD_BY]
)
async def test_the_test_notices(
    bare: Desk, monkeypatch: pytest.MonkeyPatch, mutation: Mutation, behaviour: Behaviour
) -> None:
    """Without its safeguard the behaviour's test fails."""
    if behaviour is not _heard:
        bare.tenant = await bare.world.tenant()
    mutation(monkeypatch)
    with pytest.raises((AssertionError, TimeoutError, pytest.fail.Exception)):
        await behaviour(bare)
