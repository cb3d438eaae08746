"""The content of texts: written by itself, or carried by a blast's text.

Step 3 of a text's path. A message of its own is a draft until it is said to be finished; from then on it stays as it
is, because texts may have it. Its words are a template: merge fields are filled in for each text that is sent.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from opengage.clock import Clock, Instant
from opengage.domain.errors import Code, NotFound, Problem
from opengage.domain.records import TextMessage, TextTemplate
from opengage.ids import Id, NewId
from opengage.operations import fields, files
from opengage.operations.actors import Actor, require_writer, stamp
from opengage.operations.fields import missing
from opengage.operations.text_templates import check_body
from opengage.store import lists, rows
from opengage.store.contract import Store, Transaction

NOUN: Final = "text message"
_KIND: Final = "text-messages"
_UNSET: Final = msgspec.UNSET


class Shown(msgspec.Struct, frozen=True):
    """A message, and the files that go with its words."""

    message: TextMessage
    file_ids: Sequence[Id] = ()


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """What a client writes; what is left unset stays as it is. `meta` is the JSON of an object."""

    body: str | msgspec.UnsetType = _UNSET
    is_draft: bool | msgspec.UnsetType = _UNSET
    meta: str | msgspec.UnsetType = _UNSET
    text_template_id: Id | msgspec.UnsetType | None = _UNSET


async def create(
    store: Store, clock: Clock, new_id: NewId, actor: Actor, changes: Changes, attached: files.Wanted = files.NOTHING
) -> Shown:
    """A new message. Without a body it gets its template's; with both, the body stands and the template is named.

    Without files it gets its template's too. Raises Invalid, Forbidden.
    """
    require_writer(actor)
    now = clock.now()
    message = TextMessage(id=new_id(), body="", **stamp(actor, now))
    problems: list[Problem] = []
    async with store.writing() as tx:
        values = await _values(tx, actor, message, changes, problems)
        await _attach(tx, now, new_id, actor, message.id, changes, attached, problems)
        fields.refuse(problems)
        message = msgspec.structs.replace(message, **values)
        await rows.insert(tx, message)
        return (await show(tx, actor.account_id, [message]))[0]


async def update(
    store: Store,
    clock: Clock,
    new_id: NewId,
    actor: Actor,
    id_: Id | None,
    changes: Changes,
    attached: files.Wanted = files.NOTHING,
) -> Shown:
    """Change a draft, or finish it. Raises NotFound, Invalid (also when it is no draft), Forbidden."""
    require_writer(actor)
    now = clock.now()
    problems: list[Problem] = []
    async with store.writing() as tx:
        message = await _draft(tx, actor, id_)
        values = await _values(tx, actor, message, changes, problems)
        await _attach(tx, now, new_id, actor, message.id, changes, attached, problems)
        fields.refuse(problems)
        message = await rows.change(tx, message, **values, updated_at=now, updated_by=actor.membership_id)
        return (await show(tx, actor.account_id, [message]))[0]


async def show(tx: Transaction, account_id: int, messages: Sequence[TextMessage]) -> list[Shown]:
    """These messages with their files, in one statement more. What a blast's text carries has none: words were sent."""
    attached = await files.of(tx, _KIND, account_id, [message.id for message in messages])
    return [Shown(message, attached[message.id]) for message in messages]


async def delete(store: Store, actor: Actor, id_: Id | None) -> None:
    """Remove a draft. Raises NotFound, Invalid (when it is no draft), Forbidden."""
    require_writer(actor)
    async with store.writing() as tx:
        message = await _draft(tx, actor, id_)
        await files.detach(tx, _KIND, actor.account_id, message.id)
        await rows.delete(tx, message)


async def _attach(
    tx: Transaction,
    now: Instant,
    new_id: NewId,
    actor: Actor,
    message_id: Id,
    changes: Changes,
    wanted: files.Wanted,
    problems: list[Problem],
) -> None:
    """Add files to a message: its template's when neither it has any nor the client names some."""
    template_id = changes.text_template_id
    if isinstance(template_id, bytes) and not wanted.upload_ids and not wanted.file_ids:
        own = (await files.of(tx, _KIND, actor.account_id, [message_id]))[message_id]
        theirs = (await files.of(tx, "text-templates", actor.account_id, [template_id]))[template_id]
        wanted = wanted if own else files.Wanted(file_ids=theirs)
    uploads, known = wanted.upload_ids, wanted.file_ids
    owner = (_KIND, message_id)
    await files.attach(tx, new_id, actor, now, owner, upload_ids=uploads, file_ids=known, problems=problems)


async def _draft(tx: Transaction, actor: Actor, id_: Id | None) -> TextMessage:
    own = await rows.find(tx, TextMessage, actor.account_id, id_, lock=True) if id_ else None
    if own is None and not (id_ and await lists.find_many(tx, TextMessage, actor.account_id, [id_])):
        raise NotFound(missing(NOUN))
    if own is None or not own.is_draft:
        raise fields.illegal(
            "The text message is no draft: texts may have it, so it stays as it is. Make a new text message instead."
        )
    return own


async def _values(
    tx: Transaction, actor: Actor, message: TextMessage, changes: Changes, problems: list[Problem]
) -> dict[str, Any]:
    """The columns that a change writes; what is wrong is added to `problems`."""
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
