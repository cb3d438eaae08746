"""The API's process: the web application over a store."""

from litestar import Litestar

from opengage.api.app import create_app
from opengage.api.state import ApiState
from opengage.clock import SystemClock
from opengage.ids import new_id
from opengage.settings import Settings
from opengage.store.contract import Store


def web_app(settings: Settings, store: Store) -> Litestar:
    """The API over a store."""
    return create_app(ApiState(store=store, clock=SystemClock(), new_id=new_id, settings=settings))
