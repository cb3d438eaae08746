"""Raw items of a POST /envelopes to checked envelopes: the hot part of ingest.

Step 1 of a text's path. Costs a few microseconds an item; the event loop gets its turn after every slice.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Annotated, Final

import msgspec

from opengage.api.errors import MOST_SHOWN, problems_of
from opengage.api.linkage import target
from opengage.api.resources import callback_includes
from opengage.domain.callback_urls import Limits, refusal
from opengage.domain.errors import Code, Invalid, Problem
from opengage.domain.phone_numbers import InvalidNumber, parse
from opengage.ids import Id
from opengage.jsonapi.faults import DocumentError, Fault
from opengage.jsonapi.request import Reader, ToOne
from opengage.store.contract import NewEnvelope

SLICE: Final = 250
"""Items after which others get their turn: about a millisecond."""
_LONGEST_DELAY: Final = 366 * 24 * 3600

MergeValue = str | int | float | bool
Delay = Annotated[int, msgspec.Meta(ge=0, le=_LONGEST_DELAY)]


class NewAttributes(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    """What a client writes."""

    phone_number: str
    meta: dict[str, MergeValue] | None = None
    callback: str | None = None
    callback_include: str | None = None
    is_priority: bool | None = None
    delay_in_seconds: Delay | None = None


class NewRelationships(msgspec.Struct, frozen=True, gc=False):
    """What a client points at."""

    engagement: ToOne | None = None


class Batch(msgspec.Struct, frozen=True):
    """Checked envelopes, and the engagement of each."""

    targets: list[Id]
    new: list[NewEnvelope]


_TARGET: Final = "engagements"
_SELF: Final = ("envelopes",)
READER: Final = Reader("envelopes", NewAttributes, NewRelationships)
_encode: Final = msgspec.json.Encoder().encode


async def read_batch(items: Sequence[msgspec.Raw], place: Callable[[int], str], limit: int, limits: Limits) -> Batch:
    """Read and check every item; `place` gives the JSON pointer of the n-th, `limits` say where callbacks may go.

    Raises Invalid or DocumentError with every problem of every item, or that there are none or too many.
    """
    _check_size(len(items), limit)
    collector = _Collector(place, limits)
    for start in range(0, len(items), SLICE):
        collector.read(items[start : start + SLICE], start)
        if start + SLICE < len(items):
            await asyncio.sleep(0)
    return collector.batch()


def _check_size(count: int, limit: int) -> None:
    if count == 0:
        raise Invalid([Problem(Code.REQUIRED, "The array is empty. Put at least one envelope in it.", "/data")])
    if count > limit:
        detail = f"The array holds {count} envelopes. Send at most {limit} in one request."
        raise Invalid([Problem(Code.TOO_MANY, detail, "/data")])


class _Collector:
    """Checked envelopes and problems, as the items are gone through."""

    def __init__(self, place: Callable[[int], str], limits: Limits) -> None:
        self._place = place
        self._limits = limits
        self._targets: list[Id] = []
        self._new: list[NewEnvelope] = []
        self._known: dict[str, Id] = {}
        self._faults: list[Fault] = []
        self._problems: list[Problem] = []

    def read(self, items: Sequence[msgspec.Raw], start: int) -> None:
        """Take in the items from number `start` on."""
        for number, raw in enumerate(items, start):
            resource = READER.read(raw)
            if resource is None:
                self._explain(raw, number)
                continue
            link = resource.relationships.engagement
            known = self._known.get(link.data.id) if link and link.data and link.data.type == _TARGET else None
            self._targets.append(known or self._target(link, number))
            self._add(resource.attributes, number)

    def _explain(self, raw: msgspec.Raw, number: int) -> None:
        """What is wrong with an unreadable item; once more are known than are shown, it is only counted."""
        many = len(self._faults) >= MOST_SHOWN
        self._faults += self._faults[-1:] if many else READER.faults(raw, self._place(number))

    def _add(self, sent: NewAttributes, number: int) -> None:
        try:
            phone_number = parse(sent.phone_number)
        except InvalidNumber as error:
            self._refuse(
                number,
                "phone-number",
                Code.INVALID_NUMBER,
                f"{error.reason[:1].upper()}{error.reason[1:]}: {error.fix}.",
            )
            return
        if sent.callback is not None and (wrong := refusal(sent.callback, self._limits)):
            self._refuse(number, "callback", Code.NOT_ALLOWED_VALUE, wrong)
        if sent.callback_include and (wrong := callback_includes.refusal(_SELF, sent.callback_include)):
            self._refuse(number, "callback-include", Code.NOT_ALLOWED_VALUE, wrong)
        self._new.append(
            NewEnvelope(
                phone_number,
                _encode(sent.meta).decode() if sent.meta else "{}",
                sent.callback,
                sent.callback_include,
                sent.is_priority or False,
                sent.delay_in_seconds,
            )
        )

    def _target(self, link: ToOne | None, number: int) -> Id:
        before = len(self._problems)
        found = target(link, "engagement", _TARGET, self._problems, self._place(number))
        if len(self._problems) == before and link and link.data:
            self._known[link.data.id] = found
        return found

    def _refuse(self, number: int, attribute: str, code: Code, detail: str) -> None:
        self._problems.append(Problem(code, detail, f"{self._place(number)}/attributes/{attribute}"))

    def batch(self) -> Batch:
        """What was read. Raises Invalid, or DocumentError when no item got as far as having a meaning to check."""
        if self._faults and not self._problems:
            raise DocumentError(self._faults)
        if self._problems:
            raise Invalid([*problems_of(self._faults), *self._problems])
        return Batch(self._targets, self._new)
