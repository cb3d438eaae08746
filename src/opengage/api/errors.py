"""Refusals as answers: the only file that knows HTTP status codes (design, section 5.4).

Step 1 of a text's path, on the way back. Every error says what was wrong and how to mend it; the unexpected ones say
nothing but an id to look for in the log.
"""

import logging
import math
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any, Final

from litestar import Response
from litestar.exceptions import HTTPException

from opengage.api.state import ApiState, WebRequest
from opengage.domain import errors
from opengage.domain.errors import Code, OpengageError, Problem
from opengage.ids import to_wire
from opengage.jsonapi import document, media
from opengage.jsonapi.faults import DocumentError, Fault, FaultKind

_log: Final = logging.getLogger("opengage.api")

MOST_SHOWN: Final = 100
RETRY_AFTER_SECONDS: Final = "1"

_STATUS: Final[Mapping[type[OpengageError], int]] = {
    errors.Invalid: 400,
    errors.Unauthorized: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.NotAcceptable: 406,
    errors.Conflict: 409,
    errors.Changed: 412,
    errors.TooLarge: 413,
    errors.Unsupported: 415,
    errors.Unprocessable: 422,
    errors.TooMany: 429,
    errors.Unavailable: 503,
}

_CODES: Final[Mapping[FaultKind, Code]] = {
    FaultKind.MALFORMED: Code.MALFORMED,
    FaultKind.WRONG_TYPE: Code.WRONG_TYPE,
    FaultKind.REQUIRED: Code.REQUIRED,
    FaultKind.CONFLICT: Code.CONFLICT,
    FaultKind.CLIENT_ID: Code.NOT_ALLOWED_VALUE,
    FaultKind.TOO_MANY: Code.TOO_MANY,
    FaultKind.PARAMETER: Code.BAD_PARAMETER,
}

TITLES: Final[Mapping[Code, str]] = {
    Code.NOT_READY: "The engagement is not ready to be scheduled",
    Code.MALFORMED: "The request cannot be read",
    Code.WRONG_TYPE: "A member has the wrong type",
    Code.REQUIRED: "A required member is missing",
    Code.NOT_ALLOWED_VALUE: "A value is not allowed",
    Code.INVALID_NUMBER: "A phone number is not valid",
    Code.INVALID_TEMPLATE: "A text template is not valid",
    Code.UNKNOWN_TARGET: "A relationship points at nothing",
    Code.UNSUPPORTED_KIND: "An activity kind is not supported",
    Code.ILLEGAL_STATE: "The state does not allow this",
    Code.TOO_MANY: "Too many resources in one request",
    Code.BAD_PARAMETER: "A query parameter cannot be honoured",
    Code.BAD_KEY: "The Idempotency-Key cannot be used",
    Code.CREDENTIALS: "The credentials are missing or not valid",
    Code.ROLE: "The role does not allow this",
    Code.MISSING: "There is no such thing",
    Code.CONFLICT: "The document contradicts its address",
    Code.BODY_TOO_LARGE: "The body is too large",
    Code.MEDIA_TYPE: "The media type is not spoken here",
    Code.METHOD: "The method is not allowed here",
    Code.UPLOAD_FORM: "The form of an upload is not valid",
    Code.NOT_ACCEPTABLE: "The answer cannot be given in the form that is asked for",
    Code.UNAVAILABLE: "The server cannot do this now",
    Code.INTERNAL: "The server failed",
    Code.OVERLOADED: "Too much is under way",
    Code.KEY_REUSED: "The Idempotency-Key stands for another request",
    Code.KEY_IN_USE: "A request with this Idempotency-Key is under way",
    Code.ANSWER_NOT_KEPT: "The request was carried out, and its answer is not kept",
    Code.CHANGED: "The resource was changed meanwhile",
    Code.TOO_MANY_REQUESTS: "Too many requests",
    Code.TOO_LONG: "A text would be too long",
    Code.SUPPRESSED: "A number must not be texted",
    Code.SENDER_OFF: "A phone number cannot send",
    Code.MISSING_VARIABLE: "A merge field has no value",
}
"""What each code means in a line; `docs/reference/errors.md` has cause and mending."""

Handler = Callable[[WebRequest, Any], Response[bytes]]


