"""The query of a request: pages, order, includes, sparse fields."""

import pytest

from opengage.jsonapi.faults import DocumentError
from opengage.jsonapi.query import (
    Query,
    Selection,
    Sort,
    cursor_links,
    include_paths,
    page_links,
    parse,
    parse_one,
    selects_nothing,
)
from opengage.jsonapi.query_filters import MOST_VALUES, Filter, Operator, read_filter


def read(query: str) -> Query:
    """Parse as a list does."""
    return parse(query, default_limit=50, max_limit=1000)


@pytest.mark.parametrize(
    ("query", "limit", "offset", "after"),
    [
        ("", 50, 0, None),
        ("page[limit]=5&page[offset]=7", 5, 7, None),
        ("page%5Blimit%5D=5&page%5Bnumber%5D=3", 5, 10, None),
        ("page[number]=3&page[offset]=7", 50, 7, None),
        ("page[size]=9&test_request_number=4&page=x", 50, 0, None),
        ("page[after]=", 50, 0, ""),
        ("page[after]=abc&page[limit]=2", 2, 0, "abc"),
    ],
)
def test_pages(query: str, limit: int, offset: int, after: str | None) -> None:
    """Encoded or not; plain unknown parameters and unknown page keys are ignored."""
    found = read(query)
    assert (found.limit, found.offset, found.after) == (limit, offset, after)


@pytest.mark.parametrize(
    ("text", "operator", "values", "negated"),
    [
        ("ID", Operator.EQ, ("ID",), False),
        ("eq:ID", Operator.EQ, ("ID",), False),
        ("~eq:ID", Operator.EQ, ("ID",), True),
        ("ne:ID", Operator.EQ, ("ID",), True),
        ("~ne:ID", Operator.EQ, ("ID",), False),
        ("in:a,b", Operator.EQ, ("a", "b"), False),
        ("~in:a,b", Operator.EQ, ("a", "b"), True),
        ("a,b", Operator.EQ, ("a", "b"), False),
        ("", Operator.EQ, (None,), False),
        ("eq:", Operator.EQ, (None,), False),
        ("a,", Operator.EQ, ("a", None), False),
        ("like:%a\\,b%", Operator.LIKE, ("%a,b%",), False),
        ("~ilike:a", Operator.ILIKE, ("a",), True),
        ("range:1,5", Operator.RANGE, ("1", "5"), False),
        ("2026-12-01T09:00:00+00:00", Operator.EQ, ("2026-12-01T09:00:00+00:00",), False),
        ("gte:2026-12-01T09:00:00+00:00", Operator.GTE, ("2026-12-01T09:00:00+00:00",), False),
        ("eq:gt:1", Operator.EQ, ("gt:1",), False),
        ("https://a", Operator.EQ, ("https://a",), False),
        ("GT:1", Operator.EQ, ("GT:1",), False),
    ],
)
def test_filter_values(text: str, operator: Operator, values: tuple[str | None, ...], negated: bool) -> None:
    """A colon belongs to the value unless an operator stands before it."""
    assert read_filter("a", text) == Filter("a", operator, values, negated)


@pytest.mark.parametrize("operator", list(Operator))
def test_every_operator_has_its_negation(operator: Operator) -> None:
    """`~` turns round whatever it stands before."""
    plain, turned = (read_filter("a", f"{sign}{operator}:1,2") for sign in ("", "~"))
    assert (plain.operator, plain.values) == (turned.operator, turned.values)
    assert plain.negated is not turned.negated


@pytest.mark.parametrize("text", ["range:1", "range:1,2,3", "range:1,", "gt:", "like:", "lte:1,", ",".join("a" * 101)])
def test_filter_values_refused(text: str) -> None:
    """A comparison needs something to compare with."""
    with pytest.raises(ValueError, match=r"\."):
        read_filter("a", text)
    assert len(read_filter("a", ",".join("a" * MOST_VALUES)).values) == MOST_VALUES


def test_filters_in_a_query() -> None:
    """Each is one more condition, also of the same path; dots and dashes belong to paths."""
    found = read("filter[engagement.id]=ID&filter%5Bphone-number%5D=gt:a&filter[phone-number]=lt:b").filters
    assert [(each.path, each.operator) for each in found] == [
        ("engagement.id", Operator.EQ),
        ("phone-number", Operator.GT),
        ("phone-number", Operator.LT),
    ]
    assert found[0].parameter == "filter[engagement.id]"


