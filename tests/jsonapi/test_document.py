"""Answer documents: compact, in declared order, one newline."""

import msgspec

from opengage.jsonapi import document
from opengage.jsonapi.document import Answer


class Attributes(msgspec.Struct):
    """Two members whose order shows."""

    b: int
    a: str | None


ANSWER = Answer("things", "7", Attributes(1, None), {"owner": document.to_one("people", "x")})
RESOURCE = (
    '{"type":"things","id":"7","attributes":{"b":1,"a":null},'
    '"relationships":{"owner":{"data":{"type":"people","id":"x"}}}}'
)


def test_one() -> None:
    """`data` first; `included` only on request, empty or not; null where there is nothing."""
    assert document.one(ANSWER).decode() == f'{{"data":{RESOURCE}}}\n'
    assert document.one(ANSWER, included=()).decode() == f'{{"data":{RESOURCE},"included":[]}}\n'
    assert document.one(ANSWER, included=[ANSWER]).decode() == f'{{"data":{RESOURCE},"included":[{RESOURCE}]}}\n'
    assert document.one(None).decode() == '{"data":null}\n'


def test_many() -> None:
    """Resources that are encoded already, in the order given."""
    body = document.many([document.resource(ANSWER), document.resource(ANSWER)])
    assert body.decode() == f'{{"data":[{RESOURCE},{RESOURCE}]}}\n'


def test_listing() -> None:
    """A list says how many there are in all."""
    body = document.listing(document.Listing([ANSWER], msgspec.UNSET, {"next": None}, {"total": 9}))
    assert body.decode() == f'{{"data":[{RESOURCE}],"links":{{"next":null}},"meta":{{"total":9}}}}\n'


def test_relationships() -> None:
    """To-one has data, never links; an address comes before linkage."""
    encode = msgspec.json.encode
    assert encode(document.NOTHING) == b'{"data":null}'
    assert encode(document.NONE_OF_THEM) == b'{"data":[]}'
    assert encode(document.linked("/x")) == b'{"links":{"related":"/x"}}'
    assert encode(document.LinkedMany(document.Related("/x"))) == b'{"links":{"related":"/x"},"data":[]}'


def test_errors() -> None:
    """Members that say nothing are left out; a count comes only when not all are shown."""
    error = document.Error("400", 100, "t", "d")
    assert document.errors([error], 1) == b'{"errors":[{"status":"400","code":100,"title":"t","detail":"d"}]}\n'
    assert msgspec.json.decode(document.errors([error], 7))["meta"] == {"total": 7, "shown": 1}
