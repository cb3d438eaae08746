"""Answers of the API: documents with the media type that the client asked for.

Step 1 of a text's path, on the way back.
"""

from collections.abc import Sequence

import msgspec
from litestar.response.base import ASGIResponse

from opengage.api import etags
from opengage.api.resources.reading import Listed
from opengage.api.state import ApiState, WebRequest
from opengage.jsonapi import document, media
from opengage.jsonapi.document import Answer, Listing
from opengage.jsonapi.query import Query, cursor_links, page_links
from opengage.store.lists import COUNTED


def send(request: WebRequest, body: bytes, status: int = 200) -> ASGIResponse:
    """A finished document."""
    return ASGIResponse(body=body, status_code=status, media_type=media.answer_type(request.headers.get("accept")))


def one(
    request: WebRequest, answer: Answer | None, status: int = 200, *, included: Sequence[Answer] | None = None
) -> ASGIResponse:
    """A document of one resource, or of none where a relationship leads to nothing, with its ETag.

    304 without a body for whoever has it already.
    """
    body, attributes = document.one(answer, included=included), answer.attributes if answer else None
    etag = etags.tag(attributes, body)
    if request.method == "GET" and etags.is_known(etag, request.headers.get("if-none-match", "")):
        return ASGIResponse(status_code=304, headers={"ETag": etag})
    answered = send(request, body, status)
    answered.headers["etag"] = etag
    if getattr(attributes, "secret", None) is not None:
        answered.headers["cache-control"] = "no-store"  # and so no Idempotency-Key keeps it either
    return answered


def listing(request: WebRequest, api: ApiState, path: str, query: Query, page: Listed) -> ASGIResponse:
    """One page of a list."""
    included = msgspec.UNSET if page.parts.included is None else page.parts.included
    found = Listing(page.parts.primary, included, links(api, path, query, page), meta(page))
    return send(request, document.listing(found))


def links(api: ApiState, path: str, query: Query, page: Listed) -> dict[str, str | None]:
    """The links of one page of a list, by cursors for clients that page by them."""
    address = f"{api.base_url}/{path}"
    if query.after is not None:
        return cursor_links(address, query, page.cursor)
    return page_links(address, query, page.total, more=page.more)


def meta(page: Listed) -> dict[str, int | bool]:
    """How many there are; past what is counted, how many at least."""
    return {"total": COUNTED, "total-is-at-least": True} if page.total is None else {"total": page.total}
