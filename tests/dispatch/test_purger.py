"""What was said, and to whom, is forgotten once it was kept for long enough; what is still under way stays as it is."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from databases import SqliteFile
from dispatch.test_inbound import hear, text
from dispatch.world import World
from opengage.clock import SECOND, Instant
from opengage.dispatch.purger import Keeps, Purger
from opengage.domain.outcomes import Accepted, Outcome, Submission
from opengage.domain.records import AuditEvent, ContactImportError, Engagement, TextMessage, WebhookAttempt
from opengage.domain.states import EngagementStatus
from opengage.ids import new_id
from opengage.store import retention, rows, tables
from opengage.store.blobs import Blobs
from opengage.store.pseudonyms import MARK

DAY = 24 * 3600 * SECOND


def person(place: int) -> str:
    """A fictional recipient, who is not one of our own numbers."""
    return f"+121255501{place:02d}"


def accept(submission: Submission) -> Outcome:
    """The carrier takes it, under an id that tells nothing of the recipient."""
    return Accepted(submission.text_id, (submission.text_id.hex(),))


def purger(world: World, path: Path, bodies: int | None = None, numbers: int | None = None) -> Purger:
    """One that never rests, on an installation with these defaults."""
    return Purger(world.store, Blobs(path), world.clock, Keeps(bodies, numbers), rest=0.0)


def later(world: World, days: float) -> None:
    """Let days pass."""
    world.clock.wall = Instant(world.clock.wall + int(days * DAY))
    world.clock.seconds += days * 24 * 3600


def everything(world: World) -> str:
    """All rows of all tables, as text; bytes as they are."""
    found: list[Any] = []
    for name in sorted(tables.metadata.tables):
        found += [str(row) for row in world.look(f"SELECT * FROM {name}")]
    return "\n".join(found)


async def ended(world: World, count: int = 3) -> Engagement:
    """A blast that is over: everybody got their text, and the receipt came."""
    tenant = await world.tenant()
    people = [person(place) for place in range(count)]
    engagement = await world.engagement(tenant, people, meta='{"first-name":"Ann","secret":"violet"}')
    world.carrier.answer = accept
    recorder = world.recorder(tenant)
    await (await world.sender(tenant, recorder)).turn()
    await recorder.commit()
    world.change("UPDATE texts SET status = 'delivered', epoch = NULL, settled_at = updated_at")
    world.change("UPDATE envelopes SET status = 'complete', reason = 'delivered', next_at = NULL")
    world.change("DELETE FROM ledger WHERE count = 0")
    world.change("UPDATE ledger SET reason = 'delivered' WHERE count = ?", count)
    world.change("UPDATE engagements SET status = 'completed', completed_at = ?", world.clock.now())
    return engagement


async def test_words_go_and_numbers_stay(world: World, tmp_path: Path) -> None:
    """Of an ended blast: merge values and texts; the ledger balances still, and the engagement says when."""
    engagement = await ended(world)
    work = purger(world, tmp_path, bodies=30)
    later(world, 29)
    assert await work.turn() == 0
    assert "violet" in everything(world)
    later(world, 2)
    assert await work.turn() > 0
    assert "violet" not in everything(world)
    assert "Hello Ann" not in everything(world)
    assert person(0) in everything(world)
    assert (await world.ledger(engagement)).reasons == {"delivered": 3}
    marks = world.look("SELECT bodies_purged_at, numbers_purged_at FROM engagements")
    assert marks == [(world.clock.now(), None)]
    assert await work.turn() == 0


async def test_numbers_become_pseudonyms(world: World, tmp_path: Path) -> None:
    """The same one wherever the person stands; our own number stays, and so does what was said."""
    await ended(world)
    work = purger(world, tmp_path, numbers=30)
    later(world, 31)
    assert await work.turn() > 0
    assert person(0) not in everything(world)
    assert "+12025550100" in everything(world)
    assert "Hello Ann" in everything(world)
    numbers = world.look("SELECT phone_number FROM envelopes ORDER BY id")
    assert numbers == world.look("SELECT recipient FROM texts ORDER BY id")
    assert len(set(numbers)) == 3
    assert all(number.startswith(MARK) for (number,) in numbers)
    assert await work.turn() == 0


@pytest.mark.parametrize(
    ("own", "usual", "forgets"), [(None, None, False), (None, 5, True), (5, None, True), (90, 5, False), (0, 5, False)]
)
async def test_the_account_says_it_first(
    world: World, tmp_path: Path, own: int | None, usual: int | None, forgets: bool
) -> None:
    """Its own days, else the installation's; 0 keeps for ever, and so does nobody saying anything."""
    engagement = await ended(world, 1)
    world.change("UPDATE accounts SET retention_days_bodies = ?", own)
    later(world, 31)
    await purger(world, tmp_path, bodies=usual).turn()
    assert ("violet" not in everything(world)) == forgets, engagement


