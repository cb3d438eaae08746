"""What an inbound text says about consent: STOP, START and HELP, read as soon as it has arrived.

The words are data. 47 CFR 64.1200(a)(10) names stop, quit, end, revoke, opt out, cancel and unsubscribe, and adds
any wording that a reasonable person would understand; the CTIA's principles ask for HELP. Case, accents,
punctuation and spaces are ignored, and a keyword must be the whole text: "Stop!" ends consent, "we meet at the
bus stop" does not. A longer text that may mean it is only flagged, for an operator to decide.
"""

import unicodedata
from collections.abc import Iterable, Mapping
from enum import StrEnum
from itertools import pairwise
from types import MappingProxyType


class Keyword(StrEnum):
    """What the sender of an inbound text asks for."""

    STOP = "stop"
    START = "start"
    HELP = "help"


WORDS: Mapping[Keyword, tuple[str, ...]] = MappingProxyType(
    {
        Keyword.STOP: (
            *("stop", "stop all", "quit", "end", "revoke", "opt out", "cancel", "unsubscribe"),
            *("arret", "alto"),  # French and Spanish: carriers in Canada and the United States expect them
            *("stop it", "stop now", "stop please", "please stop", "stop stop", "stop stop stop"),
            *("stop texting", "stop texting me", "stop messaging me", "stop sending me texts", "stop sending"),
            *("stop these texts", "stop these messages", "stop contacting me", "no more texts", "no more messages"),
            *("do not text", "do not text me", "dont text me", "do not contact me", "dont contact me"),
            *("opt me out", "i opt out", "i want to opt out", "unsubscribe me", "please unsubscribe", "unsub"),
            *("remove", "remove me", "please remove me", "take me off", "take me off your list", "leave me alone"),
        ),
        Keyword.START: ("start", "unstop", "opt in", "subscribe", "resubscribe", "resume"),
        Keyword.HELP: ("help", "info", "aide", "ayuda"),
    }
)
"""Every wording that counts. YES is not among those that restart: it answers too many other questions."""

HINTS = frozenset({"stop", "stopp", "quit", "revoke", "cancel", "unsubscribe", "optout", "remove", "spam"})
"""Words that make a longer text worth an operator's look."""


def _squeezed(text: str) -> str:
    """Letters and digits alone, without case and accents: "Opt-Out!" and "opt out" become "optout"."""
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKD", text).casefold()))


def table(words: Mapping[Keyword, Iterable[str]] = WORDS) -> Mapping[str, Keyword]:
    """Words made ready for recognise; an account may bring its own in place of WORDS.

    Raises ValueError when a wording has no letter or would mean two things.
    """
    squeezed: dict[str, Keyword] = {}
    for keyword, wordings in words.items():
        for wording in wordings:
            key = _squeezed(wording)
            if not key or squeezed.setdefault(key, keyword) is not keyword:
                raise ValueError(f"{wording!r} means nothing, or two things: give it to one keyword")
    return MappingProxyType(squeezed)


TABLE = table()
"""WORDS made ready."""

_LONGEST = 200


def recognise(text: str, words: Mapping[str, Keyword] = TABLE) -> Keyword | None:
    """The keyword that a whole inbound text amounts to; None for any other text."""
    return words.get(_squeezed(text)) if len(text) <= _LONGEST else None


def may_mean_stop(text: str) -> bool:
    """Whether a text that is no keyword still holds a word of opting out, and an operator should read it."""
    decomposed = unicodedata.normalize("NFKD", text).casefold()
    spaced = "".join(character if character.isalnum() else " " for character in decomposed)
    words = spaced.split()
    pairs = {first + second for first, second in pairwise(words)}
    return not HINTS.isdisjoint(words) or not HINTS.isdisjoint(pairs)
