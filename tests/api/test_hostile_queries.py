"""Queries put together at random: each is answered or refused, and none makes the server fail."""

import random
from urllib.parse import quote

import pytest

from api_client import Client
from api_samples import one_of_each
from opengage.api.resources.registry import RESOURCES
from opengage.jsonapi.query_filters import Operator
from opengage.store.sqlite import SqliteStore

PIECES = [
    "",
    "a",
    "true",
    "pending",
    "+12025550123",
    " 12025550123",
    "2026-12-01T09:00:00+00:00",
    "2026-12-01T09:00:00 00:00",
    "0001-01-01T00:00:00Z",
    "9" * 30,
    "-9223372036854775808",
    "1e400",
    "nan",
    "٣",
    "\\",
    "\\\\",
    "%",
    "_",
    "[",
    "*",
    "'",
    '"',
    ";--",
    ",",
    ":",
    "~",
    "\x00",
    "\x01",
    "\ud800",
    "é",
    "𝄞",
    "a" * 3000,
]
PATHS = [
    "id",
    "engagement.id",
    "name",
    "status",
    "created-at",
    "engagement.name",
    "phone-number",
    "to",
    "x",
    "",
    "a.b.c",
]


def value(rng: random.Random, ids: list[str]) -> str:
    """The value of a filter: an operator or none, and some values."""
    operator = rng.choice(["", *(f"{sign}{one}:" for one in Operator for sign in ("", "~"))])
    return operator + ",".join(rng.choice([*PIECES, *ids]) for _ in range(rng.randint(1, 4)))


def query(rng: random.Random, ids: list[str]) -> str:
    """Some parameters."""
    made = []
    for _ in range(rng.randint(1, 4)):
        kind = rng.choice(["filter", "filter", "filter", "sort", "include", "fields", "page"])
        path = ".".join(rng.sample(PATHS, rng.randint(1, 2)))
        if kind == "filter":
            made.append((f"filter[{rng.choice([*PATHS, path])}]", value(rng, ids)))
        elif kind == "page":
            name = rng.choice(["limit", "offset", "number", "after", "x"])
            made.append((f"page[{name}]", rng.choice([*PIECES, "1", "2"])))
        elif kind == "fields":
            made.append((f"fields[{rng.choice(['texts', 'envelopes', 'x', ''])}]", rng.choice([*PIECES, "to", "name"])))
        else:
            made.append(
                (kind, ",".join(rng.sample(["-", "+id", "-created-at", path, "engagement", "text.results"], 2)))
            )
    return "&".join(f"{quote(name)}={quote(text.encode(errors='surrogatepass'))}" for name, text in made)


@pytest.mark.parametrize("seed", range(4))
async def test_hostile_queries(client: Client, store: SqliteStore, seed: int) -> None:
    """200 with a document, or 400 that names a parameter."""
    ids = await one_of_each(client, store)
    rng, statuses = random.Random(seed), set[int]()
    for _ in range(150):
        asked = query(rng, list(ids.values()))
        kind = rng.choice(RESOURCES).type
        path = rng.choice([f"/{kind}", f"/{kind}", f"/{kind}/{ids[kind]}", f"/texts/{ids['texts']}/results"])
        answer = await client.get(f"{path}?{asked}")
        statuses.add(answer.status_code)
        assert answer.status_code in (200, 400), (path, asked, answer.text)
        if answer.status_code == 400:
            assert all(one["detail"].endswith((".", "\\.")) for one in answer.json()["errors"])
    assert statuses == {200, 400}
