"""The body of a request: read within its limit, and only in a form that we speak.

Step 1 of a text's path.
"""

import asyncio

import msgspec
from litestar.exceptions import InternalServerException

from opengage.api.state import WebRequest, charge
from opengage.domain.errors import Invalid, Unsupported
from opengage.jsonapi import media
from opengage.jsonapi.request import Identifier, identifiers, split

PATIENCE = 60.0
"""Seconds in which a body must have arrived: a client that dawdles must not hold a connection for ever."""


async def read_body(request: WebRequest) -> bytes:
    """The whole body. Litestar refuses one that is over the limit while it still arrives.

    Raises Unsupported, and Invalid when the client leaves before the end of what it announced, or takes too long.
    """
    labels = ", ".join(request.headers.getall("content-type", []))
    refusal = media.refusal(labels, request.headers.get("content-encoding"))
    if refusal is not None:
        raise Unsupported(refusal)
    return await read_all(request)


async def read_items(request: WebRequest) -> msgspec.Raw | list[msgspec.Raw]:
    """The primary data of a body: one raw item, or those of an array, which count against its account's bulk limit.

    The only way to an array, so that none is forgotten. Raises TooMany before any work is done on it, DocumentError,
    and what `read_body` raises.
    """
    items = split(await read_body(request))
    if isinstance(items, list):
        charge(request, len(items))
    return items


async def read_identifiers(request: WebRequest) -> list[Identifier]:
    """The identifiers of a body that is an array of them. Raises what `read_items` raises."""
    return identifiers(await read_items(request))


async def read_all(request: WebRequest, patience: float | None = None) -> bytes:
    """The whole body, whatever it holds. Raises Invalid when the client leaves before its end, or takes too long."""
    patience = PATIENCE if patience is None else patience
    try:
        async with asyncio.timeout(patience):
            return await request.body()
    except TimeoutError as error:
        detail = f"The body did not arrive within {patience:.0f} seconds. Send it faster, or in smaller requests."
        raise Invalid(detail) from error
    except InternalServerException as error:
        raise Invalid("The connection ended before the body did. Send the request again.") from error
