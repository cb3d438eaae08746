"""Lists as clients ask for them, against the same asks answered in Python."""

import fnmatch
import operator
import re
from collections.abc import Sequence
from itertools import pairwise, product
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from opengage.clock import Instant
from opengage.domain.records import Activity, Engagement, Envelope, PhoneNumber
from opengage.domain.states import EngagementStatus
from opengage.ids import Id
from opengage.store import lists, rows, tables
from opengage.store.asks import Among, Ask, Compare, Condition, Hop, Order
from opengage.store.contract import Store, Transaction
from store.samples import ACCOUNT, AUTHOR, NOW, OTHER_ACCOUNT, id_of

NAMES = ["b", "A", "a", "a%", "a_c", "a[c", "a*c", "a?c", "a", "Éa", "x\\y", "b"]


def engagement(place: int, name: str, account: int = ACCOUNT) -> Engagement:
    """The engagement of this place; every third has never been scheduled."""
    return Engagement(
        account_id=account,
        id=id_of(place),
        created_at=NOW,
        updated_at=NOW,
        created_by=AUTHOR,
        updated_by=AUTHOR,
        name=name,
        status=EngagementStatus.PAUSED if place % 2 else EngagementStatus.PENDING,
        is_archived=place % 4 == 0,
        scheduled_at=Instant(NOW + place) if place % 3 else None,
    )


def envelope(place: int, engagement_id: Id, account: int = ACCOUNT) -> Envelope:
    """An envelope of an engagement."""
    return Envelope(
        account_id=account,
        id=id_of(1000 + place),
        created_at=NOW,
        updated_at=NOW,
        created_by=AUTHOR,
        updated_by=AUTHOR,
        engagement_id=engagement_id,
        phone_number=f"+44770090{place:04d}",
    )


BLASTS = [engagement(place, name) for place, name in enumerate(NAMES, 1)]
ENVELOPES = [envelope(place, BLASTS[place % len(BLASTS)].id) for place in range(36)]


@pytest.fixture
async def filled(store: Store) -> Store:
    """Both accounts have engagements and envelopes of the same ids."""
    async with store.writing() as tx:
        for each in (*BLASTS, *ENVELOPES):
            await rows.insert(tx, each)
        await rows.insert(tx, engagement(1, "a", OTHER_ACCOUNT))
        await rows.insert(tx, envelope(1, id_of(1), OTHER_ACCOUNT))
    return store


async def walked(tx: Transaction, record: Any, ask: Ask, *, by_cursor: bool) -> list[Any]:
    """All pages of an ask, one after the other."""
    found = list[Any]()
    for _ in range(100):
        page = await lists.page(tx, record, ACCOUNT, ask)
        found += page.records
        if not page.more:
            return found
        assert len(page.records) == ask.limit
        after, offset = (page.last, 0) if by_cursor else (None, ask.offset + ask.limit)
        ask = msgspec.structs.replace(ask, offset=offset, after=after)
    raise AssertionError("no end")


def like(value: str, pattern: str) -> bool:
    """LIKE in Python, for patterns without escapes."""
    shell = re.sub(r"[\[*?]", lambda sign: f"[{sign[0]}]", pattern).replace("%", "*").replace("_", "?")
    return fnmatch.fnmatchcase(value, shell)


def fits(condition: Condition, record: Any) -> bool:
    """Whether a record fits a condition without hops."""
    value = getattr(record, condition.column)
    plain = getattr(value, "value", value)
    return _compared(condition.compare, plain, condition.values) is not condition.negated


def _compared(compare: Compare, value: Any, values: Sequence[Any]) -> bool:
    if compare is Compare.EQ:
        return value in values
    if value is None:
        return False
    if compare is Compare.RANGE:
        return bool(values[0] <= value <= values[1])
    return any(_each(compare, value, one) for one in values)


def _each(compare: Compare, value: Any, one: Any) -> bool:
    if compare is Compare.LIKE:
        return like(value, one)
    return like(value.lower(), one.lower()) if compare is Compare.ILIKE else bool(_ORDERED[compare](value, one))


