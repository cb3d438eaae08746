"""The query of a request, against what a resource's description offers.

Step 1 of a text's path.
"""

from typing import Any

from opengage.api.resources.resource import Field, Kind, Resource
from opengage.api.state import ApiState, WebRequest
from opengage.ids import Id, from_wire
from opengage.jsonapi import query as queries
from opengage.jsonapi.faults import DocumentError, Fault, FaultKind
from opengage.jsonapi.query import Query


def one_query(request: WebRequest) -> None:
    """Raises DocumentError for parameters that cannot be honoured."""
    faults = queries.unsupported(queries.pairs_of(_query_string(request)))
    if faults:
        raise DocumentError(faults)


def list_query(request: WebRequest, api: ApiState, resource: Resource[Any, Any]) -> tuple[Query, dict[str, Any]]:
    """The page asked for, and the fields of the record with what they must equal. Raises DocumentError."""
    offered = resource.filters
    query = queries.parse(
        _query_string(request),
        default_limit=api.settings.page_limit_default,
        max_limit=api.settings.page_limit_max,
        filterable=offered,
    )
    for path in query.filters:
        within = offered[path].within
        if within and within not in query.filters:
            detail = f"filter[{path}] works within one {within.partition('.')[0]}. Add filter[{within}]=eq:ID."
            raise DocumentError(Fault(FaultKind.PARAMETER, detail, parameter=f"filter[{path}]"))
    return query, {offered[path].column: _value(path, text, offered[path]) for path, text in query.filters.items()}


def _query_string(request: WebRequest) -> str:
    raw: bytes = request.scope["query_string"]
    return raw.decode("latin-1")


def _value(path: str, text: str, field: Field) -> Any:
    if field.kind is Kind.TEXT:
        return text
    return _id(path, text) if field.kind is Kind.ID else _word(path, text, field.words)


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
