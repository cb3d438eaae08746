"""The network behind the links: takes submits, decides their fates, rings handsets, and owes receipts.

`link` brings what one connection reads; `account` holds what waits for one system_id. Nothing here is per connection.
"""

import asyncio
import hmac
import random
from typing import Any, Final, Protocol

import msgspec

from opengage.clock import Clock, Instant
from opengage.simulator.account import RETRY_SECONDS, Account
from opengage.simulator.chaos import Chaos, Ids
from opengage.simulator.counts import Counts, Seen, fingerprint, report
from opengage.simulator.deliveries import Delivery, Writer, inbound, wants_receipt, written
from opengage.simulator.fates import DELIVERED, Fate, Judge
from opengage.simulator.handsets import PhoneWall
from opengage.simulator.later import Later
from opengage.smpp.commands import Status
from opengage.smpp.concatenation import Part, part_of
from opengage.smpp.contract import Answer
from opengage.smpp.esme import Bind
from opengage.smpp.pdu import EsmClass, SubmitSm
from opengage.smpp.receipt import State

Reply = tuple[int, int, str]
"""sequence, command_status, message_id: the answer to one submit."""


class Answering(Protocol):
    """A link as the network sees it."""

    def answer(self, replies: list[Reply]) -> None:
        """Send these answers to submits."""
        ...


EARLY_SECONDS: Final = 0.1
"""How long an answer waits for its receipt to overtake it."""

REORDER_SECONDS: Final = 0.1
"""How late a receipt can be when receipts are reordered."""

REPLY_SECONDS: Final = 0.1
"""How long after the receipt a handset's owner answers."""

_FULL: Final = Fate(refusal=Status.ESME_RMSGQFUL)
_THROTTLED: Final = Fate(refusal=Status.ESME_RTHROTTLED)
_MOST_ROUTES: Final = 100_000
_SAR_PARAMETERS: Final = 3


class Access(msgspec.Struct, frozen=True):
    """Who may bind: everybody, or one pair of system_id and password."""

    system_id: str | None = None
    password: str = ""

    def status(self, bind: Bind) -> int:
        """The command_status for a bind with these credentials."""
        if self.system_id is None:
            return Status.ESME_ROK
        if bind.system_id != self.system_id:
            return Status.ESME_RINVSYSID
        same = hmac.compare_digest(bind.password.encode("latin-1"), self.password.encode("latin-1", "replace"))
        return Status.ESME_ROK if same else Status.ESME_RINVPASWD


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What bounds the simulator's memory."""

    max_links: int = 1_000
    """Bound links; more are refused with ESME_RBINDFAIL."""
    max_pending: int = 2_000_000
    """Deliveries of one system_id that wait, about 400 bytes each; above it submits get ESME_RMSGQFUL."""


class Refused(ValueError):
    """A handset's text that cannot be sent; the text says why."""


