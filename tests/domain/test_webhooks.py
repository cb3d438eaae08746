"""Events, the schedule of retries, and signatures that others accept."""

import datetime

import pytest
import standardwebhooks
from hypothesis import given
from hypothesis import strategies as st

from opengage.clock import SECOND, Instant
from opengage.domain.states import EngagementStatus, TextStatus
from opengage.domain.webhooks import (
    ATTEMPTS,
    ENGAGEMENT_EVENTS,
    LONGEST_RETRY_AFTER,
    TEXT_EVENTS,
    Event,
    next_attempt,
    retry_after,
    secret_bytes,
    secret_text,
    signature,
)

NOW = Instant(1_700_000_000 * SECOND)


def test_the_schedule_is_the_standards() -> None:
    """At once, then 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h and 24 h later, then never (bar R19)."""
    waits = [next_attempt(attempt, 0.0) for attempt in range(1, ATTEMPTS)]
    assert waits == [5, 300, 1800, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600]
    assert next_attempt(ATTEMPTS, 0.0) is None
    with pytest.raises(ValueError, match="from 1"):
        next_attempt(0, 0.0)


@given(st.integers(1, ATTEMPTS - 1), st.floats(0, 1, exclude_max=True))
def test_jitter_only_lengthens(attempt: int, chance: float) -> None:
    """By a tenth at most, so that what failed together does not come back together."""
    least, wait = next_attempt(attempt, 0.0), next_attempt(attempt, chance)
    assert least is not None
    assert wait is not None
    assert least <= wait <= least * 1.1


def test_a_receiver_may_ask_for_time() -> None:
    """Retry-After lengthens a wait, never shortens it, and never beyond a day."""
    assert next_attempt(1, 0.0, retry_after=120.0) == 120.0
    assert next_attempt(2, 0.0, retry_after=120.0) == 300.0
    assert next_attempt(1, 0.0, retry_after=1e12) == LONGEST_RETRY_AFTER
    assert next_attempt(ATTEMPTS, 0.0, retry_after=1.0) is None


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("120", 120.0),
        (" 0 ", 0.0),
        ("9" * 400, LONGEST_RETRY_AFTER),
        ("-5", None),
        ("soon", None),
        ("٣", None),
        ("Tue, 14 Nov 2023 22:14:20 GMT", 60.0),
        ("Tue, 14 Nov 2000 22:14:20 GMT", 0.0),
        ("Tue, 99 Nov 2023 22:14:20 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    """RFC 9110, section 10.2.3; what is neither is no wish."""
    assert retry_after(header, NOW) == seconds


def test_every_status_that_tells_something_is_an_event() -> None:
    """Texts tell all but `sending`, engagements all but `pending`."""
    assert set(TEXT_EVENTS) == {status.value for status in TextStatus} - {"sending"}
    assert set(ENGAGEMENT_EVENTS) == set(EngagementStatus) - {EngagementStatus.PENDING}
    assert {event for event in Event if event.startswith("text.")} == set(TEXT_EVENTS.values())


@given(st.binary(min_size=24, max_size=64), st.binary(min_size=24, max_size=64), st.text())
def test_signatures_are_accepted_by_the_public_library(old: bytes, new: bytes, words: str) -> None:
    """PyPI standardwebhooks verifies either secret of a rotation, and no third one."""
    now = int(datetime.datetime.now(datetime.UTC).timestamp())
    body = words.encode(errors="replace")
    secrets = [secret_text(new), secret_text(old)]
    headers = {
        "webhook-id": "msg",
        "webhook-timestamp": str(now),
        "webhook-signature": signature(secrets, "msg", now, body),
    }
    for secret in secrets:
        standardwebhooks.Webhook(secret).verify(body, headers, json_parse=False)
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(secret_text(old + b"x")).verify(body, headers, json_parse=False)
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(secrets[0]).verify(body + b" ", headers, json_parse=False)


def test_the_published_vector_is_met() -> None:
    """The example that the specification's libraries test with."""
    body = b'{"test": 2432232314}'
    made = signature(["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("text", ["MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_%%%", "whsec_abc"])
def test_what_is_no_secret_is_refused(text: str) -> None:
    """Without its prefix, or not base64."""
    with pytest.raises(ValueError, match="signing secret"):
        secret_bytes(text)
