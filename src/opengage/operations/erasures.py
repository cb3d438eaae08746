"""Erasures: an owner wants a person's number forgotten, and it is, in all of the account.

Beside a text's path. What is asked for is written down with the number sealed; a worker, or `opengage erase`, carries
it out (`operations.erasing`), and when nothing is left to look for the sealed number goes too.
"""

from typing import Final

import msgspec

from opengage.clock import Clock
from opengage.domain.errors import Problem
from opengage.domain.records import Erasure
from opengage.ids import Id, NewId, to_wire
from opengage.operations import audit, fields
from opengage.operations.actors import Actor, require_owner, stamp
from opengage.store import pseudonyms, rows
from opengage.store.contract import Store, Transaction, Turn
from opengage.store.pseudonyms import sealer_of

TYPE: Final = "erasures"
NOUN: Final = "erasure"


class Begun(msgspec.Struct, frozen=True):
    """The erasure of a number: a fresh one, or the one that is under way already."""

    erasure: Erasure
    is_fresh: bool


async def begin(store: Store, clock: Clock, new_id: NewId, actor: Actor, phone_number: str) -> Begun:
    """Ask for a number to be forgotten; one that is being forgotten is not asked for twice.

    Raises Invalid for what is no number, Forbidden.
    """
    require_owner(actor)
    problems: list[Problem] = []
    number = fields.number("phone-number", phone_number, problems)
    fields.refuse(problems)
    now = clock.now()
    async with store.writing() as tx:
        await tx.take_turn(Turn.FORGETTING, (actor.account_id,))
        pseudonym = (await pseudonyms.ensure(tx, actor.account_id)).of(number)
        known = await rows.first(tx, Erasure, account_id=actor.account_id, pseudonym=pseudonym, completed_at=None)
        if known is not None:
            return Begun(known, is_fresh=False)
        id_ = new_id()
        sealed = sealer_of(tx).seal(number, _purpose(id_))
        erasure = Erasure(**stamp(actor, now), id=id_, pseudonym=pseudonym, number=sealed)
        await rows.insert(tx, erasure)
        await audit.note(tx, now, new_id, actor, "create", TYPE, erasure, pseudonym=pseudonym)
    return Begun(erasure, is_fresh=True)


def number_of(tx: Transaction, erasure: Erasure) -> str | None:
    """The number that is to be forgotten; None once it is. Raises Unavailable, Unsealable."""
    return sealer_of(tx).open(erasure.number, _purpose(erasure.id)) if erasure.number else None


def _purpose(id_: Id) -> str:
    return f"erasure:{to_wire(id_)}"
