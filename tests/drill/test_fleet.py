"""A short round of the fleet's drill, with real processes, and the relay that it stands on."""

import os
import socket
import subprocess
import sys

import pytest
from drill.proxy import Proxy

from source import ROOT


@pytest.mark.timeout(150)
def test_a_fleet_loses_and_doubles_nothing() -> None:
    """A worker is killed, PostgreSQL crashes and fails over, a carrier resets its links: every text has its place."""
    sizes = ("--texts", "2000", "--lease", "4", "--window", "50", "--delay", "0.2", "--short", "--limit", "120")
    command = [sys.executable, "-m", "drill.many", *sizes]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "tests")}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=140, check=False)
    assert done.returncode == 0, done.stderr
    cells = done.stdout.splitlines()[-1].split()
    assert (cells[0], cells[4], cells[5]) == ("fleet", "0", "0")


def test_a_relay_leads_to_wherever_it_is_switched_and_can_be_cut() -> None:
    """A switch resets what is connected; a cut resets what comes; after `heal` all is well."""
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        proxy = Proxy(one.getsockname()[1])
        try:
            assert _said(proxy, one) == b"hello"
            proxy.switch(two.getsockname()[1])
            assert _said(proxy, two) == b"hello"
            proxy.cut()
            with (
                socket.create_connection(("127.0.0.1", proxy.port), 5) as client,
                pytest.raises(ConnectionError),
            ):
                _receive(client)
            proxy.heal()
            assert _said(proxy, two) == b"hello"
        finally:
            proxy.close()


def _said(proxy: Proxy, server: socket.socket) -> bytes:
    """What a server hears of a client of the relay."""
    server.settimeout(5)
    with socket.create_connection(("127.0.0.1", proxy.port), 5) as client:
        client.sendall(b"hello")
        accepted, _ = server.accept()
        with accepted:
            accepted.settimeout(5)
            return accepted.recv(5)


def _receive(client: socket.socket) -> None:
    """Read to the end; a reset may show at the first byte or as an end without one."""
    if not client.recv(1):
        raise ConnectionResetError
