"""/healthz, /readyz, and the pages that error answers link to. Beside a text's path: what operators and readers ask."""

from http import HTTPStatus
from typing import Final

from litestar import get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath
from litestar.response.base import ASGIResponse

from opengage.api.errors import TITLES
from opengage.api.state import Api
from opengage.domain.errors import Code
from opengage.store import revision, writable


@get("/healthz")
async def healthz() -> ASGIResponse:
    """The process lives."""
    return ASGIResponse(body=b'{"status":"ok"}\n')


@get("/readyz")
async def readyz(api: Api) -> ASGIResponse:
    """The process can serve: its store answers, is migrated and takes a change. 503 otherwise."""
    await revision.require(api.store)
    await writable.require(api.store)
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
