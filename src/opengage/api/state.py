"""What the API is given: everything that it needs, and nothing that it looks up for itself.

Step 1 of a text's path.
"""

from typing import Any, Protocol

import msgspec
from litestar import Request
from litestar.di import NamedDependency
from litestar.params import SkipValidation

from opengage.clock import Clock
from opengage.ids import NewId
from opengage.operations.actors import Actor
from opengage.store.contract import Store


class ApiSettings(Protocol):
    """The settings that the API reads."""

    @property
    def body_limit_bytes(self) -> int:
        """The largest body that is read."""
        ...

    @property
    def bulk_limit(self) -> int:
        """The most resources of one bulk request."""
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

    @property
    def base_url(self) -> str:
        """What every link begins with."""
        return f"{self.settings.public_url.rstrip('/')}/api/v1"


WebRequest = Request[Any, Any, Any]
"""A request as Litestar hands it over."""

Api = NamedDependency[SkipValidation[ApiState]]
"""The state, as a handler asks for it."""

Member = NamedDependency[SkipValidation[Actor]]
"""Whoever sent the request, as a handler asks for it: known by their credentials."""
