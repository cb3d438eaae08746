"""/api-tokens: what clients authenticate with. The secret is in one answer, to the POST that makes it."""

from typing import Final

import msgspec

from opengage.api.resources.linkage import to_one
from opengage.api.resources.resource import Resource, ToOne, as_it_is
from opengage.domain.records import ApiToken
from opengage.ids import to_wire
from opengage.jsonapi.document import Answer, One
from opengage.jsonapi.timestamps import to_text, to_text_or_none
from opengage.operations import api_tokens

TYPE: Final = "api-tokens"


class Attributes(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """`key` is the user name of HTTP Basic."""

    key: str
    created_at: str
    updated_at: str
    expires_at: str | None
    last_used_at: str | None
    revoked_at: str | None


class MadeAttributes(Attributes, frozen=True, gc=False, rename="kebab"):
    """The answer to the POST: the secret is the password of HTTP Basic, and is not kept."""

    secret: str


class Relationships(msgspec.Struct, frozen=True, gc=False):
    """Whom it speaks for."""

    membership: One


def answer(_: str, token: ApiToken) -> Answer:
    """A token as its resource object, without its secret, which nobody has."""
    return Answer(TYPE, to_wire(token.id), _attributes(token), _relationships(token))


def made(token: ApiToken, secret: str) -> Answer:
    """A token that has just been made, with its secret."""
    attributes = MadeAttributes(**msgspec.structs.asdict(_attributes(token)), secret=secret)
    return Answer(TYPE, to_wire(token.id), attributes, _relationships(token))


def _attributes(token: ApiToken) -> Attributes:
    return Attributes(
        key=token.key,
        created_at=to_text(token.created_at),
        updated_at=to_text(token.updated_at),
        expires_at=to_text_or_none(token.expires_at),
        last_used_at=to_text_or_none(token.last_used_at),
        revoked_at=to_text_or_none(token.revoked_at),
    )


def _relationships(token: ApiToken) -> Relationships:
    return Relationships(to_one("memberships", token.membership_id))


RESOURCE: Final = Resource[ApiToken, ApiToken](
    type=TYPE,
    noun="API token",
    record=ApiToken,
    attributes=Attributes,
    relationships={"membership": ToOne("memberships", "membership_id", indexed=True)},
    answer=answer,
    show=as_it_is,
    seen=api_tokens.seen,
)
