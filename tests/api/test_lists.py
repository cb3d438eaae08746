"""Pages of lists, over HTTP."""

import pytest

from api_client import PUBLIC_URL, Client


async def test_walking_by_next(client: Client) -> None:
    """Following `next` from page to page meets everything once, in order of creation."""
    made = [await client.engagement() for _ in range(5)]
    address, seen = "/engagements?page%5Blimit%5D=2", []
    while address:
        page = (await client.get(address)).json()
        assert list(page) == ["data", "links", "meta"]
        assert page["meta"] == {"total": 5}
        seen += [one["id"] for one in page["data"]]
        address = (page["links"]["next"] or "").removeprefix(f"{PUBLIC_URL}/api/v1")
    assert seen == made


async def test_past_the_end(client: Client) -> None:
    """An empty page, which still knows the total."""
    await client.engagement()
    page = (await client.get("/engagements?page[offset]=1000")).json()
    assert (page["data"], page["meta"]["total"], page["links"]["next"]) == ([], 1, None)


@pytest.mark.parametrize(
    "query",
    [
        "page[limit]=0",
        "filter[name]=x",
        "filter[engagement.id]=eq:nope",
        "filter[reason]=lost",
        "filter[reason]=in-doubt",
        "sort=name",
        "include=text.results.nothing",
        "fields[nothing]=to",
        "fields[texts]=nothing",
        "page[after]=x",
    ],
)
async def test_refused(client: Client, query: str) -> None:
    """400 naming the parameter."""
    answer = await client.get(f"/envelopes?{query}")
    (error,) = answer.json()["errors"]
    assert answer.status_code == 400
    assert (error["code"], error["source"]) == (111, {"parameter": query.partition("=")[0]})


async def test_envelopes_of_one_reason(client: Client) -> None:
    """Within an engagement they can be asked for by where they stand, and counted."""
    engagement = await client.ready(3)
    await client.change(engagement, status="canceled")
    found = {}
    for reason in ("canceled", "in-doubt"):
        page = (await client.get(f"/envelopes?filter[engagement.id]={engagement}&filter[reason]=eq:{reason}")).json()
        assert {one["attributes"]["reason"] for one in page["data"]} <= {reason}
        found[reason] = (len(page["data"]), page["meta"]["total"])
    assert found == {"canceled": (3, 3), "in-doubt": (0, 0)}


async def test_unknown_plain_parameters(client: Client) -> None:
    """Clients count their requests in the query; that is theirs to do (wire contract 2.3)."""
    assert (await client.get("/engagements?test_request_number=3")).status_code == 200


async def test_a_page_of_engagements_has_counts_and_numbers(client: Client) -> None:
    """The list tells the same as each alone."""
    ids = [await client.ready(2), await client.engagement(), await client.ready(1)]
    listed = (await client.get("/engagements")).json()["data"]
    assert listed == [(await client.get(f"/engagements/{id_}")).json()["data"] for id_ in ids]
    assert [one["attributes"]["count-total"] for one in listed] == [2, 0, 1]
