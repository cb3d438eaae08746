"""A bare Litestar handler on the web server and settings of `opengage web`: what the parts cost by themselves.

    python -m bench.bare FOLDER PORT

It answers GET /one, GET /list and POST /create with the bytes of the files of those names.
"""

import asyncio
import sys
from pathlib import Path
from typing import Any

from litestar import Litestar, Request, get, post
from litestar.response.base import ASGIResponse

from opengage.cli import options
from opengage.cli.lifeline import end_with_parent
from opengage.cli.web import server


def app(folder: Path) -> Litestar:
    """The application; `/readyz` is what a run waits for."""
    one, many, made = ((folder / name).read_bytes() for name in ("one", "list", "create"))

    @get("/readyz")
    async def readyz() -> ASGIResponse:
        return ASGIResponse(body=b"{}")

    @get("/one")
    async def read_one() -> ASGIResponse:
        return ASGIResponse(body=one)

    @get("/list")
    async def read_list() -> ASGIResponse:
        return ASGIResponse(body=many)

    @post("/create")
    async def create(request: Request[Any, Any, Any]) -> ASGIResponse:
        await request.body()
        return ASGIResponse(body=made, status_code=201)

    return Litestar([readyz, read_one, read_list, create], openapi_config=None, logging_config=None)


async def serve(folder: Path, port: int, stop: asyncio.Event) -> None:
    """Answer until told to stop."""
    made = server(app(folder), "127.0.0.1", port, "console")
    serving = asyncio.create_task(made.serve())
    await stop.wait()
    made.stop()  # type: ignore[no-untyped-call]
    await serving


if __name__ == "__main__":
    end_with_parent()
    options.until_stopped(lambda stop: serve(Path(sys.argv[1]), int(sys.argv[2]), stop))
