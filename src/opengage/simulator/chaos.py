"""How the far end misbehaves: one table of settings, from flags, the control port or a test.

Beside the simulator's path: `fates` and `link` ask it at every submit. Everything is bounded, and everything random
comes from one seed, so that a run can be repeated.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

Seconds = Annotated[float, Meta(ge=0, le=3_600)]
Percent = Annotated[float, Meta(ge=0, le=100)]
Count = Annotated[int, Meta(ge=0, le=1_000_000_000)]
Ids = Literal["hex", "decimal"]


class Chaos(msgspec.Struct, frozen=True, kw_only=True, rename="kebab", forbid_unknown_fields=True):
    """What goes wrong, and how often; as it stands nothing does. `HELP` explains each field."""

    magic: bool = False
    seed: Count = 0
    ids: Ids = "hex"
    receipt_ids: Literal["same", "hex", "decimal"] = "same"
    answer_delay: Seconds = 0.0
    answer_jitter: Seconds = 0.0
    receipt_delay: Seconds = 0.0
    receipt_jitter: Seconds = 0.0
    undelivered_percent: Percent = 0.0
    throttle_above: Count = 0
    drop_after: Count = 0
    drop_skip: Count = 0
    drop_times: Count = 1
    silent_every: Count = 0
    garble_every: Count = 0
    garble_with: Literal["any", "command", "body", "length"] = "any"
    stall_every: Count = 0
    stall_seconds: Annotated[float, Meta(ge=0, le=600)] = 1.0
    duplicate_percent: Percent = 0.0
    reorder: bool = False

    @property
    def harmless(self) -> bool:
        """Whether every submit is simply answered and delivered: the fast path."""
        return not (
            self.magic
            or self.throttle_above
            or self.silent_every
            or self.undelivered_percent
            or self.answer_delay
            or self.answer_jitter
        )


HELP: dict[str, str] = {
    "magic": "let the magic numbers decide their texts' fates",
    "seed": "seed of everything random",
    "ids": "how message ids are written",
    "receipt-ids": "how receipts write them",
    "answer-delay": "seconds before a submit is answered",
    "answer-jitter": "up to this many seconds more, at random",
    "receipt-delay": "seconds from the answer to the receipt",
    "receipt-jitter": "up to this many seconds more, at random",
    "undelivered-percent": "percent of the texts that no handset gets (receipt UNDELIV)",
    "throttle-above": "submits per second and system_id above which ESME_RTHROTTLED answers; 0 never",
    "drop-after": "read this many submits on a link, answer none of them, then cut the link; 0 never",
    "drop-skip": "submits that a link answers before those",
    "drop-times": "links to cut; the ones after them stay",
    "silent-every": "never answer each Nth text taken; its receipt comes all the same; 0 answers all",
    "garble-every": "send a garbled PDU before each Nth answer; 0 never",
    "garble-with": "an unknown command, a body cut short, an impossible length, or any of these",
    "stall-every": "stop reading a link after each N submits; 0 never",
    "stall-seconds": "for how long",
    "duplicate-percent": "percent of the receipts that are sent twice",
    "reorder": "receipts leave in another order: each up to 0.1 seconds later, shuffled",
}
"""What each setting means, by its name on the wire and the command line."""


class InvalidChaos(ValueError):
    """Settings that are unknown or out of bounds; the text says which and why."""


def changed(chaos: Chaos, changes: dict[str, Any]) -> Chaos:
    """These settings with some changed, by their wire names. Raises InvalidChaos, and then nothing is changed."""
    try:
        return msgspec.convert({**msgspec.to_builtins(chaos), **changes}, Chaos)
    except msgspec.ValidationError as error:
        raise InvalidChaos(str(error)) from None
