"""One bind of the SMPP carrier: its connection, what waits for room on it, and the outcomes of what it carried.

Step 7 of the text's path. Each link has a window of its own; what one of them loses concerns no other.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Protocol

from opengage import logs
from opengage.carriers.smpp.deliveries import Normalise
from opengage.carriers.smpp.outgoing import Item, Token
from opengage.carriers.smpp.verdicts import LongText, Treatment, declined, never_sent
from opengage.domain.outcomes import CONNECTION_LOST, NO_ANSWER, Accepted, Outcome, Unknown
from opengage.smpp.connection import Backoff, Connection, ConnectionOwner, Phase, Report
from opengage.smpp.contract import Answer, Cause, Loss, SessionSettings, State
from opengage.smpp.esme import Bind, Esme
from opengage.smpp.pdu import DeliverSm

_log = logs.get(__name__)


class Hub(Protocol):
    """Whoever has the links: the carrier. All calls come on the event loop."""

    def tell(self, outcomes: list[Outcome]) -> None:
        """What became of texts on a link; the list may be empty."""
        ...

    def opened(self) -> int:
        """A session of a link has come to life; the mark that its deliveries are told apart by."""
        ...

    def room(self) -> None:
        """A link has room, or came up."""
        ...

    def delivered(self, link: "Link", deliveries: list[DeliverSm]) -> None:
        """A link read deliveries, of the session whose mark the link has now."""
        ...

    def closed(self, mark: int | None) -> None:
        """The session of this mark is gone; None when it never came to life."""
        ...


class Link(ConnectionOwner):
    """Keeps one connection, and exact account of what it was given."""

    def __init__(
        self,
        hub: Hub,
        settings: SessionSettings,
        where: tuple[str, int],
        bind: Bind,
        backoff: Backoff,
        normalise: Normalise | None,
        treatments: Mapping[int, Treatment],
        number: int,
    ) -> None:
        self._hub = hub
        self._connection = Connection(self, settings, *where, bind, backoff=backoff)
        self._normalise = normalise
        self._treatments = treatments
        self._number = number
        self._session: Esme | None = None
        self._waiting: deque[Item] = deque()
        self.mark: int | None = None
        """Names the live session among all that the carrier ever had."""

    # What the carrier asks.

    def start(self) -> None:
        """Connect, and stay connected."""
        self._connection.start()

    async def stop(self, within: float) -> None:
        """Wait for answers in flight, take leave, disconnect; hand in nothing more."""
        await self._connection.stop(within)

    def cut(self) -> None:
        """End the session without further ado."""
        if self._session is not None:
            self._session.abort(Cause.UNBIND_TIMEOUT, "no unbind_resp before the stop's end")

    @property
    def is_bound(self) -> bool:
        """Whether it can carry texts."""
        return self._session is not None and self._session.state is State.BOUND

    def capacity(self) -> int:
        """Segments that it takes without waiting."""
        return max(0, self._session.free_window - len(self._waiting)) if self._session is not None else 0

    def submit(self, items: Sequence[Item]) -> None:
        """Send these segments, those that do not fit as soon as there is room."""
        sent = 0
        if not self._waiting and self._session is not None:
            sent = self._session.submit_many(items)
        self._waiting.extend(items[sent:] if sent else items)

    def answer(self, answers: list[tuple[int, int]]) -> None:
        """Answer deliveries of the live session: (sequence, status)."""
        if self._session is not None:
            self._session.answer_deliveries(answers)

    def give_up_waiting(self) -> None:
        """What has not left will not leave any more."""
        waiting = [token for _, token in self._waiting]
        self._waiting.clear()
        self._hub.tell(_missed(waiting))

    # What the session tells: see smpp.contract.SessionOwner.

    def on_phase(self, report: Report) -> None:
        """The connection's news, for the log."""
        if report.phase is Phase.LOST:
            _log.warning(
                "smpp connection lost",
                bind=self._number,
                why=report.detail,
                retry_in=report.retry_in,
                lasting=report.permanent,
            )
        else:
            _log.info("smpp connection " + report.phase.value, bind=self._number)

    def on_window(self, session: Esme) -> None:
        """Bound, or room again: first what waits here, then what the dispatcher has."""
        self._adopt(session)
        self._fill()
        self._hub.room()

    def on_answers(self, session: Esme, answers: list[Answer]) -> None:  # noqa: ARG002 - SessionOwner's
        """Answers to submits."""
        outcomes: list[Outcome] = []
        normalise = self._normalise
        for token, status, name in answers:
            ref = normalise(name) if normalise is not None else name
            if isinstance(token, tuple):
                outcome = self._segment_answered(token, status, ref)
                if outcome is not None:
                    outcomes.append(outcome)
            elif status:
                outcomes.append(declined(token, status, self._treatments))
            else:
                outcomes.append(Accepted(token.text_id, (ref,), token.attempt))
        self._hub.tell(outcomes)

    def on_late_answers(self, session: Esme, answers: list[Answer]) -> None:
        """Answers to texts that were told as Unknown: their doubt is over, one way or the other."""
        self.on_answers(session, answers)

    def on_timed_out(self, session: Esme, tokens: list[Token]) -> None:  # noqa: ARG002 - SessionOwner's
        """No answer in time."""
        self._hub.tell(_doubted(tokens, NO_ANSWER))

    def on_lost(
        self,
        session: Esme,
        unanswered: list[Token],
        never_sent: list[Token],
        loss: Loss,  # noqa: ARG002 - SessionOwner's; the phase that follows tells it to the log
    ) -> None:
        """The link is gone: everything still here comes back now."""
        mark = None
        if session is self._session:
            mark, self.mark, self._session = self.mark, None, None
        waiting = [token for _, token in self._waiting]
        self._waiting.clear()
        self._hub.tell(_doubted(unanswered, CONNECTION_LOST) + _missed(never_sent + waiting))
        self._hub.closed(mark)

    def on_deliveries(self, session: Esme, deliveries: list[DeliverSm]) -> None:
        """Receipts and inbound texts; answered by `answer`."""
        self._adopt(session)
        self._hub.delivered(self, deliveries)

    def _adopt(self, session: Esme) -> None:
        """A session may speak before its connection has told that it is bound: whoever speaks is the live one."""
        if session is not self._session:
            self._session, self.mark = session, self._hub.opened()

    def _fill(self) -> None:
        """As much of what waits as the window has room for."""
        waiting, session = self._waiting, self._session
        if not waiting or session is None:
            return
        if session.free_window >= len(waiting):
            session.submit_many(list(waiting))
            waiting.clear()
            return
        for _ in range(session.free_window):
            session.submit(*waiting.popleft())

    def _segment_answered(self, token: tuple[LongText, int], status: int, ref: str) -> Outcome | None:
        text, number = token
        return text.decline(number, status, self._treatments) if status else text.accept(number, ref)


def _doubted(tokens: Sequence[Token], code: str) -> list[Outcome]:
    found = [
        one[0].doubt(one[1], code) if isinstance(one, tuple) else Unknown(one.text_id, code, attempt=one.attempt)
        for one in tokens
    ]
    return [outcome for outcome in found if outcome is not None]


def _missed(tokens: Sequence[Token]) -> list[Outcome]:
    found = [one[0].miss(one[1]) if isinstance(one, tuple) else never_sent(one) for one in tokens]
    return [outcome for outcome in found if outcome is not None]
