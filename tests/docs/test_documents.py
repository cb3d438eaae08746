"""What the documentation names exists."""

import re
from pathlib import Path

import pytest

from docs.documents import Block, anchors, commands, documents, inside, links, resolve, script
from opengage.domain.webhooks import SCHEDULE, Event
from opengage.settings import table
from source import ROOT, shown

MAKE_VERB = re.compile(r"^([a-z]+):", re.MULTILINE)
SAMPLE = """# A title, here

See [this](other.md#part-two) and [that](#a-title-here).

```sh
make demo
```

```sh run server
A=1
```

````sh run
echo "$A [no](link.md)"
````

```python run
no
```
"""


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    """A small document."""
    path = tmp_path / "sample.md"
    path.write_text(SAMPLE, "utf-8")
    return path


@pytest.mark.parametrize("path", documents(), ids=shown)
def test_links_resolve(path: Path) -> None:
    """Each relative link leads to a file of the tree, and its anchor to a heading there."""
    for target in links(path):
        if "://" in target:
            continue
        leads_to = resolve(path, target)
        assert leads_to.exists(), target
        assert inside(leads_to), target
        if "#" in target:
            assert target.partition("#")[2] in anchors(leads_to), target


def test_every_document_can_be_found() -> None:
    """Whoever starts at the README reaches every document by links."""
    start = ROOT / "README.md"
    seen, ahead = {start}, [start]
    while ahead:
        path = ahead.pop()
        near = {resolve(path, target) for target in links(path) if "://" not in target}
        fresh = {found for found in near - seen if found.suffix == ".md"}
        seen |= fresh
        ahead += fresh
    assert set(documents()) <= seen


def test_every_setting_is_documented() -> None:
    """The reference has a row for each setting, with its default and its help, and for no other."""
    text = (ROOT / "docs/reference/settings.md").read_text("utf-8")
    for row in table():
        assert f"| `{row.variable}` | `{row.default}` | {row.help} |" in text
    assert text.count("| `OPENGAGE_") == len(table())


def test_every_event_is_documented() -> None:
    """The reference has a row for each event that an endpoint can name, and for no other."""
    text = (ROOT / "docs/reference/webhooks.md").read_text("utf-8")
    assert re.findall(r"^\| `([a-z]+\.[a-z-]+)` \|", text, re.MULTILINE) == list(Event)


def test_the_schedule_is_documented() -> None:
    """The reference tells every wait of the schedule."""
    text = (ROOT / "docs/reference/webhooks.md").read_text("utf-8")
    units = {"s": 1, "min": 60, "h": 3600}
    (row,) = re.findall(r"^\| after \|(.*)\|$", text, re.MULTILINE)
    told = [int(number) * units[unit] for number, unit in (cell.split() for cell in row.split("|"))]
    assert told == [0, *SCHEDULE]


def test_every_make_verb_exists() -> None:
    """No document names a verb that the Makefile lacks."""
    verbs = set(MAKE_VERB.findall((ROOT / "Makefile").read_text("utf-8")))
    for path in documents():
        named = set(re.findall(r"`make ([a-z]+)[ `]|^make ([a-z]+)", path.read_text("utf-8"), re.MULTILINE))
        assert {verb for pair in named for verb in pair if verb} <= verbs, shown(path)


def test_every_decision_is_listed() -> None:
    """The list of decisions is whole, and each record says what was decided, why, and what it costs."""
    folder = ROOT / "docs/decisions"
    listed = set(links(folder / "README.md"))
    records = [path for path in folder.glob("*.md") if path.name != "README.md"]
    assert {path.name for path in records} == listed
    for path in records:
        assert all(part in path.read_text("utf-8") for part in ("**Decided.**", "**Why.**", "**Cost.**"))


def test_marked_blocks_are_commands(sample: Path) -> None:
    """Only shell fences marked `run` count, with place and needs, whatever the fence's length."""
    assert commands(sample) == [
        Block(sample, 10, ("server",), "A=1\n"),
        Block(sample, 14, (), 'echo "$A [no](link.md)"\n'),
    ]


def test_blocks_of_a_document_share_a_shell(sample: Path) -> None:
    """A variable of one block is there in the next."""
    assert script(commands(sample)) == 'set -euo pipefail\nA=1\n\necho "$A [no](link.md)"\n'


def test_links_and_anchors_are_found(sample: Path) -> None:
    """Links in prose count, links in code do not; a heading's anchor drops punctuation."""
    assert links(sample) == ["other.md#part-two", "#a-title-here"]
    assert anchors(sample) == {"a-title-here"}
    assert resolve(sample, "#a-title-here") == sample
