"""The table of the legal clock's rules as the documentation shows it, written from the file of rules itself.

    PYTHONPATH=tests .venv/bin/python tests/docs/rules_table.py

puts it into docs/explanation/legal-clock.md, and a test holds the two together.
"""

from collections.abc import Sequence
from pathlib import Path

from opengage.assembly.legal_clock import built_in
from opengage.domain.legal_clock import hours_in_words
from opengage.domain.legal_rules import Rule, parse
from source import ROOT

DOCUMENT = ROOT / "docs" / "explanation" / "legal-clock.md"
BEGIN, END = "<!-- rules: written by tests/docs/rules_table.py -->\n\n", "\n\n<!-- end of rules -->"
_HEAD = "| rule | where | texts are allowed (local time) | source | read in |\n|---|---|---|---|---|"


def tables(rules: Sequence[Rule]) -> str:
    """The rules that are applied, and those that are listed but switched off."""
    applied = [_row(rule) for rule in rules if rule.enabled]
    off = [f"{_row(rule)}" for rule in rules if not rule.enabled]
    return "\n".join(["Applied:", "", _HEAD, *applied, "", "Listed, and not applied:", "", _HEAD, *off])


def _row(rule: Rule) -> str:
    where = f"{', '.join(rule.countries)}{': ' if rule.states else ''}{', '.join(rule.states)}"
    note = f" {rule.notes}" if rule.notes else ""
    return f"| `{rule.id}` | {where} | {hours_in_words(rule)}.{note} | {rule.source} | {rule.basis} |"


def main(document: Path = DOCUMENT) -> None:
    """Write the tables between the document's marks."""
    before, _, rest = document.read_text("utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    document.write_text(f"{before}{BEGIN}{tables(parse(built_in()).rules)}{END}{after}", "utf-8")


if __name__ == "__main__":
    main()
