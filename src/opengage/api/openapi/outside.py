"""What is served beside JSON:API: tokens, the forms of uploads, the bytes of files, and what operators ask.

These addresses stand below the public URL itself, so each path names its server; most ask nobody who they are.
"""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, Final

from opengage.domain.errors import Code

Schema = dict[str, Any]
Operation = dict[str, Any]

JSON: Final = "application/json"
FORM: Final = "application/x-www-form-urlencoded"
TOKENS: Final = "/identity/v1/oauth2/tokens"
REVOKE: Final = "/identity/v1/oauth2/revoke"
OPEN: Final[list[Schema]] = [{}]
RETRY_AFTER: Final[Schema] = {
    "Retry-After": {"required": True, "description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}}
}

_TEXT: Final[Schema] = {"type": "string"}
_WORD: Final[Schema] = {"type": "string", "minLength": 1}
_PAIR: Final = {"access_token": "eyJhbGciOi…", "token_type": "Bearer", "expires_in": 3600, "refresh_token": "ogr_…"}
_ISSUED: Final[Schema] = {
    "type": "object",
    "required": list(_PAIR),
    "properties": {
        "access_token": _TEXT,
        "token_type": {"const": "Bearer"},
        "expires_in": {"type": "integer", "description": "Seconds."},
        "refresh_token": _TEXT,
    },
}
_FAILED: Final[Schema] = {
    "type": "object",
    "required": ["error", "error_description"],
    "properties": {
        "error": {
            "type": "string",
            "enum": ["invalid_request", "invalid_client", "invalid_grant", "unsupported_grant_type", "slow_down"],
        },
        "error_description": _TEXT,
    },
}
_STATUS: Final[Schema] = {"type": "object", "required": ["status"], "properties": {"status": _TEXT}}


def schemes(public_url: str) -> dict[str, Schema]:
    """How a request says who sends it."""
    flow = {"tokenUrl": public_url + TOKENS, "refreshUrl": public_url + TOKENS, "scopes": {}}
    return {
        "token": {"type": "http", "scheme": "basic", "description": "An API token's key and secret."},
        "bearer": {"type": "http", "scheme": "bearer", "description": "A token that this server issued."},
        "oauth": {
            "type": "oauth2",
            "description": "The same, by a login or an API token. There are no scopes: roles say what is allowed.",
            "flows": {"clientCredentials": flow, "password": flow},
        },
    }


def paths(public_url: str) -> Iterator[tuple[str, Schema]]:
    """(path, item) of each."""
    servers = [{"url": public_url or "/"}]
    for path, item in _items():
        yield path, {"servers": servers, **item}


def _items() -> Iterator[tuple[str, Schema]]:
    yield TOKENS, {"post": _tokens()}
    yield REVOKE, {"post": _revoke()}
    yield "/uploads/{bucket}", {"post": _upload()}
    yield "/files/{bucket}/{token}/{name}", {"get": _file()}
    yield "/healthz", {"get": _operation("operations", "Whether the process lives", _json(_STATUS, {"status": "ok"}))}
    ready = _operation("operations", "Whether the process can serve", _json(_STATUS, {"status": "ready"}), 503)
    yield "/readyz", {"get": ready}
    metrics = {"description": "Prometheus' text format.", "content": {"text/plain": {"schema": _TEXT, "example": ""}}}
    yield "/metrics", {"get": _operation("operations", "What was counted", metrics, 503)}
    page = {"description": "A few lines.", "content": {"text/plain": {"schema": _TEXT, "example": ""}}}
    code = {"type": "integer", "enum": [int(each) for each in Code]}
    explain = _operation("operations", "What an error code means", page, 404)
    yield "/api/errors/{code}", {"get": {**explain, "parameters": [_place("code", int(Code.NOT_READY), code)]}}


def _tokens() -> Operation:
    client = {"client_id": _TEXT, "client_secret": _TEXT}  # not read beside Basic
    grants = [
        _grant("client_credentials", {}, client),
        _grant("password", {"username": _WORD, "password": _WORD}),
        _grant("refresh_token", {"refresh_token": _WORD}),
    ]
    shown = {"grant_type": "client_credentials", "client_id": "KEY", "client_secret": "SECRET"}
    found = _operation("oauth", "Get a bearer token", _json(_ISSUED, _PAIR), 503)
    found["security"] = [{}, {"token": []}]
    found["parameters"] = [
        {
            "name": "X-Account-Key",
            "in": "header",
            "description": "Which of the accounts that the login opens; the only one without it.",
            "schema": {"type": "string"},
            "example": "",
        }
    ]
    found["requestBody"] = _form({"oneOf": grants}, shown)
    found["responses"] |= {
        "400": _failure("What is missing or not valid (RFC 6749, section 5.2).", "invalid_grant"),
        "401": _failure("The API token in Authorization is not valid.", "invalid_client", _CHALLENGE),
        "429": _failure("Too many attempts to log in.", "slow_down", RETRY_AFTER),
    }
    return found


_CHALLENGE: Final[Schema] = {"WWW-Authenticate": {"required": True, "schema": _TEXT}}


def _revoke() -> Operation:
    schema = {"type": "object", "required": ["token"], "properties": {"token": _WORD}}
    found = _operation("oauth", "End the session of a token", _json({"type": "object"}, {}), 503)
    found["requestBody"] = _form(schema, {"token": "ogr_…"})
    found["responses"]["400"] = _failure("“token” is missing.", "invalid_request")
    return found


def _upload() -> Operation:
    done = {"description": "The file is kept."}
    found = _operation("uploads", "Send a file by the form that POST /uploads gave", done, 400, 403, 404, 413, 415, 503)
    found["responses"]["204"] = found["responses"].pop("200")
    found["parameters"] = [_place("bucket", "b")]
    fields = {"key": _TEXT, "policy": _TEXT, "signature": _TEXT, "Content-Type": _TEXT}
    file = {"type": "string", "contentMediaType": "application/octet-stream"}
    schema = {"type": "object", "required": ["file"], "properties": {**fields, "file": file}}
    shown = dict.fromkeys((*fields, "file"), "…")
    found["requestBody"] = {"required": True, "content": {"multipart/form-data": {"schema": schema, "example": shown}}}
    return found


def _file() -> Operation:
    content = {"*/*": {"schema": _TEXT, "example": ""}}
    found = _operation("files", "Get the bytes of a file", {"description": "The file.", "content": content}, 404, 503)
    found["parameters"] = [_place(name, name[0]) for name in ("bucket", "token", "name")]
    return found


def _operation(tag: str, summary: str, done: Schema, *statuses: int) -> Operation:
    errors = {str(status): {"$ref": f"#/components/responses/{status}"} for status in statuses}
    responses = {str(int(HTTPStatus.OK)): done, **errors}
    return {"tags": [tag], "summary": summary, "security": OPEN, "parameters": [], "responses": responses}


def _place(name: str, example: Any, schema: Schema = _WORD) -> Schema:
    return {"name": name, "in": "path", "required": True, "schema": schema, "example": example}


def _json(schema: Schema, example: Any) -> Schema:
    return {"description": "Done.", "content": {JSON: {"schema": schema, "example": example}}}


def _grant(kind: str, needed: Mapping[str, Schema], more: Mapping[str, Schema] | None = None) -> Schema:
    properties = {"grant_type": {"const": kind}, **needed, **(more or {})}
    return {"type": "object", "title": kind, "required": ["grant_type", *needed], "properties": properties}


def _form(schema: Schema, example: Any) -> Schema:
    return {"required": True, "content": {FORM: {"schema": schema, "example": example}}}


def _failure(description: str, error: str, headers: Schema | None = None) -> Schema:
    shown = {"error": error, "error_description": description}
    told = {"headers": headers} if headers else {}
    return {"description": description, **told, "content": {JSON: {"schema": _FAILED, "example": shown}}}
