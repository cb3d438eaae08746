"""Which envelopes become texts, and why the others do not."""

import msgspec
import pytest

from opengage.dispatch.planning import Known, Plan, Rules, plan
from opengage.domain.states import Reason
from opengage.domain.templates import compile_template
from opengage.ids import Id, new_id
from opengage.store.contract import Due

ANN, BEN = "+12025550111", "+12025550112"


def due(number: str = ANN, name: str | None = "Ann", text_id: Id | None = None) -> Due:
    """An envelope that may be taken."""
    meta = {} if name is None else {"first-name": name}
    return Due(
        new_id(), number, msgspec.json.encode(meta).decode(), text_id, Reason.RETRYING if text_id else Reason.NONE
    )


def planned(envelopes: list[Due], known: Known = Known((), ()), body: str = "Hi {{first-name}}", most: int = 2) -> Plan:  # noqa: B008 - frozen
    """These envelopes decided."""
    return plan(envelopes, compile_template(body), known, Rules(max_segments=most), new_id)


@pytest.mark.parametrize(
    ("envelope", "known", "reason"),
    [
        (due(), Known((ANN,), ()), Reason.OPTED_OUT),
        (due(), Known((), ((ANN, "Hi Ann"),)), Reason.DUPLICATE),
        (due(name=None), Known((), ()), Reason.MISSING_VARIABLE),
        (due(name="   "), Known((), ()), Reason.MISSING_VARIABLE),
        (due(name="x" * 400), Known((), ()), Reason.TOO_LONG),
        (due(name="x" * 2000), Known((), ()), Reason.TOO_LONG),
        (due(name=None), Known((ANN,), ()), Reason.OPTED_OUT),
    ],
    ids=["suppressed", "texted before", "no value", "blank value", "too many segments", "too many characters", "both"],
)
def test_a_refused_envelope_is_closed_with_its_reason(envelope: Due, known: Known, reason: Reason) -> None:
    """Each check closes the envelope without a text, under its own reason."""
    found = planned([envelope], known)
    assert not found.intents
    assert [(each.envelope_id, each.reason) for each in found.settled] == [(envelope.envelope_id, reason)]


def test_an_envelope_becomes_an_intent() -> None:
    """What passes every check is rendered and counted, under a new text id."""
    envelope = due(name="Zoë 👋")
    found = planned([envelope])
    (intent,) = found.intents
    assert (intent.envelope_id, intent.recipient, intent.body) == (envelope.envelope_id, ANN, "Hi Zoë 👋")
    assert (intent.segments, found.segments, intent.is_retry) == (1, 1, False)
    assert len(intent.text_id) == 16


def test_of_two_that_say_the_same_the_first_speaks() -> None:
    """Within a batch the second envelope with the same number and words is a duplicate."""
    first, second = due(), due()
    found = planned([first, second])
    assert [intent.envelope_id for intent in found.intents] == [first.envelope_id]
    assert [(each.envelope_id, each.reason) for each in found.settled] == [(second.envelope_id, Reason.DUPLICATE)]


def test_other_words_or_another_number_are_no_duplicate() -> None:
    """A duplicate is the same number and the same words."""
    found = planned([due(), due(name="Ben"), due(BEN)])
    assert [(intent.recipient, intent.body) for intent in found.intents] == [
        (ANN, "Hi Ann"),
        (ANN, "Hi Ben"),
        (BEN, "Hi Ann"),
    ]


def test_a_retry_is_not_its_own_duplicate() -> None:
    """A text that was put off is known to the store already, and goes again under its old id."""
    text_id = new_id()
    found = planned([due(text_id=text_id)], Known((), ((ANN, "Hi Ann"),), {text_id: "Hi Ann"}))
    assert [(intent.text_id, intent.is_retry) for intent in found.intents] == [(text_id, True)]


def test_a_newcomer_is_the_duplicate_of_a_retry() -> None:
    """Two that say the same in one batch stay two, even if one of them is tried again."""
    text_id = new_id()
    retry, newcomer = due(text_id=text_id), due()
    found = planned([retry, newcomer], Known((), ((ANN, "Hi Ann"),), {text_id: "Hi Ann"}))
    assert [intent.envelope_id for intent in found.intents] == [retry.envelope_id]
    assert [each.envelope_id for each in found.settled] == [newcomer.envelope_id]


def test_a_suppressed_retry_names_its_text() -> None:
    """Whoever closes the envelope must cancel the text that was put off."""
    text_id = new_id()
    found = planned([due(text_id=text_id)], Known((ANN,), (), {text_id: "Hi Ann"}))
    assert [(each.text_id, each.reason) for each in found.settled] == [(text_id, Reason.OPTED_OUT)]


def test_a_retry_keeps_its_words() -> None:
    """A text that was put off says what it said, whatever the template says now: parts may have arrived already."""
    text_id = new_id()
    found = planned([due(text_id=text_id)], Known((), (), {text_id: "Hi Ann"}), body="Now {{first-name}}")
    assert [intent.body for intent in found.intents] == ["Hi Ann"]
