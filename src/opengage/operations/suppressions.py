"""Suppressions: numbers that this account must not text, whatever list they are on.

Step 3 of a text's path, and the last word on it: whoever sends asks again in the transaction that writes the intent,
so that a number is safe from the moment in which this is committed.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from opengage.clock import Clock
from opengage.domain.errors import Code, Problem
from opengage.domain.records import Suppression
from opengage.domain.webhooks import Event, Happening
from opengage.ids import Id, NewId
from opengage.operations import audit, fields
from opengage.operations.actors import Actor, require_writer
from opengage.operations.reading import load
from opengage.store import outbox, rows, suppressions
from opengage.store.contract import Store, Turn

TYPE: Final = "suppressions"
NOUN: Final = "suppression"
MANUAL, IMPORTED, OPTED_OUT = "manual", "imported", "opted-out"
SLICE: Final = 250
"""Items after which others get their turn: about a millisecond."""
REASONS: Final = (MANUAL, IMPORTED, OPTED_OUT)


class New(msgspec.Struct, frozen=True):
    """What a client writes of one."""

    phone_number: str
    reason: str = MANUAL


class Added(msgspec.Struct, frozen=True):
    """What stands for each number that was sent, in that order; `fresh` are those that were not there before."""

    suppressions: list[Suppression]
    fresh: set[Id]


async def add(
    store: Store, clock: Clock, new_id: NewId, actor: Actor, new: Sequence[New], place: Callable[[int], str]
) -> Added:
    """Suppress numbers, all or none; one that is suppressed already keeps its reason and date.

    `place` gives the JSON pointer of the n-th item, for problems. Raises Invalid with every problem, Forbidden.
    """
    require_writer(actor)
    problems: list[Problem] = []
    numbers = await _numbers(new, place, problems)
    fields.refuse(problems)
    now = clock.now()
    wanted = {number: each.reason for number, each in reversed(list(zip(numbers, new, strict=True)))}
    fresh = [
        Suppression(
            account_id=actor.account_id, id=new_id(), created_at=now, updated_at=now, phone_number=number, reason=reason
        )
        for number, reason in wanted.items()
    ]
    found: dict[str, Suppression] = {}
    async with store.writing() as tx:
        await tx.take_turn(Turn.CONSENT, (actor.account_id,))
        for reason in REASONS:
            found |= await suppressions.add(tx, [each for each in fresh if each.reason == reason])
        ours = {each.id for each in fresh}
        made = [each for each in found.values() if each.id in ours]
        await outbox.announce(tx, [_created(each) for each in made], now, new_id)
    return Added([found[number] for number in numbers], {each.id for each in made})


def _created(suppression: Suppression) -> Happening:
    return Happening(suppression.account_id, Event.SUPPRESSION_CREATED, TYPE, suppression.id)


async def delete(store: Store, clock: Clock, new_id: NewId, actor: Actor, id_: Id | None) -> None:
    """Let a number be texted again, and write down who did. Raises NotFound, Forbidden."""
    require_writer(actor)
    async with store.writing() as tx:
        await tx.take_turn(Turn.CONSENT, (actor.account_id,))
        found = await load(tx, actor, Suppression, id_, NOUN)
        await rows.delete(tx, found)
        detail = {"phone-number": found.phone_number, "reason": found.reason}
        await audit.note(tx, clock.now(), new_id, actor, "delete", TYPE, found, **detail)


async def _numbers(new: Sequence[New], place: Callable[[int], str], problems: list[Problem]) -> list[str]:
    """Every number in its canonical form; others get their turn after every slice."""
    numbers: list[str] = []
    for start in range(0, len(new), SLICE):
        numbers += [_number(each, place(at), problems) for at, each in enumerate(new[start : start + SLICE], start)]
        await asyncio.sleep(0)
    return numbers


def _number(new: New, at: str, problems: list[Problem]) -> str:
    if new.reason not in REASONS:
        detail = f"“reason” is “{new.reason[:40]}”. Use one of {', '.join(REASONS)}, or leave it out."
        problems.append(Problem(Code.NOT_ALLOWED_VALUE, detail, f"{at}/attributes/reason"))
    return fields.number("phone-number", new.phone_number, problems, at)
