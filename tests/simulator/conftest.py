"""Simulators on free ports, and ESMEs bound to them."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from opengage.clock import SystemClock
from opengage.simulator.chaos import Chaos
from opengage.simulator.network import Access, Limits
from opengage.simulator.server import Smsc, SmscSettings
from opengage.smpp import pdu
from opengage.smpp.contract import SessionSettings
from opengage.smpp.esme import Bind, Esme, connect
from simulator.shops import Join, Serve, Shop


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Start a simulator on a free port: chaos by name, and `access`, `limits`, `window`, `response_timeout`."""
    running: list[Smsc] = []

    async def start(
        *,
        access: Access | None = None,
        limits: Limits | None = None,
        window: int = 1000,
        response_timeout: float = 5.0,
        **chaos: Any,
    ) -> Smsc:
        session = SessionSettings(window=window, response_timeout=response_timeout, enquire_interval=None)
        settings = SmscSettings(
            port=0, access=access or Access(), limits=limits or Limits(), session=session, chaos=Chaos(**chaos)
        )
        smsc = Smsc(settings, SystemClock())
        await smsc.start()
        running.append(smsc)
        return smsc

    yield start
    for smsc in running:
        await smsc.stop(0.05)


@pytest.fixture
async def join() -> AsyncIterator[Join]:
    """Bind an ESME of ours to a simulator."""
    made: list[Esme] = []

    async def bind(
        smsc: Smsc, kind: type[Bind] = pdu.BindTransceiver, shop: Shop | None = None, **changes: Any
    ) -> tuple[Shop, Esme]:
        shop = shop or Shop()
        limits = SessionSettings(**({"window": 1000, "enquire_interval": None, "response_timeout": 5.0} | changes))
        esme = await connect(shop, limits, "127.0.0.1", smsc.port, kind(system_id="shop", password="secret"))
        made.append(esme)
        return shop, esme

    yield bind
    for esme in made:
        esme.abort()
        await esme.wait_closed()
