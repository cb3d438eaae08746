"""The intents of texts that are no envelope's: the same promise as `intent`, one text at a time.

They come from the API (`operations.texts`) and from `inbound`, whose answers to STOP, START and HELP go out whatever is
suppressed, for that is what they are about.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from opengage.clock import SECOND, Clock, Instant
from opengage.dispatch import gates, lately, parts
from opengage.dispatch.gates import Gate
from opengage.dispatch.intent import Written
from opengage.dispatch.law import Law
from opengage.dispatch.planning import Rules
from opengage.domain.errors import Fenced
from opengage.domain.frequency import over
from opengage.domain.legal_clock import Hold
from opengage.domain.outcomes import Submission
from opengage.domain.records import Account, PhoneNumber, ServiceProfile, Text
from opengage.domain.states import TextEvent, TextStatus
from opengage.domain.whereabouts import whereabouts
from opengage.ids import NewId, floor
from opengage.operations.settling import Chance, Settling
from opengage.store import lanes, recent_texts, singles, suppressions
from opengage.store.contract import Recent, Transaction, Turn, Unanswered

OPTED_OUT: Final = "opted-out"
LAPSED: Final = "validity-over"
_META = msgspec.json.Decoder(dict[str, object])


class Singles:
    """Writes the intents of one lane's single texts."""

    def __init__(
        self, number: PhoneNumber, clock: Clock, new_id: NewId, law: Law, max_segments: int, chance: Chance
    ) -> None:
        self._number = number
        self._clock = clock
        self._new_id = new_id
        self._law = law
        self._max_segments = max_segments
        self._chance = chance

    async def next_at(self, tx: Transaction) -> Instant | None:
        """When the next one is due."""
        return await singles.next_at(tx, self._number.account_id, self._number.id)

    async def write(self, tx: Transaction, lease: lanes.Lease, profile: ServiceProfile, room: int) -> Written | None:
        """Write the next ones as sending, to go out through `profile`; None when none may go.

        Raises Fenced when the lane is no longer ours.
        """
        await tx.take_turn(Turn.CONSENT, (lease.account_id,), shared=True)
        account = await lately.counted(tx, self._law, lease.account_id)
        await lanes.require(tx, lease)
        if not await lanes.hold_on(tx, lease.account_id, self._number.id):
            return None
        account_id, now = lease.account_id, self._clock.now()
        limits = gates.limits_of(None, self._number, profile)
        gate = await gates.ask(tx, account_id, limits, now)
        limit = min(room, gate.texts) if gate.is_open else room
        texts = await singles.due(tx, account_id, self._number.id, now, limit)
        if not gate.is_open:
            for text in texts:
                await singles.hold(tx, text, gate.rule or "", gate.until or Instant(now + SECOND))
            return None
        going = await self._going(tx, account, profile, texts, gate, now)
        for text in going:
            if not await singles.intend(tx, text, lease.epoch, profile.id, now):
                raise Fenced("A text of this batch was taken by another dispatcher; nothing was written.")
        await gates.spend(tx, account_id, limits, len(going), sum(text.segments for text in going), now)
        return Written(
            None,
            [await self._submission(tx, text) for text in going],
            [
                Unanswered(account_id, text.id, TextStatus.SENDING, text.segments, text.attempts + 1, None, None)
                for text in going
            ],
            sum(text.segments for text in going),
            len(texts),
        )

    async def _going(
        self, tx: Transaction, account: Account, profile: ServiceProfile, texts: list[Text], gate: Gate, now: Instant
    ) -> list[Text]:
        """Those that may go now; the others are refused for good, or wait."""
        rules = self._law.rules(account, None, self._max_segments, now)
        suppressed = await suppressions.suppressed(tx, account.account_id, [text.recipient for text in texts])
        recent = await self._recent(tx, texts, rules)
        is_remembered = rules.caps is not None or await recent_texts.has_pools(tx, account.account_id)
        settling = Settling(now, self._new_id, self._chance)
        going: list[Text] = []
        segments = 0
        for text in texts:
            if text.purpose is None and text.recipient in suppressed:
                settling.apply(_unanswered(text), TextEvent.REFUSED, OPTED_OUT)
            elif text.expires_at is not None and now >= text.expires_at:
                settling.apply(_unanswered(text), TextEvent.LAPSED, LAPSED)
            elif await parts.are_elsewhere(tx, text, profile, self._number.id):
                await singles.hold(tx, text, parts.PART_ELSEWHERE, Instant(now + parts.LOOK_AGAIN))
            elif text.purpose is None and (hold := _held(text, rules, recent)):
                await singles.hold(tx, text, hold.rule, hold.until)
            elif bar := gate.bar(segments, text.segments):
                await singles.hold(tx, text, bar.rule, bar.until)
            else:
                if is_remembered and text.purpose is None and not _was_put_off(text):
                    await self._remember(tx, text)
                    recent.setdefault(text.recipient, []).append(now)
                segments += text.segments
                going.append(text)
        await settling.write(tx)
        return going

    async def _recent(self, tx: Transaction, texts: list[Text], rules: Rules) -> dict[str, list[Instant]]:
        """When each of their recipients was texted lately, where it matters."""
        if rules.caps is None or not texts:
            return {}
        account_id, numbers = self._number.account_id, [text.recipient for text in texts]
        records = await recent_texts.own_records(tx, account_id, rules.since)
        return lately.times(await lately.texted(tx, account_id, numbers, floor(rules.since), records))

    async def _remember(self, tx: Transaction, text: Text) -> None:
        """For caps and pools: under an id of this moment, for the text's own tells when it was written."""
        await tx.batches.remember(text.account_id, [Recent(text.recipient, self._new_id(), self._number.id)])

    async def _submission(self, tx: Transaction, text: Text) -> Submission:
        accepted = await parts.taken(tx, text.account_id, text.id, text.segments) if _was_put_off(text) else None
        told = text.account_id, text.id, text.sender, text.recipient, text.body
        return Submission(*told, accepted, text.expires_at, text.attempts + 1)


def _held(text: Text, rules: Rules, recent: Mapping[str, list[Instant]]) -> Hold | None:
    """The rule that holds a text, if any."""
    place = whereabouts(text.recipient, _META.decode(text.meta))
    if rules.legal is not None and (hold := rules.legal(place)):
        return hold
    if rules.caps is None or _was_put_off(text):
        return None
    return over(rules.caps(place), recent.get(text.recipient, []), rules.now)


def _was_put_off(text: Text) -> bool:
    """Whether it has been with a carrier before: an attempt that was not counted has left the carrier's word."""
    return text.attempts > 0 or text.code is not None


def _unanswered(text: Text) -> Unanswered:
    return Unanswered(text.account_id, text.id, text.status, text.segments, text.attempts, None, None)
