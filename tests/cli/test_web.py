"""`opengage web`: what it says when it cannot listen."""

import asyncio
import socket
from pathlib import Path

import pytest

from opengage.cli import web
from opengage.domain.errors import Unavailable
from opengage.settings import load


async def test_a_port_that_stays_taken_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After waiting for a predecessor it names the address and the flags."""
    monkeypatch.setattr(web, "_WAIT_FOR_PORT", 0.05)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        settings = load({}, data=tmp_path, port=taken.getsockname()[1])
        with pytest.raises(Unavailable, match=rf"Cannot listen on 127\.0\.0\.1:{settings.port}.*--port"):
            await web.serve(settings, asyncio.Event())
