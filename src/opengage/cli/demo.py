"""`opengage demo`: the main job on real input, from a list of people to the last receipt.

Beside the text's path: everything happens over HTTP, by the five calls that any client makes, and is checked
against what the network at the other end has counted.
"""

import contextlib
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Any, Final

import msgspec
import rich_click as click
from rich.console import Console

from opengage.cli import demo_pages as pages
from opengage.cli import sandbox
from opengage.cli.contacts import Contact, Contacts, read
from opengage.cli.sandbox import Account, Sandbox
from opengage.client import ApiError, Call, Client, Ledger, Recipient, Resource
from opengage.domain.errors import Unavailable

ACCOUNT: Final = "firstbank"
TEMPLATE: Final = "Hello {{first-name}}, text templates support variables."
EXAMPLE: Final = Path(__file__).parents[3] / "examples" / "contacts.csv"
"""The list of the checkout that this file lies in."""

_BULK: Final = 10_000
_LOOK: Final = 0.05
"""Seconds between looks at the ledger."""
_STALLED: Final = 30.0
_SETTLES: Final = 5.0
_FAILED: Final = 1

Watch = Callable[[Ledger], None]


class Outcome(msgspec.Struct, rename="kebab"):
    """What happened, as `--json` tells it."""

    ok: bool
    problems: list[str]
    rows: int
    left_out: int
    accepted: int
    calls: list[dict[str, Any]]
    refusal: dict[str, Any] | None
    ledger: dict[str, Any]
    seconds: float
    texts_per_second: float
    handsets_rung: int
    simulator: dict[str, int]
    data: str
    engagement_id: str


@click.command()
@click.option(
    "--data", type=click.Path(path_type=Path), default="demo-data", show_default=True, help="A folder; replaced."
)
@click.option("--contacts", type=click.Path(path_type=Path), default=EXAMPLE, help="Another list of people, as CSV.")
@click.option("--rate", type=float, help="The most segments per second; without it, no limit.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, and the rest on standard error.")
def command(data: Path, contacts: Path, rate: float | None, as_json: bool) -> None:
    """Text a thousand fictional people through the bundled simulator, and prove what became of each.

    No text leaves this machine. The folder stays, so that you can look around in it afterwards.
    """
    console = Console(stderr=as_json, highlight=False)
    with _ended_by_sigterm():
        outcome = _run(console, data, read(contacts), contacts, rate)
    pages.verdict(console, outcome.problems)
    if as_json:
        click.echo(msgspec.json.encode(outcome).decode())
    sys.exit(0 if outcome.ok else _FAILED)


@contextlib.contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM end the block as Ctrl-C does, so that children are stopped."""

    def end(number: int, _: FrameType | None) -> None:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _run(console: Console, data: Path, contacts: Contacts, source: Path, rate: float | None) -> Outcome:
    pages.opening(console, source, contacts, replaced=data if sandbox.fresh_folder(data) else None)
    started = time.monotonic()
    with Sandbox(data, ACCOUNT, rate) as own:
        account = own.create_account()
        own.wait_until_ready()
        pages.ready(console, own.url, account.account_key, time.monotonic() - started)
        try:
            outcome = Demo(console, own, account, contacts, data).run()
        except ApiError as error:
            raise Unavailable(f"The API refused what it should take. {error}\n{own.log_end()}") from error
    pages.next_steps(console, data, outcome.engagement_id, _keep_credentials(data, account))
    return outcome


def _keep_credentials(data: Path, account: Account) -> Path:
    """The token as a configuration file of curl, readable by its owner alone: it is told only once."""
    path = data / f"{account.account_key}.curl"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(f'user = "{account.token_key}:{account.token_secret}"\n')
        file.write(f'header = "X-Account-Key: {account.account_key}"\n')
    return path


class Demo:
    """The five calls and what they lead to."""

    def __init__(self, console: Console, own: Sandbox, account: Account, contacts: Contacts, data: Path) -> None:
        self._console = console
        self._own = own
        self._account = account
        self._contacts = contacts
        self._data = data
        self._calls: list[Call] = []
        self._refusal: ApiError | None = None
        self._watching = False

    def run(self) -> Outcome:
        """Make the calls, watch to the last receipt, show and check everything."""
        account = self._account
        with Client(
            account.api_url, account.account_key, account.token_key, account.token_secret, on_call=self._called
        ) as api:
            engagement_id, accepted = self._five_calls(api)
            with pages.progress(self._console, accepted) as show:
                ledger = _watched(api, engagement_id, show)
            seconds = _duration(api.get("engagements", engagement_id))
        return self._told(engagement_id, accepted, ledger, seconds)

    def _called(self, call: Call) -> None:
        """Show a call of the five; those that only look are not."""
        if self._watching:
            return
        self._calls.append(call)
        pages.call(self._console, len(self._calls), call)

    def _five_calls(self, api: Client) -> tuple[str, int]:
        """The guide's calls; the engagement's id, and how many envelopes were accepted."""
        pages.heading(self._console, "The five calls")
        template = api.create_text_template("Greeting", TEMPLATE)
        engagement = api.create_engagement("First blast")
        api.create_activity("Text", engagement.id, template.id, self._account.phone_number_id)
        self._watching = True
        self._try_bad_rows(api, engagement.id)
        self._watching = False
        accepted = sum(len(api.create_envelopes(engagement.id, part)) for part in _parts(self._contacts.good))
        api.schedule(engagement.id)
        self._watching = True
        return engagement.id, accepted

    def _try_bad_rows(self, api: Client, engagement_id: str) -> None:
        """What the API says to the rows that were left out: none is taken."""
        values = _refusable(self._contacts)
        if not values:
            return
        try:
            api.create_envelopes(engagement_id, [Recipient(value) for value in values])
        except ApiError as refusal:
            self._refusal = refusal
            pages.refusal(self._console, refusal, len(values))

    def _told(self, engagement_id: str, accepted: int, ledger: Ledger, seconds: float) -> Outcome:
        pages.ledger(self._console, ledger)
        counts = _counted(self._own)
        pages.rate(self._console, counts, seconds)
        picked = _handsets(self._contacts.good)
        screens = self._own.ask(*({"do": "inbox", "number": number} for number in picked))
        pages.screens(self._console, [screen["screen"] for screen in screens if screen["texts"]])
        problems = _problems(self._contacts, accepted, ledger, counts)
        if _refusable(self._contacts) and self._refusal is None:
            problems.append("the API took rows that it should refuse")
        return Outcome(
            ok=not problems,
            problems=problems,
            rows=len(self._contacts.good) + len(self._contacts.bad),
            left_out=len(self._contacts.bad),
            accepted=accepted,
            calls=[_call(call) for call in self._calls],
            refusal=_refusal(self._refusal),
            ledger=msgspec.to_builtins(ledger),
            seconds=round(seconds, 3),
            texts_per_second=round(counts["rung"] / seconds, 1) if seconds else 0.0,
            handsets_rung=counts["rung"],
            simulator={name: counts[name] for name in ("submits", "unique", "duplicates", "receipts")},
            data=str(self._data),
            engagement_id=engagement_id,
        )


def _refusable(contacts: Contacts) -> list[str]:
    """The numbers that only the API's refusal could be expected for; rows out of shape have none."""
    return [row.value for row in contacts.bad if row.value is not None][:_BULK]


