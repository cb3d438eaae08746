"""The documentation as data: its files, their links, and the commands that they ask a reader to run."""

import re
from dataclasses import dataclass
from pathlib import Path

from source import ROOT, tracked

_FENCE = re.compile(r"^(?P<ticks>`{3,})(?P<info>[^\n`]*)\n(?P<text>.*?)^(?P=ticks)\s*$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} +(?P<text>.+?)\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """Shell lines that a test runs as they stand: those of a fence that opens with ```` ```sh run ````.

    Further words of the opening line say what must be there first (`sh run server`: a running server). The
    blocks of one file run in one shell, in order, because a reader's variables outlive a block too.
    """

    path: Path
    line: int
    needs: tuple[str, ...]
    text: str


def documents() -> list[Path]:
    """Every Markdown file of the tree."""
    return [path for path in tracked() if path.suffix == ".md"]


def commands(path: Path) -> list[Block]:
    """The blocks of a document that are marked for running, in order."""
    text = path.read_text("utf-8")
    found = []
    for fence in _FENCE.finditer(text):
        language, *words = fence["info"].split() or [""]
        if language == "sh" and words[:1] == ["run"]:
            found.append(Block(path, text.count("\n", 0, fence.start()) + 2, tuple(words[1:]), fence["text"]))
    return found


def script(blocks: list[Block]) -> str:
    """Blocks as one script that stops at the first failing command."""
    return "set -euo pipefail\n" + "\n".join(block.text for block in blocks)


def links(path: Path) -> list[str]:
    """The targets of a document's links, outside of code."""
    return [link["target"] for link in _LINK.finditer(_FENCE.sub("", path.read_text("utf-8")))]


def anchors(path: Path) -> set[str]:
    """What can follow `#` in a link to a document, by the usual rule for headings."""
    headings = _HEADING.finditer(_FENCE.sub("", path.read_text("utf-8")))
    return {re.sub(r"[^\w\- ]", "", heading["text"].lower()).replace(" ", "-") for heading in headings}


def resolve(path: Path, target: str) -> Path:
    """The file that a relative link of a document leads to."""
    name = target.partition("#")[0]
    return (path.parent / name).resolve() if name else path


def inside(path: Path) -> bool:
    """Whether a file belongs to the tree."""
    return path == ROOT or ROOT in path.parents
