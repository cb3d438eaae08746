"""Filters of lists, over HTTP: every operator, paths across relationships, and what is refused."""

from typing import Any
from urllib.parse import quote

import pytest

from api_client import START, Client, StandingClock
from api_samples import one_of_each
from opengage.clock import SECOND, Instant
from opengage.domain.records import Activity, Engagement, Envelope
from opengage.domain.states import EngagementStatus
from opengage.ids import Id, from_wire, new_id, to_wire
from opengage.jsonapi.timestamps import to_text
from opengage.store import rows
from opengage.store.sqlite import SqliteStore

NAMES = ["Ann", "Bea", "ann", "100%", "a_b", "a[b", "a*b", "a?b", "x,y", "back\\slash"]


def common(client: Client, number: int = 0) -> dict[str, Any]:
    """What every record has; the later its number, the later it was made."""
    author = client.account.membership_id
    made = Instant(START + number * SECOND)
    times = {"created_at": made, "updated_at": made}
    return {"account_id": 1, "id": new_id(), "created_by": author, "updated_by": author} | times


@pytest.fixture
async def blasts(client: Client, store: SqliteStore) -> list[Engagement]:
    """Engagements of all the names, a second apart; every other one is paused and archived."""
    made = [
        Engagement(
            **common(client, number),
            name=name,
            status=EngagementStatus.PAUSED if number % 2 else EngagementStatus.PENDING,
            is_archived=bool(number % 2),
        )
        for number, name in enumerate(NAMES)
    ]
    async with store.writing() as tx:
        for each in made:
            await rows.insert(tx, each)
    return made


async def found(client: Client, path: str, **filters: str) -> list[str]:
    """The names on the one page of a filtered list; dots stand for underscores twice, dashes for one."""
    query = "&".join(f"filter[{name}]={quote(value)}" for name, value in filters.items())
    answer = await client.get(f"{path}?{query}")
    assert answer.status_code == 200, answer.text
    page = answer.json()
    assert page["meta"]["total"] == len(page["data"])
    return [one["attributes"]["name"] for one in page["data"]]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Ann", ["Ann"]),
        ("eq:Ann", ["Ann"]),
        ("ne:Ann", NAMES[1:]),
        ("~eq:Ann", NAMES[1:]),
        ("Ann,ann", ["Ann", "ann"]),
        ("in:Ann,Bea,nobody", ["Ann", "Bea"]),
        ("~in:Ann,Bea,ann", NAMES[3:]),
        ("gt:Bea", ["ann", "a_b", "a[b", "a*b", "a?b", "x,y", "back\\slash"]),
        ("~gt:Bea", ["Ann", "Bea", "100%"]),
        ("gte:Bea", ["Bea", "ann", "a_b", "a[b", "a*b", "a?b", "x,y", "back\\slash"]),
        ("lt:Ann", ["100%"]),
        ("lte:Ann", ["Ann", "100%"]),
        ("~lte:a?b", ["ann", "a_b", "a[b", "x,y", "back\\slash"]),
        ("range:Ann,Bea", ["Ann", "Bea"]),
        ("~range:1,b", ["x,y", "back\\slash"]),
        ("like:A%", ["Ann"]),
        ("like:a_b", ["a_b", "a[b", "a*b", "a?b"]),
        ("like:a\\_b", ["a_b"]),
        ("like:%\\%", ["100%"]),
        ("like:a[b", ["a[b"]),
        ("like:a*b", ["a*b"]),
        ("like:a?b", ["a?b"]),
        ("like:x\\,y", ["x,y"]),
        ("like:%\\\\s%", ["back\\slash"]),
        ("like:A%,B%", ["Ann", "Bea"]),
        ("~like:a%", ["Ann", "Bea", "100%", "x,y", "back\\slash"]),
        ("ilike:a%", ["Ann", "ann", "a_b", "a[b", "a*b", "a?b"]),
        ("~ilike:%a%", ["100%", "x,y"]),
        ("eq:x\\,y", ["x,y"]),
        ("", []),
        ("ne:", NAMES),
    ],
)
async def test_text(client: Client, blasts: list[Engagement], value: str, expected: list[str]) -> None:
    """Each operator finds what it says; turned round, all the others."""
    assert await found(client, "/engagements", name=value) == expected