class Network:
    """All that lies behind the SMPP port. Used on the event loop of its thread only."""

    def __init__(self, clock: Clock, access: Access, limits: Limits, chaos: Chaos, seen: Seen) -> None:
        loop = asyncio.get_running_loop()
        self.clock = clock
        self.counts = Counts()
        self.seen = seen
        self.wall = PhoneWall()
        self.stopping = False
        self.generation = 0
        """Counts the changes of chaos: a link's own counts towards an Nth start anew with each."""
        self._access = access
        self._limits = limits
        self._writer = Writer(clock.now())
        self._accounts: dict[str, Account] = {}
        self._routes: dict[str, str] = {}
        self._links = 0
        self._muted = False
        self._texts = 0
        self._answers: Later[tuple[Answering, Reply]] = Later(loop, self._answer_all)
        self._due: Later[tuple[Account, Delivery]] = Later(loop, self._deliver_all)
        self.change(chaos)

    def change(self, chaos: Chaos) -> None:
        """Misbehave like this from now on; what is counted towards an Nth starts anew."""
        self.chaos = chaos
        self._judge = Judge(chaos)
        self._random = random.Random(chaos.seed)  # noqa: S311 - chaos must be repeatable, not secret
        self._receipt_ids: Ids = chaos.ids if chaos.receipt_ids == "same" else chaos.receipt_ids
        self._simple = chaos.harmless
        self._receipts_at_once = not (
            chaos.receipt_delay or chaos.receipt_jitter or chaos.reorder or chaos.answer_delay
        )
        self.generation += 1
        self._replied = 0
        self.drops_left = chaos.drop_times if chaos.drop_after else 0

    @property
    def links(self) -> int:
        """Bound links."""
        return self._links

    @property
    def pending(self) -> int:
        """Receipts and texts that no ESME has acknowledged yet."""
        return sum(account.pending for account in self._accounts.values())

    # Links.

    def bind(self, bind: Bind) -> tuple[int, Account | None]:
        """The command_status for this bind, and the account when it is accepted."""
        status = self._access.status(bind)
        if not status and (self.stopping or self._links >= self._limits.max_links):
            status = Status.ESME_RBINDFAIL
        self.counts.binds[status] += 1
        if status:
            return status, None
        account = self._account(bind.system_id)
        account.links += 1
        self._links += 1
        return status, account

    def _account(self, system_id: str) -> Account:
        account = self._accounts.get(system_id)
        if account is None:
            account = Account(system_id, self.clock.monotonic(), self._note_sent)
            self._accounts[system_id] = account
        return account

    def leave(self, account: Account) -> None:
        """A bound link is gone."""
        for delivery in account.held:
            self._due.add(self._receipt_delay(), (account, delivery))
        account.held.clear()
        account.links -= 1
        self._links -= 1
        if account.idle:
            del self._accounts[account.system_id]

    # Submits.

    def take(self, link: Answering, account: Account, submits: list[SubmitSm], *, mute: bool = False) -> None:
        """Take or refuse the submits of one read.

        `mute` takes them without ever answering: their link will be cut, and their receipts wait for that.
        """
        self._muted = mute
        now, monotonic = self.clock.now(), self.clock.monotonic()
        replies: list[Reply] = []
        most = self._limits.max_pending
        for submit in submits:
            part = _part_of(submit)
            mark = fingerprint(submit, part)
            plain = self._simple and account.pending < most
            fate = DELIVERED if plain else self._fate_of(account, submit, mark, monotonic)
            name = ""
            if not fate.refusal:
                self.seen.add(mark)
                if fate.rings and fate.state is State.DELIVRD:
                    self.wall.ring(submit, part, now, monotonic)
                name = self._accept(account, submit, fate, now)
            if plain and not mute:
                replies.append((submit.sequence, 0, name))
            else:
                self._answer(link, (submit.sequence, fate.refusal, name), fate, replies, mute)
        self._finish(link, account, len(submits), replies)

    def _finish(self, link: Answering, account: Account, read: int, replies: list[Reply]) -> None:
        self.counts.submits += read
        self.seen.flush()
        if replies:
            self._reply(link, replies)
        self.pump(account)

    def _fate_of(self, account: Account, submit: SubmitSm, mark: int, now: float) -> Fate:
        limit = self.chaos.throttle_above
        if self.stopping or account.pending >= self._limits.max_pending:
            return _FULL
        if limit and not account.throttle.admits(limit, now):
            return _THROTTLED
        return self._judge.decide(submit.destination_addr, mark)

    def _accept(self, account: Account, submit: SubmitSm, fate: Fate, now: Instant) -> str:
        """Owe what this fate owes; returns the message id in the form of the answer."""
        number = self._writer.next_id()
        name = written(number, self.chaos.ids)
        if submit.registered_delivery & 3 and fate.receipts and wants_receipt(submit.registered_delivery, fate.state):
            same = self._receipt_ids == self.chaos.ids
            receipted = name if same else written(number, self._receipt_ids)
            body = self._writer.receipt(submit, receipted.encode(), fate.state, now)
            self._owe_receipts(account, body, fate)
        if fate.reply:
            self._owe_reply(account, submit, fate)
        if submit.source_addr not in self._routes and len(self._routes) < _MOST_ROUTES:
            self._routes[submit.source_addr] = account.system_id
        return name

    def _owe_receipts(self, account: Account, body: bytes, fate: Fate) -> None:
        percent = self.chaos.duplicate_percent
        copies = fate.receipts + (1 if percent and self._random.random() * 100 < percent else 0)
        account.pending += copies
        for _ in range(copies):
            delivery = Delivery(body, receipt=True)
            if self._muted:
                account.held.append(delivery)
            elif self._receipts_at_once or fate.early:
                account.waiting.append(delivery)
            else:
                self._due.add(self._receipt_delay(), (account, delivery))

    def _receipt_delay(self) -> float:
        """Receipts count from the answer, and can overtake it only by jitter or where that is their fate."""
        chaos, uniform = self.chaos, self._random.random
        reorder = REORDER_SECONDS * uniform() if chaos.reorder else 0.0
        return chaos.answer_delay + chaos.receipt_delay + chaos.receipt_jitter * uniform() + reorder

    def _owe_reply(self, account: Account, submit: SubmitSm, fate: Fate) -> None:
        bodies = inbound(submit.destination_addr, submit.source_addr, fate.reply, 0)
        account.pending += len(bodies)
        for body in bodies:
            self._due.add(self._receipt_delay() + REPLY_SECONDS, (account, Delivery(body, receipt=False)))

    # Answers.

    def _answer(self, link: Answering, reply: Reply, fate: Fate, replies: list[Reply], mute: bool) -> None:
        chaos = self.chaos
        if mute or not fate.answered:
            self.counts.unanswered += 1
            return
        delay = chaos.answer_delay + chaos.answer_jitter * self._random.random() + EARLY_SECONDS * fate.early
        if delay:
            self._answers.add(delay, (link, reply))
        else:
            replies.append(reply)

    def _answer_all(self, due: list[tuple[Answering, Reply]]) -> None:
        by_link: dict[Answering, list[Reply]] = {}
        for link, reply in due:
            by_link.setdefault(link, []).append(reply)
        for link, replies in by_link.items():
            self._reply(link, replies)

    def garbage(self) -> str | None:
        """What goes out before the next answer: a key of `link.GARBAGE`, most times nothing."""
        self._replied += 1
        if self._replied % self.chaos.garble_every:
            return None
        kind = self.chaos.garble_with
        return self._random.choice(("command", "body", "length")) if kind == "any" else kind

    def _reply(self, link: Answering, replies: list[Reply]) -> None:
        self.counts.answers.update([status for _, status, _ in replies])
        link.answer(replies)

    # Deliveries.

    def pump(self, account: Account) -> None:
        """Send what waits for this account, unless the simulator is stopping."""
        if account.waiting and not self.stopping:
            account.pump()

    def acknowledge(self, account: Account, answers: list[Answer]) -> None:
        """An ESME answered deliveries: those with an error are sent again after a pause."""
        for delivery, status, _ in answers:
            if status:
                self.counts.redelivered += 1
                self._due.add(RETRY_SECONDS, (account, delivery))
            elif account.acknowledge(delivery):
                self._note_acknowledged(delivery)

    def _note_acknowledged(self, delivery: Delivery) -> None:
        if delivery.receipt:
            self.counts.receipts += 1
        else:
            self.counts.inbound += 1

    def put_back(self, account: Account, unanswered: list[Delivery], never_sent: list[Delivery]) -> None:
        """Deliveries that were on a link that is lost, or that it did not answer in time."""
        self.counts.redelivered += account.put_back(unanswered + never_sent) - len(never_sent)

    def _deliver_all(self, due: list[tuple[Account, Delivery]]) -> None:
        if self.chaos.reorder:
            self._random.shuffle(due)
        accounts: dict[Account, None] = {}
        for account, delivery in due:
            account.waiting.append(delivery)
            accounts[account] = None
        for account in accounts:
            self.pump(account)

    def _note_sent(self, deliveries: list[Delivery]) -> None:
        self.counts.receipts_sent += sum([delivery.receipt for delivery in deliveries])

    # Handsets.

    def send(self, source: str, destination: str, text: str, system_id: str | None = None) -> int:
        """A handset's owner texts a number; returns the parts it takes.

        Without `system_id` it goes to whoever texted from that number first. It waits while nobody is bound. Raises
        Refused when nobody is known, or too much waits, or a number or the text is impossible.
        """
        plain = destination.removeprefix("+")
        known = system_id or self._routes.get(plain) or self._routes.get(f"+{plain}")
        if known is None:
            raise Refused("no system_id has texted from this number yet: name one")
        self._texts += 1
        try:
            bodies = inbound(source.removeprefix("+"), plain, text, self._texts)
        except ValueError as error:  # BodyError and UnicodeError are such
            raise Refused(str(error)) from None
        account = self._account(known)
        if account.pending + len(bodies) > self._limits.max_pending:
            raise Refused("too many deliveries wait already")
        account.pending += len(bodies)
        account.waiting += [Delivery(body, receipt=False) for body in bodies]
        self.pump(account)
        return len(bodies)

    # The end.

    def stop(self) -> None:
        """Take and send nothing more: submits that still come are refused with ESME_RMSGQFUL."""
        self.stopping = True
        self._simple = False

    def close(self) -> None:
        """Forget what was to happen later."""
        self._answers.clear()
        self._due.clear()

    def report(self) -> dict[str, Any]:
        """All counts as one JSON object."""
        more = {"links": self._links, "pending": self.pending, **self.wall.counts()}
        return report(self.counts, self.seen, **more)


def _part_of(submit: SubmitSm) -> Part:
    """`concatenation.part_of`, with a short cut for what it is asked most: a text in one piece."""
    if submit.esm_class & EsmClass.UDHI or len(submit.tlvs) >= _SAR_PARAMETERS:
        return part_of(submit)
    return Part(submit.short_message or submit.payload)
