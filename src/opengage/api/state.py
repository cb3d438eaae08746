"""What the API is given: everything that it needs, and nothing that it looks up for itself.

Step 1 of a text's path.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Protocol, cast

import msgspec
from litestar import Request
from litestar.di import NamedDependency
from litestar.params import SkipValidation

from opengage.clock import Clock
from opengage.domain.callback_urls import Limits
from opengage.ids import NewId
from opengage.metrics import Metrics
from opengage.operations.actors import Actor
from opengage.sealing import Sealer
from opengage.store.blobs import Blobs
from opengage.store.contract import Store


class ApiSettings(Protocol):
    """The settings that the API reads."""

    @property
    def body_limit_bytes(self) -> int:
        """The largest body that is read."""
        ...

    @property
    def files(self) -> Path | None:
        """The folder of uploaded files."""
        ...

    @property
    def upload_limit_bytes(self) -> int:
        """The largest file that an upload may have."""
        ...

    @property
    def bulk_limit(self) -> int:
        """The most resources of one bulk request."""
        ...

    @property
    def max_segments(self) -> int:
        """The most segments of one text."""
        ...

    @property
    def page_limit_default(self) -> int:
        """Resources on a page when the client does not say."""
        ...

    @property
    def page_limit_max(self) -> int:
        """The most resources that a client may ask for on a page."""
        ...

    @property
    def idempotency_seconds(self) -> float:
        """How long the answer of a request with an Idempotency-Key is kept."""
        ...

    @property
    def access_token_seconds(self) -> float:
        """How long a bearer token is good."""
        ...

    @property
    def refresh_token_seconds(self) -> float:
        """How long a session lives without being refreshed."""
        ...

    @property
    def token_rate_limit(self) -> int:
        """Requests per second of one token; 0 for no limit."""
        ...

    @property
    def account_rate_limit(self) -> int:
        """Requests per second of one account; 0 for no limit."""
        ...

    @property
    def bulk_rate_limit(self) -> int:
        """Resources per second that one account sends in bulk; 0 for no limit."""
        ...

    @property
    def requests_in_flight(self) -> int:
        """The most requests under way at once."""
        ...

    @property
    def bytes_in_flight(self) -> int:
        """The most bytes of bodies under way at once."""
        ...

    @property
    def public_url(self) -> str:
        """Scheme and host under which clients reach this server."""
        ...

    @property
    def undo_seconds(self) -> int:
        """How long what was scheduled can be taken back, where an engagement does not say."""
        ...


class ApiState(msgspec.Struct, frozen=True):
    """Everything that the API works with."""

    store: Store
    clock: Clock
    new_id: NewId
    settings: ApiSettings
    sealer: Sealer
    limits: Limits = Limits()
    """Where callbacks may go."""
    metrics: Metrics = msgspec.field(default_factory=Metrics)
    checks: tuple[Callable[[], None], ...] = ()
    """What must hold beside the database before requests are welcome. Each raises Unavailable when it does not."""
    disk_free: Callable[[], int | None] = lambda: None
    """Bytes of room on the disk of the data folder; None where nothing is known of it."""

    @property
    def blobs(self) -> Blobs:
        """Where the bytes of uploads and files lie."""
        assert self.settings.files is not None, "settings that were loaded name the folder"
        return Blobs(self.settings.files)

    @property
    def base_url(self) -> str:
        """What every link begins with."""
        return f"{self.settings.public_url.rstrip('/')}/api/v1"

    def on(self, store: Store) -> "ApiState":
        """The same with another store."""
        return self if store is self.store else msgspec.structs.replace(self, store=store)


WebRequest = Request[Any, Any, Any]
"""A request as Litestar hands it over."""

Api = NamedDependency[SkipValidation[ApiState]]
"""The state, as a handler asks for it."""

Member = NamedDependency[SkipValidation[Actor]]
"""Whoever sent the request, as a handler asks for it: known by their credentials."""


class Admitted(msgspec.Struct, frozen=True):
    """What the gate hands to the handler of a request."""

    actor: Actor
    api: ApiState
    """With the store that this request's changes go to."""
    charge: Callable[[int], None]
    """Counts the resources of a bulk request. Raises TooMany."""


_ADMITTED: Final = "opengage.admitted"


def admit(request: WebRequest, found: Admitted) -> None:
    """Hand this to the request's handler."""
    cast("dict[str, Any]", request.scope)[_ADMITTED] = found


def admitted(request: WebRequest) -> Admitted | None:
    """What the gate has handed over; None on routes that stand outside."""
    found: Admitted | None = cast("dict[str, Any]", request.scope).get(_ADMITTED)
    return found


def charge(request: WebRequest, count: int) -> None:
    """Count the resources of a bulk request against its account's limit, before any work is done on them.

    Raises TooMany.
    """
    found = admitted(request)
    if found is not None:
        found.charge(count)
