"""Reading one record or one page of them, for nouns whose records are all that there is to show.

Step 3 of a text's path. Another account's id is missing, like one that never was.
"""

from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import msgspec

from opengage.domain.errors import NotFound
from opengage.domain.records import Record
from opengage.ids import Id
from opengage.operations.actors import Actor
from opengage.operations.fields import missing
from opengage.store import rows
from opengage.store.contract import Store, Transaction

R = TypeVar("R", bound=Record)
T = TypeVar("T")


class Listed(msgspec.Struct, Generic[T], frozen=True):
    """One page: the items, and how many there are in all."""

    items: Sequence[T]
    total: int


async def load(tx: Transaction, actor: Actor, record: type[R], id_: Id | None, noun: str) -> R:
    """The record of this id in the actor's account. Raises NotFound; None stands for a text that is no id."""
    found = await rows.find(tx, record, actor.account_id, id_) if id_ else None
    if found is None:
        raise NotFound(missing(noun))
    return found


async def find(store: Store, actor: Actor, record: type[R], id_: Id | None, noun: str) -> R:
    """`load` in a transaction of its own."""
    async with store.reading() as tx:
        return await load(tx, actor, record, id_, noun)


async def page(store: Store, actor: Actor, record: type[R], limit: int, offset: int, **equal: Any) -> Listed[R]:
    """One page of the actor's records whose fields equal these, oldest first."""
    async with store.reading() as tx:
        found = await rows.page(tx, record, limit=limit, offset=offset, account_id=actor.account_id, **equal)
    return Listed(found.records, found.total)
