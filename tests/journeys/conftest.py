"""One running installation for all journeys, with a simulator of its own and one outside."""

from collections.abc import Iterator

import pytest

from blasts import Tenants
from processes import Server, Smsc, ended

RECEIPT_WINDOW = 6
"""Seconds after which the sandbox gives a receipt up."""


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`opengage serve`, ready."""
    data = tmp_path_factory.mktemp("journeys") / "data"
    made = Server(data, response_timeout_seconds="2", sandbox_receipt_window_seconds=str(RECEIPT_WINDOW))
    with ended(made):
        yield made.ready()


@pytest.fixture(scope="session")
def outside(tmp_path_factory: pytest.TempPathFactory, server: Server) -> Iterator[Smsc]:
    """`opengage smsc` beside it."""
    made = Smsc(tmp_path_factory.mktemp("smsc"))
    with ended(made):
        yield made


@pytest.fixture
def tenants(server: Server, request: pytest.FixtureRequest) -> Iterator[Tenants]:
    """Makes accounts whose keys begin with the test's name."""
    made = Tenants(server.url, server.data, request.node.name)
    yield made
    made.close()
