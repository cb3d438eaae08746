"""Envelopes changed and taken back, as long as they are pending: afterwards their text is on its way.

Step 3 of a text's path. All of a request or none; the ledger moves in the same transaction.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from opengage.clock import SECOND, Clock
from opengage.domain.errors import Code, NotFound, Problem
from opengage.domain.ledger import Moves
from opengage.domain.records import Engagement, Envelope
from opengage.domain.states import EnvelopeStatus, Reason
from opengage.ids import Id, NewId
from opengage.operations import envelopes, fields
from opengage.operations.actors import Actor, require_writer
from opengage.operations.envelopes import Shown
from opengage.store import endings, envelope_edits, rows
from opengage.store.contract import Store, Transaction

NOUN: Final = "envelope"
_UNSET = msgspec.UNSET

Place = Callable[[int], str]
"""The JSON pointer of the n-th item of a bulk request."""


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """What a client wants changed; what is left unset stays as it is."""

    engagement_id: Id | None = None
    """Where the client believes it to be; an envelope does not move."""
    phone_number: str | msgspec.UnsetType = _UNSET
    """In E.164."""
    meta: str | msgspec.UnsetType = _UNSET
    """JSON text of an object."""
    callback: str | msgspec.UnsetType | None = _UNSET
    callback_include: str | msgspec.UnsetType | None = _UNSET
    is_priority: bool | msgspec.UnsetType = _UNSET
    delay_in_seconds: int | msgspec.UnsetType | None = _UNSET
    """Counted from when the envelope was made."""


async def update(
    store: Store, clock: Clock, actor: Actor, edits: Sequence[tuple[Id | None, Changes]], place: Place | None
) -> list[Shown]:
    """Change pending envelopes, all or none, and show them in the order given.

    Without `place` there is one, named by the address: raises NotFound when it is not there. Raises Invalid with every
    envelope that is not there or pending no more, Forbidden.
    """
    require_writer(actor)
    now = clock.now()
    async with store.writing() as tx:
        await _expect_callbacks(tx, actor, [id_ for id_, changes in edits if id_ is not None and changes.callback])
        found = await _found(tx, actor, [id_ for id_, _ in edits], place)
        problems: list[Problem] = []
        for number, (id_, changes) in enumerate(edits):
            assert id_ is not None, "those that are no ids were not found"
            envelope = found[id_]
            if changes.engagement_id not in (None, envelope.engagement_id):
                problems.append(_elsewhere(place(number) if place else "/data"))
            values = _values(envelope, changes) | {"updated_at": now, "updated_by": actor.membership_id}
            if not await envelope_edits.change(tx, actor.account_id, id_, values):
                problems.append(_taken(envelope, place(number) if place else "/data", "changed"))
        fields.refuse(problems)
        ids = [id_ for id_, _ in edits if id_ is not None]
        after = await rows.find_many(tx, Envelope, actor.account_id, ids)
        return list(await envelopes.show(tx, actor.account_id, [after[id_] for id_ in ids]))


async def delete(
    store: Store, clock: Clock, new_id: NewId, actor: Actor, ids: Sequence[Id | None], place: Place | None
) -> None:
    """Take pending envelopes back, all or none; nothing of them is kept or counted. As `update`."""
    require_writer(actor)
    async with store.writing() as tx:
        found = await _found(tx, actor, ids, place)
        wanted = sorted(found)
        if await envelope_edits.remove(tx, actor.account_id, wanted) < len(wanted):
            left = await rows.find_many(tx, Envelope, actor.account_id, wanted)
            fields.refuse(
                [
                    _taken(left[id_], place(number) if place else "/data", "taken back")
                    for number, id_ in enumerate(ids)
                    if id_ in left
                ]
            )
        moves = Moves()
        for engagement_id, count in Counter(envelope.engagement_id for envelope in found.values()).items():
            moves.leave(actor.account_id, engagement_id, Reason.NONE, count)
        await endings.move_and_complete(tx, moves, clock.now(), new_id)


async def _expect_callbacks(tx: Transaction, actor: Actor, ids: Sequence[Id]) -> None:
    """Say on their engagements that some envelopes want word of their fate: else nobody looks.

    Before the envelopes are held: whoever cancels an engagement holds that first, and then its envelopes.
    """
    asking = await rows.find_many(tx, Envelope, actor.account_id, ids)
    wanted = [envelope.engagement_id for envelope in asking.values()]
    engagements = await rows.find_many(tx, Engagement, actor.account_id, wanted)
    silent = [id_ for id_, engagement in engagements.items() if not engagement.has_callbacks]
    for engagement in (await rows.hold(tx, Engagement, actor.account_id, silent)).values():
        await rows.change(tx, engagement, has_callbacks=True)


async def _found(tx: Transaction, actor: Actor, ids: Sequence[Id | None], place: Place | None) -> dict[Id, Envelope]:
    # held, so that of several who take the same one back only the first finds it, and it is counted out once
    found = await rows.hold(tx, Envelope, actor.account_id, [id_ for id_ in ids if id_ is not None])
    absent = [number for number, id_ in enumerate(ids) if id_ not in found]
    if absent and place is None:
        raise NotFound(fields.missing(NOUN))
    if place is not None:
        fields.refuse([Problem(Code.UNKNOWN_TARGET, fields.missing(NOUN), f"{place(number)}/id") for number in absent])
    return found


def _taken(envelope: Envelope, at: str, what: str) -> Problem:
    where = "under way" if envelope.status is EnvelopeStatus.PENDING else envelope.status.value
    detail = (
        f"The envelope is {where} and can no longer be {what}: only pending ones can. Pause or cancel its engagement "
        "to stop what has not left, or add a new envelope."
    )
    return Problem(Code.ILLEGAL_STATE, detail, at)


def _elsewhere(at: str) -> Problem:
    detail = "The envelope is not in this engagement, and an envelope does not move. Leave “engagement” out."
    return Problem(Code.UNKNOWN_TARGET, detail, f"{at}/relationships/engagement")


def _values(envelope: Envelope, changes: Changes) -> dict[str, Any]:
    values = {name: value for name, value in msgspec.structs.asdict(changes).items() if value is not _UNSET}
    del values["engagement_id"]
    if "delay_in_seconds" in values:
        values["next_at"] = envelope.created_at + (values["delay_in_seconds"] or 0) * SECOND
    if "phone_number" in values:
        values["phone_number_id"] = None  # a pool chose its sender for another recipient
    return values
