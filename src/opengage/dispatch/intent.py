"""The intent: one batch of one engagement written as `sending`, all or nothing, before a byte of it leaves.

The promise is kept here. In one transaction, under the lane's lease: the lease holds, the engagement still runs, its
gates are open, nobody of the batch is suppressed, was texted already or is held by a rule; then the texts are written
as `sending`. A crash before that commit sends nothing; a crash after it leaves the texts to the rescuer, in doubt.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from opengage.clock import SECOND, Clock, Instant
from opengage.dispatch import gates, lately, parts, pools
from opengage.dispatch.gates import Gate, Room
from opengage.dispatch.law import Law
from opengage.dispatch.planning import Known, Plan, Rules, plan
from opengage.domain.ledger import Dimension, Moves
from opengage.domain.outcomes import Submission
from opengage.domain.records import Account, Engagement, PhoneNumber, ServiceProfile, Text, TextTemplate
from opengage.domain.states import Reason, TextStatus
from opengage.domain.templates import Template, compile_template
from opengage.ids import Id, NewId, floor, to_wire
from opengage.store import endings, lanes, recent_texts, rows, suppressions, work
from opengage.store import pools as pooled
from opengage.store.contract import Due, Intent, Outgoing, Recent, Transaction, Turn, Unanswered, turn_of

_MINUTE: Final = 60 * SECOND


class Written(msgspec.Struct, frozen=True):
    """An intent that is committed: what to submit, and the same texts as the store has them now."""

    engagement_id: Id | None
    submissions: list[Submission]
    texts: list[Unanswered]
    segments: int
    found: int
    """How many were there to be decided on; those that somebody else holds at the moment are not."""


class _Words(msgspec.Struct, frozen=True):
    """What an engagement says right now: a revision of its template, compiled."""

    revision_id: Id
    template: Template


class _Batch(msgspec.Struct, frozen=True):
    """What one transaction is about."""

    engagement: Engagement
    profile: ServiceProfile
    lease: lanes.Lease
    now: Instant
    words: _Words
    due: list[Due]
    rules: Rules
    is_sticky: bool
    """Whether the account has sender pools, and so asks which number texted somebody last."""


class Intents:
    """Writes the intents of one lane."""

    def __init__(self, number: PhoneNumber, clock: Clock, new_id: NewId, law: Law, max_segments: int) -> None:
        self._number = number
        self._clock = clock
        self.new_id = new_id
        self._law = law
        self._max_segments = max_segments
        self._words: dict[Id, _Words] = {}

    async def write(
        self, tx: Transaction, lease: lanes.Lease, profile: ServiceProfile, chosen: Id, room: int, *, has_priority: bool
    ) -> Written | None:
        """Write the next batch of an engagement, to go out through `profile`.

        If it `has_priority`, envelopes with priority come first; else there were none a moment ago.
        None when there turned out to be nothing to do. Raises Fenced when the lane is no longer ours.
        """
        await tx.take_turn(Turn.CONSENT, (lease.account_id,), shared=True)
        await tx.take_turn(Turn.ENGAGEMENT, (turn_of(chosen),))
        account = await lately.counted(tx, self._law, lease.account_id)
        await lanes.require(tx, lease)
        if not await work.hold_running(tx, lease.account_id, chosen, self._number.id):
            return None
        running = await work.running_one(tx, lease.account_id, chosen, self._number.id)
        if running is None:
            return None
        engagement, now = running.engagement, self._clock.now()
        limits = gates.limits_of(engagement, self._number, profile)
        gate = await gates.ask(tx, engagement.account_id, limits, now, engagement)
        if not gate.is_open:
            await work.show_hold(tx, engagement, gate.rule, gate.until)
            return None
        batch = await self._batch(tx, account, running, profile, lease, min(room, gate.texts), now, has_priority)
        decided, bar = await self._decide(tx, batch, gate)
        await work.show_hold(tx, engagement, bar and bar.rule, bar and bar.until)
        moves = await self._save(tx, batch, decided)
        if decided.intents:
            await gates.spend(tx, engagement.account_id, limits, len(decided.intents), decided.segments, now)
        texts = await self._texts(tx, engagement, decided.intents)
        submissions = await self._submissions(tx, decided.intents, texts, batch.rules.expires_at)
        written = Written(engagement.id, submissions, texts, decided.segments, len(batch.due))
        # last of all: whoever stores answers of this engagement waits for its ledger from here to the commit
        await endings.move_and_complete(tx, moves, now, self.new_id)
        return written

    async def _batch(
        self,
        tx: Transaction,
        account: Account,
        running: work.Running,
        profile: ServiceProfile,
        lease: lanes.Lease,
        limit: int,
        now: Instant,
        has_priority: bool,
    ) -> _Batch:
        """What this number may take now, and what holds for it."""
        engagement = running.engagement
        members = await pooled.members(tx, engagement.account_id, engagement.id) if running.has_pools else []
        priorities = (True, False) if has_priority else (False,)
        due = await tx.batches.due(engagement.account_id, engagement.id, self._number.id, now, limit, priorities)
        return _Batch(
            engagement=engagement,
            profile=profile,
            lease=lease,
            now=now,
            words=await self._words_of(tx, running),
            due=await pools.mine(tx, engagement, self._number, members, due, now),
            rules=self._law.rules(account, engagement, self._max_segments, now),
            is_sticky=running.has_pools,
        )

    async def _words_of(self, tx: Transaction, running: work.Running) -> _Words:
        """The activity's template as it reads now, compiled once for each revision."""
        template_id = running.activity.text_template_id
        known = self._words.get(template_id)
        if known is None or known.revision_id != running.revision_id:
            record = await rows.find(tx, TextTemplate, running.activity.account_id, template_id)
            assert record is not None, "templates are archived, never removed"
            known = self._words[template_id] = _Words(record.revision_id, compile_template(record.body))
        return known

    async def _decide(self, tx: Transaction, batch: _Batch, gate: Gate) -> tuple[Plan, Room | None]:
        """What becomes of each, and the budget that keeps the next one back if none may go.

        Texts stay due from the first one on whose segments do not pass the gate.
        """
        decided = plan(batch.due, batch.words.template, await self._known(tx, batch), batch.rules, self.new_id)
        if not gate.rooms:
            return decided, None
        segments = 0
        for place, intent in enumerate(decided.intents):
            if bar := gate.bar(segments, intent.segments):
                return msgspec.structs.replace(decided, intents=decided.intents[:place]), None if place else bar
            segments += intent.segments
        return decided, None

    async def _known(self, tx: Transaction, batch: _Batch) -> Known:
        account_id, rules = batch.engagement.account_id, batch.rules
        numbers = [envelope.phone_number for envelope in batch.due]
        again = [envelope.text_id for envelope in batch.due if envelope.text_id]
        written = list((await rows.find_many(tx, Text, account_id, again)).values()) if again else []
        texted = [envelope.phone_number for envelope in batch.due if envelope.is_texted]
        sent = await tx.batches.sent_before(account_id, batch.engagement.id, texted) if texted else []
        return Known(
            suppressed=await suppressions.suppressed(tx, account_id, numbers),
            texted={(number, body) for number, body, _ in sent},
            written={text.id: text.body for text in written},
            elsewhere=[
                text.id for text in written if await parts.are_elsewhere(tx, text, batch.profile, self._number.id)
            ],
            recent=await self._recent(tx, batch, numbers, sent) if rules.caps is not None else {},
        )

    async def _recent(
        self, tx: Transaction, batch: _Batch, numbers: Sequence[str], sent: Sequence[tuple[str, str, Id]]
    ) -> dict[str, list[Instant]]:
        """When each number was texted lately; `sent` is all that this engagement has for them, remembered or not."""
        own, since = batch.engagement, floor(batch.rules.since)
        records = await recent_texts.own_records(tx, own.account_id, batch.rules.since)
        others = [engagement_id for engagement_id in records if engagement_id != own.id]
        found = await lately.texted(tx, own.account_id, numbers, since, others)
        found |= {text_id: number for number, _, text_id in sent if text_id >= since}
        return lately.times(found)

    async def _save(self, tx: Transaction, batch: _Batch, decided: Plan) -> Moves:
        """Write what was decided; how the ledger must move with it."""
        account_id, engagement_id, now = batch.engagement.account_id, batch.engagement.id, batch.now
        moves = Moves()
        if decided.intents:
            lane = (self._number.id, batch.lease.epoch)
            await tx.batches.intend(account_id, lane, self._outgoing(batch), decided.intents, now)
            count = len(decided.intents)
            moves.note(account_id, engagement_id, Dimension.MINUTE, str(now // _MINUTE), count)
            moves.note(account_id, engagement_id, Dimension.NUMBER, to_wire(self._number.id), count)
            await self._remember(tx, batch, decided.intents)
        if decided.settled:
            await endings.close(tx, account_id, engagement_id, decided.settled, now, self.new_id)
        if decided.held:
            await tx.batches.hold_envelopes(account_id, decided.held, now)
        before = {envelope.envelope_id: envelope.reason for envelope in batch.due}
        for (left, arrived), count in Counter((before[id_], reason) for id_, reason in _places(decided)).items():
            moves.leave(account_id, engagement_id, left, count)
            moves.arrive(account_id, engagement_id, arrived, count)
        return moves

    async def _remember(self, tx: Transaction, batch: _Batch, intents: Sequence[Intent]) -> None:
        """Who is texted, and from which number: for pools, and for the caps unless the envelopes tell them."""
        engagement, is_asked = batch.engagement, batch.rules.caps is not None and not batch.engagement.is_own_record
        if is_asked and not batch.is_sticky and len(intents) >= lately.LARGE:
            is_asked = not await lately.become_record(tx, engagement.account_id, engagement.id, batch.rules.since)
        if is_asked or batch.is_sticky:
            texted = [Recent(intent.recipient, intent.text_id, self._number.id) for intent in intents]
            await tx.batches.remember(engagement.account_id, texted)

    def _outgoing(self, batch: _Batch) -> Outgoing:
        return Outgoing(
            engagement_id=batch.engagement.id,
            phone_number_id=self._number.id,
            service_profile_id=batch.profile.id,
            sender=self._number.phone_number,
            author=batch.engagement.updated_by,
            text_template_revision_id=batch.words.revision_id,
        )

    async def _submissions(
        self, tx: Transaction, intents: Sequence[Intent], texts: Sequence[Unanswered], until: Instant | None
    ) -> list[Submission]:
        """What the carrier is handed; `until` the network may try to deliver it."""
        number = self._number
        submissions = []
        for intent, text in zip(intents, texts, strict=True):
            accepted = None
            if intent.is_retry:
                accepted = await parts.taken(tx, number.account_id, intent.text_id, intent.segments)
            submissions.append(
                Submission(
                    number.account_id,
                    intent.text_id,
                    number.phone_number,
                    intent.recipient,
                    intent.body,
                    accepted,
                    until,
                    text.attempts,
                )
            )
        return submissions

    async def _texts(self, tx: Transaction, engagement: Engagement, intents: Sequence[Intent]) -> list[Unanswered]:
        """The texts of a batch as they were just written; only those that go again must be read for it."""
        account_id, status = engagement.account_id, TextStatus.SENDING
        again = [intent.text_id for intent in intents if intent.is_retry]
        known = await tx.batches.texts(account_id, again) if again else {}
        return [
            known.get(each.text_id)
            or Unanswered(account_id, each.text_id, status, each.segments, 1, engagement.id, each.envelope_id)
            for each in intents
        ]


def _places(decided: Plan) -> Iterator[tuple[Id, Reason]]:
    """Where each envelope that was decided on stands now."""
    for intent in decided.intents:
        yield intent.envelope_id, Reason.SENDING
    for settled in decided.settled:
        yield settled.envelope_id, settled.reason
    for held in decided.held:
        yield held.envelope_id, held.reason
