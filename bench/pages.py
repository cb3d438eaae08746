"""What a page of envelopes costs, wherever it is: the first one beside nine others, a tenth of the list apart."""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

from bench.client import Access, Client
from opengage.api.resources import cursors
from opengage.ids import Id, to_wire

LIMIT = 50
_LOOKS = 40
"""GETs of each page; they take turns, so that a slow moment of the machine is everybody's."""


@dataclass
class Pages:
    """Milliseconds of a GET, the middle one of `_LOOKS`."""

    first: float
    others: list[float]
    """Of the pages behind these places, in the list's order."""

    @property
    def dearest(self) -> float:
        """The most that a page costs beside the first."""
        return max(self.others) / self.first


def run(access: Access, engagement_id: Id, places: Sequence[Id]) -> dict[str, Pages]:
    """The pages behind these envelopes, in the list of their engagement and in the account's."""
    all_of_them = {
        "engagement": f"/envelopes?filter[engagement.id]=eq:{to_wire(engagement_id)}&",
        "account": "/envelopes?",
    }
    return {name: _measured(access, path, places) for name, path in all_of_them.items()}


def _measured(access: Access, path: str, places: Sequence[Id]) -> Pages:
    after = ["", *(cursors.write("", [place]) for place in places)]
    taken: list[list[float]] = [[] for _ in after]
    client = Client(access)
    try:
        for _ in range(_LOOKS):
            for times, cursor in zip(taken, after, strict=True):
                began = time.perf_counter()
                client.send("GET", f"{path}page[limit]={LIMIT}&page[after]={cursor}")
                times.append(1000 * (time.perf_counter() - began))
    finally:
        client.close()
    first, *others = map(statistics.median, taken)
    return Pages(first, others)
