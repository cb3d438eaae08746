"""The ledger: moves add up, and every envelope is counted in exactly one place."""

from hypothesis import given
from hypothesis import strategies as st

from opengage.domain.ledger import Moves, balance
from opengage.domain.states import STATUS_OF, EnvelopeStatus, Reason
from opengage.ids import Id

ONE, TWO = Id(bytes(15) + b"\1"), Id(bytes(15) + b"\2")


def test_moves_are_summed_and_ordered() -> None:
    """One change for each place, in the order of accounts, engagements and reasons; what cancels out is left out."""
    moves = Moves()
    moves.arrive(2, ONE, Reason.SENT)
    moves.arrive(1, TWO, Reason.SENT, 2)
    moves.leave(1, TWO, Reason.SENDING, 2)
    moves.arrive(1, ONE, Reason.SENDING)
    moves.leave(1, ONE, Reason.SENDING)
    moves.leave(1, ONE, Reason.NONE)
    assert moves.changes() == [
        (1, ONE, Reason.NONE, -1),
        (1, TWO, Reason.SENDING, -2),
        (1, TWO, Reason.SENT, 2),
        (2, ONE, Reason.SENT, 1),
    ]
    assert sorted(moves.engagements()) == [(1, ONE), (1, TWO), (2, ONE)]


def test_nothing_moved() -> None:
    """A batch without moves touches nothing."""
    assert (Moves().changes(), Moves().engagements()) == ([], [])


@given(st.lists(st.tuples(st.sampled_from(Reason), st.sampled_from(Reason))))
def test_moving_changes_no_total(steps: list[tuple[Reason, Reason]]) -> None:
    """Whoever leaves one place arrives at another: the differences sum to nothing."""
    moves = Moves()
    for before, after in steps:
        moves.leave(1, ONE, before)
        moves.arrive(1, ONE, after)
    assert sum(count for _, _, _, count in moves.changes()) == 0


@given(st.dictionaries(st.sampled_from(Reason), st.integers(0, 10**9)))
def test_the_ledger_balances(counts: dict[Reason, int]) -> None:
    """The total is the sum of the five statuses, and each status is the sum of its reasons."""
    ledger = balance(counts)
    statuses = (ledger.pending, ledger.processing, ledger.hold, ledger.complete, ledger.incomplete)
    assert ledger.total == sum(statuses) == sum(counts.values())
    for status, total in zip(EnvelopeStatus, statuses, strict=True):
        named = sum(count for name, count in ledger.reasons.items() if STATUS_OF[Reason(name)] is status)
        assert total == named + (counts.get(Reason.NONE, 0) if status is EnvelopeStatus.PENDING else 0)
    assert ledger.is_settled == (ledger.pending + ledger.processing + ledger.hold == 0)


def test_reasons_are_named_only_where_somebody_stands() -> None:
    """Empty places and the nameless one of pending envelopes are left out; the rest is in order."""
    ledger = balance([(Reason.SENT, 2), (Reason.NONE, 5), (Reason.DELIVERED, 1), (Reason.SENT, 1), (Reason.UNKNOWN, 0)])
    assert list(ledger.reasons.items()) == [("delivered", 1), ("sent", 3)]
    assert (ledger.total, ledger.pending, ledger.processing, ledger.complete) == (9, 5, 3, 1)
    assert not ledger.is_settled


def test_an_empty_ledger_is_settled() -> None:
    """Nobody is waited for."""
    assert balance([]).is_settled
