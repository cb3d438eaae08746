"""/identity/v1/oauth2: bearer tokens for API tokens, passwords and refresh tokens (wire contract 8; RFC 6749, 7009).

Beside a text's path. Forms in, JSON out; errors are OAuth's own, not JSON:API's. Both addresses under which clients
look for it are served. Wrong guesses of a password are counted by address and by e-mail.
"""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec
from litestar import post
from litestar.di import NamedDependency
from litestar.exceptions.http_exceptions import RequestEntityTooLarge
from litestar.params import SkipValidation
from litestar.response.base import ASGIResponse

from opengage.api.admission.limits import Buckets, Limit
from opengage.api.auth import pair_of
from opengage.api.body import read_all
from opengage.api.state import ApiState, WebRequest
from opengage.domain.errors import Invalid, TooMany, Unauthorized
from opengage.operations.sessions import Issued, Refused, Sessions

PATHS: Final = ("/identity/v1/oauth2", "/api/identity/v1/oauth2")
_LARGEST: Final = 64 * 1024
_MOST_FIELDS: Final = 32
_PATIENCE: Final = 10.0
"""Seconds in which a form must have arrived: whoever sends it is not known yet."""
_FORM: Final = "application/x-www-form-urlencoded"
_NO_STORE: Final = {"cache-control": "no-store", "pragma": "no-cache"}


class Failed(Exception):
    """A grant that is refused, in OAuth's words."""

    def __init__(
        self, error: str, description: str, status: int = 400, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(error)
        self.answer = _json({"error": error, "error_description": description}, status, headers)


_INVALID_GRANT: Final = "The credentials or the refresh token are not valid. Check them, or log in again."
_WRONG_CLIENT: Final = (
    "The API token is not valid. Send its key and secret as client_id and client_secret, or as Basic."
)


class Grants:
    """What the two routes work with."""

    def __init__(self, api: ApiState, sessions: Sessions) -> None:
        self.sessions = sessions
        self._monotonic = api.clock.monotonic
        self._by_email = Buckets(Limit("e-mail address", 1 / 30, "attempts", 300))
        self._by_address = Buckets(Limit("network address", 1 / 2, "attempts", 120))

    async def grant(self, request: WebRequest, form: Mapping[str, str]) -> Issued:
        """Tokens for a form. Raises Failed."""
        kind = form.get("grant_type", "")
        account_key = request.headers.get("x-account-key") or None
        try:
            if kind == "refresh_token":
                return await self.sessions.refresh(_needed(form, "refresh_token"))
            if kind == "password":
                return await self._password(request, form, account_key)
            if kind == "client_credentials":
                return await self._client(request, form, account_key)
        except Refused as error:
            if kind == "client_credentials":
                raise _wrong_client(request) from error
            raise Failed("invalid_grant", _INVALID_GRANT) from error
        if not kind:
            _needed(form, "grant_type")
        raise Failed(
            "unsupported_grant_type",
            f"grant_type is “{kind[:40]}”. Use client_credentials, password or refresh_token.",
        )

    async def _client(self, request: WebRequest, form: Mapping[str, str], account_key: str | None) -> Issued:
        scheme, _, encoded = request.headers.get("authorization", "").strip().partition(" ")
        if scheme.lower() == "basic":
            try:
                key, secret = pair_of(encoded)
            except Unauthorized as error:
                raise Refused from error
        else:
            key, secret = _needed(form, "client_id"), _needed(form, "client_secret")
        return await self.sessions.by_token(key, secret, account_key)

    async def _password(self, request: WebRequest, form: Mapping[str, str], account_key: str | None) -> Issued:
        """A login. Each attempt counts, and is given back when it was right: guessing is slow, working is not."""
        email, password = _needed(form, "username"), _needed(form, "password")
        address = (request.scope.get("client") or ("",))[0]
        counted = ((self._by_address, address), (self._by_email, email.strip().lower()))
        now = self._monotonic()
        try:
            for buckets, name in counted:
                buckets.take(name, 1, now)
        except TooMany as error:
            detail = "Too many attempts to log in. Wait a little, then try again."
            headers = {"retry-after": str(max(1, round(error.seconds + 0.5)))}
            raise Failed("slow_down", detail, 429, headers) from error
        issued = await self.sessions.by_password(email, password, account_key)
        for buckets, name in counted:
            buckets.give_back(name, 1, now)
        return issued


Granting = NamedDependency[SkipValidation[Grants]]


@post("/tokens", status_code=200, opt={"open": True}, request_max_body_size=_LARGEST)
async def tokens(request: WebRequest, grants: Granting) -> ASGIResponse:
    """POST /identity/v1/oauth2/tokens."""
    try:
        issued = await grants.grant(request, await _form(request))
    except Failed as error:
        return error.answer
    return _json(
        {
            "access_token": issued.access_token,
            "token_type": "Bearer",
            "expires_in": issued.expires_in,
            "refresh_token": issued.refresh_token,
        }
    )


@post("/revoke", status_code=200, opt={"open": True}, request_max_body_size=_LARGEST)
async def revoke(request: WebRequest, grants: Granting) -> ASGIResponse:
    """POST /identity/v1/oauth2/revoke: whoever holds a token may end its session."""
    try:
        await grants.sessions.revoke(_needed(await _form(request), "token"))
    except Failed as error:
        return error.answer
    return _json({})


async def _form(request: WebRequest) -> dict[str, str]:
    """The fields of a form. Raises Failed when it is none, or names a field twice (RFC 6749 section 3.2)."""
    label = request.headers.get("content-type", _FORM).partition(";")[0].strip().lower()
    if label != _FORM:
        raise Failed("invalid_request", f"Content-Type “{label[:80]}” is not read here. Send {_FORM}.")
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise Failed("invalid_request", "Compressed bodies are not read. Send the form as it is.")
    try:
        body = await read_all(request, _PATIENCE)
    except RequestEntityTooLarge as error:
        detail = f"The form is over {_LARGEST} bytes. Send only the fields that are needed."
        raise Failed("invalid_request", detail) from error
    except Invalid as error:
        raise Failed("invalid_request", str(error)) from error
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError as error:
        raise Failed("invalid_request", f"The body is no form of at most {_MOST_FIELDS} fields in UTF-8.") from error
    form = dict(pairs)
    if len(form) != len(pairs):
        raise Failed("invalid_request", "A field is there twice. Send each once.")
    return form


def _needed(form: Mapping[str, str], name: str) -> str:
    value = form.get(name, "")
    if not value or "\x00" in value:
        raise Failed("invalid_request", f"“{name}” is missing. Add it to the form.")
    return value


def _wrong_client(request: WebRequest) -> Failed:
    """401 where the client used the header (RFC 6749 section 5.2), 400 as recorded for whoever used the form."""
    if "authorization" in request.headers:
        return Failed("invalid_client", _WRONG_CLIENT, 401, {"www-authenticate": 'Basic realm="opengage"'})
    return Failed("invalid_client", _WRONG_CLIENT)


def _json(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> ASGIResponse:
    return ASGIResponse(
        body=msgspec.json.encode(value) + b"\n",
        status_code=status,
        media_type="application/json",
        headers={**_NO_STORE, **(headers or {})},
    )


ROUTES: Final = [tokens, revoke]
