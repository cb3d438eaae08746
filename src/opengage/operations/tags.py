"""Tags: words that templates are filed under.

Step 3 of a text's path, for the people who look for a template.
"""

from typing import Final

from opengage.clock import Clock
from opengage.domain.errors import Code, Invalid, Problem
from opengage.domain.records import Tag
from opengage.ids import Id, NewId
from opengage.operations import fields
from opengage.operations.actors import Actor, require_writer, stamp
from opengage.operations.reading import hold, load
from opengage.store import rows, tags
from opengage.store.contract import Store, Transaction, Violation

NOUN: Final = "tag"


async def create(store: Store, clock: Clock, new_id: NewId, actor: Actor, *, name: str) -> Tag:
    """A new tag. Raises Invalid, also when there is one of this name; Forbidden."""
    require_writer(actor)
    problems: list[Problem] = []
    fields.name(name, problems)
    fields.refuse(problems)
    tag = Tag(id=new_id(), name=name, **stamp(actor, clock.now()))
    try:
        async with store.writing() as tx:
            await _require_free(tx, actor, name)
            await rows.insert(tx, tag)
    except Violation as error:  # somebody else was faster
        raise _taken(name) from error
    return tag


async def update(store: Store, clock: Clock, actor: Actor, id_: Id | None, *, name: str) -> Tag:
    """Call a tag something else; the templates stay under it. Raises NotFound, Invalid, Forbidden."""
    require_writer(actor)
    problems: list[Problem] = []
    fields.name(name, problems)
    try:
        async with store.writing() as tx:
            tag = await load(tx, actor, Tag, id_, NOUN)
            fields.refuse(problems)
            if name == tag.name:
                return tag
            await _require_free(tx, actor, name)
            return await rows.change(tx, tag, name=name, updated_at=clock.now(), updated_by=actor.membership_id)
    except Violation as error:
        raise _taken(name) from error


async def delete(store: Store, actor: Actor, id_: Id | None) -> None:
    """Remove a tag, and it from every template. Raises NotFound, Forbidden."""
    require_writer(actor)
    async with store.writing() as tx:
        tag = await hold(tx, actor, Tag, id_, NOUN)
        await tags.forget(tx, actor.account_id, tag.id)
        await rows.delete(tx, tag)


async def _require_free(tx: Transaction, actor: Actor, name: str) -> None:
    if await rows.first(tx, Tag, account_id=actor.account_id, name=name):
        raise _taken(name)


def _taken(name: str) -> Invalid:
    detail = f"There is a tag “{name[:40]}” already. Use that one, or choose another name."
    return Invalid([Problem(Code.NOT_ALLOWED_VALUE, detail, "/data/attributes/name")])
