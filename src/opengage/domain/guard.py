"""Whether a blast may go on: the canary that goes first, and the guard that pauses what goes wrong.

`dispatch.scheduler` asks about once a second for each engagement that has a canary or a limit, with what the ledger
counts; `operations.engagements` keeps the counts at each resume as the base (`guard_base`), so that what was seen and
forgiven does not pause it again.

A text that failed is one that the network refused or could not deliver. Who was never texted (opted out, a duplicate, a
bad number, one whose validity was over before its turn came, ...) says nothing of the texts: a blast that lapses is
late, and no carrier's fault. An opt-out is a STOP from somebody whom this engagement has texted; the ledger's own
`opted-out` counts those who were not texted for that reason, and is something else.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

import msgspec

from opengage.clock import Instant
from opengage.domain.states import Reason

FAILED: Final = (Reason.UNDELIVERED, Reason.REJECTED, Reason.EXPIRED, Reason.UNKNOWN)
"""The reasons of those who were texted in vain."""

AWAITED: Final = (Reason.SENDING, Reason.SENT, Reason.RETRYING, Reason.IN_DOUBT)
"""The reasons of those whose text is on its way or in doubt."""

SAMPLE: Final = 50
"""Texts below which a ratio says nothing."""

CANARY_DELIVERED: Final = 0.8
"""The share of a canary that must be delivered, where nothing else is asked for."""

_DECODER: Final = msgspec.json.Decoder(dict[str, int])
_OPT_OUTS: Final = "opt-outs"


class Counts(msgspec.Struct, frozen=True):
    """An engagement's places by reason, as in `Ledger.reasons`, and the opt-outs among those it texted.

    `expired` and `unknown` count only those whose text left (`Dimension.ENDED`), not those who never had one.
    """

    reasons: Mapping[str, int]
    opt_outs: int = 0

    @property
    def delivered(self) -> int:
        """Texts that arrived."""
        return self.reasons.get(Reason.DELIVERED, 0)

    @property
    def failed(self) -> int:
        """Texts that did not, and will not."""
        return sum(self.reasons.get(reason, 0) for reason in FAILED)

    @property
    def settled(self) -> int:
        """Texts of which no more will be heard."""
        return self.delivered + self.failed + self.reasons.get(Reason.SENT_UNCONFIRMED, 0)

    @property
    def awaited(self) -> int:
        """Texts on their way."""
        return sum(self.reasons.get(reason, 0) for reason in AWAITED)

    @property
    def texted(self) -> int:
        """Everybody who got, or may have got, a text."""
        return self.settled + self.awaited

    def since(self, base: "Counts") -> "Counts":
        """What has been added to `base`; places that have fewer than before count as empty."""
        reasons = {reason: max(0, count - base.reasons.get(reason, 0)) for reason, count in self.reasons.items()}
        return Counts(reasons, max(0, self.opt_outs - base.opt_outs))

    def to_base(self) -> str:
        """The counts that are settled, as the text that `guard_base` keeps."""
        kept = (Reason.DELIVERED, Reason.SENT_UNCONFIRMED, *FAILED)
        settled = {reason.value: self.reasons[reason] for reason in kept if self.reasons.get(reason)}
        return msgspec.json.encode(settled | {_OPT_OUTS: self.opt_outs}).decode()


def from_base(text: str | None) -> Counts:
    """What `to_base` wrote; nothing for None."""
    reasons = _DECODER.decode(text) if text else {}
    return Counts({name: count for name, count in reasons.items() if name != _OPT_OUTS}, reasons.get(_OPT_OUTS, 0))


class Limits(NamedTuple):
    """Ratios between 0 and 1; None asks for nothing. A ratio that is just reached is still within the limit."""

    min_delivered: float | None = None
    max_failed: float | None = None
    max_opt_outs: float | None = None
    sample: int = SAMPLE


class Continue(msgspec.Struct, frozen=True):
    """Nothing stands against going on."""


class Wait(msgspec.Struct, frozen=True):
    """The canary's receipts have not decided yet; at `until` they are not waited for any longer.

    `until` is None as long as the canary itself is still going out.
    """

    until: Instant | None


class Pass(msgspec.Struct, frozen=True):
    """The canary did well: everybody else may be texted. `why` says so in words with numbers."""

    why: str


class Fail(msgspec.Struct, frozen=True):
    """Stop, and let a person look. `why` says so in words with numbers."""

    why: str


def watch(counts: Counts, limits: Limits) -> Continue | Fail:
    """Whether an engagement may go on, by what happened since its base (`Counts.since`)."""
    settled = counts.settled
    if settled >= max(1, limits.sample):
        if limits.max_failed is not None and counts.failed > limits.max_failed * settled:
            return Fail(_failures(counts, settled, limits.max_failed))
        if limits.min_delivered is not None and counts.delivered < limits.min_delivered * settled:
            return Fail(_too_few(counts, settled, limits.min_delivered))
    return _opt_outs(counts, limits) or Continue()


def canary(counts: Counts, limits: Limits, now: Instant, wait_until: Instant | None) -> Wait | Pass | Fail:
    """Whether the rest may follow the canary.

    `wait_until` is when its receipts are no longer waited for (`canary_wait_seconds` after its last text), None while
    it is going out. It passes as soon as every receipt is there, fails as soon as no receipt to come can save it, and
    at the end of its patience counts what it has: a text without a receipt was not delivered.
    """
    wanted = CANARY_DELIVERED if limits.min_delivered is None else limits.min_delivered
    small = limits._replace(sample=1)
    everybody = counts.texted
    is_out, is_over = wait_until is not None, wait_until is not None and now >= wait_until
    if is_out and everybody == 0:
        return Fail("Nobody of the canary could be texted. Look at the ledger's reasons")
    refusal = _opt_outs(counts, small)
    if refusal:
        return refusal
    if is_out:
        if counts.delivered + (0 if is_over else counts.awaited) < wanted * everybody:
            return Fail(_too_few(counts, everybody, wanted))
        if limits.max_failed is not None and counts.failed > limits.max_failed * everybody:
            return Fail(_failures(counts, everybody, limits.max_failed))
        if is_over or counts.awaited == 0:
            return Pass(f"The canary passed: {_share(counts.delivered, everybody)} texts were delivered")
    return Wait(wait_until)


def _opt_outs(counts: Counts, limits: Limits) -> Fail | None:
    most, texted = limits.max_opt_outs, counts.texted
    if most is None or texted < max(1, limits.sample) or counts.opt_outs <= most * texted:
        return None
    return Fail(f"{_share(counts.opt_outs, texted)} people opted out, more than the {most:.1%} allowed")


def _failures(counts: Counts, total: int, most: float) -> str:
    return f"{_share(counts.failed, total)} texts failed, more than the {most:.1%} allowed{_breakdown(counts)}"


def _too_few(counts: Counts, total: int, least: float) -> str:
    return f"{_share(counts.delivered, total)} texts were delivered, fewer than the {least:.1%} wanted" + _breakdown(
        counts
    )


def _breakdown(counts: Counts) -> str:
    """The failures by reason, and who is still awaited or will not be heard of."""
    parts = [f"{reason} {counts.reasons[reason]:,}" for reason in FAILED if counts.reasons.get(reason)]
    silent = counts.awaited + counts.reasons.get(Reason.SENT_UNCONFIRMED, 0)
    if silent:
        parts.append(f"without a receipt {silent:,}")
    return f": {', '.join(parts)}" if parts else ""


def _share(part: int, total: int) -> str:
    return f"{part:,} of {total:,} ({part / total:.1%})"
