"""Answers of the API: documents with the media type that the client asked for.

Step 1 of a text's path, on the way back.
"""

from collections.abc import Sequence

from litestar.response.base import ASGIResponse

from opengage.api.state import ApiState, WebRequest
from opengage.jsonapi import document, media
from opengage.jsonapi.document import Answer
from opengage.jsonapi.query import Query, page_links


def send(request: WebRequest, body: bytes, status: int = 200) -> ASGIResponse:
    """A finished document."""
    return ASGIResponse(body=body, status_code=status, media_type=media.answer_type(request.headers.get("accept")))


def one(request: WebRequest, answer: Answer, status: int = 200, *, included: bool = False) -> ASGIResponse:
    """A document of one resource."""
    return send(request, document.one(answer, included=included), status)


def listing(
    request: WebRequest, api: ApiState, path: str, query: Query, answers: Sequence[Answer], total: int
) -> ASGIResponse:
    """One page of a list."""
    return send(request, document.listing(answers, links(api, path, query, total), total))


def links(api: ApiState, path: str, query: Query, total: int) -> dict[str, str | None]:
    """The links of one page of a list."""
    return page_links(f"{api.base_url}/{path}", query, total)
