"""SIGTERM to `opengage web` in the middle of requests: whoever was let in is answered, and nobody else is let in."""

import contextlib
import json
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from blasts import Tenant, add_account
from opengage.assembly.store import DATABASE
from opengage.store import migrations
from processes import Process, free_port, until

_BODY = json.dumps({"data": {"type": "engagements", "attributes": {"name": "x"}}}).encode()
_HALF = len(_BODY) // 2


class Web:
    """One `opengage web`, and an account to ask it with."""

    def __init__(self, data: Path, **settings: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = Process("web", "--data", str(data), "--port", str(self.port), **settings)
        until(lambda: self.status("/healthz") == 200 or not self.process.runs, what="an answer")
        self.tenant = Tenant(self.url, add_account(data, "stopbank"))

    def status(self, path: str) -> int | None:
        """The status of an answer on a new connection; None when there is no connection to be had."""
        try:
            return httpx.get(self.url + path).status_code
        except httpx.TransportError:
            return None

    @contextlib.contextmanager
    def dawdling(self) -> Iterator[socket.socket]:
        """A POST whose second half is yet to come; the server has begun with it."""
        told = {**self.tenant.headers, "Host": "127.0.0.1", "Expect": "100-continue", "Content-Length": str(len(_BODY))}
        lines = ["POST /api/v1/engagements HTTP/1.1", *(f"{name}: {value}" for name, value in told.items()), "", ""]
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as connection:
            connection.sendall("\r\n".join(lines).encode())
            assert connection.recv(1024).startswith(b"HTTP/1.1 100")  # its handler reads the body
            connection.sendall(_BODY[:_HALF])
            yield connection

    def end(self) -> tuple[int, list[dict[str, Any]]]:
        """The exit code, once it has ended, and what its log complains of."""
        until(lambda: not self.process.runs, what="the end")
        code, _ = self.process.stop()
        return code, [line for line in self.process.lines if "Traceback" in str(line) or line.get("level") == "error"]

    def close(self) -> None:
        """End it whatever happened."""
        self.tenant.http.close()
        if self.process.runs:
            self.process.stop()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with a migrated database."""
    migrations.upgrade(sa.URL.create("sqlite", database=str(tmp_path / DATABASE)))
    return tmp_path


def read(connection: socket.socket) -> bytes:
    """Everything up to the end of the connection."""
    return b"".join(iter(lambda: connection.recv(65_536), b""))


def test_a_request_under_way_ends(data: Path) -> None:
    """First /readyz is red and all else goes on; then no connection is taken; what is under way ends, and then all."""
    with contextlib.closing(Web(data, drain_seconds="1.5", stop_timeout_seconds="20")) as web:
        with web.dawdling() as connection:
            os.kill(web.process.pid, signal.SIGTERM)
            until(lambda: web.status("/readyz") == 503, what="a red /readyz")
            assert (web.status("/healthz"), web.tenant.get("/engagements")["meta"]["total"]) == (200, 0)
            until(lambda: web.status("/healthz") is None, what="a closed door")
            assert web.process.runs
            connection.sendall(_BODY[_HALF:])
            assert read(connection).startswith(b"HTTP/1.1 201")
        assert web.end() == (0, [])


def test_a_request_that_does_not_end_is_cut_off(data: Path) -> None:
    """After the time that a stop may take it hears 503 and when to come back; the exit is as clean as any."""
    with contextlib.closing(Web(data, stop_timeout_seconds="0.2")) as web:
        with web.dawdling() as connection:
            os.kill(web.process.pid, signal.SIGTERM)
            head, _, body = read(connection).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 503")
        assert b"\r\nretry-after: 1\r\n" in head
        assert "stopped before" in json.loads(body)["errors"][0]["detail"]
        assert web.end() == (0, [])
        assert [line["requests"] for line in web.process.logged(action="stop")] == [1]
