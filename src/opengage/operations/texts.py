"""Single texts: one message to one number, without an engagement.

Step 3 of a text's path. What is written here is due at once; whichever worker has the phone number's lane takes it,
and asks again what was asked here: a STOP that arrives in between is obeyed.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from opengage.clock import Clock, Instant
from opengage.domain.errors import Code, Invalid, Problem
from opengage.domain.records import PhoneNumber, ServiceProfile, Text, TextMessage, TextResult
from opengage.domain.segments import TooManySegments, check
from opengage.domain.states import TextEvent, TextStatus, change
from opengage.domain.templates import RenderError, compile_template
from opengage.domain.webhooks import Event, Happening
from opengage.ids import Id, NewId
from opengage.operations import fields
from opengage.operations.actors import Actor, require_writer, stamp
from opengage.operations.reading import hold_only, load
from opengage.store import canceling, lists, outbox, rows, suppressions
from opengage.store.contract import Store, Transaction

NOUN: Final = "text"
MergeValues = Mapping[str, str | int | float | bool]


class New(msgspec.Struct, frozen=True, kw_only=True):
    """What a client writes. `meta` fills the message's merge fields; None for `phone_number_id`: the only number."""

    to: str
    text_message_id: Id
    phone_number_id: Id | None = None
    meta: MergeValues = {}
    callback: str | None = None
    callback_include: str | None = None
    """Both checked by whoever knows where callbacks may go, and what a document can include."""


async def create(store: Store, clock: Clock, new_id: NewId, actor: Actor, new: New, *, max_segments: int) -> Text:
    """Queue a text, due now, from the number that it names. The text as it was before anything happened to it.

    Raises Invalid with every problem: a number that is none or is suppressed, a sender or message that cannot be
    used, words with a hole, or more than `max_segments`; Forbidden.
    """
    require_writer(actor)
    problems: list[Problem] = []
    recipient = fields.number("to", new.to, problems)
    now = clock.now()
    async with store.writing() as tx:
        sender = await _sender(tx, actor, new.phone_number_id, problems)
        body, segments = await _words(tx, actor, new, max_segments, problems)
        if recipient and await suppressions.suppressed(tx, actor.account_id, [recipient]):
            problems.append(_suppressed())
        fields.refuse(problems)
        assert sender is not None, "a missing sender is a problem"
        text = Text(
            id=new_id(),
            sender=sender.phone_number,
            recipient=recipient,
            direction=fields.OUTBOUND,
            status=TextStatus.QUEUED,
            body=body,
            segments=segments,
            phone_number_id=sender.id,
            service_profile_id=sender.service_profile_id,
            text_message_id=new.text_message_id,
            meta=msgspec.json.encode(new.meta).decode(),
            callback=new.callback,
            callback_include=new.callback_include,
            next_at=now,
            **stamp(actor, now),
        )
        result = _result(text, TextStatus.QUEUED, now, new_id)
        await rows.insert(tx, msgspec.structs.replace(text, result_id=result.id))
        await rows.insert(tx, result)
        await outbox.announce(tx, [_happened(text, Event.TEXT_QUEUED)], now, new_id)
    return text


async def cancel(store: Store, clock: Clock, new_id: NewId, actor: Actor, id_: Id | None, status: str | None) -> Text:
    """Take back a text that still waits to be sent; `status` is what the client wants it to be.

    Raises NotFound, Invalid when it has left already or is a blast's, Forbidden.
    """
    require_writer(actor)
    async with store.writing() as tx:
        text = await load(tx, actor, Text, id_, NOUN)
        if status is None or status == text.status:
            return text
        if status != TextStatus.CANCELED:
            detail = f"A text's status may be set to “{TextStatus.CANCELED}” and to nothing else: send that."
            raise Invalid([Problem(Code.NOT_ALLOWED_VALUE, detail, "/data/attributes/status")])
        if text.engagement_id is not None:
            raise fields.illegal(
                "The text belongs to a blast. Cancel its engagement, which cancels all that has not left.",
                "/data/attributes/status",
            )
        now = clock.now()
        result = _result(text, TextStatus.CANCELED, now, new_id)
        fate = change(text.status, TextEvent.CANCEL)
        if fate is None or not await canceling.cancel(tx, text, fate, result.id, actor.membership_id, now):
            raise fields.illegal(
                f"The text is {text.status}: only one that is queued can be canceled. Leave it as it is.",
                "/data/attributes/status",
            )
        await rows.insert(tx, result)
        await outbox.announce(tx, [_happened(text, Event.TEXT_CANCELED)], now, new_id)
        return msgspec.structs.replace(
            text,
            status=fate,
            next_at=None,
            epoch=None,
            hold_reason=None,
            hold_until=None,
            settled_at=now,
            updated_at=now,
            updated_by=actor.membership_id,
            result_id=result.id,
        )


