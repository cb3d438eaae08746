"""Reading the content of texts.

Step 3 of a text's path, looking back.
"""

from opengage.domain.errors import NotFound
from opengage.domain.records import TextMessage
from opengage.ids import Id
from opengage.operations.actors import Actor
from opengage.operations.fields import missing
from opengage.operations.reading import Listed
from opengage.store import text_messages
from opengage.store.contract import Store


async def find(store: Store, actor: Actor, id_: Id | None) -> TextMessage:
    """A message, its own or a blast text's under that text's id. Raises NotFound."""
    async with store.reading() as tx:
        found = await text_messages.find(tx, actor.account_id, id_) if id_ else None
    if found is None:
        raise NotFound(missing("text message"))
    return found


async def page(store: Store, actor: Actor, limit: int, offset: int) -> Listed[TextMessage]:
    """One page of the account's messages, oldest first."""
    async with store.reading() as tx:
        found = await text_messages.page(tx, actor.account_id, limit=limit, offset=offset)
    return Listed(found.records, found.total)
