"""Query parameters: pages, filters, order, includes and sparse fields, as text (wire contract, section 7).

Step 2 of a text's path. Brackets may be percent-encoded or not, and plain parameters that we do not know are ignored.
What the words mean (which paths there are, what a value is) is for whoever knows the resources.
"""

import re
from collections.abc import Callable, Collection, Sequence
from typing import Final
from urllib.parse import parse_qsl, quote, urlencode

import msgspec

from opengage.jsonapi.faults import DocumentError, Fault, FaultKind
from opengage.jsonapi.query_filters import Filter, read_filter

_LARGEST: Final = 10**15
_MEMBER: Final = re.compile(r"(filter|fields)\[([^\[\]]*)\]\Z")
_MOST_PARAMETERS: Final = 100
_MOST_PATHS: Final = 20
"""Includes and sort keys that one request may name."""
_DEEPEST: Final = 5
"""Relationships that one path may walk."""

Path = tuple[str, ...]
Pairs = Sequence[tuple[str, str]]
Fields = dict[str, frozenset[str]]
"""By type, the members that are wanted; a type that is not named is wanted whole."""


class Sort(msgspec.Struct, frozen=True):
    """One key of an order."""

    path: str
    descending: bool = False


class Selection(msgspec.Struct, frozen=True):
    """What a document should hold: `include` is None when the client leaves it to the server."""

    include: tuple[Path, ...] | None = None
    fields: Fields = {}


class Query(msgspec.Struct, frozen=True):
    """What a list request asks for; `kept` are the parameters that its links repeat."""

    limit: int
    offset: int = 0
    after: str | None = None
    """The cursor after which the page begins, empty for the first; None when the client does not page by cursors."""
    filters: tuple[Filter, ...] = ()
    sort: tuple[Sort, ...] = ()
    selection: Selection = Selection()
    kept: tuple[tuple[str, str], ...] = ()


def parse(query: str, *, default_limit: int, max_limit: int) -> Query:
    """Read the query of a list. Raises DocumentError with every parameter that cannot be read."""
    pairs, faults = pairs_of(query), list[Fault]()
    limit, offset, after = _page(dict(pairs), default_limit, max_limit, faults)
    filters = _filters(pairs, faults)
    sort = _sort(pairs, faults)
    selection = _selection(pairs, faults)
    if faults:
        raise DocumentError(faults)
    kept = tuple(pair for pair in pairs if not pair[0].startswith("page["))
    return Query(limit, offset, after, filters, sort, selection, kept)


def parse_one(query: str) -> Selection:
    """Read the query of what is no list. Raises DocumentError."""
    pairs = pairs_of(query)
    faults = [
        _fault(name, f"“{name[:40]}” is for lists, and this is none. Leave it out.")
        for name, _ in pairs
        if name.partition("[")[0] in ("filter", "sort")
    ]
    selection = _selection(pairs, faults)
    if faults:
        raise DocumentError(faults)
    return selection


def selects_nothing(query: str) -> None:
    """Check the query of a request that changes something. Raises DocumentError when it selects anything."""
    faults = [
        _fault(name, f"“{name[:40]}” is not possible with a change. Leave it out, and GET what you want to see after.")
        for name, _ in pairs_of(query)
        if name.partition("[")[0] in ("filter", "sort", "include", "fields", "page")
    ]
    if faults:
        raise DocumentError(faults)


def pairs_of(query: str) -> list[tuple[str, str]]:
    """Every parameter, decoded, in the order given."""
    try:
        return parse_qsl(query, keep_blank_values=True, max_num_fields=_MOST_PARAMETERS)
    except ValueError as error:
        detail = f"The query has more than {_MOST_PARAMETERS} parameters. Send fewer."
        raise DocumentError(Fault(FaultKind.PARAMETER, detail)) from error


def include_paths(text: str) -> tuple[Path, ...]:
    """The paths of an `include`, empty ones skipped. Raises DocumentError."""
    faults: list[Fault] = []
    found = _include(text, faults)
    if faults:
        raise DocumentError(faults)
    return found


def _fault(parameter: str, detail: str) -> Fault:
    return Fault(FaultKind.PARAMETER, detail, parameter=parameter)


