"""GET of one and of the list: the same two routes for every resource.

Step 1 of a text's path.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Generic, TypeVar

import msgspec
from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.response.base import ASGIResponse

from opengage.api import answers
from opengage.api.state import Api, ApiState, Member, WebRequest
from opengage.ids import Id, from_wire
from opengage.jsonapi import query as queries
from opengage.jsonapi.document import Answer
from opengage.jsonapi.faults import DocumentError, Fault, FaultKind
from opengage.operations.actors import Actor
from opengage.operations.reading import Listed

T = TypeVar("T")


class Reads(msgspec.Struct, Generic[T], frozen=True):
    """How a resource is read: `filters` names the field behind each path that its list may be filtered by."""

    type: str
    find: Callable[[ApiState, Actor, Id | None], Awaitable[T]]
    page: Callable[..., Awaitable[Listed[T]]]
    """(api, actor, limit, offset, **filters) to one page."""
    answer: Callable[[ApiState, T], Answer]
    filters: Mapping[str, str] = {}
    """Paths whose value is an id."""
    words: Mapping[str, frozenset[str]] = {}
    """Fields whose value is one of a closed list; the path is the field's own name."""
    included: bool = False


def routes(reads: Reads[Any]) -> list[HTTPRouteHandler]:
    """GET /{type}/{id} and GET /{type}."""

    @get(f"/{reads.type}/{{resource_id:str}}", name=f"{reads.type}:one")
    async def read_one(request: WebRequest, api: Api, actor: Member, resource_id: FromPath[str]) -> ASGIResponse:
        _refuse_unsupported(request)
        found = await reads.find(api, actor, from_wire(resource_id))
        return answers.one(request, reads.answer(api, found), included=reads.included)

    @get(f"/{reads.type}", name=f"{reads.type}:list")
    async def read_list(request: WebRequest, api: Api, actor: Member) -> ASGIResponse:
        query = queries.parse(
            _query_string(request),
            default_limit=api.settings.page_limit_default,
            max_limit=api.settings.page_limit_max,
            filterable={**reads.filters, **{name: name for name in reads.words}},
        )
        words = {path: value for path, value in query.filters.items() if path in reads.words}
        equal: dict[str, Any] = {path: _word(path, value, reads.words[path]) for path, value in words.items()}
        equal |= {reads.filters[path]: _id(path, value) for path, value in query.filters.items() if path not in words}
        found = await reads.page(api, actor, query.limit, query.offset, **equal)
        shown = [reads.answer(api, item) for item in found.items]
        return answers.listing(request, api, reads.type, query, shown, found.total)

    return [read_one, read_list]


def _query_string(request: WebRequest) -> str:
    raw: bytes = request.scope["query_string"]
    return raw.decode("latin-1")


def _refuse_unsupported(request: WebRequest) -> None:
    faults = queries.unsupported(queries.pairs_of(_query_string(request)))
    if faults:
        raise DocumentError(faults)


def _word(path: str, text: str, known: frozenset[str]) -> str:
    if text not in known:
        detail = f"“{text[:40]}” is unknown here. Use one of {', '.join(sorted(known))}."
        raise DocumentError(Fault(FaultKind.PARAMETER, detail, parameter=f"filter[{path}]"))
    return text


def _id(path: str, text: str) -> Id:
    found = from_wire(text)
    if found is None:
        parameter = f"filter[{path}]"
        detail = f"“{text[:40]}” is no id. Send {parameter}=eq:ID with the id of 22 characters."
        raise DocumentError(Fault(FaultKind.PARAMETER, detail, parameter=parameter))
    return found
