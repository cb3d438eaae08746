"""Who asks: every intent is carried out for one membership of one account.

Step 3 of a text's path. Roles: an owner and a sender may write, a viewer only reads.
"""

from typing import Final

import msgspec

from opengage.domain.errors import Forbidden
from opengage.ids import Id

OWNER: Final = "owner"
SENDER: Final = "sender"
VIEWER: Final = "viewer"
_WRITERS: Final = frozenset((OWNER, SENDER))


class Actor(msgspec.Struct, frozen=True):
    """A membership, known by its credentials."""

    account_id: int
    account_key: str
    membership_id: Id
    role: str
    credential_id: Id = Id(b"")
    """The API token or session that the request came with."""


def require_writer(actor: Actor) -> None:
    """Raise Forbidden unless this role may change things."""
    if actor.role not in _WRITERS:
        raise Forbidden(
            f"The role “{actor.role}” may read but not change anything. "
            "Use a token of an owner or a sender, or ask an owner for that role."
        )
