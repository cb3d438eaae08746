"""Validity periods in the relative format of SMPP 3.4, section 7.1.1.2."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opengage.smpp import pdu
from opengage.smpp.codec import decode, encode
from opengage.smpp.periods import LONGEST, relative


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (1, "000000000001000R"),
        (59.9, "000000000059000R"),
        (3_600, "000000010000000R"),
        (93_784, "000001020304000R"),
        (LONGEST, "000030000000000R"),
        (10 * LONGEST, "000030000000000R"),
        (0, "000000000001000R"),
        (-5, "000000000001000R"),
    ],
)
def test_periods(seconds: float, text: str) -> None:
    """Days, hours, minutes, seconds; never none at all, never more than a month."""
    assert relative(seconds) == text


@given(st.floats(-10, 1e9))
def test_any_period_can_be_written(seconds: float) -> None:
    """What comes out is a time that SMPP allows."""
    submit = pdu.SubmitSm(sequence=1, destination_addr="12025550100", validity_period=relative(seconds))
    assert decode(encode(submit)) == submit
