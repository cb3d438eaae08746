"""Text templates: written once, checked at once, every edit a revision.

Step 3 of a text's path: the words that every recipient will get. The dispatcher reads a template anew for each batch:
an edit reaches whoever has not been texted yet, in a blast that is under way too.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from opengage.clock import Clock, Instant
from opengage.domain.errors import Code, NotFound, Problem
from opengage.domain.records import Tag, TextTemplate, TextTemplateRevision
from opengage.domain.templates import TemplateError, compile_template
from opengage.ids import Id, NewId, to_wire
from opengage.operations import fields, files
from opengage.operations.actors import Actor, require_writer, stamp
from opengage.store import rows, tags
from opengage.store.contract import Store, Transaction

NOUN: Final = "text template"
_KIND: Final = "text-templates"
MOST_TAGS: Final = 100
_UNSET: Final = msgspec.UNSET


class Shown(msgspec.Struct, frozen=True):
    """A template, its tags, and the files that go with its words."""

    template: TextTemplate
    tag_ids: Sequence[Id] = ()
    file_ids: Sequence[Id] = ()


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """What a client wants changed; what is left unset stays as it is. `tag_ids`, when given, are all the tags.

    `attached` comes to the files that are there.
    """

    name: str | msgspec.UnsetType = _UNSET
    body: str | msgspec.UnsetType = _UNSET
    is_archived: bool | msgspec.UnsetType = _UNSET
    tag_ids: Sequence[Id] | None = None
    attached: files.Wanted = files.NOTHING


async def create(
    store: Store,
    clock: Clock,
    new_id: NewId,
    actor: Actor,
    *,
    name: str,
    body: str,
    tag_ids: Sequence[Id] = (),
    attached: files.Wanted = files.NOTHING,
) -> Shown:
    """Write a template and its first revision. Raises Invalid, Forbidden."""
    require_writer(actor)
    problems: list[Problem] = []
    fields.name(name, problems)
    check_body(body, problems)
    now = clock.now()
    common = stamp(actor, now) | {"name": name, "body": body}
    revision_id = new_id()
    template = TextTemplate(id=new_id(), revision_id=revision_id, **common)
    async with store.writing() as tx:
        await _check_tags(tx, actor, tag_ids, problems)
        await _attach(tx, now, new_id, actor, template.id, attached, problems)
        fields.refuse(problems)
        await rows.insert(tx, template)
        await rows.insert(tx, TextTemplateRevision(id=revision_id, text_template_id=template.id, **common))
        await tags.add(tx, actor.account_id, template.id, tag_ids)
        return (await show(tx, actor.account_id, [template]))[0]


async def show(tx: Transaction, account_id: int, templates: Sequence[TextTemplate]) -> list[Shown]:
    """These templates with their tags and files, in two statements more."""
    ids = [template.id for template in templates]
    tagged = await tags.of_templates(tx, account_id, ids)
    attached = await files.of(tx, _KIND, account_id, ids)
    return [Shown(template, tagged[template.id], attached[template.id]) for template in templates]


async def show_revisions(_: Transaction, __: int, revisions: Sequence[TextTemplateRevision]) -> list[Shown]:
    """These revisions as the templates that they were; each is its own newest revision."""
    return [Shown(TextTemplate(**msgspec.structs.asdict(revision), revision_id=revision.id)) for revision in revisions]


async def update(store: Store, clock: Clock, new_id: NewId, actor: Actor, id_: Id | None, changes: Changes) -> Shown:
    """Change a template; other words or another name are a new revision. Raises NotFound, Invalid, Forbidden."""
    require_writer(actor)
    async with store.writing() as tx:
        template = await _load_to_change(tx, actor, id_)
        problems: list[Problem] = []
        words = _words(template, changes, problems)
        await _check_tags(tx, actor, changes.tag_ids or (), problems)
        now = clock.now()
        attached = await _attach(tx, now, new_id, actor, template.id, changes.attached, problems)
        fields.refuse(problems)
        values: dict[str, Any] = dict(words)
        if changes.is_archived is not _UNSET and changes.is_archived != template.is_archived:
            values["is_archived"] = changes.is_archived
        if changes.tag_ids is not None:
            await tags.replace(tx, actor.account_id, template.id, changes.tag_ids)
        if values or attached:
            template = await _write(tx, now, new_id, actor, template, words, values)
        return (await show(tx, actor.account_id, [template]))[0]


async def _attach(
    tx: Transaction,
    now: Instant,
    new_id: NewId,
    actor: Actor,
    template_id: Id,
    wanted: files.Wanted,
    problems: list[Problem],
) -> int:
    """Add files to a template; how many came new."""
    uploads, known = wanted.upload_ids, wanted.file_ids
    owner = (_KIND, template_id)
    return await files.attach(tx, new_id, actor, now, owner, upload_ids=uploads, file_ids=known, problems=problems)


async def _write(
    tx: Transaction,
    now: Instant,
    new_id: NewId,
    actor: Actor,
    template: TextTemplate,
    words: dict[str, str],
    values: dict[str, Any],
) -> TextTemplate:
    if words:
        said = stamp(actor, now) | {"name": template.name, "body": template.body} | words
        revision = TextTemplateRevision(id=new_id(), text_template_id=template.id, **said)
        await rows.insert(tx, revision)
        values["revision_id"] = revision.id
    return await rows.change(tx, template, **values, updated_at=now, updated_by=actor.membership_id)


async def delete(store: Store, clock: Clock, actor: Actor, id_: Id | None) -> None:
    """Mark a template as deleted: it can still be read, and a blast that has it goes on with it.

    Deleting it again changes nothing. Raises NotFound, Forbidden.
    """
    require_writer(actor)
    async with store.writing() as tx:
        template = await _load(tx, actor, id_)
        if template.deleted_at is None:
            now = clock.now()
            await rows.change(
                tx,
                template,
                deleted_at=now,
                deleted_by=actor.membership_id,
                updated_at=now,
                updated_by=actor.membership_id,
            )


async def add_tags(store: Store, actor: Actor, id_: Id | None, tag_ids: Sequence[Id]) -> None:
    """File a template under these tags too. Raises NotFound, Invalid, Forbidden."""
    require_writer(actor)
    async with store.writing() as tx:
        template = await _load_to_change(tx, actor, id_)
        (before,) = await show(tx, actor.account_id, [template])
        problems: list[Problem] = []
        await _check_tags(tx, actor, tag_ids, problems, "/data")
        _check_count({*before.tag_ids, *tag_ids}, problems, "/data")
        fields.refuse(problems)
        await tags.add(tx, actor.account_id, template.id, tag_ids)


async def remove_tags(store: Store, actor: Actor, id_: Id | None, tag_ids: Sequence[Id]) -> None:
    """Take a template out of these tags; one that it has not is no matter. Raises NotFound, Invalid, Forbidden."""
    require_writer(actor)
    async with store.writing() as tx:
        template = await _load_to_change(tx, actor, id_)
        await tags.remove(tx, actor.account_id, template.id, tag_ids)


async def replace_tags(store: Store, actor: Actor, id_: Id | None, tag_ids: Sequence[Id]) -> None:
    """File a template under these tags and no others. Raises NotFound, Invalid, Forbidden."""
    require_writer(actor)
    async with store.writing() as tx:
        template = await _load_to_change(tx, actor, id_)
        problems: list[Problem] = []
        await _check_tags(tx, actor, tag_ids, problems, "/data")
        fields.refuse(problems)
        await tags.replace(tx, actor.account_id, template.id, tag_ids)


async def _load(tx: Transaction, actor: Actor, id_: Id | None) -> TextTemplate:
    """The template itself. Raises Invalid for a revision's id: what was said then stays said."""
    template = await rows.find(tx, TextTemplate, actor.account_id, id_, lock=True) if id_ else None
    if template is not None:
        return template
    revision = await rows.find(tx, TextTemplateRevision, actor.account_id, id_) if id_ else None
    if revision is None:
        raise NotFound(fields.missing(NOUN))
    whole = to_wire(revision.text_template_id)
    raise fields.illegal(f"This is a revision, and those never change. Change its text template, {whole}.")


