"""If-Match: a change is made only to what its client has seen (RFC 9110 section 13.1.1).

Step 1 of a text's path. The version is compared inside the transaction that makes the change, with the row locked where
writers are concurrent.
"""

from typing import Final

from opengage.api.etags import allows, version_of
from opengage.api.resources.registry import BY_TYPE
from opengage.domain.errors import Changed
from opengage.ids import from_wire
from opengage.jsonapi.timestamps import to_text
from opengage.operations.actors import Actor
from opengage.operations.ahead import hold_ahead
from opengage.store import rows
from opengage.store.contract import Transaction
from opengage.store.one_transaction import Part

HEADER: Final = "if-match"

_CHANGED: Final = (
    "The resource was changed since you read it: its ETag is no longer the one in If-Match. Read it again, and repeat "
    "the change if it still makes sense."
)
_UNVERSIONED: Final = "A change here cannot be made conditional: leave If-Match out."


def unchanged(actor: Actor, kind: str, wire_id: str | None, if_match: str, *, deletes: bool) -> Part:
    """What raises Changed in the transaction unless the resource is as If-Match says.

    What does not exist is left to whoever changes it. Raises Changed at once for a type without versions: to ignore
    the condition would do what the client wanted prevented.
    """
    resource = BY_TYPE.get(kind)
    if resource is None or wire_id is None:
        raise Changed(_UNVERSIONED)
    record, id_ = resource.record, from_wire(wire_id)

    async def check(tx: Transaction) -> None:
        if id_ is None:
            return
        await hold_ahead(tx, actor, record, id_, deletes=deletes)
        found = await rows.find(tx, record, actor.account_id, id_, lock=True)
        if found is not None and not allows(version_of(to_text(found.updated_at)), if_match):
            raise Changed(_CHANGED)

    return check
