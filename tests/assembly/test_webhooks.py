"""The delivery of webhooks as the worker assembles it: without the web framework, with the real documents."""

import asyncio
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from opengage.assembly.schema import migrate
from opengage.assembly.secrets import key_path, sealer
from opengage.assembly.store import open_store
from opengage.assembly.webhooks import limits, renderer
from opengage.clock import SystemClock
from opengage.domain.errors import NotFound, Unavailable
from opengage.ids import new_id, to_wire
from opengage.operations import engagements, envelopes
from opengage.operations.accounts import create_account
from opengage.operations.actors import OWNER, Actor
from opengage.operations.engagement_changes import Changes
from opengage.settings import Settings, load
from opengage.store.contract import NewEnvelope


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A migrated folder."""
    settings = load({"OPENGAGE_PUBLIC_URL": "https://texts.example.org"}, data=tmp_path / "data")
    migrate(settings)
    return settings


def test_the_worker_loads_no_web_framework() -> None:
    """Neither what it runs nor what renders its callbacks."""
    check = "import sys, opengage.cli.worker, opengage.assembly.webhooks; print('litestar' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", check], check=True, capture_output=True, text=True)
    assert done.stdout == "False\n"


async def test_documents_are_those_of_the_api(settings: Settings) -> None:
    """A phone number as GET answers it; another account's, and one that is none, are not there."""
    store = open_store(settings)
    try:
        account = await create_account(store, SystemClock(), new_id, key="firstbank", phone_number="+12025550100")
        render = renderer(settings, store)
        document = msgspec.json.decode(await render(1, "phone-numbers", account.phone_number_id, None))
        assert document["data"]["id"] == to_wire(account.phone_number_id)
        assert document["data"]["attributes"]["phone-number"] == "+12025550100"
        for key in ((2, "phone-numbers", account.phone_number_id), (1, "phone-numbers", new_id()), (1, "x", new_id())):
            with pytest.raises(NotFound):
                await render(*key, None)
    finally:
        await store.close()


async def test_documents_hold_what_they_include(settings: Settings) -> None:
    """The paths that the resource has; one that it has not is passed over, for an endpoint's go for all its events."""
    store = open_store(settings)
    try:
        clock = SystemClock()
        account = await create_account(store, clock, new_id, key="firstbank", phone_number="+12025550100")
        actor = Actor(1, "firstbank", account.membership_id, OWNER)
        engagement = (await engagements.create(store, clock, new_id, actor, Changes(name="Blast"))).engagement
        new = NewEnvelope("+12025550143", "{}", "https://example.com/hooks", "engagement")
        added = await envelopes.add(store, clock, new_id, actor, [engagement.id], [new], str)
        render = renderer(settings, store)
        document = msgspec.json.decode(await render(1, "envelopes", added.ids[0], "text,engagement,text-message.x"))
        assert document["data"]["attributes"]["callback-include"] == "engagement"
        assert [one["id"] for one in document["included"]] == [to_wire(engagement.id)]
    finally:
        await store.close()


def test_limits_come_from_the_settings() -> None:
    """Ports and networks."""
    found = limits(load({"OPENGAGE_CALLBACK_PORTS": "443, 9443", "OPENGAGE_CALLBACK_ALLOW": "10.1.0.0/16,::1/128"}))
    assert found.ports == {443, 9443}
    assert [str(one) for one in found.allow] == ["10.1.0.0/16", "::1/128"]


async def test_the_key_is_the_settings_or_the_folders(settings: Settings) -> None:
    """The variable comes first; without it a file is made; a file that others read is refused."""
    await asyncio.to_thread(sealer, settings)
    path = key_path(settings)
    assert path.exists()
    given = load({"OPENGAGE_SECRET_KEY": "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s="}, data=settings.data)
    sealed = sealer(given).seal("x", "p")
    assert sealer(given).open(sealed, "p") == "x"
    path.chmod(0o644)
    with pytest.raises(Unavailable, match="chmod 600"):
        sealer(settings)
