"""Whether something points at a number or a profile; a text that waits taken back; templates as they once were."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from opengage.clock import Instant
from opengage.domain import records
from opengage.domain.states import TextStatus
from opengage.ids import Id
from opengage.store import canceling, lists, references, rows, tables
from opengage.store.contract import Store, Transaction
from store.samples import ACCOUNT, AUTHOR, NOW, RECORDS, id_of

Ask = Callable[[Transaction, int, Id], Awaitable[bool]]
OLD, YOUNG = id_of(1), id_of(1_000_000)
"""Older and younger than every sample."""


def sample(kind: type[records.Record]) -> Any:
    """The sample of this class."""
    return next(each for each in RECORDS if type(each) is kind)


POINTING: list[tuple[Ask, records.Record]] = [
    (references.to_number, msgspec.structs.replace(sample(records.Activity), phone_number_id=OLD)),
    (references.to_number, msgspec.structs.replace(sample(records.Text), phone_number_id=OLD)),
    (references.to_profile, msgspec.structs.replace(sample(records.PhoneNumber), service_profile_id=OLD)),
    (references.to_profile, msgspec.structs.replace(sample(records.Text), service_profile_id=OLD)),
]


@pytest.mark.parametrize(("ask", "record"), POINTING, ids=lambda value: type(value).__name__)
async def test_what_points(store: Store, ask: Ask, record: records.Record) -> None:
    """It is found in its own account alone; before it is there, nothing is."""
    async with store.writing() as tx:
        assert not await ask(tx, ACCOUNT, OLD)
        await rows.insert(tx, record)
        assert await ask(tx, ACCOUNT, OLD)
        assert not await ask(tx, ACCOUNT, id_of(2))
        assert not await ask(tx, 2, OLD)


async def test_a_sender_pool_and_what_was_texted_lately(store: Store) -> None:
    """Both have a number, and keep it."""
    for table in (tables.engagement_numbers, tables.recent_texts):
        names = [column.name for column in table.primary_key.columns]
        async with store.writing() as tx:
            values: dict[str, Any] = {name: OLD for name in names if name.endswith("_id")}
            values |= {"account_id": ACCOUNT, "phone_number_id": OLD}
            values |= {"position": 1} if "position" in table.c else {"phone_number": "+12025550123"}
            await tx.run(sa.insert(table).values({name: sa.bindparam(name) for name in values}), **values)
            assert await references.to_number(tx, ACCOUNT, OLD)
            await tx.run(sa.delete(table))
            assert not await references.to_number(tx, ACCOUNT, OLD)


async def test_older_texts_are_not_read(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A text that is older than the number cannot have it; too many younger ones are taken for a reference."""
    async with store.writing() as tx:
        await rows.insert(tx, sample(records.Text))
        assert not await references.to_number(tx, ACCOUNT, YOUNG)
        assert not await references.to_number(tx, ACCOUNT, OLD)
        monkeypatch.setattr(references, "MOST_READ", 1)
        assert await references.to_number(tx, ACCOUNT, OLD)
        assert not await references.to_number(tx, ACCOUNT, YOUNG)


@pytest.mark.parametrize(
    ("changes", "wins"),
    [
        ({"status": TextStatus.QUEUED, "next_at": NOW}, True),
        ({"status": TextStatus.QUEUED, "next_at": None}, False),
        ({"status": TextStatus.SENDING, "next_at": None}, False),
        ({"status": TextStatus.CANCELED, "next_at": None}, False),
    ],
)
async def test_taking_a_text_back(store: Store, changes: dict[str, Any], wins: bool) -> None:
    """It wins over a dispatcher that has not taken the text yet, and over nobody else."""
    read = msgspec.structs.replace(sample(records.Text), status=TextStatus.QUEUED, next_at=NOW)
    async with store.writing() as tx:
        await rows.insert(tx, msgspec.structs.replace(read, **changes))
        won = await canceling.cancel(tx, read, TextStatus.CANCELED, id_of(77), AUTHOR, Instant(NOW + 1))
        found = await rows.find(tx, records.Text, ACCOUNT, read.id)
    assert won is wins
    assert found is not None
    if wins:
        assert (found.status, found.next_at, found.result_id) == (TextStatus.CANCELED, None, id_of(77))
        assert (found.settled_at, found.updated_at, found.updated_by) == (NOW + 1, NOW + 1, AUTHOR)
    else:
        assert found == msgspec.structs.replace(read, **changes)


async def test_revisions_as_templates(store: Store) -> None:
    """Each is found by its id as the template that it was, its own newest revision; a template belongs to none."""
    template = sample(records.TextTemplate)
    revision = msgspec.structs.replace(
        sample(records.TextTemplateRevision), id=id_of(900), text_template_id=template.id
    )
    async with store.writing() as tx:
        await rows.insert(tx, template)
        await rows.insert(tx, revision)
    async with store.writing() as tx:
        found = await lists.find_many(tx, records.TextTemplate, ACCOUNT, [template.id, revision.id])
        again = await rows.find(tx, records.TextTemplate, ACCOUNT, template.id, lock=True)
        assert await rows.find(tx, records.TextTemplate, 2, template.id, lock=True) is None
    assert found[template.id] == again == template
    shown = found[revision.id]
    assert (shown.text_template_id, shown.revision_id, shown.body) == (template.id, revision.id, revision.body)
    assert (shown.is_archived, shown.deleted_at, shown.deleted_by) == (False, None, None)


async def test_a_record_is_removed(store: Store) -> None:
    """In its own account alone, and once."""
    tag = sample(records.Tag)
    other = msgspec.structs.replace(tag, account_id=2)
    async with store.writing() as tx:
        await rows.insert(tx, tag)
        await rows.insert(tx, other)
        await rows.delete(tx, tag)
        await rows.delete(tx, tag)
        assert await rows.every(tx, records.Tag, name=tag.name) == [other]
