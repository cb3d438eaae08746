"""Who asks: every intent is carried out for one membership of one account.

Step 3 of a text's path. Roles: a viewer only reads; a sender writes what texts are made of (blasts,
templates, texts, contacts, suppressions); an owner also what they are sent with (numbers, profiles, members, tokens).
"""

from typing import Any, Final

import msgspec

from opengage.clock import Instant
from opengage.domain.errors import Forbidden
from opengage.ids import Id

OWNER: Final = "owner"
SENDER: Final = "sender"
VIEWER: Final = "viewer"
ROLES: Final = (OWNER, SENDER, VIEWER)
_WRITERS: Final = frozenset((OWNER, SENDER))


class Actor(msgspec.Struct, frozen=True):
    """A membership, known by its credentials."""

    account_id: int
    account_key: str
    membership_id: Id
    role: str
    credential_id: Id = Id(b"")
    """The API token or session that the request came with."""


def stamp(actor: Actor, now: Instant) -> dict[str, Any]:
    """What a new record owes to whoever makes it: the account, the time, its authors."""
    return {
        "account_id": actor.account_id,
        "created_at": now,
        "updated_at": now,
        "created_by": actor.membership_id,
        "updated_by": actor.membership_id,
    }


def require_writer(actor: Actor) -> None:
    """Raise Forbidden unless this role may change things."""
    if actor.role not in _WRITERS:
        raise Forbidden(
            f"The role “{actor.role}” may read but not change anything. "
            "Use a token of an owner or a sender, or ask an owner for that role."
        )


def require_owner(actor: Actor) -> None:
    """Raise Forbidden unless this role may change who and what an account sends with."""
    if actor.role != OWNER:
        raise Forbidden(
            f"The role “{actor.role}” may not do this: it takes an owner. "
            "Use an owner's token, or ask an owner of the account to do it."
        )
