"""Long texts: where they are cut, what the header says, and how parts are joined again."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opengage.smpp import coding, concatenation
from opengage.smpp.concatenation import Part, Reassembler, Whole
from opengage.smpp.pdu import SubmitSm


@pytest.mark.parametrize(
    ("text", "wide", "sizes"),
    [
        ("x" * 160, False, [160]),
        ("x" * 161, False, [153, 8]),
        ("x" * 306, False, [153, 153]),
        ("x" * 307, False, [153, 153, 1]),
        ("x" * 161, True, [152, 9]),
        ("x" * 158 + "€", False, [160]),
        ("x" * 159 + "€", False, [153, 8]),
        ("x" * 152 + "€" + "x" * 10, False, [152, 12]),  # the pair would straddle: it moves on whole
        ("", False, [0]),
    ],
)
def test_gsm7_sizes(text: str, wide: bool, sizes: list[int]) -> None:
    """160 septets fit one segment, 153 (152 with a wide reference) each of several; escape pairs stay whole."""
    segments = concatenation.split(text, 1, wide=wide)
    assert segments.data_coding == 0
    header = 0 if len(sizes) == 1 else 7 if wide else 6
    assert [len(payload) - header for payload in segments.payloads] == sizes


@pytest.mark.parametrize(
    ("text", "wide", "sizes"),
    [
        ("ж" * 70, False, [70]),
        ("ж" * 71, False, [67, 4]),
        ("ж" * 71, True, [66, 5]),
        ("😀" * 35, False, [70]),
        ("😀" * 36, False, [66, 6]),  # 67 is odd: the pair moves on whole
        ("ж" + "😀" * 35, False, [67, 4]),
    ],
)
def test_ucs2_sizes(text: str, wide: bool, sizes: list[int]) -> None:
    """70 units fit one segment, 67 (66 with a wide reference) each of several; surrogate pairs stay whole."""
    segments = concatenation.split(text, 1, wide=wide)
    assert segments.data_coding == 8
    header = 0 if len(sizes) == 1 else 7 if wide else 6
    assert [(len(payload) - header) // 2 for payload in segments.payloads] == sizes


def test_headers_are_pinned() -> None:
    """The header's octets as TS 23.040 lays them out, for both widths of reference."""
    narrow = concatenation.split("x" * 161, 0x1AB)
    assert narrow.esm_class == 0x40
    assert [payload[:6].hex(" ") for payload in narrow.payloads] == ["05 00 03 ab 02 01", "05 00 03 ab 02 02"]
    wide = concatenation.split("x" * 161, 0x1ABCD, wide=True)
    assert [payload[:7].hex(" ") for payload in wide.payloads] == ["06 08 04 ab cd 02 01", "06 08 04 ab cd 02 02"]


def test_one_segment_has_no_header() -> None:
    """A short text is plain user data with esm_class 0."""
    assert concatenation.split("Hi @", 9) == concatenation.Segments(0, 0, (b"Hi \0",))


def test_too_long_is_refused() -> None:
    """255 segments are the most that a header can count."""
    assert len(concatenation.split("x" * 153 * 255, 1).payloads) == 255
    with pytest.raises(ValueError, match="256 segments"):
        concatenation.split("x" * (153 * 255 + 1), 1)


def as_parts(segments: concatenation.Segments) -> list[Part]:
    """What a receiver makes of these segments."""
    messages = (SubmitSm(esm_class=segments.esm_class, short_message=payload) for payload in segments.payloads)
    return [concatenation.part_of(message) for message in messages]


