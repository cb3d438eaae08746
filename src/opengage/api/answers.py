"""Answers of the API: documents with the media type that the client asked for.

Step 1 of a text's path, on the way back.
"""

from collections.abc import Sequence

from litestar.response.base import ASGIResponse

from opengage.api import etags
from opengage.api.state import ApiState, WebRequest
from opengage.jsonapi import document, media
from opengage.jsonapi.document import Answer
from opengage.jsonapi.query import Query, page_links


def send(request: WebRequest, body: bytes, status: int = 200) -> ASGIResponse:
    """A finished document."""
    return ASGIResponse(body=body, status_code=status, media_type=media.answer_type(request.headers.get("accept")))


def one(request: WebRequest, answer: Answer, status: int = 200, *, included: bool = False) -> ASGIResponse:
    """A document of one resource, with its ETag; 304 without a body for whoever has it already."""
    body = document.one(answer, included=included)
    etag = etags.tag(answer.attributes, body)
    if request.method == "GET" and etags.is_known(etag, request.headers.get("if-none-match", "")):
        return ASGIResponse(status_code=304, headers={"ETag": etag})
    answered = send(request, body, status)
    answered.headers["etag"] = etag
    if getattr(answer.attributes, "secret", None) is not None:
        answered.headers["cache-control"] = "no-store"  # and so no Idempotency-Key keeps it either
    return answered


def listing(
    request: WebRequest, api: ApiState, path: str, query: Query, answers: Sequence[Answer], total: int
) -> ASGIResponse:
    """One page of a list."""
    return send(request, document.listing(answers, links(api, path, query, total), total))


def links(api: ApiState, path: str, query: Query, total: int) -> dict[str, str | None]:
    """The links of one page of a list."""
    return page_links(f"{api.base_url}/{path}", query, total)
