"""Room that a sender keeps: its neighbours find none, and are woken when it is given back."""

import pytest

from opengage.dispatch.reserve import Reserve


class Neighbour:
    """Counts how often it is woken."""

    def __init__(self) -> None:
        self.woken = 0

    def wake(self) -> None:
        """See Waiting.wake."""
        self.woken += 1


def test_whoever_found_no_room_is_woken_once_when_it_is_given_back() -> None:
    """The one that kept it is not: it would take it again at once."""
    reserve, keeper, neighbour = Reserve(), Neighbour(), Neighbour()
    with reserve.keep(100):
        assert reserve.texts == 100
        reserve.wait(neighbour)
        reserve.wait(neighbour)
        assert neighbour.woken == 0
    assert (reserve.texts, keeper.woken, neighbour.woken) == (0, 0, 1)
    with reserve.keep(1):
        pass
    assert neighbour.woken == 1


def test_room_is_given_back_when_the_writing_fails() -> None:
    """And neighbours are woken all the same."""
    reserve, neighbour = Reserve(), Neighbour()

    def fail() -> None:
        with reserve.keep(5):
            reserve.wait(neighbour)
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        fail()
    assert (reserve.texts, neighbour.woken) == (0, 1)


def test_a_full_window_is_no_reservation() -> None:
    """Who finds no room though nothing is kept is woken by answers, not by the next neighbour's look."""
    reserve, neighbour = Reserve(), Neighbour()
    reserve.wait(neighbour)
    with reserve.keep(5):
        pass
    assert neighbour.woken == 0
