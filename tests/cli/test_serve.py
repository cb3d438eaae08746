"""`opengage serve`: starts everything, greets, and leaves nothing behind."""

import contextlib
import os
import pty
import socket
import subprocess
from pathlib import Path

import httpx

from cli.conftest import Opengage
from opengage.cli.options import free_port
from running import PATIENCE, arguments, environment, serving, watching


def test_it_serves_and_stops_on_sigterm(tmp_path: Path) -> None:
    """Health and readiness answer; SIGTERM ends it with 0, all children with it, and only JSON was logged."""
    with serving(tmp_path / "new") as served:
        for path in ("/healthz", "/readyz"):
            assert httpx.get(served.url + path).status_code == 200
        children = served.children()
        assert len(children) == 3
        with watching(children) as all_end:
            assert served.stop() == 0
            assert all_end()
    assert all(line.startswith("{") for line in served.lines)


def test_its_children_end_with_it_whatever_ends_it(tmp_path: Path) -> None:
    """After kill -9 nobody is left."""
    with serving(tmp_path) as served, watching(served.children()) as all_end:
        served.process.kill()
        served.process.wait(PATIENCE)
        assert all_end()


def test_it_greets_people(tmp_path: Path) -> None:
    """At a terminal one line says where it answers, with a curl to copy."""
    port = free_port()
    ours, theirs = pty.openpty()
    command = arguments("serve", "--data", str(tmp_path), "--port", str(port))
    with subprocess.Popen(command, env=environment(), stderr=theirs, stdout=subprocess.DEVNULL) as process:
        os.close(theirs)
        said = b""
        try:
            while f"Try: curl http://127.0.0.1:{port}/readyz".encode() not in said:
                said += os.read(ours, 4096)
        finally:
            process.terminate()
            while _read(ours):
                pass
            os.close(ours)
        assert process.wait(PATIENCE) == 0
    assert f"Opengage answers at http://127.0.0.1:{port}/api/v1".encode() in said


def _read(terminal: int) -> bytes:
    """What is written there; nothing once its last writer is gone."""
    try:
        return os.read(terminal, 4096)
    except OSError:
        return b""


def test_a_taken_port_is_told_at_once(opengage: Opengage, tmp_path: Path) -> None:
    """It names the address and the flags, and touches nothing."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = opengage("serve", "--data", str(tmp_path / "new"), "--port", str(port))
    assert ended.code != 0
    assert f"Cannot listen on 127.0.0.1:{port}" in ended.err
    assert "--port" in ended.err
    assert "Traceback" not in ended.err
    assert not (tmp_path / "new").exists()


def test_a_file_is_no_data_folder(tmp_path: Path) -> None:
    """The refusal of the migration reaches the terminal, and nothing is started."""
    file = tmp_path / "file"
    file.touch()
    command = arguments("serve", "--data", str(file), "--port", str(free_port()))
    ended = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=PATIENCE)
    assert ended.returncode != 0
    assert f"The data folder {file} cannot be used" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_idle_connections_shut_nobody_out(tmp_path: Path) -> None:
    """Three hundred clients who connect and say nothing, without any credentials, cost nobody their answer."""
    with serving(tmp_path) as served, contextlib.ExitStack() as idle:
        for _ in range(300):
            idle.enter_context(socket.create_connection(("127.0.0.1", served.port), timeout=PATIENCE))
        assert httpx.get(f"{served.url}/healthz", timeout=PATIENCE).status_code == 200