_ORDERED = {Compare.GT: operator.gt, Compare.GTE: operator.ge, Compare.LT: operator.lt, Compare.LTE: operator.le}


CONDITIONS = [
    *(Condition("name", values, Compare.EQ) for values in (("a",), ("a", "b"), ("a", "b", "A"), ("nobody",))),
    *(Condition("name", (pattern,), Compare.LIKE) for pattern in ("a%", "a_c", "%a", "a[c", "a*c", "a?c", "x\\\\y")),
    Condition("name", ("a%", "b%"), Compare.LIKE),
    Condition("name", ("A%",), Compare.ILIKE),
    *(
        Condition("scheduled_at", (NOW + 5,), compare)
        for compare in (Compare.EQ, Compare.GT, Compare.GTE, Compare.LT, Compare.LTE)
    ),
    Condition("scheduled_at", (NOW + 2, NOW + 7), Compare.RANGE),
    Condition("scheduled_at", (None,)),
    Condition("scheduled_at", (None, NOW + 1)),
    Condition("is_archived", (True,)),
    Condition("status", ("paused",)),
    Condition("id", (id_of(3), id_of(7), id_of(99))),
]


@pytest.mark.parametrize("negated", [False, True])
async def test_conditions(filled: Store, negated: bool) -> None:
    """Each finds what fits, and turned round everything else, of this account alone; the count is the same."""
    async with filled.reading() as tx:
        for plain in CONDITIONS:
            asked = Condition(plain.column, plain.values, plain.compare, negated)
            told = Condition(plain.column, tuple(_unescaped(value) for value in plain.values), plain.compare, negated)
            expected = [one for one in BLASTS if fits(told, one)]
            page = await lists.page(tx, Engagement, ACCOUNT, Ask(100, conditions=(asked,)))
            assert page.records == expected, asked
            assert not page.more
            assert await lists.count(tx, Engagement, ACCOUNT, [asked]) == len(expected)


def _unescaped(value: Any) -> Any:
    return value.replace("\\\\", "\\") if isinstance(value, str) else value


async def test_escaped_patterns(filled: Store) -> None:
    """A backslash takes the next sign literally."""
    async with filled.reading() as tx:
        for pattern, expected in (("a\\%", "a%"), ("a\\_c", "a_c"), ("x\\\\_", "x\\y")):
            for compare in (Compare.LIKE, Compare.ILIKE):
                page = await lists.page(
                    tx, Engagement, ACCOUNT, Ask(9, conditions=(Condition("name", (pattern,), compare),))
                )
                assert [one.name for one in page.records] == [expected]


async def test_several_conditions(filled: Store) -> None:
    """All of them must fit."""
    both = (CONDITIONS[1], Condition("is_archived", (True,)))
    async with filled.reading() as tx:
        page = await lists.page(tx, Engagement, ACCOUNT, Ask(100, conditions=both))
    assert page.records == [one for one in BLASTS if all(fits(each, one) for each in both)]


ORDERS = [
    (),
    (Order("id", descending=True),),
    (Order("name"),),
    (Order("name", descending=True),),
    (Order("is_archived"), Order("name")),
    (Order("is_archived", descending=True), Order("name")),
    (Order("status"), Order("id", descending=True)),
]


@pytest.mark.parametrize(("order", "by_cursor"), list(product(ORDERS, [False, True])))
async def test_orders(filled: Store, order: tuple[Order, ...], by_cursor: bool) -> None:
    """Pages of either kind meet everything once; equals stand by their ids, in the direction of the last key."""
    async with filled.reading() as tx:
        found = await walked(tx, Engagement, Ask(5, order=order), by_cursor=by_cursor)
        whole = await lists.page(tx, Engagement, ACCOUNT, Ask(100, order=order))
    assert found == whole.records
    assert {one.id for one in found} == {one.id for one in BLASTS}
    for before, after in pairwise(found):
        keys = Ask(1, order=order).keys
        first = next((key for key in keys if getattr(before, key.column) != getattr(after, key.column)), keys[-1])
        if first.column == "id":
            assert (before.id > after.id) is first.descending


