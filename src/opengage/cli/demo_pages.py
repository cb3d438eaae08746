"""What the demo shows, page by page: for people, so numbers of the list that are refused are masked.

Beside the text's path. Colours and the moving bar appear on a terminal alone; NO_COLOR is rich's to obey.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from rich.columns import Columns
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from opengage.cli.contacts import Contacts
from opengage.client import ApiError, Call, ErrorObject, Ledger
from opengage.logs import mask

_FEW: Final = 5
_POINTERS: Final = 2

MEANINGS: Final = {
    "delivered": "confirmed by a receipt",
    "duplicate": "same text and number again",
    "missing-variable": "the row lacks a merge field",
    "in-doubt": "never answered: not sent again",
    "sent-unconfirmed": "taken, but no receipt in time",
    "rejected": "the network refused it",
    "undelivered": "the network could not deliver",
    "expired": "the network gave up on it",
    "too-long": "more segments than allowed",
}
"""Reasons in a few words; docs/reference/states.md lists them all."""


def heading(console: Console, text: str) -> None:
    """The title of a part."""
    console.print(f"\n[bold]{text}[/bold]")


def opening(console: Console, source: Path, contacts: Contacts, replaced: Path | None) -> None:
    """What is about to happen, and which rows cannot take part."""
    console.print("[bold]Opengage demo.[/bold] Everything stays on this machine: the network is simulated.")
    if replaced:
        console.print(f"The folder of an earlier demo, {replaced}, is replaced.", soft_wrap=True)
    good, bad = len(contacts.good), len(contacts.bad)
    heading(console, f"The list: {source.name}")
    console.print(f"{good + bad:,} rows: {good:,} can be texted, {bad:,} cannot and are left out.")
    if bad:
        console.print("A bulk call is all or nothing, so one bad row would refuse the others.")
        console.print(_bad_rows(contacts))
        if bad > _FEW:
            console.print(f"  ... and {bad - _FEW:,} more")


def _bad_rows(contacts: Contacts) -> Table:
    table = Table("line", "value", "why not", "what to do", box=None, padding=(0, 2, 0, 0), header_style="dim")
    for row in contacts.bad[:_FEW]:
        table.add_row(str(row.line), Text(mask((row.value or "")[:40]) or "(empty)"), row.reason, row.fix)
    return table


def ready(console: Console, url: str, account: str, seconds: float) -> None:
    """The server runs."""
    console.print(f"\n“opengage serve” answers at {url} after {seconds:.1f} s; “opengage init” made account {account}.")


def call(console: Console, number: int, made: Call) -> None:
    """One of the five calls."""
    line = f"  {number}  {made.method:<5} {made.path:<37} {made.status}  {made.seconds * 1000:7.1f} ms"
    console.print(line, soft_wrap=True, markup=False)


def refusal(console: Console, refused: ApiError, rows: int) -> None:
    """What the API says to bad rows."""
    console.print(
        f"     (aside: POST /envelopes with only the {rows} bad rows is answered with {refused.status}, "
        f"{refused.total} errors, and nothing is taken:",
        soft_wrap=True,
    )
    different: dict[str, ErrorObject] = {}
    for error in refused.errors:
        different.setdefault(error.detail, error)
    for error in list(different.values())[:_POINTERS]:
        console.print(f"        {error.pointer}: {error.detail}", soft_wrap=True, markup=False)
    console.print("        ...)")


@contextlib.contextmanager
def progress(console: Console, total: int) -> Iterator[Callable[[Ledger], None]]:
    """Shows ledgers as they come: a bar on a terminal, otherwise a line each second."""
    heading(console, "To the last delivery receipt")
    if console.is_terminal:
        with _bar(console) as bar:
            task = bar.add_task("settled", total=total)
            yield lambda ledger: bar.update(task, completed=ledger.total - ledger.open)
    else:
        yield _Lines(console, total)


class _Rate(ProgressColumn):
    """Envelopes settled per second, since the start: over a moment it would jump with each look."""

    def render(self, task: Task) -> Text:
        """See rich's ProgressColumn."""
        elapsed = task.finished_time or task.elapsed
        return Text(f"{task.completed / elapsed:,.0f}/s" if elapsed else "", style="progress.data.speed")


