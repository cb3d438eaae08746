"""Both ends of an SMPP carrier under test: a sink that remembers, and an SMSC that answers as a test tells it to."""

import asyncio
import itertools
from collections.abc import Callable, Sequence
from typing import Any

from opengage.domain.outcomes import Inbound, Outcome, Receipt, Submission
from opengage.ids import Id
from opengage.smpp import hot, pdu
from opengage.smpp.contract import Loss, SessionSettings
from opengage.smpp.smsc import SmscOwner, SmscSession

SENDER = "+12025550100"
RECIPIENT = "+447700900123"
LONG = "a" * 400
"""A text of three segments."""

Reply = tuple[int, str] | None
"""command_status and message_id, or no answer."""


def text_id(number: int) -> Id:
    """A predictable identity."""
    return Id(number.to_bytes(16, "big"))


def submission(number: int = 1, body: str = "Hello", **changes: Any) -> Submission:
    """A text to submit."""
    fields: dict[str, Any] = {
        "account_id": 1,
        "text_id": text_id(number),
        "sender": SENDER,
        "recipient": RECIPIENT,
        "body": body,
    }
    return Submission(**(fields | changes))


class Signals:
    """Lets a test wait until something it can see has happened."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()

    def changed(self) -> None:
        """Something may be different now."""
        self._changed.set()

    async def until(self, seen: Callable[[], Any]) -> None:
        """Return once `seen()` holds."""
        async with asyncio.timeout(10):
            while not seen():
                self._changed.clear()
                await self._changed.wait()


class Recorder(Signals):
    """A dispatcher that only remembers."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[Outcome] = []
        self.got_receipts: list[Receipt] = []
        self.got_inbound: list[Inbound] = []
        self.got_unacknowledged: list[tuple[list[int], bool]] = []
        self.readies = 0

    def outcomes(self, outcomes: Sequence[Outcome]) -> None:
        self.told += outcomes
        self.changed()

    def receipts(self, receipts: Sequence[Receipt]) -> None:
        self.got_receipts += receipts
        self.changed()

    def inbound(self, texts: Sequence[Inbound]) -> None:
        self.got_inbound += texts
        self.changed()

    def unacknowledged(self, tokens: Sequence[int], *, surely: bool) -> None:
        self.got_unacknowledged.append((list(tokens), surely))
        self.changed()

    def ready(self) -> None:
        self.readies += 1
        self.changed()


def accept_all() -> Callable[[pdu.SubmitSm], Reply]:
    """Answers that take everything, as m1, m2, ..."""
    numbers = itertools.count(1)
    return lambda submit: (0, f"m{next(numbers)}")


def in_turn(*replies: Reply) -> Callable[[pdu.SubmitSm], Reply]:
    """These answers, one after the other."""
    coming = iter(replies)
    return lambda submit: next(coming)


class ScriptedSmsc(Signals, SmscOwner):
    """An SMSC whose answers are the test's."""

    def __init__(self) -> None:
        super().__init__()
        self.reply = accept_all()
        self.sessions: list[SmscSession] = []
        self.submits: list[pdu.SubmitSm] = []
        self.delivered: list[tuple[Any, int]] = []
        self.bind_status = 0
        self.port = 0
        self._server: asyncio.Server | None = None
        self._built: list[SmscSession] = []

    async def serve(self, port: int = 0, **settings: Any) -> None:
        """Listen on loopback."""
        chosen = SessionSettings(**({"enquire_interval": None, "window": 1000} | settings))

        def build() -> SmscSession:
            self._built.append(SmscSession(self, chosen))
            return self._built[-1]

        self._server = await asyncio.get_running_loop().create_server(build, "127.0.0.1", port)
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Stop listening and cut every link."""
        if self._server is not None:
            self._server.close()
        for session in self._built:
            session.abort()
            await session.wait_closed()

    @property
    def session(self) -> SmscSession:
        """The newest bound session."""
        return self.sessions[-1]

    def on_bind(self, session: SmscSession, bind: Any) -> int:
        if not self.bind_status:
            self.sessions.append(session)
        self.changed()
        return self.bind_status

    def on_submits(self, session: SmscSession, submits: list[pdu.SubmitSm]) -> None:
        self.submits += submits
        replies = [(submit.sequence, self.reply(submit)) for submit in submits]
        session.answer_submits([(sequence, *reply) for sequence, reply in replies if reply is not None])
        self.changed()

    def on_request(self, session: SmscSession, record: pdu.Pdu) -> pdu.Pdu | None:
        return None

    def on_answers(self, session: SmscSession, answers: list[Any]) -> None:
        self.delivered += [(token, status) for token, status, _ in answers]
        self.changed()

    def on_late_answers(self, session: SmscSession, answers: list[Any]) -> None:
        raise AssertionError("a delivery was answered late")

    def on_timed_out(self, session: SmscSession, tokens: list[Any]) -> None:
        raise AssertionError("a delivery was not answered in time")

    def on_window(self, session: SmscSession) -> None:
        self.changed()

    def on_lost(self, session: SmscSession, unanswered: list[Any], never_sent: list[Any], loss: Loss) -> None:
        self.changed()

    def deliver(self, *messages: pdu.DeliverSm) -> None:
        """Deliver these in one write; their tokens are their places."""
        for place, message in enumerate(messages):
            self.session.deliver(hot.body_of(message), place)


def receipt_pdu(text: bytes, esm_class: int = 4, **fields: Any) -> pdu.DeliverSm:
    """A receipt from the handset that texts of this module go to."""
    return pdu.DeliverSm(**(addresses() | fields), esm_class=esm_class, short_message=text)


def inbound_pdu(payload: bytes, **fields: Any) -> pdu.DeliverSm:
    """A text from that handset."""
    return pdu.DeliverSm(**(addresses() | fields), short_message=payload)


def addresses() -> dict[str, Any]:
    """From the handset to our number, both international."""
    return {
        "source_addr_ton": 1,
        "source_addr_npi": 1,
        "source_addr": RECIPIENT[1:],
        "dest_addr_ton": 1,
        "dest_addr_npi": 1,
        "destination_addr": SENDER[1:],
    }