async def test_instants(client: Client, blasts: list[Engagement]) -> None:
    """With and without an operator, in any offset, and where a plus sign was not encoded."""
    third = to_text(START + 3 * SECOND)
    assert await found(client, "/engagements", **{"created-at": third}) == NAMES[3:4]
    assert await found(client, "/engagements", **{"created-at": f"gte:{third}"}) == NAMES[3:]
    assert await found(client, "/engagements", **{"created-at": f"range:{to_text(START)},{third}"}) == NAMES[:4]
    elsewhere = third.replace("T19:", "T21:").replace("+00:00", "+02:00")
    assert await found(client, "/engagements", **{"created-at": elsewhere}) == NAMES[3:4]
    page = await client.get(f"/engagements?filter[created-at]=lt:{third}")
    assert [one["attributes"]["name"] for one in page.json()["data"]] == NAMES[:3]


async def test_words_and_booleans(client: Client, blasts: list[Engagement]) -> None:
    """Several filters must all fit."""
    assert await found(client, "/engagements", status="paused") == NAMES[1::2]
    assert await found(client, "/engagements", status="ne:paused") == NAMES[::2]
    assert await found(client, "/engagements", status="pending,paused", **{"is-archived": "true"}) == NAMES[1::2]
    assert await found(client, "/engagements", status="pending", **{"is-archived": "true"}) == []
    assert await found(client, "/engagements", status="pending", name="like:a%") == ["ann", "a_b", "a*b"]


async def test_ids(client: Client, blasts: list[Engagement]) -> None:
    """By the id itself, one or several, or all but some."""
    ids = [to_wire(each.id) for each in blasts]
    assert await found(client, "/engagements", id=ids[2]) == NAMES[2:3]
    assert await found(client, "/engagements", id=f"in:{ids[2]},{ids[0]},{to_wire(new_id())}") == ["Ann", "ann"]
    assert await found(client, "/engagements", id="~in:" + ",".join(ids[1:])) == ["Ann"]
    assert await found(client, "/engagements", id="") == []


@pytest.fixture
async def recipients(client: Client, store: SqliteStore, blasts: list[Engagement]) -> list[Envelope]:
    """Three envelopes of each of the first four engagements, in turn; each engagement has an activity of its name."""
    made = [
        Envelope(
            **common(client, number), engagement_id=blasts[number % 4].id, phone_number=f"+1202555010{number % 10}"
        )
        for number in range(12)
    ]
    number_id = client.account.phone_number_id
    async with store.writing() as tx:
        for each in made:
            await rows.insert(tx, each)
        for blast in blasts[:4]:
            activity = Activity(
                **common(client),
                engagement_id=blast.id,
                name=blast.name,
                kind="text",
                phone_number_id=number_id,
                text_template_id=new_id(),
            )
            await rows.insert(tx, activity)
    return made


async def ids_of(client: Client, address: str) -> list[Id | None]:
    """The ids of all pages of a list, walked by `next`."""
    ids, asked = list[Id | None](), f"{address}&page[limit]=2"
    for _ in range(100):
        answer = await client.get(asked)
        assert answer.status_code == 200, answer.text
        ids += [from_wire(one["id"]) for one in answer.json()["data"]]
        if answer.json()["links"]["next"] is None:
            return ids
        asked = answer.json()["links"]["next"].partition("/api/v1")[2]
    raise AssertionError("no end")


