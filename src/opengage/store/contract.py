"""What the store promises, whichever database keeps it: the seam under operations and dispatch.

Two kinds of access: composed statements (SQLAlchemy Core, run by either database) for everything that touches a few
rows, and `Batches` for what runs once per batch of texts, where each database has its own fastest way.
A `writing` transaction is durable when its block ends, and undone when the block raises.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from enum import IntEnum
from typing import Any, Protocol

import msgspec
from sqlalchemy.sql import Executable

from opengage.clock import Instant
from opengage.domain.errors import Unavailable
from opengage.domain.outcomes import Receipt
from opengage.domain.states import Reason, TextStatus
from opengage.ids import Id
from opengage.sealing import Sealer

Rows = list[tuple[Any, ...]]

Seals = Callable[[], Sealer]
"""Gives what opens sealed keys, when it is first needed. Raises Unavailable."""


class Violation(Exception):
    """A change broke a constraint (a key that exists already, a value outside its list); nothing of it is written."""


class NewEnvelope(msgspec.Struct, gc=False, array_like=True):
    """What a new envelope has of its own; all else is the same for the batch."""

    phone_number: str
    meta: str
    """JSON text of an object."""
    callback: str | None = None
    callback_include: str | None = None
    is_priority: bool = False
    delay_in_seconds: int | None = None


class Due(msgspec.Struct, gc=False, frozen=True):
    """An envelope that the dispatcher may take now."""

    envelope_id: Id
    phone_number: str
    meta: str
    text_id: Id | None
    """A text of an earlier, deferred attempt, to be tried again under the same identity."""
    reason: Reason
    """Where it stands: pending, retrying, or held by a rule whose time is over."""
    is_assigned: bool = False
    """It was given to this very number of its engagement's pool."""
    is_texted: bool = False
    """The engagement has a text for this phone number, this envelope's own counted too."""


class Intent(msgspec.Struct, gc=False):
    """A text about to be written as `sending`; `is_retry` when its row exists from a deferred attempt."""

    text_id: Id
    envelope_id: Id
    recipient: str
    body: str
    segments: int
    is_retry: bool


class Stale(Unavailable):
    """A row is no longer as it was read: nothing was written; read it again."""

    def __init__(self) -> None:
        super().__init__("What was to be changed has just changed. Nothing was written: send it again.")


class Turn(IntEnum):
    """What writers take turns at, where the database lets them write at once."""

    ACCOUNTS = 1
    """The making of accounts: each gets the next number."""
    CONSENT = 2
    """Who of an account may be texted: shared by all who are about to text, alone for whoever changes it."""
    FORGETTING = 3
    """What an account forgets: by one worker at a time."""
    CAPS = 4
    """How often people of an account are texted: by one who is about to text them after the other, where caps hold."""
    ENGAGEMENT = 5
    """Whom an engagement texts, under the number of `turn_of`: by one number of its pool after the other, or two
    at once would text a person who is in it twice."""
    PEOPLE = 6
    """Who is in an account's address book, and on which of its lists: shared by whoever puts people on lists or makes
    envelopes of them, alone for whoever takes them away, or gives them another number. The latter wait for it for two
    seconds at most, since whoever comes behind them waits too, and are refused then: a long list takes longer."""
    ENDPOINTS = 7
    """How many webhook endpoints an account has, and which one signs its callbacks: by one who makes one at a time."""


def turn_of(engagement_id: Id) -> int:
    """The number under which an engagement takes turns: 40 bits. Two that share one wait for each other in vain."""
    return int.from_bytes(engagement_id[-5:], "big")


class Settled(msgspec.Struct, gc=False, frozen=True):
    """A due envelope to be closed without a text; `text_id` is its text of an earlier, deferred attempt."""

    envelope_id: Id
    reason: Reason
    text_id: Id | None


class Held(msgspec.Struct, gc=False, frozen=True):
    """A due envelope that must wait until `until`: by a rule, at a reason of the status hold, or only for its hour."""

    envelope_id: Id
    reason: Reason
    rule: str | None
    until: Instant


class Recent(msgspec.Struct, gc=False, frozen=True):
    """A text that somebody got lately: to whom, which, and from which of our numbers."""

    phone_number: str
    text_id: Id
    phone_number_id: Id


