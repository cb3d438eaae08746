"""A carrier bound to a scripted SMSC."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from carriers.smpp.scripted import Recorder, ScriptedSmsc
from opengage.carriers.smpp import SmppCarrier, SmppOptions, SmscAddress
from opengage.clock import SystemClock
from opengage.smpp.connection import Backoff

QUICK = Backoff(first=0.01, cap=0.05)

Make = Callable[..., SmppCarrier]
Bound = Callable[..., Awaitable[SmppCarrier]]


@pytest.fixture
async def smsc() -> AsyncIterator[ScriptedSmsc]:
    """The other end; `serve` starts it."""
    made = ScriptedSmsc()
    yield made
    await made.close()


@pytest.fixture
async def recorder() -> Recorder:
    """The dispatcher's place."""
    return Recorder()


@pytest.fixture
async def make(smsc: ScriptedSmsc) -> AsyncIterator[Make]:
    """Carriers to the scripted SMSC; they are stopped at the end."""
    made: list[SmppCarrier] = []

    def build(**options: Any) -> SmppCarrier:
        address = SmscAddress(host="127.0.0.1", port=smsc.port, system_id="shop", password="secret")
        made.append(SmppCarrier(address, SystemClock(), SmppOptions(**({"backoff": QUICK} | options))))
        return made[-1]

    yield build
    for carrier in made:
        await carrier.stop(0)


@pytest.fixture
async def bound(smsc: ScriptedSmsc, make: Make, recorder: Recorder) -> Bound:
    """A carrier that is bound, with these options."""

    async def build(**options: Any) -> SmppCarrier:
        await smsc.serve()
        carrier = make(**options)
        carrier.start(recorder)
        await recorder.until(lambda: carrier.is_bound)
        return carrier

    return build