async def _load_to_change(tx: Transaction, actor: Actor, id_: Id | None) -> TextTemplate:
    template = await _load(tx, actor, id_)
    if template.deleted_at is not None:
        raise fields.illegal("The text template was deleted and can no longer be changed. Make a new one.")
    return template


def _words(template: TextTemplate, changes: Changes, problems: list[Problem]) -> dict[str, str]:
    """The name and body that differ from what is there."""
    words: dict[str, str] = {}
    if changes.name is not _UNSET and changes.name != template.name:
        fields.name(changes.name, problems)
        words["name"] = changes.name
    if changes.body is not _UNSET and changes.body != template.body:
        check_body(changes.body, problems)
        words["body"] = changes.body
    return words


async def _check_tags(
    tx: Transaction,
    actor: Actor,
    tag_ids: Sequence[Id],
    problems: list[Problem],
    pointer: str = "/data/relationships/tags/data",
) -> None:
    """Each must be there, and stays until this transaction ends; what is wrong is added to `problems`."""
    _check_count(set(tag_ids), problems, pointer)
    known = await rows.hold(tx, Tag, actor.account_id, tag_ids[: MOST_TAGS + 1], shared=True)
    problems.extend(
        Problem(Code.UNKNOWN_TARGET, fields.missing("tag"), f"{pointer}/{place}")
        for place, id_ in enumerate(tag_ids[: MOST_TAGS + 1])
        if id_ not in known
    )


def _check_count(tag_ids: set[Id], problems: list[Problem], pointer: str) -> None:
    if len(tag_ids) > MOST_TAGS:
        detail = f"A text template takes at most {MOST_TAGS} tags. Leave some out."
        problems.append(Problem(Code.TOO_MANY, detail, pointer))


def check_body(body: str, problems: list[Problem]) -> None:
    """Words must be there, and be a template that can be rendered."""
    pointer = "/data/attributes/body"
    if not body.strip():
        problems.append(Problem(Code.REQUIRED, "“body” is empty. Write the words of the text.", pointer))
        return
    try:
        compile_template(body)
    except TemplateError as error:
        problems.append(Problem(Code.INVALID_TEMPLATE, str(error), pointer))