@pytest.mark.parametrize("paging", ["", "&page[after]="])
async def test_across_relationships_of_a_large_list(
    client: Client, recipients: list[Envelope], blasts: list[Engagement], paging: str
) -> None:
    """Several engagements, or those of some name: the same envelopes in the same order as if all were looked at."""
    first, second = (to_wire(each.id) for each in blasts[:2])
    mine = [each.id for each in recipients if each.engagement_id in (blasts[0].id, blasts[1].id)]
    assert await ids_of(client, f"/envelopes?filter[engagement.id]={first},{second}{paging}") == mine
    assert await ids_of(client, f"/envelopes?filter[engagement.name]=in:Ann,Bea{paging}") == mine
    assert await ids_of(client, f"/envelopes?filter[engagement.name]=Ann{paging}") == mine[::2]
    assert await ids_of(client, f"/envelopes?filter[engagement.name]=like:%25nn&sort=-id{paging}") == [
        each.id for each in reversed(recipients) if each.engagement_id in (blasts[0].id, blasts[2].id)
    ]
    assert await ids_of(client, f"/envelopes?filter[engagement.name]=nobody{paging}") == []
    both = f"filter[engagement.name]=in:Ann,Bea&filter[engagement.status]=paused{paging}"
    assert await ids_of(client, f"/envelopes?{both}") == mine[1::2]
    turned = f"filter[engagement.name]=in:Ann,Bea&filter[engagement.status]=~in:paused{paging}"
    assert await ids_of(client, f"/envelopes?{turned}") == mine[::2]


async def test_across_relationships(client: Client, recipients: list[Envelope], blasts: list[Engagement]) -> None:
    """Of resources that are few, turned round too."""
    number = client.account.phone_number
    assert await found(client, "/activities", **{"engagement.name": "Ann"}) == ["Ann"]
    assert await found(client, "/activities", **{"engagement.name": "ne:Ann"}) == ["Bea", "ann", "100%"]
    assert await found(client, "/activities", **{"engagement.id": "in:" + to_wire(blasts[1].id)}) == ["Bea"]
    assert await found(client, "/activities", **{"phone-number.phone-number": number}) == NAMES[:4]
    page = await client.get(f"/activities?filter[phone-number.phone-number]={number}&filter[engagement.name]=Bea")
    assert [one["attributes"]["name"] for one in page.json()["data"]] == ["Bea"]


async def test_within_an_engagement(client: Client, recipients: list[Envelope], blasts: list[Engagement]) -> None:
    """What changes too often to be indexed is offered within one engagement; the ledger counts what it knows."""
    within = f"/envelopes?filter[engagement.id]={to_wire(blasts[0].id)}"
    mine = [each for each in recipients if each.engagement_id == blasts[0].id]
    assert await ids_of(client, f"{within}&filter[phone-number]=+12025550104") == [mine[1].id]
    assert await ids_of(client, f"{within}&filter[phone-number]=like:%254") == [mine[1].id]
    assert await ids_of(client, f"{within}&filter[status]=ne:pending") == []
    assert await ids_of(client, f"{within}&filter[is-priority]=false") == [each.id for each in mine]
    since = quote(to_text(mine[1].created_at))
    assert await ids_of(client, f"{within}&filter[created-at]=gte:{since}") == [each.id for each in mine[1:]]
    assert await ids_of(client, f"{within}&filter[completed-at]=") == [each.id for each in mine]


async def test_totals_of_the_ledger(client: Client) -> None:
    """Envelopes are not counted: the ledger knows how many an engagement has, and has where."""
    engagement = await client.ready(3)
    within = f"/envelopes?filter[engagement.id]={engagement}&page[limit]=1"
    for query, total in (("", 3), ("&filter[status]=pending", 3), ("&filter[status]=hold", 0)):
        assert (await client.get(within + query)).json()["meta"] == {"total": total}
    await client.change(engagement, status="canceled")
    for query, total in (
        ("&filter[status]=incomplete", 3),
        ("&filter[reason]=canceled", 3),
        ("&filter[reason]=sent", 0),
    ):
        assert (await client.get(within + query)).json()["meta"] == {"total": total}
    both = "&filter[status]=incomplete&filter[reason]=canceled"
    assert (await client.get(within + both)).json()["meta"] == {"total": 3}


