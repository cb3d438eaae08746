"""What a list costs the database: statements are counted on either of them, and documented."""

import contextlib
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from api_client import SEALER, Client, Settings, StandingClock, an_account, in_process
from api_samples import one_of_each
from databases import KINDS
from opengage.api.app import create_app
from opengage.api.resources.asking import includable
from opengage.api.resources.registry import RESOURCES
from opengage.api.state import ApiState
from opengage.ids import new_id
from opengage.store.contract import Store, Transaction
from opengage.store.postgres import PostgresOptions, PostgresStore
from opengage.store.sqlite import SqliteStore
from seals import seals
from source import ROOT

_ROW = re.compile(r"\| `([a-z-]+)` \| (\d+) \| (\d+) \|")
_TOLD = (ROOT / "docs" / "reference" / "json-api.md").read_text("utf-8")
DOCUMENTED = {kind: (int(plain), int(whole)) for kind, plain, whole in _ROW.findall(_TOLD)}
"""By type: the statements of a list, and of one that includes all that it may."""


class Counted:
    """A store whose statements are counted."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.statements = 0

    @contextlib.asynccontextmanager
    async def reading(self) -> AsyncIterator[Any]:
        """See Store.reading."""
        async with self._store.reading() as tx:
            yield _CountedTransaction(self, tx)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


class _CountedTransaction:
    def __init__(self, counted: Counted, tx: Transaction) -> None:
        self._counted = counted
        self._tx = tx

    def __getattr__(self, name: str) -> Any:
        self._counted.statements += 1
        return getattr(self._tx, name)


@pytest.fixture(params=KINDS)
async def counted(request: pytest.FixtureRequest, tmp_path: Path, migrated: Path) -> AsyncIterator[Counted]:
    """Either database, migrated and empty."""
    if request.param == "sqlite":
        path = tmp_path / "opengage.sqlite"
        shutil.copyfile(migrated, path)
        opened: Store = SqliteStore(path, seals=seals)
    else:
        opened = PostgresStore(PostgresOptions(request.getfixturevalue("postgres_url")), seals=seals)
    yield Counted(opened)
    await opened.close()


async def test_no_list_costs_more_than_is_documented(counted: Any, clock: StandingClock, settings: Settings) -> None:
    """Credentials, the page, what it derives, the total, and what is included: as many for one as for many."""
    async with in_process(create_app(ApiState(counted, clock, new_id, settings, SEALER))) as http:
        client = Client(http, await an_account(counted, clock, "firstbank"))
        await one_of_each(client, counted)
        await client.ready(3)

        async def cost(address: str) -> int:
            before = counted.statements
            assert (await client.get(address)).status_code == 200
            return int(counted.statements - before)

        found = {}
        for resource in RESOURCES:
            whole = f"/{resource.type}?include={','.join(includable(resource))}"
            plain, included = [
                [await cost(f"{address}page[limit]={limit}") for limit in (1, 50)]
                for address in (f"/{resource.type}?", f"{whole}&")
            ]
            assert (plain[0], included[0]) == (plain[1], included[1]), resource.type
            found[resource.type] = (plain[1], included[1])
    assert not {kind: (cost, DOCUMENTED.get(kind)) for kind, cost in found.items() if not _within(kind, cost)}


def _within(kind: str, cost: tuple[int, int]) -> bool:
    most = DOCUMENTED.get(kind, (0, 0))
    return cost[0] <= most[0] and cost[1] <= most[1]
