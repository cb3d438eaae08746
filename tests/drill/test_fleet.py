"""A short round of the fleet's drill, with real processes, and the relay that it stands on."""

import os
import socket
import subprocess
import sys

import pytest
from drill.figures import Row
from drill.hosts import Hosts, hosts
from drill.many import MOVED_WITHIN, Report
from drill.proxy import Proxy

from processes import until
from source import ROOT

QUICK = ("--lease", "4", "--window", "10", "--delay", "0.4", "--receipts", "8", "--limit", "240")


def played(*flags: str) -> tuple[dict[str, str], str]:
    """What the drill's table tells by its columns, and all that it says."""
    command = [sys.executable, "-m", "drill.many", *QUICK, *flags]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "tests")}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 0, done.stderr
    names, cells = (line.split() for line in done.stdout.splitlines()[-2:])
    return dict(zip(names, cells, strict=True)), done.stdout


@pytest.mark.timeout(260)
def test_a_fleet_loses_and_doubles_nothing() -> None:
    """A worker is killed, a standby takes over, a carrier resets its links: every text has its place."""
    told, _ = played("--texts", "900", "--short")
    assert (told["lost"], told["duplicated"]) == ("0", "0")
    assert 0 < float(told["lanes-moved-s"]) <= MOVED_WITHIN


@pytest.mark.timeout(260)
def test_a_fleet_outlives_an_outage_of_its_database() -> None:
    """Bars R16: requests are refused and replies with them, all come again, and the blast goes on."""
    told, said = played("--texts", "900", "--only", "outage", "--seconds", "10")
    assert (told["lost"], told["duplicated"]) == ("0", "0")
    assert "refused with 503 and Retry-After, none taken" in said
    assert "each kept once after" in said


@pytest.mark.parametrize(
    ("lost", "duplicated", "moves", "is_well"),
    [(0, 0, [3.0, 15.0], True), (1, 0, [3.0], False), (0, 1, [3.0], False), (0, 0, [3.0, 15.1], False)],
)
def test_a_report_is_well_when_nothing_is_lost_and_lanes_move_in_time(
    lost: int, duplicated: int, moves: list[float], is_well: bool
) -> None:
    """Each of the three alone makes the drill fail, and the table tells the slowest move."""
    report = Report(Row("fleet", lost=lost, duplicated=duplicated), 0, moves, ["a note"])
    assert report.is_well is is_well
    assert f"{max(moves)}" in report.told().splitlines()[-1]


_HELD = """
import sys
from drill.hosts import Namespaces, hosts
with hosts(["one", "two"]) as made:
    print(" ".join(made.spaces()) if isinstance(made, Namespaces) else made.said, flush=True)
    sys.stdin.read()
"""


def test_nothing_of_a_drill_outlives_it() -> None:
    """Killed by -9, it leaves no namespace; where none are permitted, it says so and does without."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "tests")))}
    command = [sys.executable, "-c", _HELD]
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as held:
        assert held.stdout
        said = held.stdout.readline().strip()
        are_there = said.startswith("opengage-")
        assert (set(said.split()) <= _spaces()) if are_there else "on loopback" in said
        held.kill()
    until(lambda: not set(said.split()) & _spaces(), what="the end of the namespaces")


def _spaces() -> set[str]:
    """The names of the network namespaces of this machine; none where there cannot be any."""
    try:
        listed = subprocess.run(["ip", "netns", "list"], capture_output=True, check=False, text=True)
    except FileNotFoundError:
        return set()
    return {line.split()[0] for line in listed.stdout.splitlines() if line}


_REACHES = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 0.5).close()"


def test_a_machine_that_is_cut_off_reaches_nobody_there() -> None:
    """What it sends to a hidden address vanishes, and only that; then it arrives again."""
    with hosts(["one"]) as made:
        for hidden, other in ((made.database, made.carrier), (made.carrier, made.database)):
            with socket.create_server((hidden, 0)) as there, socket.create_server((other, 0)) as elsewhere:
                assert _reaches(made, there)
                if made.hide("one", hidden):  # on loopback relays do that
                    assert not _reaches(made, there)
                    assert _reaches(made, elsewhere)
                    made.show("one", hidden)
                assert _reaches(made, there)


def _reaches(made: Hosts, server: socket.socket) -> bool:
    host, port = server.getsockname()
    command = [*made.within("one"), sys.executable, "-S", "-c", _REACHES, host, str(port)]
    return not subprocess.run(command, capture_output=True, check=False).returncode


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
