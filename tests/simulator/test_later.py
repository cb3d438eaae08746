"""Waiting costs one timer, and brings everything in time."""

import asyncio

from opengage.simulator.later import Later


async def test_items_come_in_the_order_of_their_time() -> None:
    """What is due sooner comes sooner, whenever it was added; none is early."""
    loop = asyncio.get_running_loop()
    came: list[tuple[str, float]] = []
    done = loop.create_future()

    def fire(items: list[str]) -> None:
        came.extend((item, loop.time()) for item in items)
        if len(came) == 4:
            done.set_result(None)

    later: Later[str] = Later(loop, fire)
    start = loop.time()
    for delay, item in ((0.05, "third"), (0.0, "first"), (0.02, "second"), (0.05, "fourth")):
        later.add(delay, item)
    assert len(later) == 4
    await asyncio.wait_for(done, 10)
    assert [item for item, _ in came] == ["first", "second", "third", "fourth"]
    assert came[1][1] - start >= 0.02
    assert came[3][1] - start >= 0.05
    assert len(later) == 0


async def test_what_is_forgotten_never_comes() -> None:
    """After clear nothing of before comes; what is added then does."""
    loop = asyncio.get_running_loop()
    came: list[int] = []
    done = loop.create_future()

    def fire(items: list[int]) -> None:
        came.extend(items)
        done.set_result(None)

    later: Later[int] = Later(loop, fire)
    later.add(0.0, 1)
    later.clear()
    later.add(0.03, 2)
    await asyncio.wait_for(done, 10)
    assert came == [2]
