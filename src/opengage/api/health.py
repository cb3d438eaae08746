"""/healthz, /readyz, and the pages that error answers link to. Beside a text's path: what operators and readers ask."""

import asyncio
from http import HTTPStatus
from typing import Final

from litestar import get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath
from litestar.response.base import ASGIResponse

from opengage.api.errors import TITLES
from opengage.api.state import Api
from opengage.domain.errors import Code, Unavailable
from opengage.store import revision, writable

READY_WITHIN: Final = 2.0
"""Seconds that the store may take: whoever asks wants to know now, and a request would wait longer still."""


@get("/healthz")
async def healthz() -> ASGIResponse:
    """The process lives."""
    return ASGIResponse(body=b'{"status":"ok"}\n')


@get("/readyz")
async def readyz(api: Api) -> ASGIResponse:
    """The process can serve: its store answers, is migrated and takes a change. 503 otherwise, and soon."""
    try:
        async with asyncio.timeout(READY_WITHIN):
            await revision.require(api.store)
            await writable.require(api.store)
    except TimeoutError:
        raise Unavailable(
            f"The database takes no change within {READY_WITHIN:g} seconds: another program holds it locked. "
            "End that program, then ask again."
        ) from None
    return ASGIResponse(body=b'{"status":"ready"}\n')


@get("/api/errors/{code:int}")
async def explain(code: FromPath[int]) -> ASGIResponse:
    """What an error code means: where `links.about` of an error points."""
    if code not in set(Code):
        raise NotFoundException
    known = Code(code)
    text = f"{code} {known.name.lower().replace('_', ' ')}\n\n{TITLES[known]}.\n"
    return ASGIResponse(body=text.encode(), status_code=HTTPStatus.OK, media_type="text/plain")


ROUTES: Final = [healthz, readyz, explain]
