"""Erasures: one number goes from all that its account keeps, and from nothing of anybody else."""

import zlib
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from databases import SqliteFile
from dispatch.test_inbound import hear, text
from dispatch.test_purger import accept, everything, later, person
from dispatch.world import Tenant, World
from opengage.clock import SECOND
from opengage.dispatch.eraser import AGAIN, Eraser
from opengage.domain.erasures import ErasureStatus
from opengage.domain.outcomes import Unknown
from opengage.domain.records import (
    AuditEvent,
    Contact,
    ContactImportError,
    Erasure,
    TextMessage,
    WebhookAttempt,
    WebhookDelivery,
)
from opengage.domain.states import EngagementStatus
from opengage.ids import new_id
from opengage.operations import erasures
from opengage.operations.actors import OWNER, Actor
from opengage.store import rows, suppressions
from opengage.store.blobs import Blobs

ANN, BEN = person(20), person(21)
SECRET = "violet"


def actor(tenant: Tenant) -> Actor:
    """The tenant's owner."""
    return Actor(tenant.account_id, "key", tenant.member, OWNER)


async def asked(world: World, tenant: Tenant, number: str = ANN) -> Erasure:
    """An owner asks for a number to be forgotten."""
    return (await erasures.begin(world.store, world.clock, new_id, actor(tenant), number)).erasure


async def now_of(world: World, erasure: Erasure) -> Erasure:
    """The erasure as it is now."""
    async with world.store.reading() as tx:
        found = await rows.find(tx, Erasure, erasure.account_id, erasure.id)
    assert found
    return found


def eraser(world: World, path: Path) -> Eraser:
    """What carries them out."""
    return Eraser(world.store, Blobs(path), world.clock, new_id)


def of_account(world: World, account_id: int) -> str:
    """All rows of an account, as text."""
    return "\n".join(line for line in everything(world).splitlines() if line.startswith(f"({account_id}, "))


async def beside_blasts(world: World, tenant: Tenant, number: str, words: str) -> None:
    """The number and the words wherever else an account may have them."""
    now = world.clock.now()
    base: dict[str, Any] = {"account_id": tenant.account_id, "created_at": now, "updated_at": now}
    author: dict[str, Any] = {"created_by": tenant.member}
    both = base | author | {"updated_by": tenant.member}
    message = TextMessage(**both, id=new_id(), body=words)
    told = msgspec.json.encode({"phone-number": number}).decode()
    address = f"https://example.com/?to=%2B{number[1:]}"
    others = [
        message,
        Contact(**both, id=new_id(), phone_number=number, phone_numbers=f'["{number}"]', notes=words),
        Contact(**both, id=new_id(), phone_number=number, phone_numbers=f'["{number}","{BEN}"]'),
        Contact(**both, id=new_id(), phone_number=BEN, phone_numbers=f'["{BEN}","{number}"]'),
        ContactImportError(
            **base, id=new_id(), import_id=new_id(), line=1, field=None, value=number, detail="", fix=""
        ),
        AuditEvent(
            **base, **author, id=new_id(), action="x", subject_type="suppressions", subject_id=new_id(), detail=told
        ),
        WebhookDelivery(
            **base, id=new_id(), target="t", endpoint_id=None, url=address, event="text.sent", subject_type="texts",
            subject_id=new_id(), include=None, status="delivered", next_at=None,
        ),
        WebhookAttempt(
            **base, id=new_id(), delivery_id=new_id(), number=1, url=address, code=500, error=None,
            body=f"{words} {number}", duration_ms=1,
        ),
    ]  # fmt: skip
    async with world.store.writing() as tx:
        for record in others:
            await rows.insert(tx, record)
        await tx.run(
            sa.text(
                "INSERT INTO idempotency_keys (account_id, membership_id, key, fingerprint, created_at, status,"
                " headers, body) VALUES (:account, :member, 'k', :print, 0, 201, '[]', :body)"
            ).bindparams(*(sa.bindparam(name, type_=sa.LargeBinary) for name in ("member", "print", "body"))),
            account=tenant.account_id,
            member=tenant.member,
            print=bytes(32),
            body=zlib.compress(f"{number} {words}".encode()),
        )
    await world.single(tenant, number, body=words, text_message_id=message.id, callback=address)
    await world.single(tenant, BEN, body="to Ben")


async def a_life(world: World, tenant: Tenant, number: str, words: str) -> None:
    """A number that was texted by a blast, wrote back, opted out, and is on the next blast, too."""
    await beside_blasts(world, tenant, number, words)
    meta = msgspec.json.encode({"first-name": words}).decode()
    await world.engagement(tenant, [number, BEN], meta=meta)
    recorder = world.recorder(tenant)
    world.carrier.answer = accept
    sender = await world.sender(tenant, recorder)
    await sender.turn()
    await recorder.commit()
    await hear(recorder, text(words, tenant, 1, number), text("STOP", tenant, 2, number))
    await world.engagement(tenant, [number, BEN], meta=meta, status=EngagementStatus.PAUSED)


