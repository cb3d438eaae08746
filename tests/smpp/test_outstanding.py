"""The account of requests: groups of deadlines, the wrap of sequence numbers, and bounds."""

from opengage.smpp.outstanding import Outstanding


def handed_in(account: Outstanding, *sequences: int, now: float) -> None:
    """Requests with these numbers, given to the transport at this moment; each is its own token."""
    account.unsent.update({sequence: sequence for sequence in sequences})
    account.note_sent(now)


def test_nothing_expires_early() -> None:
    """A request is never judged before its time-out, and at most a 64th of it later."""
    account = Outstanding(64.0, 10)
    handed_in(account, 1, now=0.0)
    handed_in(account, 2, now=0.9)  # shares the group of the first
    handed_in(account, 3, now=10.0)
    assert account.expire(64.9) == []
    assert account.expire(65.0) == [1, 2]
    assert account.expire(74.0) == []
    assert account.expire(75.0) == [3]
    assert len(account) == 0


def test_a_group_never_reaches_beyond_its_deadline() -> None:
    """Many flushes in a row do not push the first one's deadline away, nor judge the last one early."""
    account = Outstanding(64.0, 1000)
    for number in range(1, 101):
        handed_in(account, number, now=number * 0.5)
    for now in range(200):
        for token in account.expire(float(now)):
            assert 64.0 <= now - token * 0.5 <= 66.0
    assert len(account) == 0


def test_groups_hold_across_the_wrap() -> None:
    """Numbers that start again at 1 are younger than those before the wrap."""
    account = Outstanding(64.0, 10)
    handed_in(account, 0x7FFFFFFE, 0x7FFFFFFF, 1, now=0.0)
    handed_in(account, 2, 3, now=10.0)
    assert account.expire(65.0) == [0x7FFFFFFE, 0x7FFFFFFF, 1]
    assert account.expire(75.0) == [2, 3]


def test_the_answered_do_not_expire() -> None:
    """Answered requests are gone; the others of their group expire and are remembered."""
    account = Outstanding(64.0, 10)
    handed_in(account, 1, 2, 3, now=0.0)
    del account.pending[2]
    assert account.expire(65.0) == [1, 3]
    assert account.timed_out == {1: 1, 3: 3}
    assert 1 in account
    assert 2 not in account


def test_memory_of_late_ones_is_bounded() -> None:
    """Beyond the limit the oldest timed-out numbers are forgotten."""
    account = Outstanding(64.0, 2)
    handed_in(account, 1, 2, 3, now=0.0)
    account.expire(65.0)
    assert list(account.timed_out) == [2, 3]


def test_deadline_is_that_of_the_oldest() -> None:
    """There is a deadline exactly while something is pending."""
    account = Outstanding(64.0, 10)
    assert account.deadline is None
    handed_in(account, 1, now=0.0)
    deadlines = [account.deadline]
    account.pending.clear()
    deadlines.append(account.deadline)
    assert deadlines == [65.0, None]


def test_drain_tells_the_sent_from_the_unsent() -> None:
    """At the end each request is in exactly one of the two lists, in order."""
    account = Outstanding(64.0, 10)
    handed_in(account, 1, 2, now=0.0)
    account.unsent[3] = 3
    assert account.drain() == ([1, 2], [3])
    assert len(account) == 0
