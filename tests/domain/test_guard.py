"""Canary and guard: who passes, who is paused, and the words for it."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opengage.clock import SECOND, Instant
from opengage.domain.guard import Continue, Counts, Fail, Limits, Pass, Wait, canary, from_base, watch
from opengage.domain.states import STATUS_OF, EnvelopeStatus, Reason

NOW = Instant(1_000 * SECOND)
LATER = Instant(1_060 * SECOND)


def counts(opt_outs: int = 0, **reasons: int) -> Counts:
    """Counts by reason; underscores stand for hyphens."""
    return Counts({Reason(name.replace("_", "-")).value: count for name, count in reasons.items()}, opt_outs)


@pytest.mark.parametrize("reason", [reason for reason in Reason if STATUS_OF[reason] is EnvelopeStatus.INCOMPLETE])
def test_who_was_never_texted_is_no_failure(reason: Reason) -> None:
    """Only what the network made of a text counts."""
    is_failure = reason in (Reason.UNDELIVERED, Reason.REJECTED, Reason.EXPIRED, Reason.UNKNOWN)
    assert Counts({reason.value: 7}).failed == 7 * is_failure
    assert Counts({reason.value: 7}).texted == 7 * is_failure


@pytest.mark.parametrize(
    ("found", "limits", "why"),
    [
        (counts(delivered=90, undelivered=10), Limits(max_failed=0.1), None),
        (
            counts(delivered=176, undelivered=20, rejected=4),
            Limits(max_failed=0.1),
            "24 of 200 (12.0%) texts failed, more than the 10.0% allowed: undelivered 20, rejected 4",
        ),
        (counts(delivered=10, undelivered=39), Limits(max_failed=0.1), None),  # too few to tell
        (counts(sent=5_000, undelivered=49), Limits(max_failed=0.1), None),  # the same: most are still awaited
        (counts(opted_out=900, delivered=100), Limits(max_failed=0.1), None),
        (
            counts(delivered=40, sent_unconfirmed=60),
            Limits(min_delivered=0.5),
            "40 of 100 (40.0%) texts were delivered, fewer than the 50.0% wanted: without a receipt 60",
        ),
        (counts(opt_outs=2, delivered=100), Limits(max_opt_outs=0.02), None),
        (
            counts(opt_outs=30, delivered=600, sent=400),
            Limits(max_opt_outs=0.02),
            "30 of 1,000 (3.0%) people opted out, more than the 2.0% allowed",
        ),
        (counts(opt_outs=49, sent=49), Limits(max_opt_outs=0.02), None),
        (counts(opt_outs=99, undelivered=99), Limits(), None),
        (counts(), Limits(0.5, 0.5, 0.5, sample=0), None),
    ],
)
def test_watching(found: Counts, limits: Limits, why: str | None) -> None:
    """It pauses above a limit, not at it, and not on a handful of texts."""
    assert watch(found, limits) == (Fail(why) if why else Continue())


def test_what_was_forgiven_is_not_counted_again() -> None:
    """After a resume only what is new counts."""
    before = counts(opt_outs=9, delivered=50, undelivered=50, sent=20)
    base = from_base(before.to_base())
    after = counts(opt_outs=9, delivered=160, undelivered=55, sent=0)
    assert watch(before, Limits(max_failed=0.1)) != Continue()
    new = after.since(base)
    assert (new.delivered, new.failed, new.opt_outs) == (110, 5, 0)
    assert watch(new, Limits(max_failed=0.1, max_opt_outs=0.01)) == Continue()


def test_no_base() -> None:
    """An engagement that was never resumed starts from nothing."""
    found = counts(delivered=5)
    assert found.since(from_base(None)) == found
    with pytest.raises(msgspec.DecodeError):
        from_base("{")


@pytest.mark.parametrize(
    ("found", "limits", "now", "until", "verdict"),
    [
        # going out: only opt-outs can fail it
        (counts(delivered=3, undelivered=7), Limits(), NOW, None, Wait(None)),
        # out, receipts outstanding
        (counts(delivered=85, sent=15), Limits(), NOW, LATER, Wait(LATER)),
        (counts(delivered=70, undelivered=20, sent=10), Limits(), NOW, LATER, Wait(LATER)),
        # no receipt to come can save it
        (
            counts(delivered=60, undelivered=21, sent=19),
            Limits(),
            NOW,
            LATER,
            Fail(
                "60 of 100 (60.0%) texts were delivered, fewer than the 80.0% wanted: "
                "undelivered 21, without a receipt 19"
            ),
        ),
        # all there
        (
            counts(delivered=90, undelivered=10),
            Limits(),
            NOW,
            LATER,
            Pass("The canary passed: 90 of 100 (90.0%) texts were delivered"),
        ),
        # at the end of its patience
        (
            counts(delivered=80, sent=20),
            Limits(),
            LATER,
            LATER,
            Pass("The canary passed: 80 of 100 (80.0%) texts were delivered"),
        ),
        (
            counts(delivered=79, sent=21),
            Limits(),
            LATER,
            LATER,
            Fail("79 of 100 (79.0%) texts were delivered, fewer than the 80.0% wanted: without a receipt 21"),
        ),
        (
            counts(delivered=9, in_doubt=1),
            Limits(min_delivered=0.95),
            LATER,
            LATER,
            Fail("9 of 10 (90.0%) texts were delivered, fewer than the 95.0% wanted: without a receipt 1"),
        ),
        (
            counts(delivered=9, rejected=1),
            Limits(max_failed=0.05),
            NOW,
            LATER,
            Fail("1 of 10 (10.0%) texts failed, more than the 5.0% allowed: rejected 1"),
        ),
        (
            counts(opt_outs=2, sent=10),
            Limits(max_opt_outs=0.1),
            NOW,
            None,
            Fail("2 of 10 (20.0%) people opted out, more than the 10.0% allowed"),
        ),
        (
            counts(opted_out=10),
            Limits(),
            NOW,
            LATER,
            Fail("Nobody of the canary could be texted. Look at the ledger's reasons"),
        ),
    ],
)
def test_canary(
    found: Counts, limits: Limits, now: Instant, until: Instant | None, verdict: Wait | Pass | Fail
) -> None:
    """It waits, passes or fails, and says why."""
    assert canary(found, limits, now, until) == verdict


COUNTS = st.builds(
    Counts,
    st.dictionaries(st.sampled_from([reason.value for reason in Reason]), st.integers(0, 500)),
    st.integers(0, 9),
)
RATIOS = st.none() | st.floats(0, 1)
LIMITS = st.builds(Limits, RATIOS, RATIOS, RATIOS, st.integers(0, 200))


@given(COUNTS, LIMITS, st.booleans())
def test_a_canary_ends(found: Counts, limits: Limits, is_over: bool) -> None:
    """When its patience is over, or nothing is awaited, it is decided; a wait ends at the end of its patience."""
    verdict = canary(found, limits, LATER if is_over else NOW, LATER)
    if is_over or not found.awaited:
        assert isinstance(verdict, Pass | Fail)
    assert not isinstance(verdict, Wait) or verdict.until == LATER


@given(COUNTS, LIMITS)
def test_an_early_verdict_is_the_late_one(found: Counts, limits: Limits) -> None:
    """Who fails early would have failed with every receipt that could still have come."""
    early = canary(found, limits, NOW, LATER)
    if isinstance(early, Fail) and found.awaited:
        awaited = found.awaited
        best = {name: count for name, count in found.reasons.items() if name not in ("sending", "sent")}
        best = {name: count for name, count in best.items() if name not in ("retrying", "in-doubt")}
        best["delivered"] = best.get("delivered", 0) + awaited
        assert isinstance(canary(Counts(best, found.opt_outs), limits, NOW, LATER), Fail)


@given(COUNTS, LIMITS)
def test_counts_less_themselves_are_nothing(found: Counts, limits: Limits) -> None:
    """A base that has all that happened lets it go on, and survives being written."""
    new = found.since(from_base(found.to_base()))
    assert (new.settled, new.opt_outs) == (0, 0)
    assert watch(new, limits) == Continue()
