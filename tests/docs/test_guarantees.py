"""docs/explanation/guarantees.md names a test for each failure, and every test that it names exists."""

import re

from source import ROOT, functions_of_tests

DOCUMENT = ROOT / "docs" / "explanation" / "guarantees.md"
_ROW = re.compile(r"^\| (?!what fails|---)(?P<what>[^|]+) \|(?P<then>[^|]+)\|(?P<shown>[^|]+)\|$", re.MULTILINE)
_TEST = re.compile(r"`(test_\w+)`")


def test_each_failure_names_its_tests() -> None:
    """No row is a mere promise."""
    rows = list(_ROW.finditer(DOCUMENT.read_text("utf-8")))
    assert len(rows) > 20
    assert not [row["what"] for row in rows if not _TEST.findall(row["shown"])]


def test_each_test_that_is_named_exists() -> None:
    """Whoever renames a test that shows a guarantee finds it here."""
    named = set(_TEST.findall(DOCUMENT.read_text("utf-8")))
    assert named
    assert named <= functions_of_tests()
