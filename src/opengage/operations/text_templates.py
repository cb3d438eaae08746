"""Text templates: written once, checked at once, every edit a revision.

Step 3 of a text's path: the words that every recipient will get.
"""

from typing import Any

from opengage.clock import Clock
from opengage.domain.errors import Code, Problem
from opengage.domain.records import TextTemplate, TextTemplateRevision
from opengage.domain.templates import TemplateError, compile_template
from opengage.ids import NewId
from opengage.operations import fields
from opengage.operations.actors import Actor, require_writer
from opengage.store import rows
from opengage.store.contract import Store


async def create(store: Store, clock: Clock, new_id: NewId, actor: Actor, *, name: str, body: str) -> TextTemplate:
    """Write a template and its first revision. Raises Invalid, Forbidden."""
    require_writer(actor)
    problems: list[Problem] = []
    fields.name(name, problems)
    _check_body(body, problems)
    fields.refuse(problems)
    now, revision_id = clock.now(), new_id()
    common: dict[str, Any] = {
        "account_id": actor.account_id,
        "created_at": now,
        "updated_at": now,
        "created_by": actor.membership_id,
        "updated_by": actor.membership_id,
        "name": name,
        "body": body,
    }
    template = TextTemplate(id=new_id(), revision_id=revision_id, **common)
    async with store.writing() as tx:
        await rows.insert(tx, template)
        await rows.insert(tx, TextTemplateRevision(id=revision_id, text_template_id=template.id, **common))
    return template


def _check_body(body: str, problems: list[Problem]) -> None:
    pointer = "/data/attributes/body"
    if not body.strip():
        problems.append(Problem(Code.REQUIRED, "“body” is empty. Write the words of the text.", pointer))
        return
    try:
        compile_template(body)
    except TemplateError as error:
        problems.append(Problem(Code.INVALID_TEMPLATE, str(error), pointer))
