"""Texts from handsets: stored before they are acknowledged, and a STOP takes effect in the same commit.

A STOP, START or HELP is answered by one text of ours, queued in that commit too (`singles` sends it): an opt-out is
confirmed once, and whoever opts out again hears nothing more (47 CFR 64.1200(a)(12)).
"""

from collections.abc import Iterable, Sequence
from typing import Final

import sqlalchemy as sa

from opengage import logs
from opengage.clock import SECOND, Instant
from opengage.dispatch import matching
from opengage.domain.consent import Keyword, recognise
from opengage.domain.ledger import Dimension, Moves
from opengage.domain.outcomes import Inbound
from opengage.domain.records import Account, Membership, PhoneNumber, ServiceProfile, Suppression, Text, TextResult
from opengage.domain.segments import count
from opengage.domain.states import TextStatus
from opengage.domain.webhooks import Event, Happening
from opengage.ids import Id, NewId, floor
from opengage.store import ledgers, outbox, rows, suppressions, tables, work
from opengage.store.contract import Transaction, Turn

log = logs.get(__name__)

OPTED_OUT: Final = "opted-out"
CONFIRMATION: Final = "confirmation"
HELP: Final = "help"
ANSWER_SECONDS: Final = 300
"""How long an answer of ours is worth sending (47 CFR 64.1200(a)(12): the confirmation within five minutes)."""

_QUIET_SECONDS: Final = 60
"""One HELP is answered in this time, so that two machines cannot keep each other talking."""

WORDS: Final = {
    Keyword.STOP: "{name}: You have opted out and will get no more texts from us. Reply START to get them again.",
    Keyword.START: "{name}: You will get our texts again. Reply STOP to opt out.",
    Keyword.HELP: "{name}: Reply STOP to get no more texts from us. Message and data rates may apply.",
}
"""What is answered where the account has no words of its own."""

_ANSWERED: Final = sa.select(tables.texts.c.id).where(
    tables.texts.c.account_id == sa.bindparam("account_id"),
    tables.texts.c.recipient == sa.bindparam("recipient"),
    tables.texts.c.engagement_id.is_(None),
    tables.texts.c.id >= sa.bindparam("since"),
    tables.texts.c.purpose == HELP,
)


async def take_turn(tx: Transaction, profile: ServiceProfile, texts: Sequence[Inbound]) -> None:
    """Keep intents from being written until this transaction ends, if one of these texts changes who may be texted.

    To be called first in the transaction. Those whose intent is being written are waited for.
    """
    if any(recognise(inbound.body) for inbound in texts):
        await tx.take_turn(Turn.CONSENT, [account_id for account_id, _ in await matching.parties(tx, profile)])


async def record_inbound(
    tx: Transaction, profile: ServiceProfile, texts: Sequence[Inbound], now: Instant, new_id: NewId
) -> list[tuple[int, Id]]:
    """Store texts that handsets sent to this profile's numbers, and do what their keywords ask for.

    Returns (account, id) of each text that was stored.
    """
    parties = await matching.parties(tx, profile)
    stored: list[tuple[int, Id]] = []
    happened: list[Happening] = []
    for inbound in texts:
        numbers = await _numbers(tx, parties, inbound.recipient)
        if not numbers:
            log.warning("a text to a number that is not ours", action="inbound", recipient=inbound.recipient)
        for number in numbers:
            text_id = await _Receipt(tx, number, inbound, now, new_id, happened).record()
            stored.append((number.account_id, text_id))
    await outbox.announce(tx, happened, now, new_id)
    return stored


async def _numbers(tx: Transaction, parties: Sequence[matching.Party], recipient: str) -> list[PhoneNumber]:
    """The number that a text came to, in each account that has it on this login: a STOP must reach them all.

    In the login's own account it may be on another service profile by now: what comes over the old connection after a
    move must not be lost. So one carrier of an account is believed about a number that is another's. That gives it no
    more power than it has: a STOP or START over its own numbers counts for the whole account too.
    """
    (own_id, _), *others = parties
    found = [await rows.first(tx, PhoneNumber, account_id=own_id, phone_number=recipient)]
    for account_id, profile_id in others:
        on_login = {"account_id": account_id, "service_profile_id": profile_id}
        # an account's second profile on the same login: its number was found above
        if account_id != own_id:
            found.append(await rows.first(tx, PhoneNumber, phone_number=recipient, **on_login))
    return [held for number in found if number for held in await _held(tx, number)]


async def _held(tx: Transaction, number: PhoneNumber) -> Iterable[PhoneNumber]:
    """The number as it is, if nobody has deleted it meanwhile; nobody does before its text is stored."""
    return (await rows.hold(tx, PhoneNumber, number.account_id, [number.id], shared=True)).values()