def test_sort() -> None:
    """A minus turns a key round; a plus may arrive as the space that it means in a query."""
    keys = (Sort("a"), Sort("b", descending=True), Sort("rel.c"))
    assert (
        read("sort=a,-b,+rel.c").sort == read("sort=a,-b,%2Brel.c").sort == read("sort=a&sort=,-b,,rel.c").sort == keys
    )


def test_selection() -> None:
    """Includes are paths, empty ones skipped; fields are kept by type."""
    expected = Selection((("a", "b"), ("c",)), {"texts": frozenset({"to", "status"}), "x": frozenset()})
    assert read("include=a.b,,c&fields[texts]=to,status&fields[x]=").selection == expected
    assert parse_one("include=a.b,c&fields%5Btexts%5D=to&fields[texts]=status&fields[x]=") == expected
    assert (read("").selection, read("include=").selection) == (Selection(), Selection(()))
    assert include_paths("a.b,c") == expected.include


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
        "page[after]=x&page[offset]=1",
        "page[after]=x&page[number]=1",
        "filter=x",
        "filter[]=x",
        "filter[a][b]=x",
        "filter[a.b.c.d.e.f.g]=x",
        "filter[a]=range:1",
        "sort=" + ",".join("a" * 21),
        "sort=-",
        "sort=a.b.c.d.e.f.g",
        "include=" + ",".join("a" * 21),
        "include=a.b.c.d.e.f",
        "fields=a",
        "fields[]=a",
    ],
)
def test_refused(query: str) -> None:
    """What cannot be read is refused and named, not ignored."""
    with pytest.raises(DocumentError) as caught:
        read(query)
    assert caught.value.faults[0].parameter == query.partition("=")[0]


@pytest.mark.parametrize("query", ["filter[a]=b", "sort=a", "include=" + ",".join("a" * 21), "fields[]=a"])
def test_refused_for_one(query: str) -> None:
    """One resource is not filtered or sorted."""
    with pytest.raises(DocumentError) as caught:
        parse_one(query)
    assert caught.value.faults[0].parameter == query.partition("=")[0]


@pytest.mark.parametrize("query", ["filter[a]=b", "sort=a", "include=a", "fields[a]=b", "page[limit]=1"])
def test_refused_for_a_change(query: str) -> None:
    """A change is answered as it is; what is not ours may stand there."""
    with pytest.raises(DocumentError):
        selects_nothing(query)
    selects_nothing("test_request_number=1")


def test_include_paths_refused() -> None:
    """A callback's includes have the same limits."""
    with pytest.raises(DocumentError):
        include_paths("a.b.c.d.e.f")


def test_every_refusal_is_told() -> None:
    """Not just the first."""
    with pytest.raises(DocumentError) as caught:
        read("page[limit]=x&sort=-&filter[]=c")
    assert len(caught.value.faults) == 3


def test_too_many_parameters() -> None:
    """A query has a limit."""
    with pytest.raises(DocumentError):
        read("&".join(f"a{number}=1" for number in range(1000)))


def test_links() -> None:
    """Links keep the filters, and are null where there is no page, or nobody knows which is the last."""
    query = read("filter[engagement.id]=eq:ID&page[limit]=2&page[offset]=2")
    links = page_links("/things", query, 5, more=True)
    prefix = "/things?filter%5Bengagement.id%5D=eq%3AID&page%5Blimit%5D=2&page%5Boffset%5D="
    assert links == {
        name: prefix + at
        for name, at in zip(("first", "last", "next", "prev", "self"), ("0", "4", "4", "0", "2"), strict=True)
    }
    assert page_links("/things", read(""), 0, more=False)["next"] is None
    assert page_links("/things", read(""), 0, more=False)["prev"] is None
    last = page_links("/things", read("page[limit]=5"), 5, more=False)["last"]
    assert last == "/things?page%5Blimit%5D=5&page%5Boffset%5D=0"
    assert page_links("/things", read(""), None, more=True)["last"] is None


def test_links_by_cursor() -> None:
    """Whoever pages by cursors is led on by them; an empty one is the beginning."""
    links = cursor_links("/things", read("sort=a&page[limit]=2&page[after]=X"), "Y")
    prefix = "/things?sort=a&page%5Blimit%5D=2&page%5Bafter%5D="
    assert links == {"first": prefix, "last": None, "next": f"{prefix}Y", "prev": None, "self": f"{prefix}X"}
    assert cursor_links("/things", read("page[after]="), None)["next"] is None