class Unanswered(msgspec.Struct, gc=False, frozen=True):
    """A text as the recorder needs it: where it stands, and whose it is."""

    account_id: int
    text_id: Id
    status: TextStatus
    segments: int
    attempts: int
    engagement_id: Id | None
    envelope_id: Id | None
    is_settled: bool = False
    """Its envelope is closed, and nothing that comes later moves it."""


class Step(msgspec.Struct, gc=False):
    """One text moving to `status`; its envelope, when it has one, moves to `reason`."""

    text: Unanswered
    status: TextStatus
    reason: Reason
    code: str | None
    result_id: Id
    attempts: int
    was_accepted: bool = False
    """The carrier took it in this very step, whatever else happened since."""
    next_at: Instant | None = None
    """When to try again, for a deferred text."""


class Result(msgspec.Struct, gc=False):
    """A fate event to write down."""

    id: Id
    text_id: Id
    kind: TextStatus
    code: str | None


class Transaction(Protocol):
    """One consistent view, and (when writing) one all-or-nothing change."""

    async def rows(self, statement: Executable, **parameters: Any) -> Rows:
        """Every row of a query."""
        ...

    async def run(self, statement: Executable, **parameters: Any) -> int:
        """Carry out a change; how many rows it touched."""
        ...

    async def now(self) -> Instant:
        """The database's clock: leases are measured on it, whatever the clocks of its clients say."""
        ...

    async def take_turn(self, turn: Turn, whose: Sequence[int] = (0,), *, shared: bool = False) -> None:
        """Wait until nobody else holds this turn of these accounts (or engagements), and hold it to the end of this
        transaction.

        `shared` ones wait for no other shared one. Whatever is read from here on was committed before. Take it before
        anything else is locked. Returns at once where writers take turns anyway.
        """
        ...

    async def be_patient(self, seconds: float | None) -> None:
        """Wait so long at most, from here on, for what somebody else holds; None: as long as usual.

        Whoever waits longer raises Unavailable. Nobody waits where writers take turns anyway.
        """
        ...

    @property
    def batches(self) -> "Batches":
        """The hot path of this database."""
        ...

    @property
    def seals(self) -> Seals | None:
        """What opens the keys that are sealed in the database; None for a store that was not given any."""
        ...


class Store(Protocol):
    """A database with Opengage's schema.

    Every method raises `Unavailable` when it cannot be reached or written, and every change may raise `Violation`.
    """

    def reading(self, *, is_hot: bool = False) -> AbstractAsyncContextManager[Transaction]:
        """A consistent view; a change in it is refused (`Unavailable`). `is_hot` for what is looked up by its key."""
        ...

    def looking(self) -> AbstractAsyncContextManager[Transaction]:
        """The same for who only looks what there is to do: each statement sees the latest, by itself.

        It may cost less than `reading`: what is decided on is read again in the transaction that changes it.
        """
        ...

    def writing(self, *, is_hot: bool = False) -> AbstractAsyncContextManager[Transaction]:
        """A transaction, durable once the block has ended; `is_hot` for what is written many times a second."""
        ...

    async def changed(self, within: float) -> None:
        """Return once somebody may have written something, or after `within` seconds. One waiter per store."""
        ...

    async def scrub(self) -> None:
        """Let nothing of what was deleted or overwritten stay in files of ours, as far as nobody is kept waiting."""
        ...

    async def close(self) -> None:
        """Let go of the database."""
        ...


