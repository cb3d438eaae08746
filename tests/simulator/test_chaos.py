"""Chaos settings are one table, checked as a whole."""

from typing import Any

import msgspec
import pytest

from opengage.simulator.chaos import HELP, Chaos, InvalidChaos, changed


def test_every_setting_is_explained() -> None:
    """Help and settings name the same."""
    assert list(HELP) == [field.encode_name for field in msgspec.structs.fields(Chaos)]


def test_nothing_goes_wrong_by_default() -> None:
    """Without settings the simulator is a carrier that works."""
    assert Chaos().harmless
    assert not Chaos(magic=True).harmless


def test_changes_keep_the_rest() -> None:
    """A change names only what changes."""
    chaos = changed(Chaos(seed=7), {"answer-delay": 2})
    assert (chaos.seed, chaos.answer_delay) == (7, 2.0)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"undelivered-percent": 101}, "undelivered-percent"),
        ({"answer-delay": -1}, "answer-delay"),
        ({"answer-delay": 3601}, "answer-delay"),
        ({"stall-seconds": 601}, "stall-seconds"),
        ({"drop-after": 1.5}, "drop-after"),
        ({"ids": "octal"}, "ids"),
        ({"answer_delay": 1}, "answer_delay"),
    ],
)
def test_what_is_out_of_bounds_is_refused(changes: dict[str, Any], named: str) -> None:
    """The refusal names the setting."""
    with pytest.raises(InvalidChaos, match=named):
        changed(Chaos(), changes)
