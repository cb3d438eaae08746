"""A new tenant with all that a first blast needs: owner, API token, service profile, phone number.

Above the text's path: `opengage init` asks for it.
"""

import re
from typing import Final

import msgspec
import sqlalchemy as sa

from opengage.clock import Clock, Instant
from opengage.domain.errors import Code, Invalid, Problem
from opengage.domain.phone_numbers import InvalidNumber, parse
from opengage.domain.records import Account, Membership, PhoneNumber, ServiceProfile
from opengage.ids import Id, NewId
from opengage.operations import api_tokens, fields, smsc_address
from opengage.operations.actors import OWNER
from opengage.operations.sealed_secrets import seal_password
from opengage.operations.smsc_address import Smsc
from opengage.sealing import Sealer
from opengage.store import rows, tables
from opengage.store.contract import Store, Transaction, Turn

_KEY: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z")
_NEWEST: Final = sa.select(sa.func.coalesce(sa.func.max(tables.accounts.c.account_id), 0))


class Created(msgspec.Struct, frozen=True, rename="kebab"):
    """What a new account can be used with. The secret is told here and never again."""

    account_key: str
    token_key: str
    token_secret: str
    phone_number_id: Id
    phone_number: str
    membership_id: Id
    service_profile_id: Id


async def create_account(
    store: Store,
    clock: Clock,
    new_id: NewId,
    *,
    key: str,
    phone_number: str,
    name: str | None = None,
    smsc: str | None = None,
    rate: float | None = None,
    quiet_hours: bool = False,
    sealer: Sealer | None = None,
) -> Created:
    """Make account `key`. Without `smsc` its number is on the sandbox; `rate` is segments per second.

    `sealer` seals the SMSC's password; without one it lies in the clear until a worker starts, which seals it.

    Raises Invalid with every problem: a key that is no slug or is taken, a number, address or rate that cannot be.
    """
    problems: list[Problem] = []
    number = _number(phone_number, problems)
    carrier = smsc_address.read(smsc, problems) if smsc is not None else None
    if not _KEY.match(key):
        detail = "An account key has 1 to 63 of a-z, 0-9 and inner dashes, as in firstbank. Choose such a key."
        problems.append(Problem(Code.NOT_ALLOWED_VALUE, detail))
    if name:
        fields.account_name(name, problems)
    if rate is not None and not 0 < rate < float("inf"):
        problems.append(Problem(Code.NOT_ALLOWED_VALUE, "The rate is segments per second: give a number above 0."))
    if problems:
        raise Invalid(problems)
    async with store.writing() as tx:
        await tx.take_turn(Turn.ACCOUNTS)
        if await rows.first(tx, Account, key=key):
            detail = f"The account “{key}” exists already. Choose another key, or use the token it was made with."
            raise Invalid([Problem(Code.NOT_ALLOWED_VALUE, detail)])
        return await _write(tx, clock.now(), new_id, key, name or key, carrier, number, rate, quiet_hours, sealer)


async def _write(
    tx: Transaction,
    now: Instant,
    new_id: NewId,
    key: str,
    name: str,
    carrier: Smsc | None,
    number: str,
    rate: float | None,
    quiet_hours: bool,
    sealer: Sealer | None,
) -> Created:
    account_id = (await tx.rows(_NEWEST))[0][0] + 1
    membership_id, profile_id, number_id = new_id(), new_id(), new_id()
    common = {"account_id": account_id, "created_at": now, "updated_at": now}
    made = api_tokens.mint(common, new_id(), membership_id)
    records = (
        Account(**common, id=new_id(), key=key, name=name, quiet_hours="on" if quiet_hours else None),
        Membership(**common, id=membership_id, name="owner", role=OWNER),
        made.token,
        ServiceProfile(
            **common,
            id=profile_id,
            name="SMSC" if carrier else "Sandbox",
            kind="smpp" if carrier else "sandbox",
            url=carrier.url if carrier else None,
            password=_password(carrier, profile_id, sealer),
        ),
        PhoneNumber(**common, id=number_id, phone_number=number, service_profile_id=profile_id, rate=rate),
    )
    for record in records:
        await rows.insert(tx, record)
    return Created(key, made.token.key, made.secret, number_id, number, membership_id, profile_id)


def _password(carrier: Smsc | None, profile_id: Id, sealer: Sealer | None) -> str | None:
    if carrier is None or sealer is None or not carrier.password:
        return carrier.password if carrier else None
    return seal_password(sealer, profile_id, carrier.password)


def _number(text: str, problems: list[Problem]) -> str:
    try:
        return parse(text)
    except InvalidNumber as error:
        detail = f"The phone number “{text[:40]}” cannot be used: {error.reason}; {error.fix}."
        problems.append(Problem(Code.INVALID_NUMBER, detail))
        return ""
