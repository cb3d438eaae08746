"""What a batch costs on PostgreSQL in round trips: on another machine, each is a wait, and a window waits for all."""

from collections.abc import Callable
from typing import Any

import pytest
from asyncpg.connection import Connection

from dispatch.world import World, accept, receipt_for

pytestmark = pytest.mark.parametrize("world", ["postgres"], indirect=True)


LEDGER = "INSERT INTO ledger ("
"""What senders and recorders wait for each other for, to the end of their transactions."""


def _last_change(trips: list[str]) -> str:
    *_, change, end = trips
    assert end == "COMMIT"
    return change


@pytest.fixture
def trips(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was sent to the server, in order."""
    sent: list[str] = []

    def told(send: Callable[..., Any]) -> Callable[..., Any]:
        def telling(self: Any, what: str, *values: Any, **options: Any) -> Any:
            if "pg_notify" not in what:  # it goes out by itself, beside the batch
                sent.append(what)
            return send(self, what, *values, **options)

        return telling

    for name in ("execute", "fetch", "fetchval", "fetchrow", "copy_records_to_table"):
        monkeypatch.setattr(Connection, name, told(getattr(Connection, name)))
    return sent


async def test_a_batch_of_a_blast(world: World, trips: list[str]) -> None:
    """Looking for it and writing it take 20, storing answers and receipts 11, however many texts it has.

    In the middle of a blast: the template is known, and others are under way, so that nothing can be over. What both
    write, the ledger's places, comes last.
    """
    tenant = await world.tenant()
    await world.engagement(tenant, 300)
    recorder = world.recorder(tenant)
    sender = await world.sender(tenant, recorder)
    await sender.turn()
    first = list(world.carrier.submitted)
    del trips[:]
    await sender.turn()
    assert len(world.carrier.submitted) > len(first)
    assert len(trips) == 20, "\n".join(trips)
    assert _last_change(trips).startswith(LEDGER)
    recorder.outcomes([accept(each) for each in first])
    recorder.receipts([receipt_for(each) for each in first])
    del trips[:]
    await recorder.commit()
    assert len(trips) == 11, "\n".join(trips)
    assert _last_change(trips).startswith(LEDGER)
    assert list(world.statuses().values()).count("delivered") == len(first)