async def test_order_across_a_relationship(store: Store) -> None:
    """What leads nowhere comes first, and last turned round."""
    common: dict[str, Any] = {"account_id": ACCOUNT, "created_at": NOW, "updated_at": NOW}
    number = PhoneNumber(**common, id=id_of(50), phone_number="+12025550100", service_profile_id=id_of(60))
    authors: dict[str, Any] = {"created_by": AUTHOR, "updated_by": AUTHOR, "text_template_id": id_of(70)}
    activities = [
        Activity(
            **common,
            **authors,
            id=id_of(100 + place),
            engagement_id=id_of(place),
            name="n",
            kind="text",
            phone_number_id=id_of(50),
        )
        for place in (1, 2, 3, 99)
    ]
    async with store.writing() as tx:
        for each in (number, *BLASTS[:3], *activities):
            await rows.insert(tx, each)
    by_name = Order("name", hops=(Hop("engagement_id", Engagement),))
    by_time = Order("created_at", hops=(Hop("engagement_id", Engagement),))
    async with store.reading() as tx:
        by_id = Order("id", hops=by_name.hops)
        for order in (by_name, by_time, by_id, Order("name", descending=True, hops=by_name.hops)):
            for by_cursor in (False, True):
                found = await walked(tx, Activity, Ask(1, order=(order,)), by_cursor=by_cursor)
                assert len(found) == 4
                assert found[-1 if order.descending else 0].id == id_of(199)


@pytest.mark.parametrize("by_cursor", [False, True])
@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("limit", [1, 4, 50])
async def test_several_values_in_a_large_list(filled: Store, by_cursor: bool, descending: bool, limit: int) -> None:
    """Walked value by value and merged: the same as if all were looked at."""
    values = tuple(one.id for one in BLASTS[:5])
    among, rest = Condition("engagement_id", values), Condition("phone_number", ("%1%",), Compare.LIKE)
    order = (Order("id", descending),)
    expected = [one for one in ENVELOPES if one.engagement_id in values and "1" in one.phone_number]
    async with filled.reading() as tx:
        ask = Ask(limit, conditions=(rest, among), order=order, is_large=True)
        found = await walked(tx, Envelope, ask, by_cursor=by_cursor)
    assert found == (expected[::-1] if descending else expected)


async def test_what_conditions_lead_to(filled: Store) -> None:
    """Looked up first where a list is large; in place where it is not; nothing leads to nothing."""
    hop = Hop("engagement_id", Engagement)
    named = Condition("name", ("a",), hops=(hop,))
    expected = [one for one in ENVELOPES if BLASTS[int.from_bytes(one.engagement_id, "big") - 1].name == "a"]
    async with filled.reading() as tx:
        plain = Ask(100, conditions=(named,))
        large = await lists.resolved(tx, ACCOUNT, Ask(100, conditions=(named,), is_large=True))
        assert large.conditions == (Condition("engagement_id", (id_of(3), id_of(9))),)
        for ask in (plain, large):
            assert (await lists.page(tx, Envelope, ACCOUNT, ask)).records == expected
        turned = Ask(100, conditions=(Condition("name", ("a",), negated=True, hops=(hop,)),))
        assert (await lists.page(tx, Envelope, ACCOUNT, turned)).records == [
            one for one in ENVELOPES if one not in expected
        ]
        nobody = Ask(100, conditions=(Condition("name", ("z",), hops=(hop,)),), is_large=True)
        assert (await lists.page(tx, Envelope, ACCOUNT, await lists.resolved(tx, ACCOUNT, nobody))).records == []
        back = Condition("phone_number", ("%0001",), Compare.LIKE, hops=(Hop("id", Envelope, "engagement_id"),))
        found = await lists.page(tx, Engagement, ACCOUNT, Ask(100, conditions=(back,)))
        assert found.records == [BLASTS[1]]


