"""The rules of the legal clock as they are shipped, and an operator's own in their place."""

import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

from opengage.assembly.legal_clock import built_in, legal_clock
from opengage.domain.legal_clock import InvalidRules
from source import ROOT


def test_the_rules_of_the_package() -> None:
    """Without a file named the clock goes by the rules in the package."""
    clock = legal_clock()
    assert "47 CFR 64.1200" in clock.explain("us-federal-quiet-hours").source
    assert f'version = "{clock.rules.version}"' in built_in()


def test_a_file_of_one_s_own(tmp_path: Path) -> None:
    """A file that an operator names replaces the rules whole."""
    file = tmp_path / "hours.toml"
    file.write_text('format = 1\nversion = "ours"\nrules = []\n', "utf-8")
    assert legal_clock(file).rules.version == "ours"
    assert legal_clock(file).rules.rules == ()


def test_a_file_with_faults(tmp_path: Path) -> None:
    """A file with a fault is not used; the fault is told."""
    file = tmp_path / "hours.toml"
    file.write_text('format = 1\nversion = "ours"\n[[rules]]\nid = "x"\n', "utf-8")
    with pytest.raises(InvalidRules, match="x: source is missing"):
        legal_clock(file)


def test_no_such_file(tmp_path: Path) -> None:
    """A file that is not there is an error, not the rules in the package."""
    with pytest.raises(FileNotFoundError):
        legal_clock(tmp_path / "none.toml")


def test_the_wheel_holds_the_rules(tmp_path: Path) -> None:
    """Whoever installs the package has the file of rules too."""
    (wheel,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    with zipfile.ZipFile(wheel) as content:
        assert content.read("opengage/domain/rules/quiet-hours.toml").decode() == built_in()
