"""`opengage erase`: forget a person's number in all of an account, at once."""

import sys
from pathlib import Path

import msgspec
import rich_click as click

from opengage.api.resources.erasures import answer
from opengage.assembly.store import open_store
from opengage.cli import options
from opengage.cli.login import member_of
from opengage.clock import SystemClock
from opengage.domain.records import Erasure
from opengage.ids import new_id
from opengage.operations import erasures
from opengage.operations.actors import OWNER, Actor
from opengage.operations.erasing import carry_out
from opengage.settings import Settings
from opengage.store import revision
from opengage.store.blobs import Blobs

_ASK = (
    "Everything of this number goes: contacts, messages, what was sent and received. What has not left is canceled. "
    "This cannot be undone. Go on?"
)


@click.command()
@click.argument("number")
@options.data
@click.option("--account", required=True, help="The account's key: the value of X-Account-Key.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(number: str, data: Path | None, account: str, yes: bool, as_json: bool) -> None:
    """Forget NUMBER (- reads it from standard input) in all of an account; whoever has opted out stays opted out.

    Texts that are with the network at this moment, or in doubt, are forgotten by a worker once they have ended.
    """
    if number == "-":
        number = sys.stdin.readline().strip()
    settings = options.settings_of(data=data)
    if not yes:
        click.confirm(_ASK, abort=True, err=True)
    done = options.run(_erase(settings, account, number))
    shown = msgspec.to_builtins(answer("", done).attributes)
    if as_json:
        click.echo(msgspec.json.encode(shown).decode())
        return
    width = max(map(len, shown))
    click.echo("\n".join(f"{key:<{width}}  {'' if value is None else value}" for key, value in shown.items()))


async def _erase(settings: Settings, key: str, number: str) -> Erasure:
    assert settings.files is not None, "settings that were loaded name the folder"
    store, clock = open_store(settings), SystemClock()
    try:
        await revision.require(store)
        member = await member_of(store, key, None)
        actor = Actor(member.account_id, key, member.id, OWNER)
        begun = await erasures.begin(store, clock, new_id, actor, number)
        return await carry_out(store, Blobs(settings.files), clock, new_id, begun.erasure)
    finally:
        await store.close()