class Batches(Protocol):
    """What runs once per batch of envelopes or texts. All ids in one call belong to one account."""

    async def load(self, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        """Write rows of a table as they stand: what a dump holds, of whichever accounts. The names are trusted."""
        ...

    async def insert_envelopes(
        self,
        account_id: int,
        engagement_id: Id,
        author: Id,
        ids: Sequence[Id],
        new: Sequence[NewEnvelope],
        now: Instant,
    ) -> None:
        """Write envelopes as pending and due at once, in the given order."""
        ...

    async def due(
        self,
        account_id: int,
        engagement_id: Id,
        lane: Id,
        now: Instant,
        limit: int,
        priorities: Sequence[bool] = (True, False),
    ) -> list[Due]:
        """The next envelopes that this phone number may take: those with priority, then the others, as they became due.

        Only those are looked for whose having priority is one of `priorities`.
        Those that were given to another number of the engagement's pool are left out.
        """
        ...

    async def suppressed(self, account_id: int, numbers: Sequence[str]) -> set[str]:
        """Those of `numbers` that this account must not text."""
        ...

    async def sent_before(
        self, account_id: int, engagement_id: Id, numbers: Sequence[str]
    ) -> list[tuple[str, str, Id]]:
        """(number, body, id) of every text that this engagement already has for one of `numbers`."""
        ...

    async def sent_lately(
        self, account_id: int, engagement_ids: Sequence[Id], numbers: Sequence[str], since: Id
    ) -> list[tuple[Id, str]]:
        """(id, number) of every text from an id on that one of these engagements has for one of `numbers`."""
        ...

    async def recent(self, account_id: int, numbers: Sequence[str], since: Id) -> list[Recent]:
        """What each of `numbers` got from an id on, oldest first, as far as it was remembered."""
        ...

    async def remember(self, account_id: int, recent: Sequence[Recent]) -> None:
        """Remember who was texted; twice is once."""
        ...

    async def assign(self, account_id: int, assigned: Sequence[tuple[Id, Id]]) -> None:
        """Give due envelopes to phone numbers of their pool: (envelope, phone number)."""
        ...

    async def hold_envelopes(self, account_id: int, held: Sequence[Held], now: Instant) -> None:
        """Let due envelopes wait, and say by which rule; they are due again when it ends."""
        ...

    async def intend(
        self,
        account_id: int,
        lane: tuple[Id, int],
        texts: "Outgoing",
        intents: Sequence[Intent],
        now: Instant,
    ) -> None:
        """Write texts as `sending` under the lane's (phone number, epoch) and their envelopes as processing.

        Raises `Fenced` when an envelope is no longer due: somebody else took it.
        """
        ...

    async def settle_envelopes(self, account_id: int, settled: Sequence[Settled], now: Instant) -> None:
        """Close due envelopes that get no text: opted out, duplicate, without a needed value. Deferred texts of theirs
        are canceled."""
        ...

    async def texts(self, account_id: int, ids: Sequence[Id]) -> dict[Id, Unanswered]:
        """The texts of these ids that exist."""
        ...

    async def texts_of_refs(
        self, account_id: int, service_profile_id: Id, refs: Sequence[str]
    ) -> dict[str, Unanswered]:
        """The texts that the carrier's own ids stand for; ids not known (yet) are left out."""
        ...

    async def in_doubt(
        self, account_id: int, service_profile_id: Id, recipients: Sequence[str]
    ) -> list[tuple[str, Unanswered]]:
        """(recipient, text) of the texts to any of these numbers that are in doubt, or wait to be sent again.

        None for a number to which another text is under way: a receipt may be about that one, and its answer will tell.
        """
        ...

    async def add_refs(self, account_id: int, service_profile_id: Id, refs: Sequence[tuple[str, Id, int, int]]) -> None:
        """Remember (carrier id, text, segment number, how many segments the text has)."""
        ...

    async def park(self, account_id: int, service_profile_id: Id, receipts: Sequence[Receipt], now: Instant) -> None:
        """Keep receipts whose texts are not known yet; a second one for the same segment says nothing new."""
        ...

    async def parked(self, account_id: int, service_profile_id: Id, refs: Sequence[str]) -> Rows:
        """(carrier id, recipient, reference, state, code) of the parked receipts with these ids of the carrier's."""
        ...

    async def forget_parked(self, account_id: int, service_profile_id: Id, refs: Sequence[str]) -> None:
        """The parked receipts with these ids of the carrier's have found their texts."""
        ...

    async def step(self, account_id: int, steps: Sequence[Step], results: Sequence[Result], now: Instant) -> None:
        """Move texts and their envelopes, and write down what happened to them.

        Raises Stale when a text no longer has the status that its step starts from, is settled, or was sent again.
        """
        ...

    async def open_texts(
        self, account_id: int, phone_number_id: Id, status: TextStatus, before: Id, limit: int
    ) -> list[tuple[Unanswered, int, Instant | None]]:
        """(text, epoch, sent at) of a lane's texts of this status whose fate is open, oldest first, up to an id."""
        ...


class Outgoing(msgspec.Struct, frozen=True):
    """What the texts of one batch have in common."""

    engagement_id: Id
    phone_number_id: Id
    service_profile_id: Id
    sender: str
    author: Id
    text_template_revision_id: Id | None = None
