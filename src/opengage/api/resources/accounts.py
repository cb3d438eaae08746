"""/accounts (wire contract 5.9). The account that the credentials speak for."""

from typing import Final

import msgspec

from opengage.api.resources.resource import Resource, as_it_is
from opengage.domain.records import Account
from opengage.ids import to_wire
from opengage.jsonapi.document import Answer
from opengage.jsonapi.timestamps import to_text
from opengage.operations.account_settings import AUTO

TYPE: Final = "accounts"


class Attributes(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """`key` is the X-Account-Key value. Null stands for the default; an empty reply for none at all."""

    name: str
    key: str
    is_active: bool
    created_at: str
    updated_at: str
    quiet_hours: str
    frequency_cap: int | None
    frequency_hours: int | None
    stop_reply: str | None
    start_reply: str | None
    help_reply: str | None
    retention_days_bodies: int | None
    retention_days_numbers: int | None


class Relationships(msgspec.Struct, frozen=True, gc=False):
    """None: everything else is of this account."""


def answer(_: str, account: Account) -> Answer:
    """An account as its resource object."""
    return Answer(
        TYPE,
        to_wire(account.id),
        Attributes(
            name=account.name,
            key=account.key,
            is_active=account.is_active,
            created_at=to_text(account.created_at),
            updated_at=to_text(account.updated_at),
            quiet_hours=account.quiet_hours or AUTO,
            frequency_cap=account.frequency_cap,
            frequency_hours=account.frequency_hours,
            stop_reply=account.stop_reply,
            start_reply=account.start_reply,
            help_reply=account.help_reply,
            retention_days_bodies=account.retention_days_bodies,
            retention_days_numbers=account.retention_days_numbers,
        ),
        Relationships(),
    )


RESOURCE: Final = Resource[Account, Account](
    type=TYPE,
    noun="account",
    record=Account,
    attributes=Attributes,
    relationships={},
    answer=answer,
    show=as_it_is,
)
