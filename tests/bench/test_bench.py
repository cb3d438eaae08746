"""The benchmarks run: tiny sizes, real processes, no figure asserted, because a test's machine is never quiet."""

import contextlib
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from bench.client import Broken
from bench.load import drive

from source import ROOT

KINDS = {"worker", "web", "SMSC", "database"}


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    """One run."""
    command = [sys.executable, "-m", "bench", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200, check=False)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the runs of this file keep their data."""
    return tmp_path_factory.mktemp("bench")


def test_every_figure_stands_beside_its_limit(place: Path) -> None:
    """A run measures ingest, blast, memory and the raw limits, judges the musts, and leaves nothing behind."""
    out = place / "out.json"
    sizes = ("--texts", "200", "--posts", "2", "--post-size", "50", "--seconds", "0.02")
    done = bench(*sizes, "--dir", str(place), "--json", str(out))
    assert done.returncode == 0, done.stderr
    found = json.loads(out.read_text("utf-8"))
    rates = [*found["limits"].values(), *found["ingest"].values(), found["submit_rate"], found["receipt_rate"]]
    assert all(rate > 0 for rate in rates)
    assert found["api"]
    assert {"smsc", "worker", "web"} <= set(found["peaks"])
    assert [must["met"] for must in found["musts"].values()] == [line.endswith(" met") for line in musts(done.stdout)]
    assert list(place.iterdir()) == [out]


def musts(shown: str) -> list[str]:
    """The lines of the last table."""
    return shown.partition("\nMusts\n")[2].splitlines()


def test_the_same_run_goes_over_postgres(place: Path) -> None:
    """The same figures over a server of the run's own, which ends with it, and PostgreSQL's own bounds."""
    out = place / "out.json"
    sizes = ("--postgres", "--texts", "100", "--posts", "1", "--post-size", "50")
    done = bench(*sizes, "--dir", str(place), "--json", str(out))
    assert done.returncode == 0, done.stderr
    found = json.loads(out.read_text("utf-8"))
    assert "PostgreSQL" in found["place"]
    assert [must["bound"] for must in found["musts"].values()] == [35_000, 8_000]
    assert list(place.iterdir()) == [out]


def test_a_database_on_another_machine(place: Path) -> None:
    """Each statement waits for its way there and back; nothing is judged, for the bounds are for one machine."""
    out = place / "out.json"
    sizes = ("--postgres", "--away", "4", "--texts", "50", "--posts", "1", "--post-size", "50")
    done = bench(*sizes, "--dir", str(place), "--json", str(out))
    assert done.returncode == 0, done.stderr
    found = json.loads(out.read_text("utf-8"))
    assert found["place"]["to the database and back"] == "8 ms"
    assert found["first_text_ms"] > 8 * 5
    assert found["musts"] == {}
    assert "Musts" not in done.stdout


def test_processes_sizes_and_bloat_are_measured(place: Path) -> None:
    """Two workers get a lane each and send; full tables cost what they cost; each table stands beside a fresh copy."""
    out = place / "out.json"
    what = ("--scaling", "2", "--table-sizes", "30", "--bloat", "400")
    done = bench("--postgres", *what, "--texts", "40", "--posts", "1", "--post-size", "20", "--json", str(out))
    assert done.returncode == 0, done.stderr
    found = json.loads(out.read_text("utf-8"))
    out.unlink()
    assert [(row["what"], row["processes"], row["lanes"]) for row in found["scaling"]] == [
        ("worker", 2, [1, 1]),
        ("web", 2, []),
    ]
    assert all(row["rate"] > 0 and set(row["cores"]) == KINDS for row in found["scaling"])
    assert [row["envelopes"] for row in found["table-sizes"]] == [30]
    assert all(row["ingest_us"] > 0 and row["blast_us"] > 0 for row in found["table-sizes"])
    pages = found["table-sizes"][0]["pages"]
    assert set(pages) == {"engagement", "account"}
    assert all(each["first"] > 0 and len(each["others"]) == 9 and min(each["others"]) > 0 for each in pages.values())
    updates = {row["table"]: row["updates"] for row in found["bloat"]}
    assert (updates["envelopes"], updates["texts"]) == (1200, 800)
    assert all(row["hot"] <= row["updates"] and row["fresh_indexes"] > 0 for row in found["bloat"])


@pytest.mark.parametrize("what", ["--bloat", "--away"])
def test_what_is_asked_of_postgres_alone(place: Path, what: str) -> None:
    """SQLite updates in place, and is nowhere else: the run says what is missing."""
    done = bench(what, "10", "--dir", str(place))
    assert (done.returncode, done.stderr) == (1, f"bench: {what} is about PostgreSQL: add --postgres\n")


def test_single_requests_stand_beside_a_bare_handler(place: Path) -> None:
    """Reading one, a list and creating one, over one connection and many: rate, latency and processor time of both."""
    out = place / "api.json"
    done = bench("api", "--seconds", "0.02", "--dir", str(place), "--json", str(out))
    assert done.returncode == 0, done.stderr
    found = json.loads(out.read_text("utf-8"))
    kinds = ("GET one", "GET a list of 50", "POST one")
    assert [(each.pop("connections"), each.pop("what")) for each in found] == list(itertools.product((1, 32), kinds))
    assert all(figure > 0 for each in found for figure in each.values())
    assert done.stdout.count("times the bare one") == len(found)
    out.unlink()
    assert not [path for path in place.iterdir() if path.is_dir()]


def test_a_refused_request_breaks_the_run() -> None:
    """A figure of refusals would be a fast one: anything but a 2xx ends the run with the answer."""
    with refusing() as port, pytest.raises(Broken, match="401 Unauthorized"):
        drive(port, os.getpid(), [b"GET / HTTP/1.1\r\n\r\n"], 1, 0.05)


@contextlib.contextmanager
def refusing() -> Iterator[int]:
    """A server that refuses the one request that it gets; its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\n{}")

        thread = threading.Thread(target=answer)
        thread.start()
        yield server.getsockname()[1]
        thread.join()


def test_the_worker_can_be_profiled(place: Path) -> None:
    """A blast with a profiler in the worker names the functions that took the time."""
    done = bench("profile-worker", "--texts", "200", "--kind", "sample", "--dir", str(place))
    assert done.returncode == 0, done.stderr
    assert "sample of worker: 200 texts" in done.stdout
    assert "opengage/store/sqlite/batches.py" in done.stdout


@pytest.mark.parametrize("kind", ["sample", "cprofile"])
def test_either_profiler_watches_from_signal_to_signal(place: Path, kind: str) -> None:
    """SIGUSR1 starts it in a running verb, SIGUSR2 makes it write, and the verb ends as ever."""
    out = place / kind
    command = [sys.executable, "-m", "bench.profiled", kind, str(out), "smsc", "--port", "0", "--json"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as verb:
        assert verb.stdout is not None
        assert json.loads(verb.stdout.readline())["port"]
        for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM):
            verb.send_signal(number)
        assert json.loads(verb.stdout.read())["submits"] == 0
    assert verb.returncode == 0
    assert out.stat().st_size
    out.unlink()


def test_a_run_that_takes_too_long_is_given_up(place: Path) -> None:
    """It ends by itself, says so, and cleans up."""
    done = bench("--limit", "0.5", "--dir", str(place))
    assert (done.returncode, done.stderr.splitlines()[-1]) == (1, "bench: the run took too long")
    assert not [path for path in place.iterdir() if path.is_dir()]
