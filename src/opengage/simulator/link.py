"""One connection of an ESME: what it reads goes to the network, what the network answers goes back, sometimes badly."""

from typing import Final

from opengage.simulator.account import Account
from opengage.simulator.network import Network, Reply
from opengage.smpp.commands import CommandId
from opengage.smpp.contract import Answer, Cause, Loss, SessionSettings, Token
from opengage.smpp.esme import Bind
from opengage.smpp.framing import HEADER, frame
from opengage.smpp.pdu import BindTransmitter, Pdu, SubmitSm
from opengage.smpp.smsc import SmscOwner, SmscSession

_UNUSED: Final = 0x7FFFFFF0
"""A sequence number that no session reaches."""

GARBAGE: Final[dict[str, bytes]] = {
    "command": frame(0x0000BEEF, 0, _UNUSED, b"garbled"),
    "body": frame(CommandId.DELIVER_SM, 0, _UNUSED, b"\0\1\1garbled"),
    "length": HEADER.pack(7, CommandId.DELIVER_SM, 0, _UNUSED),
}
"""What can be sent in place of a PDU: each is another branch of SMPP 3.4 sections 3.3 and 4.3."""


class Line(SmscSession):
    """A session that can stop reading, as a network that hangs does."""

    _stalled = False

    def stall(self, seconds: float) -> None:
        """Read nothing for so long; what was read already is still served."""
        if self._stalled or self._transport is None or self._transport.is_closing():
            return
        self._stalled = True
        if not self._read_paused:
            self._read_paused = True
            self._transport.pause_reading()
        self._loop.call_later(seconds, self._resume)

    def flush(self) -> None:
        """Hand everything to the transport now, not at the end of this turn."""
        self._flush()

    def cut(self) -> None:
        """End the link without unbind; what the transport has still leaves, nothing else does."""
        self._end(Loss(Cause.ABORTED, "cut by chaos"))

    def _resume(self) -> None:
        self._stalled = False
        self._mind_reading()

    def _mind_reading(self) -> None:
        if not self._stalled:
            super()._mind_reading()


class Link(SmscOwner):
    """The owner of one session; it forgets nothing that the network still owes."""

    def __init__(self, network: Network, settings: SessionSettings) -> None:
        self._network = network
        self._account: Account | None = None
        self._generation = 0
        self._read = 0
        self.session = Line(self, settings)

    def on_bind(self, session: SmscSession, bind: Bind) -> int:
        """See SmscOwner."""
        status, self._account = self._network.bind(bind)
        if self._account is not None and not isinstance(bind, BindTransmitter):
            self._account.receivers.append(session)
        return status

    def on_submits(self, _session: SmscSession, submits: list[SubmitSm]) -> None:
        """See SmscOwner."""
        network, account = self._network, self._account
        if account is None:
            return
        if network.drops_left or network.chaos.stall_every:
            self._misread(account, submits)
        else:
            network.take(self, account, submits)

    def answer(self, replies: list[Reply]) -> None:
        """Send these answers to submits."""
        if not self._network.chaos.garble_every:
            self.session.answer_submits(replies)
            return
        for reply in replies:
            garbage = self._network.garbage()
            if garbage is not None:
                self.session.write_raw(GARBAGE[garbage])
            self.session.answer_submits([reply])

    def on_request(self, _session: SmscSession, _record: Pdu) -> None:
        """See SmscOwner: query_sm and its like are refused, as many carriers do."""

    def on_answers(self, _session: SmscSession, answers: list[Answer]) -> None:
        """See SessionOwner."""
        if self._account is not None:
            self._network.acknowledge(self._account, answers)

    def on_late_answers(self, session: SmscSession, answers: list[Answer]) -> None:
        """See SessionOwner: what is acknowledged late need not be sent once more; a late refusal changes nothing."""
        self.on_answers(session, [answer for answer in answers if not answer[1]])

    def on_timed_out(self, _session: SmscSession, tokens: list[Token]) -> None:
        """See SessionOwner."""
        if self._account is not None:
            self._network.put_back(self._account, tokens, [])

    def on_window(self, _session: SmscSession) -> None:
        """See SessionOwner."""
        if self._account is not None:
            self._network.pump(self._account)

    def on_lost(self, session: SmscSession, unanswered: list[Token], never_sent: list[Token], _loss: Loss) -> None:
        """See SessionOwner: what this link carried, another one will."""
        account, self._account = self._account, None
        if account is None:
            return
        if session in account.receivers:
            account.receivers.remove(session)
        self._network.put_back(account, unanswered, never_sent)
        self._network.leave(account)
        self._network.pump(account)

    # Chaos that needs the order of this link's submits.

    def _misread(self, account: Account, submits: list[SubmitSm]) -> None:
        network = self._network
        if self._generation != network.generation:
            self._generation, self._read = network.generation, 0
        before = self._read
        self._read += len(submits)
        every = network.chaos.stall_every
        if every and self._read // every > before // every:
            self.session.stall(network.chaos.stall_seconds)
        if network.drops_left:
            self._near_the_cut(account, submits, before)
        else:
            network.take(self, account, submits)

    def _near_the_cut(self, account: Account, submits: list[SubmitSm], before: int) -> None:
        """Answer those before the silence, take those in it, and cut behind it; the rest was never read."""
        network, chaos = self._network, self._network.chaos
        silence = max(0, chaos.drop_skip - before)
        cut = chaos.drop_skip + chaos.drop_after - before
        if silence:
            network.take(self, account, submits[:silence])
            self.session.flush()
        network.take(self, account, submits[silence:cut], mute=True)
        if len(submits) >= cut:
            network.drops_left -= 1
            network.counts.links_cut += 1
            self.session.cut()
