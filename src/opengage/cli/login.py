"""`opengage login`: let a member of an account log in with an e-mail address and a password."""

import json
import sys
from pathlib import Path

import rich_click as click

from opengage.assembly.store import open_store
from opengage.cli import options
from opengage.clock import SECOND, SystemClock
from opengage.domain.errors import Code, Invalid, Problem
from opengage.domain.records import Account, Membership
from opengage.ids import from_wire, new_id, to_wire
from opengage.operations.actors import OWNER, Actor
from opengage.operations.sessions import Lifetimes, Sessions
from opengage.settings import Settings
from opengage.store import rows
from opengage.store.contract import Store


@click.command()
@options.data
@click.option("--account", required=True, help="The account's key: the value of X-Account-Key.")
@click.option("--email", required=True, help="The e-mail address that the member logs in with.")
@click.option("--membership", help="The member's id; without it, the first owner.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(data: Path | None, account: str, email: str, membership: str | None, as_json: bool) -> None:
    """Set a member's e-mail address and password. The password is asked for, or read from standard input."""
    settings = options.settings_of(data=data)
    member = options.run(_set(settings, account, email, membership, _password()))
    shown = {"account-key": account, "membership-id": to_wire(member.id), "email": email}
    if as_json:
        click.echo(json.dumps(shown))
        return
    width = max(map(len, shown))
    click.echo("\n".join(f"{key:<{width}}  {value}" for key, value in shown.items()))


def _password() -> str:
    """Typed twice at a terminal; else the first line of what is piped in. Never a flag: those show in process lists."""
    if sys.stdin.isatty():
        return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().rstrip("\r\n")


async def _set(settings: Settings, key: str, email: str, membership: str | None, password: str) -> Membership:
    store = open_store(settings)
    try:
        member = await member_of(store, key, membership)
        lifetimes = Lifetimes(
            round(settings.access_token_seconds * SECOND), round(settings.refresh_token_seconds * SECOND)
        )
        sessions = Sessions(store, SystemClock(), new_id, lifetimes, settings.public_url)
        await sessions.let_log_in(Actor(member.account_id, key, member.id, OWNER), member.id, email, password)
        return member
    finally:
        await store.close()


async def member_of(store: Store, key: str, wire_id: str | None) -> Membership:
    """The member that is meant. Raises Invalid when there is no such account or member."""
    async with store.reading() as tx:
        account = await rows.first(tx, Account, key=key)
        members = await rows.every(tx, Membership, account_id=account.account_id) if account else []
    id_ = from_wire(wire_id) if wire_id else None
    for member in members:
        if member.id == id_ or (wire_id is None and member.role == OWNER and member.is_active):
            return member
    which = f"the member “{wire_id[:40]}”" if wire_id else "an active owner"
    detail = f"There is no account “{key[:63]}” with {which}."
    raise Invalid([Problem(Code.NOT_ALLOWED_VALUE, f"{detail} Check --account and --membership.")])
