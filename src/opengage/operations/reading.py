"""Reading one record.

Step 3 of a text's path, looking back. Another account's id is missing, like one that never was.
"""

from typing import TypeVar

from opengage.domain.errors import NotFound
from opengage.domain.records import PhoneNumber, Record, ServiceProfile
from opengage.ids import Id
from opengage.operations.actors import Actor
from opengage.operations.fields import missing
from opengage.store import lists, rows
from opengage.store.contract import Transaction

R = TypeVar("R", bound=Record)
Sender = TypeVar("Sender", PhoneNumber, ServiceProfile)


async def load(tx: Transaction, actor: Actor, record: type[R], id_: Id | None, noun: str) -> R:
    """The record of this id in the actor's account. Raises NotFound; None stands for a text that is no id."""
    found = await lists.find_many(tx, record, actor.account_id, [id_]) if id_ else {}
    if id_ not in found:
        raise NotFound(missing(noun))
    return found[id_]


async def hold(tx: Transaction, actor: Actor, record: type[R], id_: Id | None, noun: str) -> R:
    """`load` for whoever decides on the record and changes it: nobody else does until this transaction ends."""
    found = await rows.hold(tx, record, actor.account_id, [id_]) if id_ else {}
    if id_ not in found:
        raise NotFound(missing(noun))
    return found[id_]


async def hold_only(tx: Transaction, actor: Actor, record: type[Sender]) -> list[Sender]:
    """The account's only active record, which stays as it is until this transaction ends; else two of them, or none."""
    found = await rows.some(tx, record, limit=2, offset=0, account_id=actor.account_id, is_active=True)
    if len(found) != 1:
        return found
    held = await rows.hold(tx, record, actor.account_id, [found[0].id], shared=True)
    return [each for each in held.values() if each.is_active]