def _page(
    pages: dict[str, str], default_limit: int, max_limit: int, faults: list[Fault]
) -> tuple[int, int, str | None]:
    limit = _number(pages, "page[limit]", default_limit, 1, max_limit, faults)
    offset = _number(pages, "page[offset]", 0, 0, _LARGEST, faults)
    if "page[number]" in pages and "page[offset]" not in pages:
        offset = (_number(pages, "page[number]", 1, 1, _LARGEST // max_limit, faults) - 1) * limit
    after = pages.get("page[after]")
    if after is not None and ("page[offset]" in pages or "page[number]" in pages):
        detail = "“page[after]” begins where a cursor says: leave “page[offset]” and “page[number]” out."
        faults.append(_fault("page[after]", detail))
    return limit, offset, after


def _number(pages: dict[str, str], name: str, default: int, least: int, most: int, faults: list[Fault]) -> int:
    text = pages.get(name)
    if text is None:
        return default
    if text.isascii() and text.isdigit() and len(text) < 17 and least <= int(text) <= most:
        return int(text)
    detail = f"“{name}” must be a whole number from {least} to {most}, not “{text[:40]}”."
    faults.append(_fault(name, detail))
    return default


def _filters(pairs: Pairs, faults: list[Fault]) -> tuple[Filter, ...]:
    found: list[Filter] = []
    for name, value in pairs:
        if name.partition("[")[0] != "filter":
            continue
        match = _MEMBER.match(name)
        if match is None or not match[2] or match[2].count(".") > _DEEPEST:
            detail = (
                f"“{name[:80]}” is no filter. Send filter[attribute]=value or filter[relationship.attribute]=value."
            )
            faults.append(_fault(name, detail))
            continue
        try:
            found.append(read_filter(match[2], value))
        except ValueError as error:
            faults.append(_fault(name, str(error)))
    return tuple(found)


def _sort(pairs: Pairs, faults: list[Fault]) -> tuple[Sort, ...]:
    """Of `sort=a,-b,+c`; a plus sign may have become a space on the way, as the query's own encoding has it."""
    keys = [key.strip() for name, value in pairs if name == "sort" for key in value.split(",")]
    found = tuple(Sort(key.lstrip("+-"), key.startswith("-")) for key in keys if key)
    if len(found) > _MOST_PATHS or any(not key.path or key.path.count(".") > _DEEPEST for key in found):
        faults.append(_fault("sort", f"“sort” takes up to {_MOST_PATHS} attributes, as in sort=name,-created-at."))
    return found


def _selection(pairs: Pairs, faults: list[Fault]) -> Selection:
    asked = [value for name, value in pairs if name == "include"]
    return Selection(_include(",".join(asked), faults) if asked else None, _fields(pairs, faults))


def _include(text: str, faults: list[Fault]) -> tuple[Path, ...]:
    found = tuple(tuple(path.strip().split(".")) for path in text.split(",") if path.strip())
    if len(found) > _MOST_PATHS or any(len(path) > _DEEPEST for path in found):
        detail = f"“include” takes up to {_MOST_PATHS} paths of up to {_DEEPEST} relationships. Ask for less at once."
        faults.append(_fault("include", detail))
    return found


def _fields(pairs: Pairs, faults: list[Fault]) -> Fields:
    found: Fields = {}
    for name, value in pairs:
        if name.partition("[")[0] != "fields":
            continue
        match = _MEMBER.match(name)
        if match is None or not match[2]:
            faults.append(_fault(name, f"“{name[:80]}” names no type. Send fields[type]=member,member."))
            continue
        named = frozenset(member.strip() for member in value.split(",") if member.strip())
        found[match[2]] = found.get(match[2], frozenset()) | named
    return found


def unknown(name: str, path: str, offered: Collection[str]) -> Fault:
    """What is said of a parameter whose value is not among those offered."""
    possible = f"Use {_or_list(offered)}." if offered else "Leave it out."
    return _fault(name, f"“{path[:80]}” is not offered by “{name[:40]}” here. {possible}")


def _or_list(offered: Collection[str]) -> str:
    *most, last = sorted(offered)
    return f"{', '.join(most)} or {last}" if most else last


def page_links(address: str, query: Query, total: int | None, *, more: bool) -> dict[str, str | None]:
    """Links to the first, last, next and previous page, and to this one; null where there is none or nobody knows.

    `more` is whether something comes after this page.
    """
    link = _linker(address, query, "page[offset]")
    following = query.offset + query.limit
    return {
        "first": link("0"),
        "last": None if total is None else link(str(max(total - 1, 0) // query.limit * query.limit)),
        "next": link(str(following)) if more else None,
        "prev": link(str(max(query.offset - query.limit, 0))) if query.offset else None,
        "self": link(str(query.offset)),
    }


def cursor_links(address: str, query: Query, following: str | None) -> dict[str, str | None]:
    """The same for a client that pages by cursors: `following` is the one after which the next page begins."""
    link = _linker(address, query, "page[after]")
    return {
        "first": link(""),
        "last": None,
        "next": link(following) if following else None,
        "prev": None,
        "self": link(query.after or ""),
    }


def _linker(address: str, query: Query, name: str) -> Callable[[str], str]:
    asked = urlencode([*query.kept, ("page[limit]", str(query.limit)), (name, "")], quote_via=quote)

    def link(value: str) -> str:
        return f"{address}?{asked}{quote(value, safe='')}"

    return link