def _parts(contacts: list[Contact]) -> Iterator[list[Recipient]]:
    """At most 10,000 recipients at a time: what one bulk call takes."""
    for start in range(0, len(contacts), _BULK):
        yield [Recipient(contact.phone_number, contact.meta) for contact in contacts[start : start + _BULK]]


def _watched(api: Client, engagement_id: str, show: Watch) -> Ledger:
    """Look at the ledger until nothing is open, or nothing has changed for long; the last one."""
    last, changed = api.ledger(engagement_id), time.monotonic()
    show(last)
    while last.open and time.monotonic() - changed < _STALLED:
        time.sleep(_LOOK)
        now = api.ledger(engagement_id)
        if now != last:
            last, changed = now, time.monotonic()
        show(now)
    return last


def _counted(own: Sandbox) -> dict[str, int]:
    """The simulator's counts, once nothing is under way: a receipt's acknowledgement follows its commit."""
    deadline = time.monotonic() + _SETTLES
    while True:
        counts: dict[str, int] = own.ask({"do": "counts"})[0]
        if not counts["pending"] or time.monotonic() > deadline:
            return counts
        time.sleep(_LOOK)


def _duration(engagement: Resource) -> float:
    """Seconds from the PATCH to the last receipt, by the server's clock; 0 when it is not completed."""
    began, ended = (engagement.attributes[name] for name in ("scheduled-at", "completed-at"))
    return (datetime.fromisoformat(ended) - datetime.fromisoformat(began)).total_seconds() if ended else 0.0


def _problems(contacts: Contacts, accepted: int, ledger: Ledger, counts: dict[str, int]) -> list[str]:
    """What does not add up; nothing in a good run."""
    delivered = ledger.reasons.get("delivered", 0)
    checks = {
        f"{len(contacts.good)} people were sent to the API and {accepted} accepted": len(contacts.good) == accepted,
        f"the ledger counts {ledger.total} envelopes and {accepted} were accepted": ledger.total == accepted,
        "the ledger's parts do not sum up to its total": ledger.is_balanced,
        f"{ledger.open} envelopes are still open": ledger.open == 0,
        f"{counts['duplicates']} texts arrived twice": counts["duplicates"] == 0,
        f"the network read {counts['submits']} submits of which {counts['unique']} differ": counts["submits"]
        == counts["unique"],
        f"{counts['rung']} texts rang and the ledger says that {delivered} did": counts["rung"] == delivered,
    }
    return [problem for problem, holds in checks.items() if not holds]


def _handsets(contacts: list[Contact]) -> list[str]:
    """A few numbers worth a look: a plain name, an accented one, one with emoji, one that got two texts."""
    often = Counter(contact.phone_number for contact in contacts)
    wanted: tuple[Callable[[Contact, str], bool], ...] = (
        lambda _, name: name.isascii() and name.isalpha(),
        lambda _, name: not name.isascii() and name.isalpha() and max(name) < "\u0250",
        lambda _, name: any(character >= "\U0001f300" for character in name),
        lambda contact, _: often[contact.phone_number] > 1,
    )
    found: dict[str, None] = {}
    for wants in wanted:
        fitting = (each for each in contacts if wants(each, each.meta.get("first-name", "")))
        found |= {each.phone_number: None for each in [next(fitting, None)] if each}
    return list(found)


def _call(call: Call) -> dict[str, Any]:
    return {"method": call.method, "path": call.path, "status": call.status, "ms": round(call.seconds * 1000, 1)}


def _refusal(refusal: ApiError | None) -> dict[str, Any] | None:
    if refusal is None:
        return None
    shown = [{"code": error.code, "pointer": error.pointer, "detail": error.detail} for error in refusal.errors]
    return {"status": refusal.status, "errors": shown}