@pytest.mark.parametrize(
    ("path", "query", "says"),
    [
        ("engagements", "filter[name]=range:a", "range:LOW,HIGH"),
        ("engagements", "filter[status]=lost", "canceled, completed"),
        ("engagements", "filter[status]=like:p%25", "eq, in, ne"),
        ("engagements", "filter[is-archived]=1", "true"),
        ("engagements", "filter[created-at]=gte:2026-12-01T09:00:00", "offset"),
        ("engagements", "filter[created-at]=yesterday", "offset"),
        ("engagements", "filter[name]=like:a\\", "backslash"),
        ("engagements", "filter[name]=a%00", "NUL"),
        ("engagements", "filter[id]=x", "22 characters"),
        ("engagements", "filter[count-total]=1", "filter[name]"),
        ("engagements", "filter[activity.name]=a", "filter[name]"),
        ("activities", "filter[engagement.count-total]=1", "filter[engagement.name]"),
        ("activities", "filter[engagement]=x", "filter[engagement.id]"),
        ("envelopes", "filter[status]=pending", "filter[engagement.id]=eq:ID"),
        ("envelopes", "filter[engagement.name]=ne:Ann", "beside a filter"),
        ("texts", "filter[results.kind]=sent", "filter[engagement.id]"),
        ("phone-numbers", "filter[phone-number]=gt:1", "eq, ilike, in, like, ne"),
        ("envelopes", "sort=status", "created-at or id"),
        ("envelopes", "sort=engagement.name", "created-at or id"),
        ("engagements", "sort=count-total", "Use activity.created-at, activity.id, "),
        ("activities", "sort=engagement.status", "engagement.name"),
    ],
)
async def test_refused(client: Client, path: str, query: str, says: str) -> None:
    """400 that names the parameter and what is possible instead."""
    answer = await client.get(f"/{path}?{query}")
    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert error["source"] == {"parameter": query.partition("=")[0]}
    assert says in error["detail"]


async def test_too_broad_a_way(client: Client, store: SqliteStore, clock: StandingClock) -> None:
    """A large list is not looked through for what half the account leads to."""
    async with store.writing() as tx:
        for number in range(129):
            await rows.insert(tx, Engagement(**common(client, number), name="same"))
    answer = await client.get("/envelopes?filter[engagement.name]=same")
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, 111)
    assert "128" in answer.json()["errors"][0]["detail"]


async def test_foreign_records_are_not_found(client: Client, other: Client, store: SqliteStore) -> None:
    """Neither by filters nor on the way of one."""
    ids = await one_of_each(client, store)
    assert (await other.get(f"/envelopes?filter[id]={ids['envelopes']}")).json()["data"] == []
    assert (await other.get("/envelopes?filter[engagement.name]=like:%25")).json()["data"] == []
    assert (await client.get("/envelopes?filter[engagement.name]=like:%25")).json()["meta"]["total"] == 1


async def test_texts_without_an_engagement(client: Client, store: SqliteStore) -> None:
    """No value is a value to filter by: texts that belong to no blast, by their recipient."""
    ids = await one_of_each(client, store)
    alone = "/texts?filter[engagement.id]="
    for query, expected in (
        (alone, [ids["texts"]]),
        (f"{alone}&filter[to]=%2B12025550123", [ids["texts"]]),
        (f"{alone}&filter[to]=%2B12025550124", []),
        ("/texts?filter[engagement.id]=&filter[status]=in-doubt", [ids["texts"]]),
    ):
        assert [one["id"] for one in (await client.get(query)).json()["data"]] == expected