async def test_a_number_goes_from_all_that_its_account_keeps(world: World, tmp_path: Path) -> None:
    """Wherever it stood, with what was said to it and by it. Others of the account, and other accounts, stay."""
    tenant, other = await world.tenant(), await world.tenant("secondbank")
    await a_life(world, tenant, ANN, SECRET)
    await beside_blasts(world, other, ANN, SECRET)
    untouched = of_account(world, other.account_id)
    erasure = await asked(world, tenant)
    assert await eraser(world, tmp_path).turn() == 1
    left = of_account(world, tenant.account_id)
    assert ANN[1:] not in left
    assert BEN in left
    assert "to Ben" in left
    # only Ben's envelopes and texts say it still
    assert [line for line in left.splitlines() if SECRET in line and BEN not in line] == []
    assert of_account(world, other.account_id) == untouched
    done = await now_of(world, erasure)
    assert (done.status, done.number, done.completed_at) == (ErasureStatus.COMPLETED, None, world.clock.now())
    assert (done.count_contacts, done.count_envelopes, done.count_waiting) == (3, 2, 0)
    assert done.count_canceled >= 1
    bodies = world.look("SELECT body FROM texts WHERE account_id = ? AND recipient = ?", 1, erasure.pseudonym)
    assert {body for (body,) in bodies} == {""}


async def test_whoever_has_opted_out_stays_so(world: World, tmp_path: Path) -> None:
    """The suppression is kept under the pseudonym and obeyed; what had not left is closed as opted out."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, [ANN, BEN], status=EngagementStatus.PAUSED)
    await world.suppress(tenant, ANN)
    await asked(world, tenant)
    await eraser(world, tmp_path).turn()
    async with world.store.reading() as tx:
        assert await suppressions.suppressed(tx, tenant.account_id, [ANN, BEN]) == {ANN}
    assert (await world.ledger(engagement)).reasons == {"opted-out": 1}
    assert ANN not in everything(world)


async def test_what_has_not_left_never_does(world: World, tmp_path: Path) -> None:
    """A running blast goes on without the person, and completes; a single text is taken back."""
    tenant = await world.tenant()
    engagement = await world.engagement(tenant, [ANN, BEN])
    await world.single(tenant, ANN, body=SECRET)
    await asked(world, tenant)
    await eraser(world, tmp_path).turn()
    world.carrier.answer = accept
    recorder = world.recorder(tenant)
    sender = await world.sender(tenant, recorder)
    await sender.turn()
    await sender.turn()
    assert world.carrier.recipients == [BEN]
    assert (await world.ledger(engagement)).reasons == {"canceled": 1, "sending": 1}
    assert ANN not in everything(world)


async def test_what_is_in_doubt_ends_first(world: World, tmp_path: Path) -> None:
    """Its number may be needed to tell what became of it; a later round finishes the erasure."""
    tenant = await world.tenant()
    await world.engagement(tenant, [ANN])
    recorder = world.recorder(tenant)
    world.carrier.answer = lambda submission: Unknown(submission.text_id, "no-answer")
    await (await world.sender(tenant, recorder)).turn()
    await recorder.commit()
    erasure = await asked(world, tenant)
    work = eraser(world, tmp_path)
    await work.turn()
    waits = await now_of(world, erasure)
    assert (waits.status, waits.count_waiting) == (ErasureStatus.WAITING, 1)
    assert waits.number
    assert ANN not in waits.number
    assert await work.turn() == 0
    world.change("UPDATE texts SET status = 'failed', epoch = NULL, settled_at = 1")
    world.clock.wall = type(world.clock.wall)(world.clock.wall + AGAIN * SECOND)
    assert await work.turn() == 1
    assert (await now_of(world, erasure)).status is ErasureStatus.COMPLETED
    assert ANN not in everything(world)


async def test_twice_is_once(world: World, tmp_path: Path) -> None:
    """While one is under way it is answered; afterwards another one finds nothing."""
    tenant = await world.tenant()
    await beside_blasts(world, tenant, ANN, SECRET)
    first = await asked(world, tenant)
    assert await asked(world, tenant) == first
    work = eraser(world, tmp_path)
    await work.turn()
    again = await asked(world, tenant)
    assert again.id != first.id
    assert again.pseudonym == first.pseudonym
    await work.turn()
    found = await now_of(world, again)
    assert (found.count_contacts, found.count_texts, found.count_others) == (0, 0, 0)


@pytest.mark.parametrize("world", ["sqlite"], indirect=True)
async def test_nothing_of_it_is_left_in_the_file(world: World, tmp_path: Path) -> None:
    """Neither in the pages of the database nor in its write-ahead log."""
    tenant = await world.tenant()
    await beside_blasts(world, tenant, ANN, SECRET)
    await world.engagement(tenant, [person(place) for place in range(40)], meta='{"first-name":"violet"}')
    await asked(world, tenant)
    await eraser(world, tmp_path).turn()
    assert isinstance(world.database, SqliteFile)
    path = world.database._path
    left = b"".join(each.read_bytes() for each in path.parent.glob(f"{path.name}*"))
    assert left.find(ANN[1:].encode()) < 0
    later(world, 1)
