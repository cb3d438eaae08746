"""What a carrier's answer means for a text: called by the recorder for each outcome."""

from opengage.domain.outcomes import NEVER_SENT, Accepted, Deferred, Outcome, Refused, Unknown
from opengage.domain.retry import Trouble
from opengage.domain.states import TextEvent, TextStatus
from opengage.operations.settling import Settling
from opengage.store.contract import Unanswered


def refs(outcome: Outcome) -> list[tuple[int, str]]:
    """(segment number, carrier's id) of the segments that the carrier took."""
    if isinstance(outcome, Accepted):
        return list(enumerate(outcome.carrier_refs, start=1))
    return list(outcome.carrier_refs)


def apply(settling: Settling, text: Unanswered, outcome: Outcome) -> None:
    """Let what the carrier said happen to a text.

    Once a text is to be sent again, an earlier submission that was not taken decides nothing: the later one may be,
    and its envelope may wait for an hour till then. That one was taken is true of the text, whichever it was.
    """
    is_past = outcome.attempt < text.attempts or text.status is TextStatus.QUEUED
    if is_past and not isinstance(outcome, Accepted):
        return
    match outcome:
        case Accepted():
            settling.apply(text, TextEvent.ACCEPTED, None)
        case Refused(code=code):
            settling.apply(text, TextEvent.REFUSED, code)
        case Unknown(code=code):
            settling.apply(text, TextEvent.NO_ANSWER, code)
        case Deferred(code=code, throttled=throttled):
            never_left = code == NEVER_SENT
            trouble = Trouble.DISCONNECTED if never_left else Trouble.THROTTLED if throttled else Trouble.TEMPORARY
            settling.put_off(text, trouble, code)
