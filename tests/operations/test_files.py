"""Files attached to templates and messages: added, never replaced, never another account's."""

from pathlib import Path

import pytest

from api_client import NUMBER, START, StandingClock
from opengage.domain.errors import Code, Problem
from opengage.domain.records import Upload
from opengage.ids import Id, new_id
from opengage.operations import files, uploads
from opengage.operations.accounts import create_account
from opengage.operations.actors import Actor
from opengage.store import rows
from opengage.store.blobs import Blobs
from opengage.store.sqlite import SqliteStore


@pytest.fixture
async def actor(store: SqliteStore, clock: StandingClock) -> Actor:
    """The owner of an account."""
    account = await create_account(store, clock, new_id, key="firstbank", phone_number=NUMBER)
    return Actor(1, "firstbank", account.membership_id, "owner")


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    """A folder."""
    return Blobs(tmp_path / "files")


async def arrived(store: SqliteStore, clock: StandingClock, actor: Actor, blobs: Blobs) -> Id:
    """An upload whose bytes are here; its id."""
    form = await uploads.create(
        store, clock, new_id, actor, name="a.gif", content_type="image/gif", size=None, limit=100
    )
    ticket = await uploads.check_form(store, clock, form.bucket, dict(form.fields))
    async with blobs.arriving() as coming:
        await coming.write(b"GIF89a\x02\x00\x01\x00;")
    await uploads.receive(store, blobs, clock, ticket, coming, "image/gif")
    return form.upload.id


async def attach(
    store: SqliteStore, actor: Actor, owner: tuple[str, Id], upload_ids: list[Id], file_ids: list[Id]
) -> tuple[list[Id], list[Problem]]:
    """Attach these; what is attached then, and what was wrong."""
    problems: list[Problem] = []
    async with store.writing() as tx:
        await files.attach(tx, new_id, actor, START, owner, upload_ids=upload_ids, file_ids=file_ids, problems=problems)
    async with store.reading() as tx:
        return (await files.of(tx, owner[0], actor.account_id, [owner[1]]))[owner[1]], problems


@pytest.mark.parametrize("kind", files.OWNERS)
async def test_files_are_added(store: SqliteStore, clock: StandingClock, actor: Actor, blobs: Blobs, kind: str) -> None:
    """Nothing given changes nothing; an upload becomes one file, however often it is named."""
    owner = (kind, new_id())
    one, two = [await arrived(store, clock, actor, blobs) for _ in range(2)]
    assert await attach(store, actor, owner, [], []) == ([], [])
    (first,), _ = await attach(store, actor, owner, [one], [])
    assert (await attach(store, actor, owner, [], []))[0] == [first]
    both, _ = await attach(store, actor, owner, [one, two], [first])
    assert both[0] == first
    assert len(both) == 2
    elsewhere, _ = await attach(store, actor, (kind, new_id()), [one], [])
    assert elsewhere == [first]


async def test_what_cannot_be_attached(store: SqliteStore, clock: StandingClock, actor: Actor, blobs: Blobs) -> None:
    """An upload without its bytes, another account's, none at all; each is named, and nothing attached."""
    form = await uploads.create(store, clock, new_id, actor, name="a", content_type="", size=None, limit=9)
    theirs = await arrived(store, clock, actor, blobs)
    async with store.writing() as tx:
        upload = await rows.find(tx, Upload, 1, theirs)
        assert upload is not None
        await rows.change(tx, upload, account_id=2)
    owner = ("text-templates", new_id())
    attached, problems = await attach(store, actor, owner, [form.upload.id, theirs, new_id()], [new_id()])
    assert attached == []
    assert [(problem.code, problem.pointer) for problem in problems] == [
        (Code.UNKNOWN_TARGET, f"/data/relationships/uploads/data/{place}") for place in range(3)
    ] + [(Code.UNKNOWN_TARGET, "/data/relationships/files/data/0")]


async def test_no_more_than_ten(store: SqliteStore, clock: StandingClock, actor: Actor, blobs: Blobs) -> None:
    """Carriers take fewer still."""
    some = [await arrived(store, clock, actor, blobs) for _ in range(files.MOST_FILES + 1)]
    attached, problems = await attach(store, actor, ("text-messages", new_id()), some, [])
    assert attached == []
    assert [problem.code for problem in problems] == [Code.TOO_MANY]
