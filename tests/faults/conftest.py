"""One installation, and a simulator outside it that survives what is done to the installation."""

from collections.abc import Iterator

import pytest

from blasts import Tenants
from processes import Server, Smsc, ended

WINDOW = 200


@pytest.fixture(scope="session")
def smsc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Smsc]:
    """The network: what it has seen is the truth."""
    made = Smsc(tmp_path_factory.mktemp("network"))
    with ended(made):
        yield made


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`opengage serve`; tests end it and start it again."""
    hooks = {"callback_allow": "127.0.0.0/8", "callback_timeout_seconds": "1"}
    made = Server(tmp_path_factory.mktemp("faults") / "data", window=str(WINDOW), **hooks)
    with ended(made):
        yield made


@pytest.fixture
def server(installation: Server, smsc: Smsc) -> Iterator[Server]:
    """The installation, ready, whatever the test before has done to it; the simulator calm."""
    if not installation.process.runs:
        installation.start()
    smsc.chaos()
    yield installation.ready()
    smsc.chaos()


@pytest.fixture
def tenants(server: Server, request: pytest.FixtureRequest) -> Iterator[Tenants]:
    """Makes accounts whose keys begin with the test's name."""
    made = Tenants(server.url, server.data, request.node.name)
    yield made
    made.close()
