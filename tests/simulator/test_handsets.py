"""Handsets ring once per text, show it as a phone would, and forget the oldest."""

import msgspec
import pytest

from opengage.clock import Instant
from opengage.simulator.handsets import PhoneWall
from opengage.smpp import coding
from opengage.smpp.concatenation import part_of, split
from opengage.smpp.pdu import SubmitSm

NOW = Instant(1_795_000_000_000_000)
NUMBER = "12025550101"


def submits(text: str, number: str = NUMBER, reference: int = 1) -> list[SubmitSm]:
    """The submit_sm that carry a text."""
    cut = split(text, reference)
    plain = SubmitSm(source_addr="12025550100", destination_addr=number, data_coding=cut.data_coding)
    return [msgspec.structs.replace(plain, esm_class=cut.esm_class, short_message=payload) for payload in cut.payloads]


def ring(wall: PhoneWall, *carried: SubmitSm, now: float = 0.0) -> None:
    """Bring these to their handsets."""
    for submit in carried:
        wall.ring(submit, part_of(submit), NOW, now)


@pytest.mark.parametrize(
    ("text", "encoding", "segments"),
    [
        ("Hello [you] {€}", "gsm-7", 1),
        ("Привет 😀", "ucs-2", 1),
        ("x" * 161, "gsm-7", 2),
        ("ж" * 200, "ucs-2", 3),
    ],
)
def test_a_text_rings_once(text: str, encoding: str, segments: int) -> None:
    """Parts are joined, in whatever order they come; encoding and segments are known."""
    wall = PhoneWall()
    ring(wall, *reversed(submits(text)))
    (found,) = wall.inbox("+" + NUMBER)
    assert (found.text, found.encoding, found.segments, found.complete) == (text, encoding, segments, True)
    assert wall.counts() == {"rung": 1, "texts-kept": 1, "handsets": 1, "unfinished": 0}


def test_texts_with_other_references_do_not_mix() -> None:
    """Two long texts whose parts interleave are two texts."""
    wall = PhoneWall()
    first, second = submits("a" * 200, reference=1), submits("b" * 200, reference=2)
    ring(wall, first[0], second[0], first[1], second[1])
    assert [one.text for one in wall.inbox(NUMBER)] == ["a" * 200, "b" * 200]


def test_a_missing_part_is_given_up() -> None:
    """A handset shows what came when the rest is late, and says that it is not all."""
    wall = PhoneWall(patience=60)
    ring(wall, submits("a" * 200)[0], now=0)
    wall.give_up(NOW, 59)
    assert wall.inbox(NUMBER) == []
    wall.give_up(NOW, 61)
    (found,) = wall.inbox(NUMBER)
    assert (found.text, found.complete) == ("a" * 153, False)


def test_a_long_text_in_one_pdu_counts_its_segments() -> None:
    """message_payload carries it whole; on the air it takes as many segments as ever."""
    wall = PhoneWall()
    ring(wall, SubmitSm(destination_addr=NUMBER, tlvs=((0x0424, coding.encode_gsm7("x" * 400)),)))
    assert wall.inbox(NUMBER)[0].segments == 3


def test_the_newest_are_kept() -> None:
    """The bound is over all handsets together; counts go on."""
    wall = PhoneWall(keep=3)
    for number in ("12025550101", "12025550102", "12025550101", "12025550103", "12025550102"):
        ring(wall, *submits("Hello", number))
    assert wall.counts() == {"rung": 5, "texts-kept": 3, "handsets": 3, "unfinished": 0}
    assert wall.numbers(2) == ["+12025550102", "+12025550103"]
    assert len(wall.inbox("12025550102")) == 1
    for _ in range(3):
        ring(wall, *submits("Hello", "12025550104"))
    assert wall.numbers(9) == ["+12025550104"]


def test_a_screen_is_framed() -> None:
    """Every line of a screen is as wide as its frame; control characters cannot tear it."""
    wall = PhoneWall()
    ring(wall, *submits("Hello Ann,\n\x1b this is a longer text for a small screen"))
    lines = wall.screen(NUMBER).splitlines()
    assert {len(line) for line in lines} == {40}
    assert "+12025550101" in lines[0]
    assert any("Hello Ann," in line for line in lines)
    assert "ucs-2, 1 segment " in lines[-2]


def test_an_unknown_handset_has_an_empty_screen() -> None:
    """A number that never rang has nothing to show."""
    assert PhoneWall().screen("+12025550199").count("\n") == 1


def test_a_text_as_json() -> None:
    """What the control port answers."""
    wall = PhoneWall()
    ring(wall, *submits("Hello"))
    assert wall.inbox(NUMBER)[0].shown() == {
        "from": "12025550100",
        "to": "+12025550101",
        "text": "Hello",
        "encoding": "gsm-7",
        "segments": 1,
        "complete": True,
        "at": "2026-11-18T11:06:40+00:00",
    }
