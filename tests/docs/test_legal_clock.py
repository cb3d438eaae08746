"""What the documentation says of the legal clock is what the rules say."""

from pathlib import Path

from docs.rules_table import BEGIN, DOCUMENT, END, main, tables
from opengage.assembly.legal_clock import built_in
from opengage.domain.legal_rules import parse


def test_the_table_is_the_file() -> None:
    """The document shows every rule as the file has it; run tests/docs/rules_table.py after changing the file."""
    rules = parse(built_in()).rules
    shown = DOCUMENT.read_text("utf-8").partition(BEGIN)[2].partition(END)[0]
    assert shown == tables(rules)
    assert all(f"| `{rule.id}` |" in shown for rule in rules)


def test_writing_it_again_changes_nothing(tmp_path: Path) -> None:
    """The text around the table stays as people wrote it."""
    before = DOCUMENT.read_text("utf-8")
    copy = tmp_path / "legal-clock.md"
    copy.write_text(before.replace("| `us-fl-quiet-hours` |", "| `gone` |"), "utf-8")
    main(copy)
    assert copy.read_text("utf-8") == before