async def test_what_is_not_over_stays(world: World, tmp_path: Path) -> None:
    """A paused blast, and one with a text in doubt, however old; a single text that still waits."""
    tenant = await world.tenant()
    await world.engagement(tenant, [person(0)], meta='{"first-name":"Ann"}', status=EngagementStatus.PAUSED)
    await world.engagement(tenant, [person(0)], meta='{"first-name":"Ann"}', status=EngagementStatus.CANCELED)
    await world.single(tenant, person(7), body="Still to come")
    later(world, 400)
    before = everything(world)
    assert await purger(world, tmp_path, bodies=1, numbers=1).turn() == 0
    assert everything(world).count(person(0)) == before.count(person(0))
    assert "Still to come" in everything(world)


async def test_what_belongs_to_no_blast(world: World, tmp_path: Path) -> None:
    """Single texts, what handsets said, messages, answers of webhooks, faults of imports, audits, suppressions."""
    tenant = await world.tenant()
    recorder = world.recorder(tenant)
    await hear(recorder, text("my secret", tenant, 1, person(0)), text("STOP", tenant, 2, person(5)))
    world.change("UPDATE texts SET settled_at = created_at, next_at = NULL, status = 'failed' WHERE next_at > 0")
    now = world.clock.now()
    base: dict[str, Any] = {"account_id": tenant.account_id, "created_at": now, "updated_at": now}
    author: dict[str, Any] = {"created_by": tenant.member}
    others = [
        TextMessage(**base, **author, updated_by=tenant.member, id=new_id(), body="my secret"),
        TextMessage(**base, **author, updated_by=tenant.member, id=new_id(), body="a draft", is_draft=True),
        ContactImportError(
            **base, id=new_id(), import_id=new_id(), line=1, field=None, value=person(5), detail="x", fix="x"
        ),
        AuditEvent(
            **base,
            **author,
            id=new_id(),
            action="delete",
            subject_type="suppressions",
            subject_id=new_id(),
            detail=msgspec.json.encode({"phone-number": person(5), "reason": "manual"}).decode(),
        ),
        WebhookAttempt(
            **base, id=new_id(), delivery_id=new_id(), number=1, url=f"https://example.com/{person(5)}", code=500,
            error=None, body="my secret", duration_ms=1,
        ),
    ]  # fmt: skip
    async with world.store.writing() as tx:
        for record in others:
            await rows.insert(tx, record)
    world.change(
        "INSERT INTO idempotency_keys (account_id, membership_id, key, fingerprint, created_at, status, headers, body)"
        " VALUES (?, ?, 'k', ?, ?, 201, '[]', ?)",
        *(tenant.account_id, tenant.member, bytes(32), now, b"my secret"),
    )
    later(world, 40)
    work = purger(world, tmp_path, bodies=30, numbers=30)
    assert await work.turn() > 0
    left = everything(world)
    assert "my secret" not in left
    assert person(0) not in left
    assert person(5) not in left
    assert "a draft" in left
    # the request is not carried out twice for all that
    assert world.look("SELECT key, body FROM idempotency_keys") == [("k", None)]
    assert "https://example.com:443/" in left
    assert world.look("SELECT count(*) FROM suppressions") == [(1,)]
    assert await work.turn() == 0


async def test_each_statement_is_bounded(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large blast goes in many batches, each in a transaction of its own."""
    monkeypatch.setattr(retention, "BATCH", 4)
    retention._of_engagement.cache_clear()
    await ended(world, 10)
    later(world, 31)
    try:
        assert await purger(world, tmp_path, bodies=30).turn() == 6
    finally:
        retention._of_engagement.cache_clear()
    assert "violet" not in everything(world)


@pytest.mark.parametrize("world", ["sqlite"], indirect=True)
async def test_nothing_is_left_in_the_file(world: World, tmp_path: Path) -> None:
    """Neither in the database's pages nor in its write-ahead log: what goes is overwritten."""
    await ended(world, 50)
    later(world, 31)
    await purger(world, tmp_path, bodies=30, numbers=30).turn()
    assert isinstance(world.database, SqliteFile)
    path = world.database._path
    left = b"".join(each.read_bytes() for each in path.parent.glob(f"{path.name}*"))
    for word in (b"violet", b"Hello Ann", *(person(each).encode() for each in range(50))):
        at = left.find(word)
        assert at < 0, left[max(0, at - 200) : at + 60]


async def test_another_account_keeps_what_it_has(world: World, tmp_path: Path) -> None:
    """Days are an account's own."""
    await ended(world, 1)
    other = await world.tenant("secondbank")
    recorder = world.recorder(other)
    await hear(recorder, text("kept words", other, 1, person(0)))
    world.change("UPDATE accounts SET retention_days_bodies = 1, retention_days_numbers = 1 WHERE account_id = 1")
    later(world, 31)
    assert await purger(world, tmp_path).turn() > 0
    assert "violet" not in everything(world)
    kept = world.look("SELECT sender, body FROM texts WHERE account_id = ?", other.account_id)
    assert kept == [(person(0), "kept words")]
