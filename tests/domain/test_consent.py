"""Consent: which inbound texts stop, restart or ask for help."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opengage.domain.consent import TABLE, WORDS, Keyword, may_mean_stop, recognise, table

LAW = ["stop", "quit", "end", "revoke", "opt out", "cancel", "unsubscribe"]
"""47 CFR 64.1200(a)(10)."""

STOP = [
    *("STOP", "Stop", "stop.", " stop \n", "STOP!!!", "'stop'", "“STOP”", "S.T.O.P", "s t o p", "ＳＴＯＰ", "stop 🛑"),
    *("stopall", "STOP ALL", "Stop-All", "optout", "Opt-Out", "OPT OUT.", "opt\nout", "Arrêt", "ALTO"),
    *("Please stop.", "stop texting me!", "Don't text me", "Don’t text me", "REMOVE ME", "take me off your list"),
]
OTHER = [
    *("", " ", "!", "🛑", "yes", "y", "no", "thanks", "stopping by later", "we meet at the bus stop", "the end"),
    *("don't stop", "never stop", "start over", "helpful", "help me move", "information", "ending", "cancelled"),
    *("1", "st0p", "stop" + "." * 200),
]


@pytest.mark.parametrize("word", LAW)
@pytest.mark.parametrize("form", [str.lower, str.upper, str.title, " {}. ".format, '"{}"'.format])
def test_the_law(word: str, form: object) -> None:
    """Every word that the rule names ends consent, however it is written."""
    assert callable(form)
    assert recognise(form(word)) is Keyword.STOP


@pytest.mark.parametrize("text", STOP)
def test_stop(text: str) -> None:
    """Case, accents, punctuation and spaces make no difference; plain phrases count too."""
    assert recognise(text) is Keyword.STOP


@pytest.mark.parametrize("text", ["START", "start!", "Unstop", "opt in", "OPT-IN", "Subscribe"])
def test_start(text: str) -> None:
    """Consent comes back by its own words."""
    assert recognise(text) is Keyword.START


@pytest.mark.parametrize("text", ["HELP", "help?", "Info", "AIDE"])
def test_help(text: str) -> None:
    """Help is recognised."""
    assert recognise(text) is Keyword.HELP


@pytest.mark.parametrize("text", OTHER)
def test_other_texts(text: str) -> None:
    """A keyword must be the whole text, and YES is no keyword."""
    assert recognise(text) is None


@pytest.mark.parametrize(
    ("text", "doubtful"),
    [
        ("I said STOP, this is illegal", True),
        ("how do I opt out of this", True),
        ("Opt-out now!! who is this", True),
        ("you are spam", True),
        ("non-stop fun", True),
        ("see you at the stopover", False),
        ("thanks, see you", False),
        ("", False),
    ],
)
def test_doubtful_texts(text: str, doubtful: bool) -> None:
    """A longer text with a word of opting out is put before an operator, not acted on."""
    assert recognise(text) is None
    assert may_mean_stop(text) is doubtful


def test_every_wording_is_its_own_keyword() -> None:
    """The table holds each wording once, under its keyword."""
    for keyword, wordings in WORDS.items():
        assert {recognise(wording) for wording in wordings} == {keyword}


@pytest.mark.parametrize("words", [{Keyword.STOP: ["x"], Keyword.HELP: ["X!"]}, {Keyword.STOP: ["🛑"]}])
def test_ambiguous_words(words: dict[Keyword, list[str]]) -> None:
    """An account's own word that means two things, or nothing, is refused."""
    with pytest.raises(ValueError, match="give it to one keyword"):
        table(words)


def test_own_words() -> None:
    """An account's own words replace the built-in ones."""
    own = table({Keyword.STOP: ["basta"]})
    assert recognise("Basta!", own) is Keyword.STOP
    assert recognise("stop", own) is None


@given(st.text())
def test_any_text_gets_an_answer(text: str) -> None:
    """No inbound text breaks recognition."""
    assert recognise(text) in (None, *TABLE.values())
    assert may_mean_stop(text) in (True, False)
