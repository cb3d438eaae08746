"""Query parameters of lists: pages and equality filters (wire contract, section 7).

Step 2 of a text's path. Brackets may be percent-encoded or not, the `eq:` of a filter may be left out, and plain
parameters that we do not know are ignored.
"""

import re
from collections.abc import Collection
from typing import Final
from urllib.parse import parse_qsl, quote, urlencode

import msgspec

from opengage.jsonapi.faults import DocumentError, Fault, FaultKind

_LARGEST: Final = 10**15
_FILTER: Final = re.compile(r"filter\[([^\]]*)\]\Z")
_OPERATOR: Final = re.compile(r"(~?(?:eq|ne|gt|gte|lt|lte|like|ilike|in|range)):(.*)\Z", re.DOTALL)
_NOT_YET: Final = ("sort", "include", "fields")
_MOST_PARAMETERS: Final = 100


class Query(msgspec.Struct, frozen=True):
    """What a list request asks for; `kept` are the parameters that its links repeat."""

    limit: int
    offset: int
    filters: dict[str, str]
    kept: tuple[tuple[str, str], ...] = ()


def parse(query: str, *, default_limit: int, max_limit: int, filterable: Collection[str]) -> Query:
    """Read the query of a list. `filterable` are the paths that may be filtered by.

    Raises DocumentError with every parameter that cannot be honoured.
    """
    pairs = pairs_of(query)
    faults = unsupported(pairs)
    pages = {name: value for name, value in pairs if name in ("page[limit]", "page[offset]", "page[number]")}
    limit = _number(pages, "page[limit]", default_limit, 1, max_limit, faults)
    offset = _number(pages, "page[offset]", 0, 0, _LARGEST, faults)
    if "page[number]" in pages and "page[offset]" not in pages:
        offset = (_number(pages, "page[number]", 1, 1, _LARGEST // max_limit, faults) - 1) * limit
    filters = _filters(pairs, filterable, faults)
    if faults:
        raise DocumentError(faults)
    return Query(limit, offset, filters, tuple(pair for pair in pairs if not pair[0].startswith("page[")))


def pairs_of(query: str) -> list[tuple[str, str]]:
    """Every parameter, decoded, in the order given."""
    try:
        return parse_qsl(query, keep_blank_values=True, max_num_fields=_MOST_PARAMETERS)
    except ValueError as error:
        detail = f"The query has more than {_MOST_PARAMETERS} parameters. Send fewer."
        raise DocumentError(Fault(FaultKind.PARAMETER, detail)) from error


def unsupported(pairs: Collection[tuple[str, str]]) -> list[Fault]:
    """Parameters with a meaning in JSON:API that we cannot honour yet: to ignore them would answer something else."""
    return [
        Fault(FaultKind.PARAMETER, f"“{name[:40]}” is not supported yet. Leave it out.", parameter=name)
        for name, _ in pairs
        if name.partition("[")[0] in _NOT_YET
    ]


def _number(pages: dict[str, str], name: str, default: int, least: int, most: int, faults: list[Fault]) -> int:
    text = pages.get(name)
    if text is None:
        return default
    if text.isascii() and text.isdigit() and len(text) < 17 and least <= int(text) <= most:
        return int(text)
    detail = f"“{name}” must be a whole number from {least} to {most}, not “{text[:40]}”."
    faults.append(Fault(FaultKind.PARAMETER, detail, parameter=name))
    return default


def _filters(pairs: Collection[tuple[str, str]], filterable: Collection[str], faults: list[Fault]) -> dict[str, str]:
    filters: dict[str, str] = {}
    for name, value in pairs:
        if not name.startswith("filter"):
            continue
        match = _FILTER.match(name)
        fault = _filter_fault(name, match[1] if match else "", value, filterable)
        if fault is not None:
            faults.append(Fault(FaultKind.PARAMETER, fault, parameter=name))
        elif match:
            filters[match[1]] = value.removeprefix("eq:")
    return filters


def _filter_fault(name: str, path: str, value: str, filterable: Collection[str]) -> str | None:
    operator = _OPERATOR.match(value)
    if path not in filterable:
        offered = ", ".join(f"filter[{each}]" for each in sorted(filterable)) or "no filter"
        return f"“{name[:80]}” is not supported. This list takes {offered}."
    if (operator and operator[1] != "eq") or "," in value:
        return f"“{name}” takes one id, as in {name}=eq:ID; other operators are not supported yet."
    return None


def page_links(address: str, query: Query, total: int) -> dict[str, str | None]:
    """Links to the first, last, next and previous page, and to this one; null where there is none."""

    def link(offset: int) -> str:
        parameters = [*query.kept, ("page[limit]", str(query.limit)), ("page[offset]", str(offset))]
        return f"{address}?{urlencode(parameters, quote_via=quote)}"

    following = query.offset + query.limit
    return {
        "first": link(0),
        "last": link(max(total - 1, 0) // query.limit * query.limit),
        "next": link(following) if following < total else None,
        "prev": link(max(query.offset - query.limit, 0)) if query.offset else None,
        "self": link(query.offset),
    }
