"""Credentials of a request: HTTP Basic with an API token, or a bearer token of ours; and an optional X-Account-Key
(wire contract 2.1, 2.2, 8).

Step 1 of a text's path.
"""

import base64
import binascii
from collections.abc import Callable

from opengage.api.state import Api, WebRequest, admitted
from opengage.clock import Clock
from opengage.domain.errors import Unauthorized
from opengage.operations.actors import Actor
from opengage.operations.credentials import REFUSED, actor_of, holder_of
from opengage.operations.sessions import Sessions
from opengage.store.contract import Store
from opengage.store.tokens import Holder


class Credentials:
    """Tells whose request it is, with one indexed read; nothing is remembered that would delay a revocation."""

    def __init__(self, store: Store, clock: Clock, sessions: Sessions, used: Callable[[Holder], None]) -> None:
        """`used` is told of every API token that was used."""
        self._store = store
        self._clock = clock
        self._sessions = sessions
        self._used = used

    async def actor(self, request: WebRequest) -> Actor:
        """The actor of a request. Raises Unauthorized, the same for every cause."""
        scheme, _, value = request.headers.get("authorization", "").strip().partition(" ")
        account_key = request.headers.get("x-account-key")
        if scheme.lower() == "bearer":
            return await self._sessions.authenticate(value.strip(), account_key)
        if scheme.lower() != "basic":
            raise Unauthorized(REFUSED)
        key, secret = pair_of(value)
        holder = await holder_of(self._store, self._clock, key, secret, account_key)
        self._used(holder)
        return actor_of(holder)


def pair_of(encoded: str) -> tuple[str, str]:
    """Key and secret of HTTP Basic. Raises Unauthorized."""
    try:
        key, _, secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError) as error:
        raise Unauthorized(REFUSED) from error
    return key, secret


def provide_actor(request: WebRequest, api: Api) -> Actor:  # noqa: ARG001 - see below
    """The actor of a request, as it was admitted. Raises Unauthorized where nobody was asked who they are.

    It says that it needs `api` so that Litestar asks for one after the other: for both at once it starts a task each.
    """
    found = admitted(request)
    if found is None:
        raise Unauthorized(REFUSED)
    return found.actor
