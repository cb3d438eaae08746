"""The circuit breaker: what opens it, what does not, and how it closes again."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opengage.domain.breaker import Breaker, Phase, Policy, Verdict, judge
from opengage.domain.outcomes import (
    CONNECTION_LOST,
    NEVER_SENT,
    NO_ANSWER,
    Accepted,
    Deferred,
    Outcome,
    Refused,
    Unknown,
)
from opengage.ids import Id


def an_id(number: int = 0) -> Id:
    """The identity of a text."""
    return Id(number.to_bytes(16, "big"))


def good(number: int = 0) -> Outcome:
    """The carrier took it."""
    return Accepted(an_id(number), ("1",))


def bad(number: int = 0) -> Outcome:
    """The carrier has trouble of its own."""
    return Deferred(an_id(number), "ESME_RSYSERR", throttled=False)


def opened(policy: Policy = Policy()) -> Breaker:  # noqa: B008 - immutable
    """A circuit that opened at second 0."""
    breaker = Breaker(policy)
    breaker.tick(0.0, is_bound=True)
    assert breaker.observe(0.0, [bad()] * policy.in_a_row) is Phase.OPEN
    return breaker


@pytest.mark.parametrize(
    ("outcome", "verdict"),
    [
        (good(), Verdict.GOOD),
        (bad(), Verdict.BAD),
        (Unknown(an_id(), NO_ANSWER), Verdict.BAD),
        (Unknown(an_id(), CONNECTION_LOST), Verdict.BAD),
        (Refused(an_id(), "ESME_RINVDSTADR"), Verdict.SILENT),
        (Deferred(an_id(), "ESME_RTHROTTLED", throttled=True), Verdict.SILENT),
        (Deferred(an_id(), NEVER_SENT, throttled=True), Verdict.SILENT),
    ],
)
def test_what_an_outcome_says(outcome: Outcome, verdict: Verdict) -> None:
    """Every kind of outcome, as it bears on the carrier and not on the text."""
    assert judge(outcome) is verdict


def test_failures_in_a_row_open_it() -> None:
    """The twentieth without a success between them; one success starts the count anew."""
    breaker = Breaker()
    assert breaker.observe(0.0, [bad()] * 19) is Phase.CLOSED
    assert breaker.observe(0.1, [good()]) is Phase.CLOSED
    assert breaker.observe(0.2, [bad()] * 19) is Phase.CLOSED
    assert breaker.room() is None
    assert breaker.observe(0.3, [bad()]) is Phase.OPEN
    assert breaker.room() == 0
    assert breaker.reason == "20 submits in a row failed, the last with ESME_RSYSERR"


def test_a_share_of_failures_opens_it() -> None:
    """Half of what said anything in half a minute, however mixed; what is older is forgotten."""
    breaker = Breaker()
    for second in range(19):
        assert breaker.observe(float(second), [good(), bad()]) is Phase.CLOSED
    assert breaker.observe(19.0, [good(), bad()]) is Phase.OPEN
    assert breaker.reason == "20 of 40 submits failed within 30 seconds"
    slow = Breaker()
    for second in range(0, 600, 2):
        assert slow.observe(float(second), [good(), bad()]) is Phase.CLOSED


@pytest.mark.parametrize(
    "outcome",
    [Deferred(an_id(), "ESME_RTHROTTLED", throttled=True), Refused(an_id(), "ESME_RINVDSTADR")],
)
def test_throttling_and_refusals_do_not_open_it(outcome: Outcome) -> None:
    """A list full of bad numbers is no reason to leave a carrier, and neither is a slow one."""
    breaker = Breaker()
    assert breaker.observe(0.0, [outcome] * 5_000) is Phase.CLOSED


def test_a_lost_connection_is_one_failure() -> None:
    """However many texts it left in doubt; twenty of them in a row are twenty."""
    breaker = Breaker()
    for second in range(19):
        assert breaker.observe(float(second), [Unknown(an_id(), CONNECTION_LOST)] * 1_000) is Phase.CLOSED
    assert breaker.observe(19.0, [Unknown(an_id(), CONNECTION_LOST)]) is Phase.OPEN


def test_no_connection_opens_it() -> None:
    """After half a minute without; one that comes back sooner changes nothing."""
    breaker = Breaker()
    assert breaker.tick(100.0, is_bound=False) is Phase.CLOSED
    assert breaker.tick(129.9, is_bound=False) is Phase.CLOSED
    assert breaker.tick(129.9, is_bound=True) is Phase.CLOSED
    assert breaker.tick(131.0, is_bound=False) is Phase.CLOSED
    assert breaker.tick(161.0, is_bound=False) is Phase.OPEN
    assert breaker.reason == "there has been no connection for 30 seconds"


def test_open_until_connected_again() -> None:
    """When its time is over it is tried, but not without a connection."""
    breaker = opened()
    assert breaker.retry_at == 10.0
    assert breaker.tick(9.9, is_bound=True) is Phase.OPEN
    assert breaker.tick(10.0, is_bound=False) is Phase.OPEN
    assert breaker.tick(500.0, is_bound=True) is Phase.HALF_OPEN


def test_probes_close_it() -> None:
    """Three texts, no more; what a refusal leaves open another one tells."""
    breaker = opened()
    breaker.tick(10.0, is_bound=True)
    assert breaker.room() == 3
    breaker.submitted([an_id(1), an_id(2)])
    assert breaker.room() == 1
    breaker.observe(11.0, [good(1), Refused(an_id(2), "ESME_RINVDSTADR")])
    assert breaker.room() == 2
    breaker.submitted([an_id(3), an_id(4)])
    assert breaker.room() == 0
    assert breaker.observe(12.0, [good(3), good(4)]) is Phase.CLOSED
    assert breaker.room() is None


def test_late_answers_are_no_probes() -> None:
    """Texts from before it opened may still time out, or be accepted: neither decides."""
    breaker = opened()
    breaker.tick(10.0, is_bound=True)
    breaker.submitted([an_id(1)])
    assert breaker.observe(11.0, [Unknown(an_id(99), NO_ANSWER)] * 50 + [good(98)] * 50) is Phase.HALF_OPEN
    assert breaker.room() == 2


@pytest.mark.parametrize("failure", ["outcome", "connection"])
def test_a_failed_probe_opens_it_for_longer(failure: str) -> None:
    """Twice as long each time, up to ten minutes."""
    breaker, now, lasted = opened(), 0.0, []
    for number in range(9):
        assert breaker.retry_at is not None
        lasted.append(breaker.retry_at - now)
        now = breaker.retry_at
        assert breaker.tick(now, is_bound=True) is Phase.HALF_OPEN
        breaker.submitted([an_id(number)])
        if failure == "outcome":
            assert breaker.observe(now, [bad(number)]) is Phase.OPEN
            assert breaker.reason == "a text sent to try it failed with ESME_RSYSERR"
        else:
            assert breaker.tick(now, is_bound=False) is Phase.OPEN
    assert lasted == [10, 20, 40, 80, 160, 320, 600, 600, 600]


@pytest.mark.parametrize(("closed_for", "lasts"), [(1.0, 20.0), (120.0, 10.0)])
def test_flapping_is_remembered(closed_for: float, lasts: float) -> None:
    """One that opens again soon stays open longer; after two quiet minutes it begins anew."""
    breaker = opened()
    breaker.tick(10.0, is_bound=True)
    breaker.submitted([an_id(1), an_id(2), an_id(3)])
    breaker.observe(10.0, [good(1), good(2), good(3)])
    again = 10.0 + closed_for
    breaker.observe(again, [bad()] * 20)
    assert breaker.retry_at == again + lasts


EVENTS = st.lists(
    st.tuples(
        st.floats(0, 60),
        st.sampled_from(["bound", "unbound", "good", "bad", "probe"]),
        st.integers(1, 40),
    ),
    max_size=60,
)


@given(EVENTS)
def test_it_never_sticks_and_never_gives_more_than_its_probes(events: Sequence[tuple[float, str, int]]) -> None:
    """Whatever comes: an open one says until when, a half-open one never has more than its probes under way, and with
    a working carrier it closes in the end."""
    breaker, now = Breaker(), 0.0
    sent: set[int] = set()
    for pause, event, number in events:
        now += pause
        if event in ("bound", "unbound"):
            breaker.tick(now, is_bound=event == "bound")
        elif event == "probe" and breaker.room() != 0:
            breaker.submitted([an_id(1_000 + number)])
            sent.add(1_000 + number)
        else:
            breaker.observe(now, [good(1_000 + number) if event == "good" else bad(1_000 + number)] * number)
        assert (breaker.retry_at is not None) is (breaker.phase is Phase.OPEN)
        assert breaker.room() in (None, *range(breaker.policy.probes + 1))
    for text in (*sent, *range(2_000, 2_010)):
        now += breaker.policy.cap
        breaker.tick(now, is_bound=True)
        if breaker.room():
            breaker.submitted([an_id(text)])
        breaker.observe(now, [good(text)])
    assert breaker.phase is Phase.CLOSED
