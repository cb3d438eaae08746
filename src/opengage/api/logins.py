"""/memberships/{id}/login: an owner lets a member log in with an e-mail address and a password.

Beside a text's path; `api.oauth` is where they log in. PUT, because sending it again changes nothing more; and so no
Idempotency-Key, with a hash of the password, is ever stored with it.
"""

from typing import Final

import msgspec
from litestar import put
from litestar.di import NamedDependency
from litestar.params import FromPath, SkipValidation

from opengage.api.body import read_body
from opengage.api.state import Member, WebRequest
from opengage.ids import from_wire
from opengage.jsonapi.request import NoRelationships, Reader
from opengage.operations.sessions import Sessions

TYPE: Final = "logins"


class Attributes(msgspec.Struct, frozen=True, gc=False):
    """What a client writes; neither is ever answered."""

    email: str
    password: str


READER: Final = Reader(TYPE, Attributes, NoRelationships)
SessionsOf = NamedDependency[SkipValidation[Sessions]]


@put("/memberships/{resource_id:str}/login", status_code=204)
async def set_login(request: WebRequest, sessions: SessionsOf, actor: Member, resource_id: FromPath[str]) -> None:
    """PUT /memberships/{id}/login. Every session of that member ends."""
    sent = READER.one(await read_body(request)).attributes
    await sessions.let_log_in(actor, from_wire(resource_id), sent.email, sent.password)


ROUTES: Final = [set_login]
