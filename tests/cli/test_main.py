"""The verbs as a whole: help, mistakes, and how refusals are told."""

import pytest

from cli.conftest import Opengage
from opengage.cli import VERBS


def test_help_names_every_verb(opengage: Opengage) -> None:
    """Each verb stands in the list by its name."""
    ended = opengage("--help")
    assert ended.code == 0
    assert [verb for verb in VERBS if f"│ {verb} " not in ended.out] == []


@pytest.mark.parametrize(("typed", "meant"), [("sevre", "serve"), ("int", "init"), ("migrat", "migrate")])
def test_an_unknown_verb_suggests_the_nearest(opengage: Opengage, typed: str, meant: str) -> None:
    """A slip of the finger costs nothing."""
    ended = opengage(typed)
    assert ended.code == 2
    assert f"There is no verb “{typed}”. Did you mean “{meant}”?" in ended.err


def test_an_outlandish_verb_lists_all(opengage: Opengage) -> None:
    """Where nothing is near, all are named."""
    ended = opengage("zzz")
    assert ended.code == 2
    assert all(verb in ended.err for verb in VERBS)


def test_bad_settings_are_all_named(opengage: Opengage) -> None:
    """Every wrong setting is told at once, with the fix, and without a traceback."""
    ended = opengage("migrate", port="x", prot="1")
    assert ended.code != 0
    assert "OPENGAGE_PORT: expected a whole number from 1 to 65535, got 'x'" in ended.err
    assert "OPENGAGE_PROT: there is no such setting; did you mean OPENGAGE_PORT?" in ended.err
    assert "Traceback" not in ended.err
