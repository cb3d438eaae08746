"""The client against a stand-in for the API: what it sends, byte by byte, and what it makes of the answers."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from opengage.client import ApiError, Call, Client, Ledger, Recipient

URL = "http://api.example:8080/api/v1"
BULK = "application/vnd.api+json; ext=bulk"
Handler = Callable[[httpx.Request], httpx.Response]


def client(handler: Handler, **more: Any) -> Client:
    """A client whose requests all go to a function."""
    return Client(URL, "firstbank", "k", "s", transport=httpx.MockTransport(handler), **more)


def answering(*documents: Any, status: int = 200) -> tuple[list[httpx.Request], Handler]:
    """A server that answers these documents in order, and the requests that it got."""
    seen: list[httpx.Request] = []
    ahead = list(documents)

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(status, content=json.dumps(ahead.pop(0)).encode())

    return seen, handler


def one(kind: str, **attributes: Any) -> dict[str, Any]:
    """A document of one resource."""
    return {"data": {"type": kind, "id": "ID", "attributes": attributes}}


def body(request: httpx.Request) -> Any:
    """The primary data of a request."""
    return json.loads(request.content)["data"]


def test_plain_calls_carry_the_guides_headers_and_no_others() -> None:
    """No Content-Type, no Accept: who calls, for which account, and how long the body is."""
    seen, handler = answering(one("text-templates"))
    client(handler).create_text_template("T", "Hello")
    assert dict(seen[0].headers) == {
        "host": "api.example:8080",
        "x-account-key": "firstbank",
        "authorization": "Basic azpz",
        "content-length": str(len(seen[0].content)),
    }


def test_bulk_calls_name_their_media_type_twice() -> None:
    """Content-Type and Accept, as the guide has them."""
    seen, handler = answering({"data": [one("envelopes")["data"]]}, status=201)
    made = client(handler).create_envelopes("E", [Recipient("+12025550143", {"first-name": "Zoë"})])
    assert (seen[0].headers["content-type"], seen[0].headers["accept"]) == (BULK, BULK)
    assert body(seen[0]) == [
        {
            "type": "envelopes",
            "attributes": {"phone-number": "+12025550143", "meta": {"first-name": "Zoë"}},
            "relationships": {"engagement": {"data": {"type": "engagements", "id": "E"}}},
        }
    ]
    assert [envelope.id for envelope in made] == ["ID"]


def test_bodies_are_the_guides() -> None:
    """Template, engagement, activity and the PATCH say what the guide's calls say."""
    seen, handler = answering(one("text-templates"), one("engagements"), one("activities"), one("engagements"))
    api = client(handler)
    api.create_text_template("T", "Hello {{first-name}}")
    api.create_engagement("E")
    api.create_activity("A", "E1", "T1", "P1")
    api.schedule("E1")
    assert [(request.method, request.url.path) for request in seen] == [
        ("POST", "/api/v1/text-templates"),
        ("POST", "/api/v1/engagements"),
        ("POST", "/api/v1/activities"),
        ("PATCH", "/api/v1/engagements/E1"),
    ]
    assert body(seen[0]) == {"type": "text-templates", "attributes": {"name": "T", "body": "Hello {{first-name}}"}}
    assert body(seen[1]) == {"type": "engagements", "attributes": {"name": "E", "direction": "outbound"}}
    assert {name: link["data"]["id"] for name, link in body(seen[2])["relationships"].items()} == {
        "engagement": "E1",
        "text-template": "T1",
        "phone-number": "P1",
    }
    attributes = {"status": "scheduled", "delivery-type": "immediately"}
    assert body(seen[3]) == {"id": "E1", "type": "engagements", "attributes": attributes}


def test_relationships_are_read() -> None:
    """A to-one is told, null and absent ones are None, and other kinds do not get in the way."""
    links = {
        "activity": {"data": {"type": "activities", "id": "A"}},
        "contact": {"data": None},
        "reviews": {"links": {"related": "x"}},
        "lists": {"data": []},
    }
    document = {"data": {**one("engagements")["data"], "relationships": links}, "included": []}
    found = client(answering(document)[1]).get("engagements", "ID")
    activity = found.related("activity")
    assert activity is not None
    assert activity.id == "A"
    assert [found.related(name) for name in ("contact", "reviews", "lists", "nothing")] == [None] * 4