def _bar(console: Console) -> Progress:
    columns = (BarColumn(40), MofNCompleteColumn(), _Rate(), TextColumn("left:"), TimeRemainingColumn())
    return Progress(*columns, console=console, refresh_per_second=20)


class _Lines:
    """At most a line a second, and one at the end."""

    def __init__(self, console: Console, total: int) -> None:
        self._console = console
        self._total = total
        self._started = time.monotonic()
        self._due = self._started

    def __call__(self, ledger: Ledger) -> None:
        now = time.monotonic()
        settled = ledger.total - ledger.open
        if now < self._due and ledger.open:
            return
        self._due = now + 1
        speed = settled / (now - self._started) if now > self._started else 0.0
        left = f", {ledger.open / speed:.0f} s left" if ledger.open and speed else ""
        self._console.print(f"  {settled}/{self._total} settled, {speed:,.0f}/s{left}")


def ledger(console: Console, found: Ledger) -> None:
    """Every envelope in one place, and the sum."""
    heading(console, "The ledger: every envelope in exactly one place")
    table = Table("status", "reason", "envelopes", "meaning", box=None, padding=(0, 3, 0, 0), header_style="dim")
    table.columns[2].justify = "right"
    for status, reason, count in _places(found):
        table.add_row(status, reason, f"{count:,}", MEANINGS.get(reason, ""))
    table.add_row("total", "", f"{found.total:,}", "", style="bold")
    console.print(table)


def _places(found: Ledger) -> list[tuple[str, str, int]]:
    """Statuses with their reasons; a status whose reasons are not told by name stands alone."""
    statuses = {name: getattr(found, name) for name in ("pending", "processing", "hold", "complete", "incomplete")}
    rows = [(_STATUS.get(reason, "incomplete"), reason, count) for reason, count in found.reasons.items()]
    rows += [("pending", "", found.pending)] if found.pending else []
    return sorted(rows, key=lambda row: (list(statuses).index(row[0]), -row[2]))


_STATUS: Final = {
    **dict.fromkeys(("queued", "sending", "sent", "retrying"), "processing"),
    **dict.fromkeys(("quiet-hours", "throttled", "canary", "review", "in-doubt", "account-suspended"), "hold"),
    **dict.fromkeys(("delivered", "sent-unconfirmed"), "complete"),
}


def rate(console: Console, counts: dict[str, int], seconds: float) -> None:
    """How fast it was, and what the other end says."""
    speed = f", {counts['rung'] / seconds:,.0f} texts/s" if seconds else ""
    console.print(f"\n{counts['rung']:,} texts in {seconds:.2f} s from the PATCH to the last receipt{speed}.")
    console.print(
        f"The network counted {counts['submits']:,} submits (long texts travel in parts), {counts['unique']:,} "
        f"different, {counts['duplicates']} duplicates, {counts['receipts']:,} receipts acknowledged."
    )


def screens(console: Console, shown: list[str]) -> None:
    """Some handsets."""
    heading(console, "Some of the handsets")
    console.print(Columns([Text(screen, no_wrap=True) for screen in shown], padding=(0, 2)))


def next_steps(console: Console, data: Path, engagement_id: str, credentials: Path) -> None:
    """Where to go from here."""
    heading(console, "Where to look next")
    for line in (
        "serve this folder again:       " + _serve(data),
        f"then ask it in a second shell: {_ask(credentials, engagement_id)}",
        f"the server's log:              {data / 'serve.log'}",
        "your own first blast:          README.md",
        "everything else:               docs/index.md",
    ):
        console.print(f"  {line}", soft_wrap=True, markup=False)


def _ask(credentials: Path, engagement_id: str) -> str:
    return f"curl -K {credentials} http://127.0.0.1:8080/api/v1/engagements/{engagement_id}/ledger"


def _serve(data: Path) -> str:
    """The command for wherever this runs: in a checkout `make` knows where the program is."""
    return f'make serve ARGS="--data {data}"' if Path("Makefile").exists() else f"opengage serve --data {data}"


def verdict(console: Console, problems: list[str]) -> None:
    """Whether everything adds up."""
    if not problems:
        console.print("\n[green]✓[/green] Everybody is accounted for, and nobody was texted twice.")
    for problem in problems:
        console.print(f"[red]✗ {problem}[/red]")
