"""A whole Opengage for as long as a block runs: a fresh folder, an account, `opengage serve`, the handsets.

Beside the text's path: the demo stands outside and does what any user could, over HTTP and the control port.
"""

import contextlib
import fcntl
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import httpx
import msgspec

from opengage.cli.options import free_port
from opengage.domain.errors import Invalid, Unavailable
from opengage.settings import PREFIX

MARK: Final = ".opengage-demo"
"""The file that tells a folder which may be thrown away from one that may not."""

_PATIENCE: Final = 40.0
"""Seconds to the first answer of the API, and of `init`."""
_STOP: Final = 45.0
_LOG_SHOWN: Final = 5
HOST: Final = "127.0.0.1"


class Account(msgspec.Struct, frozen=True, rename="kebab"):
    """What `opengage init --json` tells."""

    account_key: str
    token_key: str
    token_secret: str
    phone_number_id: str
    phone_number: str
    api_url: str


def fresh_folder(folder: Path) -> bool:
    """Make an empty folder; True when an earlier demo's was thrown away for it.

    Raises Invalid for a folder that no demo made or that a server uses, and Unavailable when it cannot be written.
    """
    try:
        if replaced := folder.is_symlink() or folder.exists():
            _throw_away(folder)
        folder.mkdir(mode=0o700, parents=True)
        (folder / MARK).touch()
    except OSError as error:
        raise Unavailable(
            f"The folder {folder} cannot be used ({error}). Check that it is yours to write, or name another: --data."
        ) from error
    return replaced


def _throw_away(folder: Path) -> None:
    if folder.is_symlink() or not folder.is_dir() or (any(folder.iterdir()) and not (folder / MARK).exists()):
        raise Invalid(f"{folder} is not the folder of a demo, so it is not thrown away. Name another with --data.")
    if _is_used(folder / "worker.lock"):
        raise Invalid(f"A server runs on {folder}. Stop it, or name another folder with --data.")
    shutil.rmtree(folder)


def _is_used(lock: Path) -> bool:
    """Whether a process holds this lock."""
    if not lock.exists():
        return False
    with lock.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


class Sandbox:
    """`opengage serve` on a folder and free loopback ports, with one account; all of it ends with the block."""

    def __init__(self, data: Path, account_key: str, rate: float | None = None) -> None:
        self.url = f"http://{HOST}:{free_port()}"
        self.log = data / "serve.log"
        self._data = data
        self._key = account_key
        self._rate = rate
        self._control = free_port()
        self._children: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        """Start the server. Neither the folder nor the account need be ready."""
        flags = ["--data", str(self._data), "--host", HOST, "--port", self._port]
        with self.log.open("wb") as log:
            self._start("serve", *flags, "--smsc-control", str(self._control), stdout=subprocess.DEVNULL, stderr=log)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop whatever runs."""
        for child in self._children:
            child.terminate()
        for child in self._children:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(_STOP)
            child.kill()
            child.wait()
            for stream in (child.stdin, child.stdout, child.stderr):
                if stream:
                    stream.close()

    @property
    def _port(self) -> str:
        return self.url.rpartition(":")[2]

    def _start(self, verb: str, *arguments: str, **streams: Any) -> subprocess.Popen[bytes]:
        """A verb as a child that a Ctrl-C does not reach and that ends when this process does."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        environment[f"{PREFIX}PORT"] = self._port
        child = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", "opengage", "--with-parent", verb, *arguments],
            stdin=subprocess.PIPE,
            env=environment,
            start_new_session=True,
            **streams,
        )
        self._children.append(child)
        return child

    def create_account(self) -> Account:
        """`opengage init`, while the server starts. Raises Unavailable with what it said."""
        flags = ["--data", str(self._data), "--account", self._key, "--json"]
        flags += ["--rate", str(self._rate)] if self._rate is not None else []
        child = self._start("init", *flags, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert child.stdout
        assert child.stderr
        # not communicate(): that would close the pipe on whose end the child would stop
        said, complaints = child.stdout.read(), child.stderr.read()
        if child.wait(_PATIENCE) != 0:
            raise Unavailable(f"“opengage init” failed: {complaints.decode(errors='replace').strip()}")
        return msgspec.json.decode(said, type=Account)

    def wait_until_ready(self) -> None:
        """Until the API answers. Raises Unavailable when the server ended instead, or takes too long."""
        deadline = time.monotonic() + _PATIENCE
        with httpx.Client(trust_env=False) as http:
            while not self._answers(http):
                if self._children[0].poll() is not None or time.monotonic() > deadline:
                    raise Unavailable(f"“opengage serve” did not get ready. The end of {self.log}:\n{self.log_end()}")
                time.sleep(0.02)

    def _answers(self, http: httpx.Client) -> bool:
        try:
            return http.get(f"{self.url}/readyz").status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def log_end(self) -> str:
        """The server's last words."""
        return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-_LOG_SHOWN:])

    def ask(self, *requests: dict[str, Any]) -> list[Any]:
        """The simulator's answers over its control port (docs/reference/simulator.md)."""
        with socket.create_connection((HOST, self._control), timeout=10) as line, line.makefile("rwb") as stream:
            return list(_asked(stream, requests))


def _asked(stream: Any, requests: tuple[dict[str, Any], ...]) -> Iterator[Any]:
    for request in requests:
        stream.write(json.dumps(request).encode() + b"\n")
        stream.flush()
        yield json.loads(stream.readline())["ok"]
