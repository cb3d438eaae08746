"""Fictional recipients, and the bulk documents that name them, encoded before any clock runs."""

import random
from collections.abc import Sequence

import msgspec

SEED = 7
SENDER = "+12025550100"

_FIRST = (
    "Ada", "Björn", "Chloé", "Dmitri", "Elif", "Farah", "Gao", "Hana", "Inés", "João", "Kofi", "Lucía", "Mara",
    "Nils", "Oya", "Priya", "Quentin", "Rosa", "Søren", "Tomás", "Uma", "Vera", "Wanda", "Xavier", "Yusuf", "Zoë",
    "Anouk", "Bruno", "Carla", "Deniz", "Emma",
)  # fmt: skip
_LAST = ("Okafor", "Lindqvist", "Moreau", "Ivanova", "Yılmaz", "Haddad", "Chen", "Novák", "García", "Silva")


def numbers() -> list[str]:
    """Every NPA-555-0100 to 0199, which no person has: 80,000. Shuffled, because no real list comes sorted."""
    pool = [f"+1{area}55501{line:02}" for area in range(200, 1000) for line in range(100)]
    random.Random(SEED).shuffle(pool)
    return pool


def bulk_bodies(engagement_id: str, count: int, size: int) -> list[bytes]:
    """Bulk documents with `count` envelopes in all and up to `size` in each.

    Beyond 80,000 the numbers come again, with another first name and so another text: nothing is a duplicate.
    """
    pool = numbers()
    envelopes = [_envelope(engagement_id, pool, number) for number in range(count)]
    encode = msgspec.json.Encoder().encode
    return [encode({"data": envelopes[start : start + size]}) for start in range(0, count, size)]


def _envelope(engagement_id: str, pool: Sequence[str], number: int) -> dict[str, object]:
    turn, place = divmod(number, len(pool))
    names = {"first-name": _FIRST[(place + turn) % len(_FIRST)], "last-name": _LAST[place % len(_LAST)]}
    return {
        "type": "envelopes",
        "attributes": {"phone-number": pool[place], "meta": names},
        "relationships": {"engagement": {"data": {"type": "engagements", "id": engagement_id}}},
    }
