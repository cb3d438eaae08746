"""Envelopes as resource objects: one by one, or ten thousand that differ in little.

Step 1 of a text's path, on the way back. The envelopes of one request share all but id, number and merge values: one of
them is encoded as usual and cut at those places, and the pieces serve for all the others.
"""

import asyncio
from typing import Final

import msgspec

from opengage.api.envelope_batches import SLICE, Batch
from opengage.api.resources.envelopes import answer
from opengage.api.state import ApiState
from opengage.domain.records import Engagement, Envelope
from opengage.ids import Id, to_wire
from opengage.jsonapi import document
from opengage.jsonapi.document import Answer
from opengage.operations.actors import Actor
from opengage.operations.envelopes import Added, Shown

_ANY_ID: Final = Id(b"\xff" * 16)
_ANY_NUMBER: Final = "@number@"
_ANY_META: Final = '"@meta@"'


class BatchAnswer:
    """The envelopes that one request has made."""

    def __init__(self, api: ApiState, actor: Actor, batch: Batch, added: Added) -> None:
        self._base = api.base_url
        self._author = actor.membership_id
        self._batch = batch
        self._added = added
        self._pieces: dict[Id, tuple[str, str, str, str]] = {}

    def first(self) -> Answer:
        """The first of them."""
        return answer(self._base, self._shown(0))

    async def resources(self) -> list[bytes]:
        """All of them, encoded, in request order; others get their turn after every slice."""
        self._pieces = {id_: self._cut(engagement) for id_, engagement in self._added.engagements.items()}
        resources: list[bytes] = []
        for start in range(0, len(self._added.ids), SLICE):
            if start:
                await asyncio.sleep(0)
            stop = min(start + SLICE, len(self._added.ids))
            resources += [self._resource(number) for number in range(start, stop)]
        return resources

    def _resource(self, number: int) -> bytes:
        new = self._batch.new[number]
        if new.callback or new.callback_include or new.is_priority or new.delay_in_seconds is not None:
            return document.resource(answer(self._base, self._shown(number)))
        before, after_id, after_number, after_meta = self._pieces[self._batch.targets[number]]
        id_ = to_wire(self._added.ids[number])
        return f"{before}{id_}{after_id}{new.phone_number}{after_number}{new.meta}{after_meta}".encode()

    def _cut(self, engagement: Engagement) -> tuple[str, str, str, str]:
        envelope = self._envelope(engagement.id, _ANY_ID, _ANY_NUMBER, _ANY_META)
        sample = document.resource(answer(self._base, Shown(envelope, engagement))).decode()
        before, rest = sample.split(to_wire(_ANY_ID))
        after_id, rest = rest.split(_ANY_NUMBER)
        after_number, after_meta = rest.split(_ANY_META)
        return before, after_id, after_number, after_meta

    def _envelope(self, engagement_id: Id, id_: Id, phone_number: str, meta: str) -> Envelope:
        return Envelope(
            account_id=0,
            id=id_,
            created_at=self._added.now,
            updated_at=self._added.now,
            created_by=self._author,
            updated_by=self._author,
            engagement_id=engagement_id,
            phone_number=phone_number,
            meta=meta,
        )

    def _shown(self, number: int) -> Shown:
        new, engagement = self._batch.new[number], self._added.engagements[self._batch.targets[number]]
        plain = self._envelope(engagement.id, self._added.ids[number], new.phone_number, new.meta)
        envelope = msgspec.structs.replace(
            plain,
            callback=new.callback,
            callback_include=new.callback_include,
            is_priority=new.is_priority,
            delay_in_seconds=new.delay_in_seconds,
        )
        return Shown(envelope, engagement)
