"""`opengage verify`: whether the receipt of a blast is as Opengage wrote it, for whoever was given the file.

After the text's path has ended. It needs no settings and no store: the file alone is looked at.
"""

import contextlib
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, TextIO

import msgspec
import rich_click as click

from opengage.domain.errors import Invalid
from opengage.domain.receipt_chain import Broken, Intact, verify

NOT_INTACT: Final = 1
"""The exit code for a receipt that is not as it was written."""


@click.command()
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--expect", metavar="HASH", help="The final hash that was noted when the receipt was made.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(file: Path, expect: str | None, as_json: bool) -> None:
    """Check the receipt of a blast, NDJSON or CSV; - reads standard input."""
    with _lines(file) as lines:
        try:
            found = verify(lines)
        except OSError as error:
            raise _unreadable(file, error) from error
    expected = expect.strip().lower() if expect is not None else None
    is_other = isinstance(found, Intact) and expected not in (None, found.final_hash)
    if as_json:
        click.echo(msgspec.json.encode(_shown(found, is_other)))
    else:
        _tell(found, is_other)
    if is_other or isinstance(found, Broken):
        sys.exit(NOT_INTACT)


@contextlib.contextmanager
def _lines(file: Path) -> Iterator[TextIO]:
    """The file's lines, ends included; what is no UTF-8 is kept, to be found as a change in its place."""
    try:
        binary = sys.stdin.buffer if str(file) == "-" else file.open("rb")
    except OSError as error:
        raise _unreadable(file, error) from error
    with binary:
        yield io.TextIOWrapper(binary, "utf-8", errors="surrogateescape", newline="")


def _unreadable(file: Path, error: OSError) -> Invalid:
    return Invalid(f"{file} cannot be read ({error.strerror}). Name a receipt that `opengage verify` may read.")


def _shown(found: Intact | Broken, is_other: bool) -> dict[str, object]:
    if isinstance(found, Broken):
        return {"intact": False, "line": found.line, "damage": found.damage.value, "detail": found.detail}
    plain = {"count": found.count, "reasons": found.reasons, "final-hash": found.final_hash, "facts": found.facts}
    if is_other:
        return {"intact": False, "damage": "other-hash", "detail": _OTHER, **plain}
    return {"intact": True, **plain}


_OTHER: Final = "the file is whole, but its final hash is not the one expected: it is another receipt"


def _tell(found: Intact | Broken, is_other: bool) -> None:
    if isinstance(found, Broken):
        click.echo(f"Not intact: line {found.line} was {found.damage}: {found.detail}.", err=True)
        return
    if is_other:
        click.echo(f"Not the receipt expected: {_OTHER}.", err=True)
    else:
        click.echo(f"Intact: {found.count:,} envelopes, each as it was written.")
        for reason, count in found.reasons.items():
            click.echo(f"  {reason:<20} {count:>12,}")
    click.echo(f"Final hash: {found.final_hash}", err=is_other)