def _happened(text: Text, event: Event) -> Happening:
    return Happening(text.account_id, event, "texts", text.id)


def _result(text: Text, kind: TextStatus, now: Instant, new_id: NewId) -> TextResult:
    return TextResult(
        account_id=text.account_id, id=new_id(), created_at=now, updated_at=now, text_id=text.id, kind=kind
    )


def _suppressed() -> Problem:
    detail = (
        "This number must not be texted: it is on the account's suppressions. Leave it out, or DELETE its suppression "
        "if the person asked for texts again."
    )
    return Problem(Code.SUPPRESSED, detail, "/data/attributes/to")


async def _sender(tx: Transaction, actor: Actor, id_: Id | None, problems: list[Problem]) -> PhoneNumber | None:
    """The number to send from: the one that is named, or the only active one; it stays as it is meanwhile."""
    pointer = "/data/relationships/phone-number"
    if id_ is None:
        active = await hold_only(tx, actor, PhoneNumber)
        if len(active) != 1:
            detail = f"The account has {'several' if active else 'no'} active phone numbers. Name the one to send from."
            problems.append(Problem(Code.REQUIRED, detail, pointer))
            return None
        found: PhoneNumber | None = active[0]
    else:
        found = (await rows.hold(tx, PhoneNumber, actor.account_id, [id_], shared=True)).get(id_)
    if found is None:
        problems.append(fields.unknown("phone-number", "phone number"))
        return None
    profile = await rows.find(tx, ServiceProfile, actor.account_id, found.service_profile_id)
    if not found.is_active or profile is None or not profile.is_active:
        what = "its service profile" if found.is_active else "it"
        detail = f"{found.phone_number} cannot send: {what} is switched off. Switch that on, or name another number."
        problems.append(Problem(Code.SENDER_OFF, detail, pointer))
    return found


async def _words(
    tx: Transaction, actor: Actor, new: New, max_segments: int, problems: list[Problem]
) -> tuple[str, int]:
    """What the recipient will read, and its segments."""
    pointer = "/data/relationships/text-message"
    own = await rows.find(tx, TextMessage, actor.account_id, new.text_message_id)
    found = own or (await lists.find_many(tx, TextMessage, actor.account_id, [new.text_message_id])).get(
        new.text_message_id
    )
    if own is not None and own.is_draft:
        detail = "The text message is a draft. Finish it first: PATCH its “is-draft” to false."
        problems.append(Problem(Code.ILLEGAL_STATE, detail, pointer))
        return "", 0
    if found is None:
        problems.append(fields.unknown("text-message", "text message"))
        return "", 0
    if not found.body:
        problems.append(Problem(Code.REQUIRED, "The message's words were forgotten. Make a new text message.", pointer))
        return "", 0
    try:
        # what a blast's text carries was filled in for its recipient: it is read as it stands
        body = _rendered(own, new.meta) if own else found.body
        return body, check(body, max_segments).segments
    except RenderError as error:
        code = Code.TOO_LONG if error.reason == "too-long" else Code.MISSING_VARIABLE
        problems.append(Problem(code, f"{error.message[:1].upper()}{error.message[1:]}.", pointer))
    except TooManySegments as error:
        problems.append(Problem(Code.TOO_LONG, f"{str(error)[:1].upper()}{str(error)[1:]}.", pointer))
    return "", 0


def _rendered(message: TextMessage, meta: MergeValues) -> str:
    """The message's words with the text's values, and its own where the text has none."""
    values: dict[str, object] = {**msgspec.json.decode(message.meta), **meta}
    return compile_template(message.body).render(values)
