"""/healthz, /readyz, /metrics, and the pages that error answers link to: what operators and readers ask.

Beside a text's path.
"""

import asyncio
import logging
from http import HTTPStatus
from typing import Final

from litestar import get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath
from litestar.response.base import ASGIResponse

from opengage.api.errors import TITLES
from opengage.api.state import Api, ApiState
from opengage.domain.errors import Code, Unavailable
from opengage.metrics import CONTENT_TYPE, Gauge
from opengage.store import gauges, revision, writable

READY_WITHIN: Final = 2.0
"""Seconds that the store may take: whoever asks wants to know now, and a request would wait longer still."""

METRICS_WITHIN: Final = 5.0
"""Seconds that the look at the database may take: half of what Prometheus waits for the whole answer."""

_log: Final = logging.getLogger("opengage.api")


@get("/healthz")
async def healthz() -> ASGIResponse:
    """The process lives."""
    return ASGIResponse(body=b'{"status":"ok"}\n')


@get("/readyz")
async def readyz(api: Api) -> ASGIResponse:
    """The process can serve: it is not about to stop, its disk has room, and its store answers, is migrated and takes a
    change. 503 otherwise, and soon."""
    for check in api.checks:
        check()
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


@get("/metrics")
async def metrics(api: Api) -> ASGIResponse:
    """What this process counted, and what the database knows of all of them; see docs/reference/metrics.md.

    Just when the database is slow or gone somebody looks here: then its part is missing, and a metric says so.
    """
    found = await _of_database(api)
    free = api.disk_free()
    if free is not None:
        found.append(("opengage_disk_free_bytes", (), free))
    return ASGIResponse(body=api.metrics.text(found).encode(), media_type=CONTENT_TYPE)


async def _of_database(api: ApiState) -> list[Gauge]:
    try:
        async with asyncio.timeout(METRICS_WITHIN), api.store.reading() as tx:
            return [("opengage_database_up", (), 1), *await gauges.read(tx)]
    except (Unavailable, TimeoutError):
        _log.warning("the metrics lack what the database knows: it did not answer within %g s", METRICS_WITHIN)
        return [("opengage_database_up", (), 0)]


@get("/api/errors/{code:int}")
async def explain(code: FromPath[int]) -> ASGIResponse:
    """What an error code means: where `links.about` of an error points."""
    if code not in set(Code):
        raise NotFoundException
    known = Code(code)
    text = f"{code} {known.name.lower().replace('_', ' ')}\n\n{TITLES[known]}.\n"
    return ASGIResponse(body=text.encode(), status_code=HTTPStatus.OK, media_type="text/plain")


ROUTES: Final = [healthz, readyz, metrics, explain]
