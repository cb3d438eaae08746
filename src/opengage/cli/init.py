"""`opengage init`: a tenant to work with."""

import json
from pathlib import Path

import rich_click as click

from opengage.assembly.schema import migrate
from opengage.assembly.secrets import sealer
from opengage.assembly.store import open_store
from opengage.cli import options
from opengage.clock import SystemClock
from opengage.ids import new_id, to_wire
from opengage.operations.accounts import Created, create_account
from opengage.settings import Settings


@click.command()
@options.data
@click.option("--account", required=True, help="The account's key: the value of X-Account-Key.")
@click.option("--name", help="The account's name; without it, its key.")
@click.option("--smsc", help="The carrier, smpp://SYSTEM_ID:PASSWORD@HOST:PORT; without it, the bundled simulator.")
@click.option("--phone-number", default="+12025550100", show_default=True, help="The sender, in E.164.")
@click.option("--rate", type=float, help="The most segments per second from that number; without it, no limit.")
@click.option(
    "--quiet-hours/--no-quiet-hours",
    default=False,
    show_default=True,
    help="Hold texts by the legal clock: the hours that law allows where each recipient is.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    data: Path | None,
    account: str,
    name: str | None,
    smsc: str | None,
    phone_number: str,
    rate: float | None,
    quiet_hours: bool,
    as_json: bool,
) -> None:
    """Add an account with an API token and a phone number. The token's secret is shown this once."""
    settings = options.settings_of(data=data)
    migrate(settings)
    created = options.run(_create(settings, account, name, smsc, phone_number, rate, quiet_hours))
    if smsc and not quiet_hours:
        click.echo("Quiet hours are off: texts go at any hour. --quiet-hours switches the legal clock on.", err=True)
    shown = {
        "account-key": created.account_key,
        "token-key": created.token_key,
        "token-secret": created.token_secret,
        "phone-number-id": to_wire(created.phone_number_id),
        "phone-number": created.phone_number,
        "api-url": f"{settings.public_url.rstrip('/')}/api/v1",
    }
    if as_json:
        click.echo(json.dumps(shown))
        return
    width = max(map(len, shown))
    click.echo("\n".join(f"{key:<{width}}  {value}" for key, value in shown.items()))
    click.echo("Keep the secret: it is not stored and not shown again.", err=True)


async def _create(
    settings: Settings,
    key: str,
    name: str | None,
    smsc: str | None,
    phone_number: str,
    rate: float | None,
    quiet_hours: bool,
) -> Created:
    store = open_store(settings)
    try:
        return await create_account(
            store,
            SystemClock(),
            new_id,
            key=key,
            name=name,
            smsc=smsc,
            phone_number=phone_number,
            rate=rate,
            quiet_hours=quiet_hours,
            sealer=sealer(settings),
        )
    finally:
        await store.close()
