"""Segments: what a text costs, and which character made it dear."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opengage.domain.segments import Culprit, TooManySegments, check, count, culprit

GSM7 = "gsm-7"
UCS2 = "ucs-2"

COUNTED = [
    ("", GSM7, 0, 1),
    ("Hello", GSM7, 5, 1),
    ("a" * 160, GSM7, 160, 1),
    ("a" * 161, GSM7, 161, 2),
    ("a" * 306, GSM7, 306, 2),
    ("a" * 307, GSM7, 307, 3),
    ("a" * 1530, GSM7, 1530, 10),
    ("@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ ¤¡ÄÖÑÜ§¿äöñüà", GSM7, 45, 1),
    ("€", GSM7, 2, 1),
    ("^{}\\[~]|€\f", GSM7, 20, 1),
    ("€" * 80, GSM7, 160, 1),
    ("€" * 80 + "a", GSM7, 161, 2),
    ("€" * 153, GSM7, 306, 3),  # 76 pairs and a lost septet in each part
    ("a" * 152 + "€" + "a" * 152, GSM7, 306, 3),  # the pair moves over whole
    ("a" * 151 + "€" + "a" * 153, GSM7, 306, 2),
    ("`", UCS2, 1, 1),
    ("\t", UCS2, 1, 1),
    ("\0", UCS2, 1, 1),
    ("ç", UCS2, 1, 1),
    ("я" * 70, UCS2, 70, 1),
    ("я" * 71, UCS2, 71, 2),
    ("я" * 134, UCS2, 134, 2),
    ("я" * 135, UCS2, 135, 3),
    ("😀", UCS2, 2, 1),
    ("😀" * 35, UCS2, 70, 1),
    ("😀" * 36, UCS2, 72, 2),
    ("😀" * 67, UCS2, 134, 3),  # 33 pairs and a lost unit in each part
    ("я" * 66 + "😀" + "я" * 66, UCS2, 134, 3),
    ("я" * 65 + "😀" + "я" * 67, UCS2, 134, 2),
    ("a" * 159 + "’", UCS2, 160, 3),
]


@pytest.mark.parametrize(("text", "encoding", "units", "segments"), COUNTED)
def test_count(text: str, encoding: str, units: int, segments: int) -> None:
    """160 and 153 septets, 70 and 67 units; extension characters and emoji weigh two and are never split."""
    assert count(text) == (encoding, units, segments)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello €", None),
        ("", None),
        ("It’s", Culprit(2, "’")),
        ("Ça va 😀", Culprit(6, "😀")),
        ("a\tb’", Culprit(1, "\t")),
    ],
)
def test_culprit(text: str, expected: Culprit | None) -> None:
    """The first character outside the alphabet is named with its place."""
    assert culprit(text) == expected


def test_cap() -> None:
    """Ten segments pass and eleven do not, unless the limit says so."""
    assert check("a" * 1530).segments == 10
    with pytest.raises(TooManySegments, match="11 segments: shorten it to 10") as caught:
        check("a" * 1531)
    assert caught.value.reason == "too-long"
    assert caught.value.counted.units == 1531
    assert check("a" * 1531, limit=11).segments == 11
    with pytest.raises(TooManySegments):
        check("a" * 161, limit=1)


CHARACTERS = st.one_of(st.sampled_from("aé@€[~я’😀\n"), st.characters())


@given(st.lists(st.tuples(CHARACTERS, st.integers(1, 90)), max_size=8))
def test_against_a_plain_model(runs: list[tuple[str, int]]) -> None:
    """A model that lays characters one by one into parts agrees."""
    text = "".join(character * times for character, times in runs)
    counted = count(text)
    gsm7 = culprit(text) is None
    weights = [_weight(character, gsm7) for character in text]
    assert counted == (GSM7 if gsm7 else UCS2, sum(weights), _parts(weights, *((160, 153) if gsm7 else (70, 67))))


def _weight(character: str, gsm7: bool) -> int:
    return 2 if (character in "^{}\\[~]|€\f" and gsm7) or character > "\uffff" else 1


def _parts(weights: list[int], single: int, part: int) -> int:
    if sum(weights) <= single:
        return 1
    parts, left = 1, part
    for weight in weights:
        if weight > left:
            parts, left = parts + 1, part
        left -= weight
    return parts


def test_lone_surrogate() -> None:
    """A lone surrogate, which JSON can smuggle in, is counted rather than fatal."""
    assert count("\ud83d") == (UCS2, 1, 1)
