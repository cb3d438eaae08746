"""Fates: magic only where a number is fictional, everything else by seed and count."""

import pytest

from opengage.simulator.chaos import Chaos
from opengage.simulator.fates import DELIVERED, MAGIC, Judge, Throttle, magic_fate
from opengage.smpp.commands import Status
from opengage.smpp.receipt import State


@pytest.mark.parametrize("ending", sorted(MAGIC))
@pytest.mark.parametrize(
    "start",
    ["120255501", "+120255501", "4477009001", "+4420794601", "+4414149601", "4930231251", "331990012", "467017406"],
)
def test_fictional_numbers_are_magic(start: str, ending: str) -> None:
    """In every fictional range the last two digits tell the fate, with or without the plus."""
    assert magic_fate(start + ending) is MAGIC[ending]


@pytest.mark.parametrize("number", ["12025560199", "12025550299", "447700901199", "4915112345699", "99", "", "Shop99"])
def test_other_numbers_never_are(number: str) -> None:
    """A number that could be somebody's has no magic."""
    assert magic_fate(number) is None


def test_magic_is_off_unless_asked_for() -> None:
    """Load runs use fictional numbers and mean delivery."""
    assert Judge(Chaos()).decide("12025550198", 1) is DELIVERED
    assert Judge(Chaos(magic=True)).decide("12025550198", 1).refusal == Status.ESME_RINVDSTADR


def test_a_text_is_refused_so_often_then_taken() -> None:
    """91 refuses the same text twice; another text to that number starts anew."""
    judge = Judge(Chaos(magic=True))
    fates = [judge.decide("12025550191", mark).refusal for mark in (1, 1, 2, 1, 2, 2, 1)]
    full = Status.ESME_RMSGQFUL
    assert fates == [full, full, full, 0, full, 0, full]


def test_undelivered_is_by_seed() -> None:
    """The same seed loses the same texts, about as many as asked for."""

    def lost(seed: int) -> list[bool]:
        judge = Judge(Chaos(undelivered_percent=25, seed=seed))
        return [judge.decide("12025550101", mark).state is State.UNDELIV for mark in range(1000)]

    assert lost(1) == lost(1)
    assert lost(1) != lost(2)
    assert 200 < sum(lost(1)) < 300


def test_every_nth_is_silent() -> None:
    """Each third text has no answer, and its handset rings all the same."""
    judge = Judge(Chaos(silent_every=3))
    fates = [judge.decide("12025550101", mark) for mark in range(6)]
    assert [fate.answered for fate in fates] == [True, True, False, True, True, False]
    assert fates[2].rings
    assert fates[2].state is State.DELIVRD


def test_the_throttle_admits_its_rate() -> None:
    """A second's worth at once, then evenly; time brings it back."""
    throttle = Throttle(100.0)
    assert [throttle.admits(2, 100.0) for _ in range(3)] == [True, True, False]
    assert not throttle.admits(2, 100.4)
    assert throttle.admits(2, 100.6)
    assert [throttle.admits(2, 200.0) for _ in range(3)] == [True, True, False]
