"""Chunks of any size become the same PDUs, and a length that cannot be ends the stream."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opengage.smpp.commands import Status
from opengage.smpp.framing import Frame, Splitter, frame

frames = st.lists(
    st.tuples(
        st.integers(0, 0xFFFFFFFF),
        st.integers(0, 0xFFFFFFFF),
        st.integers(0, 0xFFFFFFFF),
        st.binary(max_size=60),
    ),
    max_size=8,
)


@given(frames, st.lists(st.integers(1, 40), max_size=60))
def test_any_chunking_gives_the_same_frames(whole: list[Frame], sizes: list[int]) -> None:
    """However TCP cuts the stream, the frames and their order are those that were sent."""
    stream = b"".join(frame(*one) for one in whole)
    splitter, found, start = Splitter(), [], 0
    for size in sizes:
        found += splitter.feed(stream[start : start + size])
        start += size
    found += splitter.feed(stream[start:])
    assert found == whole
    assert splitter.held == 0
    assert splitter.error is None


def test_octet_by_octet() -> None:
    """A header that trickles in is waited for."""
    splitter = Splitter()
    found = [one for octet in frame(4, 0, 1, b"body") for one in splitter.feed(bytes((octet,)))]
    assert found == [(4, 0, 1, b"body")]


def test_a_partial_pdu_is_held() -> None:
    """What is behind the last whole PDU waits for its rest, and only that."""
    splitter = Splitter()
    assert splitter.feed(frame(4, 0, 1) + frame(5, 0, 2, b"xyz")[:-1]) == [(4, 0, 1, b"")]
    assert splitter.held == 18


@pytest.mark.parametrize("length", ["00000000", "0000000F", "00010001", "FFFFFFFF"])
def test_impossible_lengths_end_the_stream(length: str) -> None:
    """A command_length under 16 or over the maximum fails at its fourth octet.

    Earlier frames still come out.
    """
    splitter = Splitter()
    assert splitter.feed(frame(4, 0, 1) + bytes.fromhex(length)) == [(4, 0, 1, b"")]
    assert splitter.error is not None
    assert splitter.error.status is Status.ESME_RINVCMDLEN
    assert splitter.held == 0
    assert splitter.feed(frame(4, 0, 2)) == []


def test_an_impossible_length_that_arrives_in_pieces() -> None:
    """Cut inside command_length, a giant one is still seen before anything is hoarded."""
    splitter = Splitter()
    assert splitter.feed(b"\x7f\xff") == []
    assert splitter.error is None
    assert splitter.feed(b"\xff\xff") == []
    assert splitter.error is not None


def test_the_largest_pdu_is_accepted() -> None:
    """64 KiB, the documented maximum, is inside the bounds."""
    body = b"x" * (65_536 - 16)
    assert Splitter().feed(frame(4, 0, 1, body)) == [(4, 0, 1, body)]


def test_many_small_chunks_of_one_large_pdu_are_held_once() -> None:
    """While a large PDU arrives in small pieces nothing is split off before its last octet."""
    whole = frame(4, 0, 1, b"x" * 60_000)
    splitter = Splitter()
    found = [splitter.feed(whole[start : start + 10]) for start in range(0, len(whole), 10)]
    assert [len(each) for each in found[:-1]] == [0] * (len(found) - 1)
    assert found[-1] == [(4, 0, 1, b"x" * 60_000)]
