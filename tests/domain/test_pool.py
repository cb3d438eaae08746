"""Sender pools: who is texted from which number."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opengage.domain.pool import Candidate, candidate, choose, choose_all
from opengage.ids import Id


def an_id(number: int) -> Id:
    """The identity of a phone number."""
    return Id(number.to_bytes(16, "big"))


WASHINGTON = candidate(an_id(1), "+12025550100", 5.0)
BOSTON = candidate(an_id(2), "+16175550100", 1.0)
BOSTON_TOO = candidate(an_id(3), "+16175550101", 2.0)
TORONTO = candidate(an_id(4), "+14165550100", 0.0)
LONDON = candidate(an_id(5), "+447700900000", 0.0)
SHORT = candidate(an_id(6), "12345", 0.5)
ALL = (SHORT, LONDON, TORONTO, BOSTON_TOO, BOSTON, WASHINGTON)


def without(*ill: Candidate) -> list[Candidate]:
    """The pool with some of it unable to send."""
    return [candidate(each.id, each.number, each.load, is_healthy=each not in ill) for each in ALL]


@pytest.mark.parametrize(
    ("recipient", "ill", "sticky", "chosen"),
    [
        ("+12025550123", (), None, WASHINGTON),  # its area, though most loaded
        ("+16175550123", (), None, BOSTON),  # two of its area: the less loaded
        ("+16175550123", (BOSTON,), None, BOSTON_TOO),
        ("+16175550123", (), BOSTON_TOO, BOSTON_TOO),  # the one that texted before
        ("+16175550123", (), LONDON, LONDON),
        ("+16175550123", (LONDON,), LONDON, BOSTON),  # which cannot send now
        ("+12125550123", (), None, BOSTON),  # its country, and there the least loaded
        ("+14165550123", (), None, TORONTO),
        ("+16045550123", (), None, TORONTO),  # Canada is another country, though the code is the same
        ("+447700900123", (), None, LONDON),
        ("+447700900123", (LONDON,), None, TORONTO),  # nowhere near: the least loaded
        ("+33639980123", (TORONTO, LONDON), None, SHORT),
        ("+12025550123", ALL, WASHINGTON, None),
    ],
)
def test_choosing(
    recipient: str, ill: tuple[Candidate, ...], sticky: Candidate | None, chosen: Candidate | None
) -> None:
    """Sticky, then area, then country, then load."""
    expected = chosen.id if chosen else None
    assert choose(recipient, without(*ill), sticky.id if sticky else None) == expected


def test_a_pool_of_none() -> None:
    """Nobody is nobody; a sticky number that has left the pool is forgotten."""
    assert choose("+12025550123", []) is None
    assert choose("+12025550123", [LONDON], WASHINGTON.id) == LONDON.id


def test_toll_free_numbers_have_no_area() -> None:
    """Two numbers that begin with 800 are not neighbours."""
    toll_free = candidate(an_id(7), "+18005550100", 9.0)
    assert toll_free.area is None
    assert choose("+18005550123", [toll_free, BOSTON]) == BOSTON.id


def test_a_batch_is_spread() -> None:
    """Each choice adds to the load: numbers share by how fast they are, and a tie goes to the lower id."""
    fast, slow = candidate(an_id(1), "+12025550100", 0.0, cost=0.1), candidate(an_id(2), "+12025550101", 0.0, cost=0.4)
    chosen = Counter(choose_all([("+12025550123", None)] * 500, [slow, fast]))
    assert chosen == {fast.id: 400, slow.id: 100}
    assert choose_all([("+12025550123", None)], [slow, fast]) == [fast.id]
    assert choose_all([("+12025550123", slow.id)] * 3, [slow, fast]) == [slow.id] * 3
    assert choose_all([("+12025550123", None)], []) == [None]


NUMBERS = st.sampled_from(["+12025550100", "+16175550100", "+14165550100", "+447700900000", "+18005550100", "12345"])
POOLS = st.lists(st.tuples(NUMBERS, st.floats(0, 100), st.booleans()), max_size=6).map(
    lambda found: [candidate(an_id(place), *one[:2], is_healthy=one[2]) for place, one in enumerate(found)]
)
RECIPIENTS = st.sampled_from(["+12025550123", "+16175550123", "+447700900123", "+33639980123"])


@given(POOLS, RECIPIENTS, st.none() | st.integers(0, 6).map(an_id), st.randoms(use_true_random=False))
def test_order_does_not_matter(pool: list[Candidate], recipient: str, sticky: Id | None, chance: object) -> None:
    """The choice is a healthy one if there is any, and the same in whatever order the pool is read."""
    chosen = choose(recipient, pool, sticky)
    healthy = {each.id for each in pool if each.is_healthy}
    assert (chosen in healthy) if healthy else (chosen is None)
    assert sticky not in healthy or chosen == sticky
    chance.shuffle(pool)  # type: ignore[attr-defined]
    assert choose(recipient, pool, sticky) == chosen
