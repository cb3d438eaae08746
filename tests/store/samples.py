"""Rows to store: fictional, complete, and the same in every test."""

from typing import Any

from opengage.clock import Instant
from opengage.domain import records
from opengage.domain.imports import ImportStatus
from opengage.domain.states import EngagementStatus, EnvelopeStatus, Reason, TextStatus
from opengage.ids import Id
from opengage.store import rows
from opengage.store.contract import Due, Intent, NewEnvelope, Outgoing, Result, Step, Store, Transaction, Unanswered

ACCOUNT, OTHER_ACCOUNT = 1, 2
NOW = Instant(1_700_000_000_000_000)


def id_of(number: int) -> Id:
    """A predictable identity; greater numbers sort later."""
    return Id(number.to_bytes(16, "big"))


AUTHOR, ENGAGEMENT, OTHER_ENGAGEMENT = id_of(1), id_of(2), id_of(3)
NUMBER_ID, PROFILE, OTHER_PROFILE = id_of(4), id_of(5), id_of(6)
SENDER = "+12025550100"
OUTGOING = Outgoing(ENGAGEMENT, NUMBER_ID, PROFILE, SENDER, AUTHOR)


def number(place: int) -> str:
    """A fictional number."""
    return f"+44770090{place:04d}"


def envelope_id(place: int) -> Id:
    """The identity of an envelope of `envelopes`."""
    return id_of(1000 + place)


def text_id(place: int) -> Id:
    """The identity of that envelope's text."""
    return id_of(100_000 + place)


async def envelopes(
    tx: Transaction, count: int, *, account: int = ACCOUNT, engagement: Id = ENGAGEMENT, first: int = 0
) -> list[Id]:
    """Insert `count` plain envelopes, due at NOW; their ids."""
    ids = [envelope_id(place) for place in range(first, first + count)]
    new = [NewEnvelope(number(place), "{}") for place in range(first, first + count)]
    await tx.batches.insert_envelopes(account, engagement, AUTHOR, ids, new, NOW)
    return ids


def intent(place: int, *, body: str = "Hello", is_retry: bool = False) -> Intent:
    """The intent to text that envelope."""
    return Intent(text_id(place), envelope_id(place), number(place), body, 1, is_retry)


async def sending(store: Store, count: int) -> None:
    """Insert `count` envelopes, and their texts as sending."""
    async with store.writing() as tx:
        await envelopes(tx, count)
        await tx.batches.intend(ACCOUNT, (NUMBER_ID, 7), OUTGOING, [intent(place) for place in range(count)], NOW)


async def envelope(store: Store, place: int) -> records.Envelope:
    """That envelope as it is now."""
    async with store.reading() as tx:
        found = await rows.find(tx, records.Envelope, ACCOUNT, envelope_id(place))
    assert found is not None
    return found


async def text(store: Store, place: int) -> records.Text:
    """That text as it is now."""
    async with store.reading() as tx:
        found = await rows.find(tx, records.Text, ACCOUNT, text_id(place))
    assert found is not None
    return found


async def due(store: Store, *, limit: int = 1000, now: Instant = NOW) -> list[Due]:
    """What may be taken now."""
    async with store.reading() as tx:
        return await tx.batches.due(ACCOUNT, ENGAGEMENT, NUMBER_ID, now, limit)


_BASE: dict[str, Any] = {"account_id": ACCOUNT, "id": id_of(50), "created_at": NOW, "updated_at": Instant(NOW + 1)}
_WRITTEN: dict[str, Any] = _BASE | {"created_by": AUTHOR, "updated_by": id_of(9)}