async def test_too_broad(filled: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever leads to too many is told, not looked through."""
    monkeypatch.setattr(lists, "REACHED", 3)
    ask = Ask(9, conditions=(Condition("name", ("a%",), Compare.LIKE, hops=(Hop("engagement_id", Engagement),)),))
    async with filled.reading() as tx:
        with pytest.raises(lists.TooBroad):
            await lists.resolved(tx, ACCOUNT, ask)


async def test_counts_end(filled: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Past a limit nobody counts."""
    async with filled.reading() as tx:
        assert await lists.count(tx, Envelope, ACCOUNT, ()) == 36
        monkeypatch.setattr(lists, "COUNTED", 36)
        assert await lists.count(tx, Envelope, ACCOUNT, ()) == 36
        monkeypatch.setattr(lists, "COUNTED", 35)
        assert await lists.count(tx, Envelope, ACCOUNT, ()) is None


async def test_led_back(filled: Store) -> None:
    """All records that lead back to any of many ids, and fit."""
    ids = [one.id for one in BLASTS[:3]]
    async with filled.reading() as tx:
        found = await lists.led_back(tx, Envelope, ACCOUNT, "engagement_id", ids, ())
        assert found == [one for one in ENVELOPES if one.engagement_id in ids]
        assert await lists.led_back(tx, Envelope, ACCOUNT, "engagement_id", [], ()) == []
        few = await lists.led_back(tx, Envelope, ACCOUNT, "engagement_id", ids, [Condition("id", (found[0].id,))])
        assert few == found[:1]


@pytest.mark.parametrize("by_cursor", [False, True])
async def test_what_pairs_join(store: Store, by_cursor: bool) -> None:
    """The numbers of an engagement, by the table of pairs; in either direction, filtered, sorted, counted."""
    common: dict[str, Any] = {"created_at": NOW, "updated_at": NOW, "service_profile_id": id_of(60)}
    numbers = [
        PhoneNumber(**common, account_id=ACCOUNT, id=id_of(50 + place), phone_number=f"+1202555010{9 - place}")
        for place in range(6)
    ]
    foreign = PhoneNumber(**common, account_id=OTHER_ACCOUNT, id=id_of(50), phone_number="+12025550100")
    pair = sa.insert(tables.engagement_numbers).values(
        {name: sa.bindparam(name) for name in ("account_id", "engagement_id", "phone_number_id", "position")}
    )
    async with store.writing() as tx:
        for each in (*numbers, foreign):
            await rows.insert(tx, each)
        for account, engagement_id, number in (
            *((ACCOUNT, id_of(1), each) for each in numbers[:4]),
            (ACCOUNT, id_of(2), numbers[5]),
            (OTHER_ACCOUNT, id_of(1), foreign),
        ):
            values: dict[str, Any] = {"account_id": account, "engagement_id": engagement_id, "position": 0}
            await tx.run(pair, phone_number_id=number.id, **values)
    among = Among("engagement_numbers", "engagement_id", "phone_number_id", id_of(1))
    some = (Condition("phone_number", ("%8", "%7"), Compare.LIKE),)
    async with store.reading() as tx:
        for large in (False, True):
            ask = Ask(3, among=among, is_large=large)
            assert await walked(tx, PhoneNumber, ask, by_cursor=by_cursor) == numbers[:4]
            ask = Ask(1, among=among, conditions=some, order=(Order("id", descending=True),), is_large=large)
            assert await walked(tx, PhoneNumber, ask, by_cursor=by_cursor) == [numbers[2], numbers[1]]
        ask = Ask(3, among=among, order=(Order("phone_number"),))
        assert await walked(tx, PhoneNumber, ask, by_cursor=by_cursor) == numbers[3::-1]
        assert await lists.count(tx, PhoneNumber, ACCOUNT, (), among) == 4
        assert await lists.count(tx, PhoneNumber, ACCOUNT, some, among) == 2