def handlers(api: ApiState) -> dict[type[Exception] | int, Handler]:
    """What Litestar calls for each kind of failure."""

    def refused(request: WebRequest, error: OpengageError) -> Response[bytes]:
        return refusal(api, request, error)

    def unreadable(request: WebRequest, error: DocumentError) -> Response[bytes]:
        return _answer(api, request, _document_status(error.faults), problems_of(error.faults))

    def routed(request: WebRequest, error: HTTPException) -> Response[bytes]:
        if error.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return unexpected(request, error)
        allow = {name: value for name, value in (error.headers or {}).items() if name.lower() == "allow"}
        return _answer(api, request, error.status_code, [_of_http(api, request, error)], allow)

    def unexpected(request: WebRequest, error: Exception) -> Response[bytes]:
        correlation_id = to_wire(api.new_id())
        _log.error("unexpected failure, correlation id %s", correlation_id, exc_info=error)
        detail = (
            f"Something failed that should not. Send the request again, or tell the operator this id: {correlation_id}"
        )
        return _answer(
            api,
            request,
            HTTPStatus.INTERNAL_SERVER_ERROR,
            [Problem(Code.INTERNAL, detail)],
            {"X-Correlation-Id": correlation_id},
        )

    return {
        OpengageError: refused,
        DocumentError: unreadable,
        HTTPException: routed,
        Exception: unexpected,
    }


def refusal(api: ApiState, request: WebRequest, error: OpengageError) -> Response[bytes]:
    """The answer that a refusal becomes."""
    return _answer(api, request, _status(error), error.problems, _headers(error))


def problems_of(faults: Iterable[Fault]) -> list[Problem]:
    """The faults of a document as problems, to be told together with those of its meaning."""
    return [Problem(_CODES[fault.kind], fault.detail, fault.pointer, fault.parameter) for fault in faults]


def _status(error: OpengageError) -> int:
    for kind in type(error).__mro__:
        if kind in _STATUS:
            return _STATUS[kind]
    return HTTPStatus.INTERNAL_SERVER_ERROR


def _document_status(faults: list[Fault]) -> int:
    """400 unless every fault is of one kind that has an answer of its own (JSON:API: the most general applies)."""
    kinds = {fault.kind for fault in faults}
    if kinds == {FaultKind.CONFLICT}:
        return HTTPStatus.CONFLICT
    return HTTPStatus.FORBIDDEN if kinds == {FaultKind.CLIENT_ID} else HTTPStatus.BAD_REQUEST


def _headers(error: OpengageError) -> dict[str, str]:
    if isinstance(error, errors.Unauthorized):
        return {"WWW-Authenticate": 'Basic realm="opengage"'}
    if isinstance(error, errors.TooMany):
        return {"Retry-After": str(max(1, math.ceil(error.seconds)))}
    return {"Retry-After": RETRY_AFTER_SECONDS} if isinstance(error, errors.Unavailable) else {}


def _of_http(api: ApiState, request: WebRequest, error: HTTPException) -> Problem:
    """What Litestar itself refuses: routes, methods, bodies over the limit, headers that make no sense."""
    if error.status_code == HTTPStatus.NOT_FOUND:
        return Problem(Code.MISSING, f"There is nothing at {request.url.path[:200]}. Check the address.")
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = (error.headers or {}).get("allow", "")
        return Problem(Code.METHOD, f"{request.method} is not possible here. Use one of: {allowed}.")
    if error.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        limit = api.settings.body_limit_bytes
        return Problem(Code.BODY_TOO_LARGE, f"The body is over {limit} bytes. Send it in smaller parts.")
    return Problem(Code.MALFORMED, f"The request cannot be read: {error.detail}")


def _answer(
    api: ApiState,
    request: WebRequest,
    status: int,
    problems: list[Problem],
    headers: dict[str, str] | None = None,
) -> Response[bytes]:
    shown = [_error(api, status, problem) for problem in problems[:MOST_SHOWN]]
    return Response(
        document.errors(shown, len(problems)),
        status_code=status,
        media_type=media.answer_type(request.headers.get("accept")),
        headers=headers,
    )


def _error(api: ApiState, status: int, problem: Problem) -> document.Error:
    source = {"pointer": problem.pointer, "parameter": problem.parameter}
    return document.Error(
        status=str(int(status)),
        code=int(problem.code),
        title=TITLES[problem.code],
        detail=problem.detail.encode(errors="replace").decode(),  # an address may hold bytes that are no UTF-8
        source={name: value for name, value in source.items() if value is not None} or None,
        links={"about": f"{api.settings.public_url.rstrip('/')}/api/errors/{int(problem.code)}"},
    )
