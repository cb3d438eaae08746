"""The carrier's side of the bargain with the dispatcher: translate, and report what happened. Nothing else.

A carrier never retries, never stores and never decides. It is handed texts whose intent is already committed; every one
of them comes back as exactly one Outcome, which names its attempt, whatever befalls the connection, and a late answer
to a text that was given up as Unknown comes back as one more. Receipts and inbound texts are acknowledged to the
network only when the dispatcher says that they are stored.
"""

from collections.abc import Sequence
from typing import Protocol

from opengage.domain.outcomes import Inbound, Outcome, Receipt, Submission


class Sink(Protocol):
    """Who is told: the dispatcher's recorder. All calls come on the event loop and return at once."""

    def outcomes(self, outcomes: Sequence[Outcome]) -> None:
        """What became of submissions, as many as were read in one go."""
        ...

    def receipts(self, receipts: Sequence[Receipt]) -> None:
        """Fates of texts, final ones only; to be acknowledged by their tokens once stored."""
        ...

    def inbound(self, texts: Sequence[Inbound]) -> None:
        """Whole texts from handsets; to be acknowledged by their tokens once stored."""
        ...

    def unacknowledged(self, tokens: Sequence[int], *, surely: bool) -> None:
        """Inbound texts whose acknowledgement the network lacks, or not `surely` may lack: their connection ended.

        The network delivers them again, under another token. They may not be stored yet.
        """
        ...

    def ready(self) -> None:
        """The connection came up, went down, or has room again: look at `capacity`."""
        ...


class Carrier(Protocol):
    """What speaks to one network, over as many connections as it keeps."""

    def start(self, sink: Sink) -> None:
        """Connect, and stay connected: reconnects by itself with growing pauses."""
        ...

    @property
    def is_bound(self) -> bool:
        """Whether texts can be submitted now."""
        ...

    def capacity(self) -> int:
        """How many segments may be submitted now without waiting; 0 while not connected."""
        ...

    def submit(self, submissions: Sequence[Submission]) -> None:
        """Send these texts; never blocks, never raises. What does not fit the window waits inside."""
        ...

    def acknowledge(self, tokens: Sequence[int], *, stored: bool) -> None:
        """Answer deliveries: `stored` once committed, else "try again later".

        Unknown tokens are ignored, and so are those that came with a connection that has ended.
        """
        ...

    async def stop(self, within: float) -> None:
        """Wait up to `within` seconds for answers in flight, take leave, disconnect.

        Texts still without an answer then come back as Unknown, texts that never left as Deferred.
        """
        ...
