"""The API's process: the web application over a store."""

from litestar import Litestar

from opengage.api.app import create_app
from opengage.api.state import ApiState
from opengage.assembly.secrets import sealer
from opengage.assembly.webhooks import limits
from opengage.clock import SystemClock
from opengage.ids import new_id
from opengage.settings import Settings
from opengage.store.contract import Store


def web_app(settings: Settings, store: Store) -> Litestar:
    """The API over a store."""
    state = ApiState(
        store=store,
        clock=SystemClock(),
        new_id=new_id,
        settings=settings,
        sealer=sealer(settings),
        limits=limits(settings),
    )
    return create_app(state)
