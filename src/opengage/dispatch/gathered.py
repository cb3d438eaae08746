"""What a recorder has heard from its carrier and not stored yet, and whom it tells of what is."""

from typing import Protocol

import msgspec

from opengage.domain.outcomes import Inbound, Outcome, Receipt
from opengage.domain.records import Text, TextResult
from opengage.ids import Id
from opengage.store import rows
from opengage.store.contract import Transaction


class Feedback(Protocol):
    """What a sender wants to hear of its texts."""

    def answered(self, engagement_id: Id | None, outcome: Outcome) -> None:
        """The outcome of one of its texts is stored."""
        ...

    def wake(self) -> None:
        """There may be room to send."""
        ...


class Batch(msgspec.Struct):
    """What is gathered for the next commit."""

    outcomes: list[Outcome] = []
    receipts: list[Receipt] = []
    inbound: list[Inbound] = []
    again: list[int] = []
    """Tokens of inbound texts that are stored already, or in this batch."""
    tried: list[tuple[int, Id]] = []
    """(account, id) of the inbound texts as the last try wrote them: they tell whether it was committed after all."""
    result: tuple[int, Id] | None = None
    """(account, id) of a fate event that the last try wrote: it tells the same."""

    def __bool__(self) -> bool:
        return bool(self.outcomes or self.receipts or self.inbound or self.again)

    async def is_stored(self, tx: Transaction) -> bool:
        """Whether a try that seemed to fail has been committed, all of it.

        What handsets said would be stored twice, and a text that was put off may have left again since: putting it off
        once more would send it twice. Receipts need no such look: applied again, they change nothing.
        """
        if self.tried:
            return await rows.find(tx, Text, *self.tried[0]) is not None
        return self.result is not None and await rows.find(tx, TextResult, *self.result) is not None

    def take_untried(self) -> list[int]:
        """Take out the inbound texts, if no try has written them; their tokens."""
        if self.tried:
            return []
        texts, self.inbound = self.inbound, []
        return [text.token for text in texts]
