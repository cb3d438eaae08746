"""A foreign receiver as oracle: npm standardwebhooks behind Node's server verifies what is really delivered."""

import asyncio
import contextlib
import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from dispatch.desk import SEALER, Desk
from dispatch.hooks import LOOPBACK, calling
from dispatch.world import World
from opengage.ids import to_wire
from opengage.operations import webhook_endpoints
from opengage.operations.webhook_endpoints import Changes, Told
from opengage.store import rows

PEERS = Path(__file__).parent.parent / "peers"


class Node:
    """The script, and the JSON lines that it prints."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def next(self) -> Any:
        """The next line."""
        assert self._process.stdout is not None
        async with asyncio.timeout(20):
            return json.loads(await self._process.stdout.readline())


@contextlib.asynccontextmanager
async def receiver(secret: str) -> AsyncIterator[tuple[Node, str]]:
    """The receiver, which knows this secret, and where it listens; skips where its packages are missing."""
    if shutil.which("node") is None or not (PEERS / "node_modules" / "standardwebhooks").is_dir():
        pytest.skip("npm peer not checked: run npm ci in tests/peers")
    pipe = asyncio.subprocess.PIPE
    script = str(PEERS / "webhooks.js")
    process = await asyncio.create_subprocess_exec("node", script, secret, stdin=pipe, stdout=pipe)
    try:
        node = Node(process)
        yield node, f"http://127.0.0.1:{(await node.next())['port']}/"
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.communicate()


@pytest.fixture
async def desk(world: World) -> AsyncIterator[Desk]:
    """A desk without a receiver of ours."""
    async with calling() as caller:
        yield Desk(world, await world.tenant(), None, caller.post)  # type: ignore[arg-type]


async def move(desk: Desk, told: Told, url: str) -> None:
    """Point the endpoint to where the receiver listens."""
    store, clock = desk.world.store, desk.world.clock
    await webhook_endpoints.update(store, clock, LOOPBACK, desk.actor, told.endpoint.id, Changes(url=url))


async def test_node_verifies_a_delivery(desk: Desk) -> None:
    """Over a socket, words beyond ASCII included; its 204 ends the delivery."""
    told = await desk.endpoint("http://127.0.0.1:1/")
    async with receiver(told.secret) as (node, url):
        await move(desk, told, url)
        (subject,) = await desk.happen()
        await desk.settle(desk.deliverer())
        seen = await node.next()
    assert seen["verified"]["type"] == "text.sent"
    assert seen["verified"]["data"]["data"]["id"] == to_wire(subject)
    assert seen["id"] == to_wire(desk.world.look("SELECT id FROM webhook_deliveries")[0][0])
    assert desk.delivery() == ("delivered", 1, None)


async def test_node_verifies_either_secret_of_a_rotation(desk: Desk) -> None:
    """A receiver that still has the old one goes on working for a day, and refuses after it."""
    told = await desk.endpoint("http://127.0.0.1:1/")
    store, clock = desk.world.store, desk.world.clock
    async with receiver(told.secret) as (node, url):
        await move(desk, told, url)
        await webhook_endpoints.rotate(store, clock, SEALER, desk.actor, told.endpoint.id)
        await desk.happen()
        await desk.settle(desk.deliverer())
        seen = await node.next()
        assert len(seen["signatures"].split(" ")) == 2
        async with store.writing() as tx:
            endpoint = (await rows.every(tx, type(told.endpoint), account_id=1))[0]
            await rows.change(tx, endpoint, previous_until=clock.now())
        await desk.happen()
        await desk.settle(desk.deliverer())
        assert (await node.next())["refused"] == "No matching signature found"
    assert desk.attempts()[-1][1:] == (400, None, "No matching signature found")
