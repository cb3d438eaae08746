"""A new tenant with all that a first blast needs: owner, API token, service profile, phone number.

Above the text's path: `opengage init` asks for it.
"""

import re
import secrets
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec
import sqlalchemy as sa

from opengage.clock import Clock, Instant
from opengage.domain.errors import Code, Invalid, Problem
from opengage.domain.phone_numbers import InvalidNumber, parse
from opengage.domain.records import Account, ApiToken, Membership, PhoneNumber, ServiceProfile
from opengage.ids import ALPHABET, LENGTH, Id, NewId
from opengage.operations import fields
from opengage.operations.actors import OWNER
from opengage.operations.credentials import hash_secret
from opengage.store import rows, tables
from opengage.store.contract import Store, Transaction, Turn

SECRET_PREFIX: Final = "ogs_"  # noqa: S105 - what a secret begins with, so that scanners can find leaked ones
_SECRET_BYTES: Final = 24
_LONGEST_SYSTEM_ID: Final = 15
_LONGEST_PASSWORD: Final = 8
"""Octets without the final NUL (SMPP 3.4 sections 5.2.1 and 5.2.2)."""

ID_FORMS: Final = ("exact", "padded", "hex-answers", "hex-receipts")
"""How a network's ids in answers and in receipts may differ: what `?ids=` of an SMSC's address may say."""

_KEY: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z")
_HOST: Final = re.compile(r"[A-Za-z0-9._:-]{1,253}\Z")
"""A host's name or address, as far as one can tell without asking for it."""
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


class Smsc(msgspec.Struct, frozen=True):
    """smpp://SYSTEM_ID:PASSWORD@HOST:PORT[?ids=FORM] in two: the address without the password, and the password."""

    url: str
    password: str


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
) -> Created:
    """Make account `key`. Without `smsc` its number is on the sandbox; `rate` is segments per second.

    Raises Invalid with every problem: a key that is no slug or is taken, a number, address or rate that cannot be.
    """
    problems: list[Problem] = []
    number = _number(phone_number, problems)
    carrier = _smsc(smsc, problems)
    if not _KEY.match(key):
        detail = "An account key has 1 to 63 of a-z, 0-9 and inner dashes, as in firstbank. Choose such a key."
        problems.append(Problem(Code.NOT_ALLOWED_VALUE, detail))
    if name:
        fields.account_name(name, problems)
    if rate is not None and not 0 < rate < float("inf"):
        problems.append(Problem(Code.NOT_ALLOWED_VALUE, "The rate is segments per second: give a number above 0."))
    if problems:
        raise Invalid(problems)
    secret = SECRET_PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
    async with store.writing() as tx:
        await tx.take_turn(Turn.ACCOUNTS)
        if await rows.first(tx, Account, key=key):
            detail = f"The account “{key}” exists already. Choose another key, or use the token it was made with."
            raise Invalid([Problem(Code.NOT_ALLOWED_VALUE, detail)])
        return await _write(tx, clock.now(), new_id, key, name or key, secret, carrier, number, rate, quiet_hours)


async def _write(
    tx: Transaction,
    now: Instant,
    new_id: NewId,
    key: str,
    name: str,
    secret: str,
    carrier: Smsc | None,
    number: str,
    rate: float | None,
    quiet_hours: bool,
) -> Created:
    account_id = (await tx.rows(_NEWEST))[0][0] + 1
    membership_id, profile_id, number_id = new_id(), new_id(), new_id()
    token_key = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
    common = {"account_id": account_id, "created_at": now, "updated_at": now}
    records = (
        Account(**common, id=new_id(), key=key, name=name, quiet_hours="on" if quiet_hours else None),
        Membership(**common, id=membership_id, name="owner", role=OWNER),
        ApiToken(**common, id=new_id(), membership_id=membership_id, key=token_key, secret_hash=hash_secret(secret)),
        ServiceProfile(
            **common,
            id=profile_id,
            name="SMSC" if carrier else "Sandbox",
            kind="smpp" if carrier else "sandbox",
            url=carrier.url if carrier else None,
            password=carrier.password if carrier else None,
        ),
        PhoneNumber(**common, id=number_id, phone_number=number, service_profile_id=profile_id, rate=rate),
    )
    for record in records:
        await rows.insert(tx, record)
    return Created(key, token_key, secret, number_id, number, membership_id, profile_id)


def _number(text: str, problems: list[Problem]) -> str:
    try:
        return parse(text)
    except InvalidNumber as error:
        detail = f"The phone number “{text[:40]}” cannot be used: {error.reason}; {error.fix}."
        problems.append(Problem(Code.INVALID_NUMBER, detail))
        return ""


def _smsc(url: str | None, problems: list[Problem]) -> Smsc | None:
    if url is None:
        return None
    try:
        parts = urlsplit(url)
        port = 2775 if parts.port is None else parts.port
    except ValueError:
        parts, port = urlsplit(""), 0
    if parts.scheme != "smpp" or not parts.username or not port or not _HOST.match(parts.hostname or ""):
        detail = "An SMSC is named as smpp://SYSTEM_ID:PASSWORD@HOST:PORT. Write its address like that."
        problems.append(Problem(Code.NOT_ALLOWED_VALUE, detail))
        return None
    password = unquote(parts.password or "")
    if not _fits(unquote(parts.username), _LONGEST_SYSTEM_ID) or not _fits(password, _LONGEST_PASSWORD):
        detail = (
            f"SMPP has room for a SYSTEM_ID of {_LONGEST_SYSTEM_ID} characters and a password of {_LONGEST_PASSWORD}, "
            "of printable ASCII each. Ask the carrier for credentials that fit."
        )
        problems.append(Problem(Code.NOT_ALLOWED_VALUE, detail))
        return None
    host = f"[{parts.hostname}]" if ":" in str(parts.hostname) else parts.hostname
    return Smsc(f"smpp://{parts.username}@{host}:{port}{_options(parts.query, problems)}", password)


def _fits(text: str, longest: int) -> bool:
    """Whether a bind can carry it: C-octet strings are ASCII, and a NUL ends them (SMPP 3.4 section 3.1)."""
    return len(text) <= longest and text.isascii() and (not text or text.isprintable())


def _options(query: str, problems: list[Problem]) -> str:
    """What follows the address: nothing, or the form of the network's ids."""
    given = parse_qsl(query, keep_blank_values=True)
    if not given:
        return ""
    if len(given) > 1 or given[0][0] != "ids" or given[0][1] not in ID_FORMS:
        detail = f"After an SMSC's address only ?ids= may stand, with one of {', '.join(ID_FORMS)}. Correct it."
        problems.append(Problem(Code.NOT_ALLOWED_VALUE, detail))
        return ""
    return f"?ids={given[0][1]}"
