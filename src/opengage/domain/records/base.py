"""What every record has: its tenant, its identity, and for most who wrote it."""

import msgspec

from opengage.clock import Instant
from opengage.ids import Id


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What every row has: its tenant and its identity. `account_id` leads every key."""

    account_id: int
    id: Id
    created_at: Instant
    updated_at: Instant


class Authored(Record, frozen=True, kw_only=True):
    """A record that members write."""

    created_by: Id
    updated_by: Id
