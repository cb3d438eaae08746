"""Credentials of a request: HTTP Basic with an API token, and an optional X-Account-Key (wire contract 2.1, 2.2).

Step 1 of a text's path.
"""

import base64
import binascii

from opengage.api.state import Api, WebRequest
from opengage.domain.errors import Unauthorized
from opengage.operations.actors import Actor
from opengage.operations.credentials import REFUSED, authenticate


async def provide_actor(request: WebRequest, api: Api) -> Actor:
    """The actor of a request. Raises Unauthorized, the same for every cause."""
    key, secret = _basic(request.headers.get("authorization", ""))
    return await authenticate(api.store, api.clock, key, secret, request.headers.get("x-account-key"))


def _basic(header: str) -> tuple[str, str]:
    scheme, _, encoded = header.strip().partition(" ")
    if scheme.lower() != "basic":
        raise Unauthorized(REFUSED)
    try:
        key, _, secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError) as error:
        raise Unauthorized(REFUSED) from error
    return key, secret