RECORDS: list[records.Record] = [
    records.Account(**_BASE, key="firstbank", name="First Bank"),
    records.Membership(**_BASE, name="Ada", role="owner", is_active=False),
    records.ApiToken(**_BASE, membership_id=AUTHOR, key="k", secret_hash=b"\0" * 32, revoked_at=NOW),
    records.Session(**_BASE, membership_id=AUTHOR, generation=2, expires_at=NOW),
    records.SigningKey(**_BASE, secret=b"\1" * 32),
    records.ServiceProfile(**_BASE, name="Carrier", kind="smpp", url="smpp://shop@localhost:2775", window=9),
    records.PhoneNumber(**_BASE, phone_number=SENDER, service_profile_id=PROFILE, rate=2.5),
    records.TextTemplate(**_WRITTEN, name="Hi", body="Hello {{first-name}}", revision_id=id_of(7), is_archived=True),
    records.TextTemplateRevision(**_WRITTEN, text_template_id=id_of(8), name="Hi", body="Hello “Zoë” 👍"),
    records.Tag(**_WRITTEN, name="Spring"),
    records.Engagement(**_WRITTEN, name="Spring", status=EngagementStatus.PAUSED, activity_id=id_of(10)),
    records.Activity(
        **_WRITTEN,
        engagement_id=ENGAGEMENT,
        name="Text",
        kind="text",
        phone_number_id=NUMBER_ID,
        text_template_id=id_of(8),
    ),
    records.Envelope(
        **_WRITTEN,
        engagement_id=ENGAGEMENT,
        phone_number=number(1),
        status=EnvelopeStatus.HOLD,
        reason=Reason.IN_DOUBT,
        meta='{"first-name":"Ada"}',
        next_at=None,
        is_priority=True,
    ),
    records.TextMessage(**_WRITTEN, body="Hello", is_draft=True),
    records.Text(
        **_WRITTEN,
        sender=SENDER,
        recipient=number(1),
        direction="outbound",
        status=TextStatus.IN_DOUBT,
        body="Hi",
        segments=1,
        phone_number_id=NUMBER_ID,
        service_profile_id=PROFILE,
        epoch=3,
        code="no-answer",
    ),
    records.TextResult(**_BASE, text_id=text_id(1), kind="sent", code=None),
    records.Suppression(**_BASE, phone_number=number(1), reason="opted-out"),
    records.AuditEvent(
        **_BASE, created_by=AUTHOR, action="resend", subject_type="engagements", subject_id=ENGAGEMENT, detail="{}"
    ),
    records.WebhookEndpoint(
        **_WRITTEN, kind="events", url="https://example.com/hooks", events='["*"]', secret="sealed:1:x", is_active=False
    ),
    records.WebhookDelivery(
        **_BASE,
        target="https://example.com:443",
        endpoint_id=None,
        url="https://example.com/hooks",
        event="text.sent",
        subject_type="texts",
        subject_id=text_id(1),
        include=None,
        next_at=NOW,
    ),
    records.WebhookAttempt(
        **_BASE,
        delivery_id=id_of(9),
        number=1,
        url="https://example.com/",
        code=200,
        error=None,
        body="ok",
        duration_ms=5,
    ),
    records.Contact(
        **_WRITTEN, first_name="Zoë", phone_number=number(1), phone_numbers=f'["{number(1)}"]', meta='{"city":"Oslo"}'
    ),
    records.ContactList(**_WRITTEN, title="Customers"),
    records.ContactImport(**_WRITTEN, unique_primary_phone=True, upload_id=id_of(60), status=ImportStatus.FAILED),
    records.ContactImportError(
        **_BASE, import_id=id_of(61), line=2, field="Phone", value="1", detail="it is too short", fix="check its digits"
    ),
    records.Upload(
        **_WRITTEN, name="a.csv", content_type="text/csv", key="0" * 32, expires_at=NOW, blob="b", size_in_bytes=7
    ),
    records.Erasure(**_WRITTEN, pseudonym="pseudonym:x", number="sealed:1:x", count_texts=2),
    records.File(**_WRITTEN, name="a.png", content_type="image/png", blob="b", token="t", size_in_bytes=7, width=1),
]
"""One of each noun, with values that a database may give back in a plainer type."""


def unanswered(place: int, status: TextStatus = TextStatus.SENDING, attempts: int = 1) -> Unanswered:
    """That envelope's text as the recorder knows it."""
    return Unanswered(ACCOUNT, text_id(place), status, 1, attempts, ENGAGEMENT, envelope_id(place))


def step(place: int, status: TextStatus, reason: Reason, code: str | None = None, **changes: Any) -> Step:
    """That text moving on from its first attempt."""
    fields: dict[str, Any] = {"text": unanswered(place), "result_id": id_of(500_000 + place), "attempts": 1}
    return Step(**(fields | {"status": status, "reason": reason, "code": code} | changes))


async def take(tx: Transaction, steps: list[Step], now: Instant) -> None:
    """Take these steps, and write down one result for each."""
    written = [Result(one.result_id, one.text.text_id, one.status, one.code) for one in steps]
    await tx.batches.step(ACCOUNT, steps, written, now)
