"""Orders and pages of lists, over HTTP: by offset and by cursor."""

import base64
from collections.abc import AsyncIterator

import msgspec
import pytest

from api_client import PUBLIC_URL, Client
from opengage.api.resources import cursors
from opengage.jsonapi.faults import DocumentError

NAMES = ["b", "a", "c", "a", "b", "a"]


@pytest.fixture
async def made(client: Client) -> list[tuple[str, str]]:
    """(name, id) of some engagements, as they were made."""
    return [(name, await client.make("engagements", {"name": name})) for name in NAMES]


async def pages(client: Client, address: str) -> AsyncIterator[list[str]]:
    """The ids of each page, led on by `next`."""
    for _ in range(20):
        page = (await client.get(address)).json()
        yield [one["id"] for one in page["data"]]
        if page["links"]["next"] is None:
            return
        assert page["links"]["next"].startswith(f"{PUBLIC_URL}/api/v1")
        address = page["links"]["next"].removeprefix(f"{PUBLIC_URL}/api/v1")
    raise AssertionError("no end")


@pytest.mark.parametrize("paging", ["page[limit]=2", "page[limit]=2&page[after]=", "page[limit]=6&page[after]="])
@pytest.mark.parametrize(
    "sort", ["", "name", "-name", "-created-at", "name,-created-at", "-name,id", "name,created-at"]
)
async def test_every_order_is_stable(client: Client, made: list[tuple[str, str]], sort: str, paging: str) -> None:
    """Pages of either kind meet everything once, in the order asked for; the id decides between equals."""
    expected = list(made)
    by_id = "-created-at" in sort or sort == "-name"
    expected.sort(key=lambda one: made.index(one), reverse=by_id)
    if "name" in sort:
        expected.sort(key=lambda one: one[0], reverse=sort.startswith("-name"))
    seen = [id_ async for page in pages(client, f"/engagements?sort={sort}&{paging}") for id_ in page]
    assert seen == [id_ for _, id_ in expected]


@pytest.mark.parametrize("paging", ["page[limit]=1", "page[limit]=1&page[after]="])
async def test_order_across_a_relationship(client: Client, made: list[tuple[str, str]], paging: str) -> None:
    """Activities by the names of their engagements."""
    activities = {id_: await client.activity(id_) for _, id_ in made[:4]}
    for sort, reverse in (("engagement.name", False), ("-engagement.name", True)):
        expected = sorted(reversed(made[:4]) if reverse else made[:4], key=lambda one: one[0], reverse=reverse)
        seen = [id_ async for page in pages(client, f"/activities?sort={sort}&{paging}") for id_ in page]
        assert seen == [activities[id_] for _, id_ in expected]


@pytest.mark.parametrize("paging", ["page[limit]=1", "page[limit]=1&page[after]="])
async def test_order_by_what_is_led_to(client: Client, made: list[tuple[str, str]], paging: str) -> None:
    """Activities by the ids of their engagements, which is when these were made; also where there is none."""
    activities = [await client.activity(id_) for _, id_ in reversed(made[:4])]
    for sort, expected in (("engagement.id", activities[::-1]), ("-engagement.created-at", activities)):
        seen = [id_ async for page in pages(client, f"/activities?sort={sort}&{paging}") for id_ in page]
        assert seen == expected
    engagements = [id_ async for page in pages(client, f"/engagements?sort=copied-from.id&{paging}") for id_ in page]
    assert sorted(engagements) == sorted(id_ for _, id_ in made)


async def test_what_is_added_moves_no_page(client: Client, made: list[tuple[str, str]]) -> None:
    """A cursor stands behind a resource, not at a number."""
    first = (await client.get("/engagements?page[after]=&page[limit]=2&sort=name")).json()
    await client.make("engagements", {"name": "0"})
    rest = (await client.get(first["links"]["next"].removeprefix(f"{PUBLIC_URL}/api/v1"))).json()
    assert rest["data"][0]["id"] == made[5][1]
    assert rest["meta"]["total"] == 7
    assert (first["links"]["prev"], first["links"]["last"]) == (None, None)


async def test_by_number(client: Client, made: list[tuple[str, str]]) -> None:
    """Pages can be numbered from 1."""
    page = (await client.get("/engagements?page[number]=2&page[limit]=4")).json()
    assert [one["id"] for one in page["data"]] == [id_ for _, id_ in made[4:]]


def cursor(order: str = "name", keys: object = ("a",), id_: str = "00" * 16) -> str:
    """A cursor as nobody but the server writes one."""
    return base64.urlsafe_b64encode(msgspec.json.encode([order, keys, id_])).decode().rstrip("=")


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "!!!!",
        "é",
        "A" * 5000,
        cursor("-name"),
        cursor(keys=[]),
        cursor(keys=[1]),
        cursor(keys=["a", "b"]),
        cursor(keys=[None]),
        cursor(keys=["\0"]),
        cursor(id_="00"),
        cursor(id_="zz" * 16),
        base64.urlsafe_b64encode(b"[]").decode(),
        base64.urlsafe_b64encode(b"{}").decode(),
    ],
)
async def test_no_cursor(client: Client, text: str) -> None:
    """400, never a failure: a cursor comes from whoever sends it."""
    assert (await client.get(f"/engagements?sort=name&page[after]={cursor()}")).status_code == 200
    answer = await client.get(f"/engagements?sort=name&page[after]={text}")
    assert (answer.status_code, answer.json()["errors"][0]["source"]) == (400, {"parameter": "page[after]"})


def test_cursors_come_back() -> None:
    """Keys of every type that an order can have."""
    keys = ("é", 7, 0.5, True, b"\2" * 16)
    written = cursors.write("a,-b", (*keys, b"\1" * 16))
    assert cursors.read(written, "a,-b", [str, int, float, bool, bytes]) == (*keys, b"\1" * 16)
    with pytest.raises(DocumentError):
        cursors.read(written, "a,-b", [str, bool, float, bool, bytes])


def test_no_key_that_no_database_has() -> None:
    """PostgreSQL would fail on a number that fits no column."""
    for number in (2**63, -(2**63) - 1):
        with pytest.raises(DocumentError):
            cursors.read(cursor("a", [number]), "a", [int])
