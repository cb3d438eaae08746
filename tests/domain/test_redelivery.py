"""Redelivered texts: each is known again once, and the same words said twice are two texts."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opengage.domain.redelivery import CROSSING, PERHAPS, REMEMBERED, RESEND, SURELY, Redeliveries, mark_of

YES, NO = mark_of("+12025550101", "+12025550100", "Yes"), mark_of("+12025550101", "+12025550100", "No")


@pytest.mark.parametrize(
    ("sender", "recipient", "body"),
    [
        ("+12025550102", "+12025550100", "Yes"),
        ("+12025550101", "+12025550199", "Yes"),
        ("+12025550101", "+12025550100", "yes"),
        ("+12025550101", "+12025550100", "Yes "),
        ("+12025550101", "+12025550100", "half a pair \ud83d"),
    ],
)
def test_a_mark_is_of_all_three(sender: str, recipient: str, body: str) -> None:
    """Whoever differs in sender, recipient or words is another text."""
    assert mark_of(sender, recipient, body) != YES
    assert len(mark_of(sender, recipient, body)) == 16


def test_the_same_words_twice_are_two_texts() -> None:
    """As long as every acknowledgement is known to have left."""
    memory = Redeliveries()
    for token in range(5):
        assert not memory.arrive(token, YES, token)
        memory.acknowledge([token], token)


def lost(*tokens: int) -> Redeliveries:
    """These came, their connection ended, and then they were stored."""
    memory = Redeliveries()
    for token in tokens:
        assert not memory.arrive(token, YES, 0.0)
    memory.lose(tokens, 1.0, surely=True)
    assert memory.is_unstored(YES)
    memory.acknowledge(tokens, 1.0)
    assert not memory.is_unstored(YES)
    return memory


@pytest.mark.parametrize("is_refused", [True, False])
def test_what_was_lost_unstored_is_expected_by_nobody(is_refused: bool) -> None:
    """Neither here nor by who comes after, once it is known that it will not be stored."""
    memory, successor = Redeliveries(), Redeliveries()
    successor.share(memory)
    memory.arrive(1, YES, 0.0)
    memory.lose([1], 1.0, surely=True)
    assert successor.is_unstored(YES)
    assert memory.is_owed(1.0)
    if is_refused:
        memory.refuse([1], [])
    else:
        memory.give_up()
    assert not successor.is_unstored(YES)
    assert not successor.arrive(1, YES, 2.0)
    assert not memory.is_owed(2.0)


def test_what_was_stored_before_is_not_given_up() -> None:
    """It came again and its connection ended: whoever stores nothing any more has nothing to store of it."""
    memory = lost(1)
    assert memory.arrive(2, YES, 2.0)
    memory.lose([2], 3.0, surely=True)
    memory.give_up()
    assert memory.arrive(3, YES, 4.0)


def test_one_redelivery_for_one_lack() -> None:
    """After a lost connection the first one with these words is the same text, the second a new one."""
    memory = lost(1)
    assert not memory.arrive(2, NO, 2.0)
    assert memory.arrive(3, YES, 2.0)
    memory.acknowledge([2, 3], 2.0)
    assert not memory.arrive(4, YES, 3.0)


def test_a_redelivery_may_be_lost_too() -> None:
    """What came again and was again not acknowledged comes a third time."""
    memory = lost(1)
    assert memory.arrive(2, YES, 2.0)
    memory.lose([2], 3.0, surely=True)
    assert memory.arrive(3, YES, 4.0)


def test_the_same_words_lost_twice_come_twice() -> None:
    """Each of them once."""
    memory = lost(1, 2)
    assert [memory.arrive(token, YES, 2.0) for token in (3, 4, 5)] == [True, True, False]


@pytest.mark.parametrize(
    ("surely", "later", "is_again"),
    [(True, SURELY, True), (True, SURELY + 2, False), (False, PERHAPS, True), (False, PERHAPS + 2, False)],
)
def test_expectations_end(surely: bool, later: float, is_again: bool) -> None:
    """What need not come is expected for minutes, what must come for a day."""
    memory = Redeliveries()
    memory.arrive(1, YES, 0.0)
    memory.acknowledge([1], 0.0)
    memory.lose([1], 1.0, surely=surely)
    assert memory.arrive(2, YES, later) is is_again


def test_what_a_network_repeats_for_want_of_an_answer() -> None:
    """While the store cannot be written nothing is acknowledged, and the network sends again: once is enough."""
    memory = Redeliveries()
    assert not memory.arrive(1, YES, 0.0)
    assert not memory.arrive(2, YES, RESEND - 1)  # too soon: somebody really said it twice
    assert memory.arrive(3, YES, 30.0)
    assert memory.arrive(4, YES, 60.0)
    memory.acknowledge([1, 2, 3, 4], 61.0)
    # one more may have crossed the answers
    assert [memory.arrive(token, YES, 61.0 + CROSSING) for token in (5, 6)] == [True, False]
    memory.acknowledge([5, 6], 62.0 + CROSSING)
    assert not memory.arrive(7, YES, 90.0)


def test_after_a_start() -> None:
    """What was stored last is expected for some minutes, as often as it was stored."""
    memory = Redeliveries()
    memory.expect([YES, NO, YES], 0.0)
    assert [memory.arrive(token, YES, 1.0) for token in (1, 2, 3)] == [True, True, False]
    assert not memory.arrive(4, NO, PERHAPS + 1)


def test_unknown_tokens_are_ignored() -> None:
    """Receipts have tokens too, and sessions end that brought nothing."""
    memory = Redeliveries()
    memory.acknowledge([7], 0.0)
    memory.lose([7], 0.0, surely=True)
    assert not memory.arrive(7, YES, 1.0)


def test_what_was_refused_comes_as_new() -> None:
    """Once for all its repetitions; what had been stored before is none of them."""
    memory = lost(1)
    assert memory.arrive(2, YES, 2.0)
    assert not memory.arrive(3, YES, 2.0)
    assert memory.arrive(4, YES, 3.0 + RESEND)
    assert memory.refuse([3], [2, 4]) == {4}
    memory.acknowledge([2], 4.0 + RESEND)
    assert not memory.arrive(5, YES, 5.0 + RESEND + CROSSING)


def test_old_texts_are_forgotten_unless_they_wait() -> None:
    """A text is remembered until its connection has long proved good; one without an answer until it has one."""
    memory = Redeliveries()
    memory.arrive(1, YES, 0.0)
    memory.acknowledge([1], 0.0)
    memory.arrive(2, NO, 0.0)
    memory.arrive(3, mark_of("a", "b", "c"), REMEMBERED + 1)
    memory.lose([1, 2], REMEMBERED + 2, surely=True)
    memory.acknowledge([2], REMEMBERED + 2)
    assert not memory.arrive(4, YES, REMEMBERED + 3)
    assert memory.arrive(5, NO, REMEMBERED + 3)


EVENTS = st.lists(
    st.tuples(st.sampled_from(["say", "deliver", "answer", "refuse", "cut", "store"]), st.integers(0, 2)), max_size=80
)


@given(EVENTS)
def test_everything_is_stored_once(events: Sequence[tuple[str, int]]) -> None:  # noqa: C901 - a small network
    """A network that delivers until it hears an answer, people who repeat themselves, links that are cut at any moment:
    as many texts are stored as were said."""
    memory, token = Redeliveries(), 0
    waiting: list[int] = []  # what was said and is not on the link
    under_way: dict[int, int] = {}  # token: which words
    fresh: set[int] = set()  # tokens of those that were not known
    unstored: list[int] = []  # tokens of those whose link was cut before they were stored
    stored = said = 0
    for event, words in [*events, ("cut", 0), ("store", 0)]:
        if event == "say":
            waiting.append(words)
            said += 1
        elif event == "deliver" and waiting and memory.is_unstored(bytes([waiting[0]])):
            waiting.append(waiting.pop(0))
        elif event == "deliver" and waiting:
            token += 1
            under_way[token] = waiting.pop(0)
            if not memory.arrive(token, bytes([under_way[token]]), 0.0):
                fresh.add(token)
                stored += 1
        elif event == "answer" and under_way:
            first = next(iter(under_way))
            memory.acknowledge([first], 0.0)
            del under_way[first]
        elif event == "store":
            memory.acknowledge(unstored, 0.0)
            unstored.clear()
        elif event == "refuse" and unstored:
            assert not memory.refuse([unstored.pop(0)], [])
            stored -= 1
        elif event == "refuse" and fresh & under_way.keys():
            first = min(fresh & under_way.keys())
            assert not memory.refuse([first], list(under_way))
            waiting.append(under_way.pop(first))
            stored -= 1
        elif event == "cut":
            memory.lose(list(under_way), 0.0, surely=True)
            unstored += sorted(fresh & under_way.keys())
            waiting = [*under_way.values(), *waiting]
            under_way.clear()
    while waiting:
        token += 1
        stored += not memory.arrive(token, bytes([waiting.pop(0)]), 0.0)
        memory.acknowledge([token], 0.0)
    assert stored == said