class _Receipt:
    """One inbound text coming in to one account's number."""

    def __init__(
        self,
        tx: Transaction,
        number: PhoneNumber,
        inbound: Inbound,
        now: Instant,
        new_id: NewId,
        happened: list[Happening],
    ) -> None:
        """`happened` is where it says what is to be told to those who listen."""
        self._tx = tx
        self._number = number
        self._account_id = number.account_id
        self._inbound = inbound
        self._now = now
        self._new_id = new_id
        self._happened = happened

    async def record(self) -> Id:
        """Store it, and do what it asks for; the id under which it is stored."""
        owner = await rows.first(self._tx, Membership, account_id=self._account_id, role="owner")
        assert owner is not None, "an account is made with its owner"
        inbound = self._inbound
        text = self._text(
            owner.id, inbound.body, sender=inbound.sender, recipient=inbound.recipient, direction="inbound"
        )
        await rows.insert(self._tx, text)
        self._happens(Event.TEXT_RECEIVED, "texts", text.id)
        keyword = recognise(inbound.body)
        if keyword is not None and await self._obey(keyword):
            await self._answer(keyword, owner.id)
        return text.id

    def _happens(self, event: Event, subject_type: str, subject_id: Id) -> None:
        self._happened.append(Happening(self._account_id, event, subject_type, subject_id))

    async def _obey(self, keyword: Keyword) -> bool:
        """Do what a keyword asks for; whether it is to be answered."""
        tx, sender = self._tx, self._inbound.sender
        if keyword is Keyword.START:
            # what an operator has suppressed for other reasons, a handset does not bring back
            return await suppressions.forgive(tx, self._account_id, sender, OPTED_OUT)
        if keyword is Keyword.STOP:
            if await suppressions.suppressed(tx, self._account_id, [sender]):
                return False
            suppression = self._suppression()
            await rows.insert(tx, suppression)
            self._happens(Event.SUPPRESSION_CREATED, "suppressions", suppression.id)
            await self._count_opt_out()
            return True
        since = floor(Instant(self._now - _QUIET_SECONDS * SECOND))
        return not await tx.rows(_ANSWERED, account_id=self._account_id, recipient=sender, since=since)

    def _suppression(self) -> Suppression:
        return Suppression(
            account_id=self._account_id,
            id=self._new_id(),
            created_at=self._now,
            updated_at=self._now,
            phone_number=self._inbound.sender,
            reason=OPTED_OUT,
        )

    async def _count_opt_out(self) -> None:
        """Count the opt-out in the running engagements that texted this person: their guard looks at it."""
        moves = Moves()
        for engagement, _ in await work.running(self._tx, self._account_id, self._number.id):
            if await self._tx.batches.sent_before(self._account_id, engagement.id, [self._inbound.sender]):
                moves.note(self._account_id, engagement.id, Dimension.OPT_OUT, Keyword.STOP.value)
        await ledgers.move(self._tx, moves)

    async def _answer(self, keyword: Keyword, author: Id) -> None:
        """Queue our one answer, in the account's own words or the usual ones; no words at all are no answer."""
        account = await rows.first(self._tx, Account, account_id=self._account_id)
        assert account is not None, "a number is an account's"
        own = {Keyword.STOP: account.stop_reply, Keyword.START: account.start_reply, Keyword.HELP: account.help_reply}
        words = WORDS[keyword].format(name=account.name) if own[keyword] is None else own[keyword]
        if not words:
            return
        text = self._text(
            author, words, sender=self._number.phone_number, recipient=self._inbound.sender, direction="outbound"
        )
        await rows.insert(self._tx, text)
        queued = TextResult(
            account_id=self._account_id,
            id=self._new_id(),
            created_at=self._now,
            updated_at=self._now,
            text_id=text.id,
            kind=TextStatus.QUEUED.value,
        )
        await rows.insert(self._tx, queued)
        self._happens(Event.TEXT_QUEUED, "texts", text.id)

    def _text(self, author: Id, body: str, *, sender: str, recipient: str, direction: str) -> Text:
        """A text that is no envelope's; nobody of the account wrote it, so its owner stands for it."""
        is_ours = direction == "outbound"
        purpose = HELP if recognise(self._inbound.body) is Keyword.HELP else CONFIRMATION
        return Text(
            account_id=self._account_id,
            id=self._new_id(),
            created_at=self._now,
            updated_at=self._now,
            created_by=author,
            updated_by=author,
            sender=sender,
            recipient=recipient,
            direction=direction,
            status=TextStatus.QUEUED if is_ours else TextStatus.RECEIVED,
            body=body,
            segments=count(body).segments,
            phone_number_id=self._number.id,
            service_profile_id=self._number.service_profile_id,
            settled_at=None if is_ours else self._now,
            next_at=self._now if is_ours else None,
            expires_at=Instant(self._now + ANSWER_SECONDS * SECOND) if is_ours else None,
            purpose=purpose if is_ours else None,
        )