def test_the_ledger_knows_whether_it_balances() -> None:
    """The sums of statuses and of reasons both count."""
    good = {"total": 5, "pending": 1, "processing": 0, "hold": 1, "complete": 2, "incomplete": 1}
    reasons = {"in-doubt": 1, "delivered": 2, "duplicate": 1}
    ledger = client(answering(one("ledgers", **good, reasons=reasons))[1]).ledger("E")
    assert ledger == Ledger(**good, reasons=reasons)
    assert (ledger.open, ledger.is_balanced) == (2, True)
    assert not Ledger(**{**good, "total": 6}, reasons=reasons).is_balanced
    assert not Ledger(**good, reasons={"delivered": 2}).is_balanced


def test_lists_are_walked_page_by_page() -> None:
    """It asks until it has as many as the list says there are."""
    pages = [{"data": [one("texts")["data"]] * count, "meta": {"total": 3}} for count in (2, 1)]
    seen, handler = answering(*pages)
    assert len(list(client(handler).iterate("texts", {"engagement.id": "E"}, page=2))) == 3
    asked = [dict(request.url.params) for request in seen]
    assert asked == [
        {"filter[engagement.id]": "E", "page[limit]": "2", "page[offset]": offset} for offset in ("0", "2")
    ]


def test_a_list_that_shrinks_ends() -> None:
    """A page without anybody is the last, whatever the total says."""
    pages = [{"data": [one("texts")["data"]], "meta": {"total": 3}}, {"data": [], "meta": {"total": 3}}]
    assert len(list(client(answering(*pages)[1]).iterate("texts"))) == 1


def test_a_refusal_carries_the_apis_errors() -> None:
    """Status, codes, pointers and details arrive; those beyond the shown ones are counted."""
    errors = [
        {
            "status": "400",
            "code": 105,
            "title": "A phone number is not valid",
            "detail": "Too short: check its digits.",
            "source": {"pointer": f"/data/{number}/attributes/phone-number"},
        }
        for number in range(2)
    ]
    handler = answering({"errors": errors, "meta": {"total": 150, "shown": 2}}, status=400)[1]
    with pytest.raises(ApiError) as caught:
        client(handler).create_envelopes("E", [Recipient("+1")])
    refusal = caught.value
    assert (refusal.status, refusal.total, [error.code for error in refusal.errors]) == (400, 150, [105, 105])
    assert refusal.errors[1].pointer == "/data/1/attributes/phone-number"
    assert str(refusal) == "400: /data/0/attributes/phone-number: Too short: check its digits. (and 149 more)"


@pytest.mark.parametrize(("status", "content"), [(502, b"<html>"), (200, b"<html>"), (400, b'{"errors": []}')])
def test_what_is_no_document_of_ours_is_told(status: int, content: bytes) -> None:
    """A proxy's page, or another server on that port, is no crash."""
    with pytest.raises(ApiError, match="no JSON:API document") as caught:
        client(lambda _: httpx.Response(status, content=content)).get("engagements", "E")
    assert caught.value.status == status


def test_no_answer_is_told() -> None:
    """Nobody listens: status 0, and the address to check."""

    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    with pytest.raises(ApiError, match=r"no answer: The API at http://api\.example.*does not answer") as caught:
        client(refuse).ledger("E")
    assert caught.value.status == 0
    assert "azpz" not in repr(caught.value)


def test_calls_can_be_watched() -> None:
    """Each answered request is told with its place, status and time; refused ones too."""
    calls: list[Call] = []
    handler = answering({"errors": [{"detail": "no"}]}, status=404)[1]
    with pytest.raises(ApiError):
        client(handler, on_call=calls.append).get("engagements", "E")
    assert [(call.method, call.path, call.status) for call in calls] == [("GET", "/engagements/E", 404)]
    assert 0 <= calls[0].seconds < 30
