"""Instants as text: the recorded form, and what a client may send."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opengage.jsonapi.timestamps import from_text, to_text, to_text_or_none


def test_recorded_form() -> None:
    """Six digits and +00:00, also when the fraction is zero (wire contract, section 3)."""
    assert to_text(1_594_150_561_641_305) == "2020-07-07T19:36:01.641305+00:00"
    assert to_text(1_594_150_561_000_001) == "2020-07-07T19:36:01.000001+00:00"
    assert to_text(0) == "1970-01-01T00:00:00.000000+00:00"
    assert to_text_or_none(None) is None


@given(st.integers(0, 253_402_300_799_999_999))
def test_round_trip(instant: int) -> None:
    """Every instant that can be stored reads back as itself."""
    assert from_text(to_text(instant)) == instant


@pytest.mark.parametrize(
    "text", ["2026-12-01T09:00:00", "tomorrow", "", "0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59-12:00"]
)
def test_refused(text: str) -> None:
    """No offset, no time, or one that could not be said again: no instant."""
    with pytest.raises(ValueError):  # noqa: PT011 - the standard library's own words
        from_text(text)


def test_offsets_name_the_same_instant() -> None:
    """Z and any offset are understood."""
    assert from_text("2026-12-01T10:00:00+01:00") == from_text("2026-12-01T09:00:00Z")
