"""The tests of forgetting can fail: each safeguard is taken away here in turn, and its test must notice."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from dispatch import test_eraser, test_purger
from dispatch.test_mutations import no_look_at_pseudonyms
from dispatch.world import World
from opengage.domain.ledger import Ledger
from opengage.operations import erasing
from opengage.store import pseudonyms, retention
from opengage.store.sqlite.store import SqliteStore

Mutation = Callable[[pytest.MonkeyPatch], None]
Behaviour = Callable[[World, Path], Awaitable[None]]


async def _nothing(*_: Any, **__: Any) -> None:
    return


async def _done(*_: Any) -> bool:
    return True


def every_ended_blast_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """A blast that was canceled is forgotten, though some of its texts wait or are in doubt."""
    monkeypatch.setattr(Ledger, "is_settled", True)


def words_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was said is left where it stands."""
    monkeypatch.setattr(retention, "blank", _nothing)


def numbers_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whom it was said to is left where it stands."""
    monkeypatch.setattr(retention, "rename", _nothing)


def everybody_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """All numbers get the same pseudonym: whoever opted out, everybody has."""
    monkeypatch.setattr(pseudonyms.Pseudonyms, "of", lambda *_: pseudonyms.MARK)


def nothing_is_scrubbed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The write-ahead log keeps the pages as they were."""
    monkeypatch.setattr(SqliteStore, "scrub", _nothing)


def nothing_is_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """An erasure takes a text in doubt for one that has ended."""
    monkeypatch.setattr(erasing, "_UNDER_WAY", ())


def what_waits_is_left_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """An erasure closes no envelope."""
    monkeypatch.setattr(erasing._Round, "_close", _nothing)


def single_texts_are_not_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """An erasure forgets a text that waits, and lets it go."""
    monkeypatch.setattr(erasing._Round, "_cancel", _done)


def opt_outs_stay_in_the_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    """An erasure does not look at who has opted out."""
    monkeypatch.setattr(erasing._Round, "_suppressions", _nothing)


HELD_BY: list[tuple[Mutation, Behaviour]] = [
    (every_ended_blast_is_over, test_purger.test_what_is_not_over_stays),
    (words_stay, test_purger.test_words_go_and_numbers_stay),
    (numbers_stay, test_purger.test_numbers_become_pseudonyms),
    (everybody_is_one, test_purger.test_numbers_become_pseudonyms),
    (nothing_is_scrubbed, test_purger.test_nothing_is_left_in_the_file),
    (nothing_is_scrubbed, test_eraser.test_nothing_of_it_is_left_in_the_file),
    (nothing_is_under_way, test_eraser.test_what_is_in_doubt_ends_first),
    (what_waits_is_left_waiting, test_eraser.test_what_has_not_left_never_does),
    (single_texts_are_not_taken_back, test_eraser.test_what_has_not_left_never_does),
    (opt_outs_stay_in_the_clear, test_eraser.test_whoever_has_opted_out_stays_so),
    (no_look_at_pseudonyms, test_eraser.test_whoever_has_opted_out_stays_so),
]


@pytest.mark.parametrize("world", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("mutation", "behaviour"), HELD_BY, ids=[f"{mutation.__name__}-{test.__name__}" for mutation, test in HELD_BY]
)
async def test_the_test_notices(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mutation: Mutation, behaviour: Behaviour
) -> None:
    """Without its safeguard the behaviour's test fails."""
    mutation(monkeypatch)
    with pytest.raises((AssertionError, TimeoutError, pytest.fail.Exception)):
        await behaviour(world, tmp_path)
