"""The API's process: the web application over a store, and what must hold before it is ready."""

import asyncio
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

from litestar import Litestar

from opengage.api.app import create_app
from opengage.api.state import ApiState
from opengage.assembly.secrets import sealer
from opengage.assembly.webhooks import limits
from opengage.clock import SystemClock
from opengage.domain.errors import Unavailable
from opengage.ids import new_id
from opengage.metrics import Metrics
from opengage.settings import Settings
from opengage.store.contract import Store
from opengage.store.metered import MeteredStore


def web_app(settings: Settings, store: Store, draining: asyncio.Event | None = None) -> Litestar:
    """The API over a store; it is not ready any more once `draining` is set."""
    metrics = Metrics()
    checks: list[Callable[[], None]] = [partial(_require_room, settings)]
    if draining is not None:
        checks.append(partial(_require_staying, draining))
    return create_app(
        ApiState(
            store=MeteredStore(store, metrics),
            clock=SystemClock(),
            new_id=new_id,
            settings=settings,
            sealer=sealer(settings),
            limits=limits(settings),
            metrics=metrics,
            checks=tuple(checks),
            disk_free=partial(free_bytes, settings.data),
        )
    )


def free_bytes(folder: Path) -> int | None:
    """Room on the disk of a folder, None when it cannot be told."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def _require_room(settings: Settings) -> None:
    free = free_bytes(settings.data)
    if settings.database_url is None and free is not None and free < settings.disk_reserve_bytes:
        raise Unavailable(
            f"The disk of the data folder has {free} bytes left, below OPENGAGE_DISK_RESERVE_BYTES "
            f"({settings.disk_reserve_bytes}). Make room on it."
        )


def _require_staying(draining: asyncio.Event) -> None:
    if draining.is_set():
        raise Unavailable("This process is about to stop. Send requests to another one.")
