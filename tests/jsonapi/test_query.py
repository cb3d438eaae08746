"""Pages and filters of lists."""

import pytest

from opengage.jsonapi.faults import DocumentError
from opengage.jsonapi.query import Query, page_links, parse


def read(query: str) -> Query:
    """Parse as a list with one filter does."""
    return parse(query, default_limit=50, max_limit=1000, filterable={"engagement.id"})


@pytest.mark.parametrize(
    ("query", "limit", "offset", "filters"),
    [
        ("", 50, 0, {}),
        ("page[limit]=5&page[offset]=7", 5, 7, {}),
        ("page%5Blimit%5D=5&page%5Bnumber%5D=3", 5, 10, {}),
        ("page[size]=9&test_request_number=4&page=x", 50, 0, {}),
        ("filter[engagement.id]=eq:ID", 50, 0, {"engagement.id": "ID"}),
        ("filter%5Bengagement.id%5D=ID", 50, 0, {"engagement.id": "ID"}),
    ],
)
def test_read(query: str, limit: int, offset: int, filters: dict[str, str]) -> None:
    """Encoded or not, with or without `eq:`; plain unknown parameters are ignored."""
    found = read(query)
    assert (found.limit, found.offset, found.filters) == (limit, offset, filters)


@pytest.mark.parametrize(
    "query",
    [
        "page[limit]=0",
        "page[limit]=1001",
        "page[limit]=-1",
        "page[limit]=x",
        "page[limit]=" + "9" * 5000,
        "page[offset]=" + "9" * 17,
        "page[number]=0",
        "page[limit]=٣",
        "filter[status]=pending",
        "filter=x",
        "filter[engagement.id]=in:a,b",
        "filter[engagement.id]=ne:a",
        "sort=name",
        "include=text",
        "fields[texts]=to",
    ],
)
def test_refused(query: str) -> None:
    """What cannot be honoured is refused and named, not ignored."""
    with pytest.raises(DocumentError) as caught:
        read(query)
    assert caught.value.faults[0].parameter == query.partition("=")[0]


def test_every_refusal_is_told() -> None:
    """Not just the first."""
    with pytest.raises(DocumentError) as caught:
        read("page[limit]=x&sort=a&filter[b]=c")
    assert len(caught.value.faults) == 3


def test_too_many_parameters() -> None:
    """A query has a limit."""
    with pytest.raises(DocumentError):
        read("&".join(f"a{number}=1" for number in range(1000)))


def test_links() -> None:
    """Links keep the filters, and are null where there is no page."""
    links = page_links("/things", read("filter[engagement.id]=eq:ID&page[limit]=2&page[offset]=2"), 5)
    prefix = "/things?filter%5Bengagement.id%5D=eq%3AID&page%5Blimit%5D=2&page%5Boffset%5D="
    assert links == {
        name: prefix + at
        for name, at in zip(("first", "last", "next", "prev", "self"), ("0", "4", "4", "0", "2"), strict=True)
    }
    assert page_links("/things", read(""), 0)["next"] is None
    assert page_links("/things", read(""), 0)["prev"] is None
    assert page_links("/things", read("page[limit]=5"), 5)["last"] == "/things?page%5Blimit%5D=5&page%5Boffset%5D=0"
