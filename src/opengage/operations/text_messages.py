"""The content of texts: written by itself, or carried by a blast's text.

Step 3 of a text's path. A message of its own is a draft until it is said to be finished; from then on it stays as it
is, because texts may have it. Its words are a template: merge fields are filled in for each text that is sent.
"""

from typing import Any, Final

import msgspec

from opengage.clock import Clock
from opengage.domain.errors import Code, NotFound, Problem
from opengage.domain.records import TextMessage, TextTemplate
from opengage.ids import Id, NewId
from opengage.operations import fields
from opengage.operations.actors import Actor, require_writer, stamp
from opengage.operations.fields import missing
from opengage.operations.text_templates import check_body
from opengage.store import lists, rows
from opengage.store.contract import Store, Transaction

NOUN: Final = "text message"
_UNSET: Final = msgspec.UNSET


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """What a client writes; what is left unset stays as it is. `meta` is the JSON of an object."""

    body: str | msgspec.UnsetType = _UNSET
    is_draft: bool | msgspec.UnsetType = _UNSET
    meta: str | msgspec.UnsetType = _UNSET
    text_template_id: Id | msgspec.UnsetType | None = _UNSET


async def create(store: Store, clock: Clock, new_id: NewId, actor: Actor, changes: Changes) -> TextMessage:
    """A new message. Without a body it gets its template's; with both, the body stands and the template is named.

    Raises Invalid, Forbidden.
    """
    require_writer(actor)
    message = TextMessage(id=new_id(), body="", **stamp(actor, clock.now()))
    async with store.writing() as tx:
        message = msgspec.structs.replace(message, **await _values(tx, actor, message, changes))
        await rows.insert(tx, message)
    return message


async def update(store: Store, clock: Clock, actor: Actor, id_: Id | None, changes: Changes) -> TextMessage:
    """Change a draft, or finish it. Raises NotFound, Invalid (also when it is no draft), Forbidden."""
    require_writer(actor)
    async with store.writing() as tx:
        message = await _draft(tx, actor, id_)
        values = await _values(tx, actor, message, changes)
        return await rows.change(tx, message, **values, updated_at=clock.now(), updated_by=actor.membership_id)


async def delete(store: Store, actor: Actor, id_: Id | None) -> None:
    """Remove a draft. Raises NotFound, Invalid (when it is no draft), Forbidden."""
    require_writer(actor)
    async with store.writing() as tx:
        await rows.delete(tx, await _draft(tx, actor, id_))


async def _draft(tx: Transaction, actor: Actor, id_: Id | None) -> TextMessage:
    own = await rows.find(tx, TextMessage, actor.account_id, id_, lock=True) if id_ else None
    if own is None and not (id_ and await lists.find_many(tx, TextMessage, actor.account_id, [id_])):
        raise NotFound(missing(NOUN))
    if own is None or not own.is_draft:
        raise fields.illegal(
            "The text message is no draft: texts may have it, so it stays as it is. Make a new text message instead."
        )
    return own


async def _values(tx: Transaction, actor: Actor, message: TextMessage, changes: Changes) -> dict[str, Any]:
    """The columns that a change writes. Raises Invalid with every problem."""
    problems: list[Problem] = []
    asked = {name: value for name in changes.__struct_fields__ if (value := getattr(changes, name)) is not _UNSET}
    template = await _template(tx, actor, changes.text_template_id, problems)
    if template is not None and "body" not in asked:
        asked["body"] = template.body
    body, is_draft = asked.get("body", message.body), asked.get("is_draft", message.is_draft)
    if not body.strip() and not is_draft and not problems:
        problems.append(
            Problem(
                Code.REQUIRED,
                "There are no words: send “body”, or the relationship “text-template”, whose body is copied.",
                "/data/attributes/body",
            )
        )
    elif body.strip():
        check_body(body, problems)
    fields.refuse(problems)
    return asked


async def _template(
    tx: Transaction, actor: Actor, id_: Id | msgspec.UnsetType | None, problems: list[Problem]
) -> TextTemplate | None:
    if id_ is _UNSET or id_ is None:
        return None
    found = await rows.find(tx, TextTemplate, actor.account_id, id_)
    if found is None or found.deleted_at is not None:
        problems.append(fields.unknown("text-template", "text template"))
        return None
    return found
