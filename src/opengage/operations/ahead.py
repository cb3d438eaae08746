"""What whoever changes a record holds before the record itself, for If-Match, which holds the record first.

Beside a text's path. Without it two would take the same locks in different orders, and wait for each other.
"""

from opengage.domain.records import Contact, ContactList, PhoneNumber, Record
from opengage.ids import Id
from opengage.operations.actors import Actor
from opengage.store import lanes
from opengage.store.contract import Transaction, Turn


async def hold_ahead(tx: Transaction, actor: Actor, record: type[Record], id_: Id, *, deletes: bool) -> None:
    """Hold what comes before a record of this type. Raises Unavailable when somebody else has it for long."""
    if record in (Contact, ContactList):
        await tx.take_turn(Turn.PEOPLE, (actor.account_id,))
    elif record is PhoneNumber and deletes:
        await lanes.hold_with_number(tx, actor.account_id, id_)
