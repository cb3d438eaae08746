"""`opengage send`: one message to a list of people, with a look at it first and half a minute to take it back.

Beside the text's path: everything happens over HTTP, by the calls that any client makes.
"""

import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final

import msgspec
import rich_click as click

from opengage.cli.contacts import Contacts, read
from opengage.client import ApiError, Client, Ledger, Recipient
from opengage.domain.errors import Invalid, Unavailable
from opengage.domain.segments import TooManySegments, check
from opengage.domain.templates import RenderError, Template, TemplateError, compile_template

UNDO_SECONDS: Final = 30
TAKEN_BACK: Final = 130
"""The exit code after Ctrl-C in the undo window: nothing has left."""
_BULK: Final = 10_000
_LOOK: Final = 0.5


class Credentials(msgspec.Struct, rename="kebab"):
    """What `opengage init --json` has printed."""

    api_url: str
    account_key: str
    token_key: str
    token_secret: str
    phone_number_id: str


class Preview(msgspec.Struct, rename="kebab"):
    """What would go out."""

    recipients: int
    left_out: int
    segments: int
    encodings: dict[str, int]
    refused: dict[str, int]
    """Recipients who would get no text, by reason."""
    example: str | None


@click.command()
@click.argument("contacts", type=click.Path(path_type=Path))
@click.option("--text", required=True, help="The message; {{merge-fields}} are columns of the list.")
@click.option("--credentials", type=click.Path(path_type=Path), required=True, help="What “init --json” has printed.")
@click.option("--name", help="The engagement's name; without it, the file's.")
@click.option(
    "--undo", type=click.IntRange(0, 86_400), default=UNDO_SECONDS, show_default=True, help="Seconds to take it back."
)
@click.option("--dry-run", is_flag=True, help="Only say what would be sent.")
@click.option("--no-wait", is_flag=True, help="End once it is scheduled.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    contacts: Path,
    text: str,
    credentials: Path,
    name: str | None,
    undo: int,
    dry_run: bool,
    no_wait: bool,
    as_json: bool,
) -> None:
    """Text everybody on a list (CSV with a column phone-number), and show what became of them.

    Ctrl-C within the undo window takes all of it back.
    """
    people, template = read(contacts), _template(text)
    preview = _preview(people, template)
    _tell(f"{preview.recipients} recipients, {preview.segments} segments; {preview.left_out} rows left out")
    if dry_run:
        _print(msgspec.to_builtins(preview), as_json)
        return
    if not people.good:
        raise Invalid(f"{contacts} has nobody who can be texted. --dry-run says why.")
    known = _credentials(credentials)
    try:
        with Client(known.api_url, known.account_key, known.token_key, known.token_secret) as client:
            engagement_id = _prepare(client, known, people, text, name or contacts.stem)
            _let_go(client, engagement_id, undo)
            ledger = client.ledger(engagement_id) if no_wait else _watch(client, engagement_id)
    except ApiError as error:
        raise Unavailable(f"The API refused: {error}") from error
    _print({"engagement-id": engagement_id, **msgspec.to_builtins(ledger)}, as_json)


def _template(text: str) -> Template:
    try:
        return compile_template(text)
    except TemplateError as error:
        raise Invalid(f"The text cannot be used: {error}") from error


def _credentials(path: Path) -> Credentials:
    """Raises Invalid when the file is not what `init` prints."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Credentials)
    except (OSError, msgspec.DecodeError) as error:
        raise Invalid(
            f"{path} cannot be read as credentials ({error}). Keep what “opengage init --account KEY --json” prints, "
            "and name that file."
        ) from error


def _preview(people: Contacts, template: Template) -> Preview:
    """Every text rendered and counted, as the dispatcher will do it."""
    found = Preview(len(people.good), len(people.bad), 0, {}, {}, None)
    encodings: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    for contact in people.good:
        try:
            body = template.render(contact.meta)
            counted = check(body)
        except (RenderError, TooManySegments) as refusal:
            refused[str(refusal.reason)] += 1
            continue
        found.segments += counted.segments
        encodings[str(counted.encoding)] += 1
        found.example = found.example or body
    found.encodings, found.refused = dict(encodings), dict(refused)
    return found


def _prepare(client: Client, known: Credentials, people: Contacts, text: str, name: str) -> str:
    """Everything but letting it go; the engagement's id."""
    template = client.create_text_template(name, text)
    engagement = client.create_engagement(name)
    client.create_activity(name, engagement.id, template.id, known.phone_number_id)
    recipients = [Recipient(contact.phone_number, contact.meta) for contact in people.good]
    for start in range(0, len(recipients), _BULK):
        client.create_envelopes(engagement.id, recipients[start : start + _BULK])
    return engagement.id


def _let_go(client: Client, engagement_id: str, undo: int) -> None:
    """Schedule it, and wait for as long as it can be taken back; Ctrl-C does."""
    client.update_engagement(engagement_id, {"status": "scheduled", "undo-seconds": undo})
    if not undo:
        return
    try:
        _tell(f"The first text leaves in {undo} seconds. Ctrl-C takes all of it back.")
        time.sleep(undo)
    except KeyboardInterrupt:
        client.update_engagement(engagement_id, {"status": "canceled"})
        _tell("Taken back: nothing has left.")
        sys.exit(TAKEN_BACK)


def _watch(client: Client, engagement_id: str) -> Ledger:
    """Look at the ledger until everything is settled; Ctrl-C ends the looking, not the sending."""
    ledger = client.ledger(engagement_id)
    shown = None
    try:
        while ledger.open:
            time.sleep(_LOOK)
            ledger = client.ledger(engagement_id)
            line = f"{ledger.complete + ledger.incomplete} of {ledger.total} settled, {ledger.hold} on hold"
            if line != shown:
                _tell(line)
                shown = line
    except KeyboardInterrupt:
        _tell("It goes on without you. PATCH the engagement to “canceled” to stop it.")
    return ledger


def _tell(line: str) -> None:
    click.echo(line, err=True)


def _print(shown: dict[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(shown))
        return
    width = max(map(len, shown))
    click.echo("\n".join(f"{key:<{width}}  {value}" for key, value in shown.items()))