@given(
    st.one_of(
        st.text(st.sampled_from("ab€[]@\n"), max_size=700),
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=300),
    ),
    st.integers(0, 0xFFFF),
    st.booleans(),
    st.randoms(),
)
def test_split_and_join(text: str, reference: int, wide: bool, random: Random) -> None:
    """Every text, cut and shuffled, is joined to itself; each part alone is readable and no longer than 140 octets."""
    segments = concatenation.split(text, reference, wide=wide)
    parts = as_parts(segments)
    assert "".join(coding.decode(segments.data_coding, part.payload) for part in parts) == text
    for payload in segments.payloads:
        udh = payload[0] + 1 if segments.esm_class else 0
        user_data = len(payload) - udh
        assert udh + user_data <= 140 if segments.data_coding else -(-udh * 8 // 7) + user_data <= 160
    shuffled = list(enumerate(parts))
    random.shuffle(shuffled)
    joined: Reassembler[int] = Reassembler()
    done = [whole for place, part in shuffled for whole in joined.add("a", "b", part, place, 0.0)]
    assert done == [Whole(b"".join(part.payload for part in parts), tuple(range(len(parts))), True)]
    assert len(joined) == 0


def test_sar_parameters() -> None:
    """sar_ parameters say the same as a header."""
    tlvs = ((0x020C, b"\x01\x02"), (0x020E, b"\x03"), (0x020F, b"\x02"))
    assert concatenation.part_of(SubmitSm(short_message=b"x", tlvs=tlvs)) == Part(b"x", 258, 3, 2)


@pytest.mark.parametrize(
    ("message", "payload"),
    [
        (SubmitSm(esm_class=0x40, short_message=b"\x05\x00\x03\x01\x02\x03x"), b"x"),  # part 3 of 2
        (SubmitSm(esm_class=0x40, short_message=b"\x05\x00\x03\x01\x02\x00x"), b"x"),  # part 0
        (SubmitSm(esm_class=0x40, short_message=b"\x09\x00\x03"), b"\x09\x00\x03"),  # longer than the text
        (SubmitSm(esm_class=0x40, short_message=b"\x03\x00\x09\x01x"), b"\x03\x00\x09\x01x"),  # element too long
        (SubmitSm(esm_class=0x40, short_message=b"\x04\x05\x02\x01\x02x"), b"x"),  # another element: ports
        (SubmitSm(esm_class=0x40), b""),
        (SubmitSm(short_message=b"x", tlvs=((0x020C, b"\x01"),)), b"x"),  # one sar_ parameter alone
        (SubmitSm(short_message=b"x", tlvs=((0x020C, b"\1"), (0x020E, b"\1\0"), (0x020F, b"\1"))), b"x"),
    ],
)
def test_what_is_no_part_is_a_text_of_its_own(message: SubmitSm, payload: bytes) -> None:
    """Contradictory, cut or foreign headers never lose the user data and never wait for parts."""
    assert concatenation.part_of(message) == Part(payload)


@given(st.binary(max_size=60))
def test_any_header_is_survived(payload: bytes) -> None:
    """No octets make the header's parser raise, and a part's numbers always make sense."""
    part = concatenation.part_of(SubmitSm(esm_class=0x40, short_message=payload))
    assert 1 <= part.number <= part.total


def test_the_buffer_is_bounded() -> None:
    """Beyond its limit the oldest unfinished text comes back as incomplete, with its items."""
    joined: Reassembler[str] = Reassembler(limit=2)
    for reference in (1, 2):
        assert joined.add("a", "b", Part(b"x", reference, 2, 1), f"item {reference}", 0.0) == []
    assert joined.add("a", "b", Part(b"x", 3, 2, 1), "item 3", 0.0) == [Whole(b"x", ("item 1",), False)]
    assert len(joined) == 2


def test_patience_ends() -> None:
    """Parts whose siblings never came are given up after the patience, not before."""
    joined: Reassembler[int] = Reassembler(patience=10.0)
    joined.add("a", "b", Part(b"x", 1, 2, 2), 1, 100.0)
    joined.add("a", "b", Part(b"y", 2, 2, 2), 2, 105.0)
    assert joined.expire(110.0) == []
    assert joined.expire(111.0) == [Whole(b"x", (1,), False)]
    assert len(joined) == 1


def test_a_repeated_part_keeps_both_items() -> None:
    """A part that comes twice counts once, but whoever sent it twice gets both answers."""
    joined: Reassembler[int] = Reassembler()
    for item in (1, 2):
        assert joined.add("a", "b", Part(b"x", 1, 2, 1), item, 0.0) == []
    assert joined.add("a", "b", Part(b"y", 1, 2, 2), 3, 0.0) == [Whole(b"xy", (2, 3, 1), True)]


def test_parts_of_a_lost_link_are_discarded() -> None:
    """What is gone is neither joined nor answered; parts from elsewhere stay and wait."""
    joined: Reassembler[str] = Reassembler(patience=10.0)
    joined.add("a", "b", Part(b"x", 1, 2, 1), "gone", 0.0)
    joined.add("a", "b", Part(b"x", 2, 3, 1), "gone", 0.0)
    joined.add("a", "b", Part(b"x", 2, 3, 1), "kept", 0.0)
    joined.add("a", "b", Part(b"y", 2, 3, 2), "gone", 0.0)
    joined.discard(lambda item: item == "gone")
    assert len(joined) == 1
    assert joined.add("a", "b", Part(b"y", 2, 3, 2), "second", 1.0) == []
    assert joined.add("a", "b", Part(b"z", 2, 3, 3), "third", 1.0) == [Whole(b"xyz", ("kept", "second", "third"), True)]
    assert joined.add("a", "b", Part(b"y", 1, 2, 2), "other", 1.0) == []


def test_texts_of_different_people_are_not_mixed() -> None:
    """The same reference from another source is another text."""
    joined: Reassembler[int] = Reassembler()
    assert joined.add("a", "b", Part(b"x", 1, 2, 1), 1, 0.0) == []
    assert joined.add("c", "b", Part(b"y", 1, 2, 2), 2, 0.0) == []
    assert len(joined) == 2
