"""Request documents: typed resources out of bytes, and every fault with its place."""

import contextlib
from typing import Annotated

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opengage.jsonapi.faults import DocumentError, FaultKind
from opengage.jsonapi.request import MOST_FAULTS, Identifier, NoRelationships, Reader, ToOne, split


class Attributes(msgspec.Struct, rename="kebab"):
    """Some attributes of every sort."""

    phone_number: str
    meta: dict[str, str | int | float | bool] | None = None
    size: Annotated[int, msgspec.Meta(ge=1)] | msgspec.UnsetType = msgspec.UNSET


class Relationships(msgspec.Struct):
    """One that is required and one that is not."""

    owner: ToOne
    other: ToOne | None = None


READER = Reader("things", Attributes, Relationships)
GOOD = {
    "type": "things",
    "attributes": {"phone-number": "+1", "unknown": [1]},
    "relationships": {"owner": {"data": {"type": "people", "id": "7"}}, "uploads": {"data": []}},
}


def faults(body: bytes) -> list[tuple[FaultKind, str | None]]:
    """What is wrong with a body, and where."""
    with pytest.raises(DocumentError) as caught:
        READER.one(body)
    assert all(fault.detail for fault in caught.value.faults)
    return [(fault.kind, fault.pointer) for fault in caught.value.faults]


def test_a_good_document() -> None:
    """Known members are typed; unknown ones, `included` and a byte order mark are ignored."""
    body = b"\xef\xbb\xbf" + msgspec.json.encode({"data": GOOD, "included": [{"type": "x"}]})
    resource = READER.one(body)
    assert resource.attributes.phone_number == "+1"
    assert resource.relationships.owner == ToOne(Identifier("people", "7"))
    assert resource.relationships.other is None


def test_every_fault_of_a_resource_is_told() -> None:
    """Not just the first one that the decoder meets."""
    bad = GOOD | {
        "attributes": {"phone-number": 1, "meta": {"a/b": {}, "c": None}, "size": 0},
        "relationships": {"owner": {"data": []}, "other": 3},
    }
    assert faults(msgspec.json.encode({"data": bad})) == [
        (FaultKind.WRONG_TYPE, "/data/attributes/phone-number"),
        (FaultKind.WRONG_TYPE, "/data/attributes/meta/a~1b"),
        (FaultKind.WRONG_TYPE, "/data/attributes/meta/c"),
        (FaultKind.WRONG_TYPE, "/data/attributes/size"),
        (FaultKind.WRONG_TYPE, "/data/relationships/owner/data"),
        (FaultKind.WRONG_TYPE, "/data/relationships/other"),
    ]


def test_missing_members_are_named_one_by_one() -> None:
    """Also when what holds them is missing."""
    assert faults(b'{"data":{"type":"things"}}') == [
        (FaultKind.REQUIRED, "/data/attributes/phone-number"),
        (FaultKind.REQUIRED, "/data/relationships/owner"),
    ]


@pytest.mark.parametrize(
    ("body", "kind", "pointer"),
    [
        (b"", FaultKind.MALFORMED, None),
        (b"  ", FaultKind.MALFORMED, None),
        (b"{", FaultKind.MALFORMED, None),
        (b"[]", FaultKind.WRONG_TYPE, ""),
        (b"{}", FaultKind.REQUIRED, ""),
        (b'{"data":null}', FaultKind.WRONG_TYPE, "/data"),
        (b'{"data":[]}', FaultKind.WRONG_TYPE, "/data"),
        (b'{"data":7}', FaultKind.WRONG_TYPE, "/data"),
        (b'{"data":{}} trailing', FaultKind.MALFORMED, None),
        (b'{"data":{"type":"\xff"}}', FaultKind.MALFORMED, None),
        (b'{"data":{"type":"a\\u0000"}}', FaultKind.MALFORMED, None),
        (b'{"data":' + b"[" * 100_000, FaultKind.MALFORMED, None),
    ],
)
def test_no_document(body: bytes, kind: FaultKind, pointer: str | None) -> None:
    """What is no document at all is said once."""
    assert faults(body) == [(kind, pointer)]


def test_an_escaped_backslash_before_u0000_is_text() -> None:
    """Only the NUL character is refused, not the six characters that spell it."""
    body = msgspec.json.encode({"data": GOOD | {"attributes": {"phone-number": "\\u0000"}}})
    assert READER.one(body).attributes.phone_number == "\\u0000"


def test_half_of_a_surrogate_pair_is_named() -> None:
    """It is no character, and the body is not cut short, whatever the decoder says; both halves are one character."""
    with pytest.raises(DocumentError) as caught:
        split(b'{"data": {"type": "things", "id": "\\ud83d!"}}')
    (fault,) = caught.value.faults
    assert fault.kind is FaultKind.MALFORMED
    assert fault.detail.startswith("“\\ud83d” is half of a surrogate pair")
    assert b"ud83d" in bytes(split(b'{"data": {"id": "\\ud83d\\ude00"}}'))  # type: ignore[arg-type]


def test_type_and_id_must_fit_the_address() -> None:
    """A wrong type is a conflict whatever else is wrong; ids are given by the server."""
    assert faults(b'{"data":{"type":"others"}}') == [(FaultKind.CONFLICT, "/data/type")]
    assert faults(msgspec.json.encode({"data": GOOD | {"type": "others"}})) == [(FaultKind.CONFLICT, "/data/type")]
    assert faults(msgspec.json.encode({"data": GOOD | {"id": "x"}})) == [(FaultKind.CLIENT_ID, "/data/id")]


def test_an_update_may_repeat_its_id_or_leave_it_out() -> None:
    """But not name another one (wire contract 2.3)."""
    body = msgspec.json.encode({"data": GOOD | {"id": "x"}})
    assert READER.one(body, addressed="x").id == "x"
    assert READER.one(msgspec.json.encode({"data": GOOD}), addressed="x").id is None
    with pytest.raises(DocumentError) as caught:
        READER.one(body, addressed="y")
    assert caught.value.faults[0].kind is FaultKind.CONFLICT


def test_duplicate_members_count_once() -> None:
    """The last one counts, as in every common parser."""
    body = b'{"data":{"type":"x","type":"plain","attributes":{"phone-number":"+1","phone-number":"+2"}}}'
    assert Reader("plain", Attributes, NoRelationships).one(body).attributes.phone_number == "+2"


def test_split_keeps_items_raw() -> None:
    """An array is cut into its items, each to be decoded by itself."""
    items = split(b'{"data":[ {"a": 1}, 2 ]}')
    assert isinstance(items, list)
    assert [bytes(item) for item in items] == [b'{"a": 1}', b"2"]


@given(st.binary() | st.text().map(str.encode))
def test_whatever_comes_is_read_or_refused(body: bytes) -> None:
    """No bytes make anything but a resource or a DocumentError."""
    for wrapped in (body, b'{"data":{"type":"things","attributes":' + body + b"}}"):
        with contextlib.suppress(DocumentError):
            assert READER.one(wrapped).type == "things"


def test_a_resource_with_countless_faults_is_told_a_hundred() -> None:
    """Whoever sends a million wrong members does not cost a million explanations."""
    meta = {f"m{number}": None for number in range(MOST_FAULTS * 2)}
    found = faults(msgspec.json.encode({"data": GOOD | {"attributes": {"phone-number": "+1", "meta": meta}}}))
    assert found == [(FaultKind.WRONG_TYPE, f"/data/attributes/meta/m{number}") for number in range(MOST_FAULTS)]
