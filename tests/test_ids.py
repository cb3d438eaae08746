"""Identity: stored ids are UUIDv7, wire ids are shortuuid's legacy base57."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opengage.ids import ALPHABET, LENGTH, Id, from_wire, new_id, to_wire

LARGEST = b"\xff" * 16


def legacy(value: bytes) -> str:
    """The legacy order, plainly: divide by 57, write each remainder as it comes, fill up with zero digits."""
    number, text = int.from_bytes(value, "big"), ""
    while number:
        number, digit = divmod(number, 57)
        text += ALPHABET[digit]
    return text.ljust(22, ALPHABET[0])


def test_new_ids_are_uuid7_in_order() -> None:
    """Ids made one after the other sort in that order and never repeat."""
    made = [new_id() for _ in range(1000)]
    assert {UUID(bytes=one).version for one in made} == {7}
    assert {UUID(bytes=one).variant for one in made} == {"specified in RFC 4122"}
    assert made == sorted(set(made))


@given(st.binary(min_size=16, max_size=16))
def test_wire_form_returns(value: bytes) -> None:
    """Every 16 bytes have a wire form of 22 characters of the alphabet that leads back to them."""
    wire = to_wire(value)
    assert len(wire) == LENGTH == 22
    assert set(wire) <= set(ALPHABET)
    assert from_wire(wire) == value


@given(st.binary(min_size=16, max_size=16))
def test_wire_form_is_the_legacy_order(value: bytes) -> None:
    """The least significant digit comes first."""
    assert to_wire(value) == legacy(value)


@pytest.mark.parametrize(
    ("number", "wire"),
    [
        (0, "2" * 22),
        (1, "3" + "2" * 21),
        (56, "z" + "2" * 21),
        (57, "23" + "2" * 20),
        (57 * 57 + 2, "423" + "2" * 19),
    ],
)
def test_known_forms(number: int, wire: str) -> None:
    """Small numbers, by hand: digits rise from the left."""
    value = number.to_bytes(16, "big")
    assert to_wire(value) == wire
    assert from_wire(wire) == value


def test_a_pair_that_shortuuid_published() -> None:
    """The sample pair in the documentation of shortuuid before 1.0, whose order this is."""
    value = UUID("6ca4f0f8-2508-4bac-b8f1-5d1e3da2247a").bytes
    assert to_wire(value) == "cu8Eo9RyrUsV4MXEiDZpLM"
    assert from_wire("cu8Eo9RyrUsV4MXEiDZpLM") == value


def test_alphabet_has_no_lookalikes() -> None:
    """57 different characters, ascending, none of them 0, 1, I, O or l."""
    assert len(set(ALPHABET)) == 57
    assert list(ALPHABET) == sorted(ALPHABET)
    assert not set("01IOl") & set(ALPHABET)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2" * 21,
        "2" * 23,
        "2" * 21 + "0",
        "2" * 21 + "l",
        "2" * 21 + "é",
        "2" * 21 + " ",
        "2" * 21 + "\n",
        "-" + "2" * 21,
        "z" * 22,
        "2" * 21 + "z",
        "00000000-0000-0000-0000-000000000000",
    ],
)
def test_what_is_no_id_is_refused(text: str) -> None:
    """Wrong length, foreign characters and numbers above 128 bits are no ids."""
    assert from_wire(text) is None


def test_the_edge_of_128_bits() -> None:
    """The largest id is accepted, and the number after it is not."""
    wire = to_wire(LARGEST)
    assert from_wire(wire) == Id(LARGEST)
    above = ALPHABET[ALPHABET.index(wire[0]) + 1] + wire[1:]
    assert from_wire(above) is None
