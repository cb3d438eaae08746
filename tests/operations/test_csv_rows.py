"""CSV files of every program: encodings, separators, and files that mean no good."""

import io

import pytest

from opengage.domain.imports import Unusable
from opengage.operations import csv_rows

ROWS = [(1, ["phone", "name"]), (2, ["+12025550143", "Zoë"])]


def read(content: bytes) -> list[tuple[int, list[str]]]:
    """All rows of a file."""
    return list(csv_rows.rows(io.BytesIO(content)))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_whatever_wrote_it(encoding: str, separator: str, end: str) -> None:
    """Encoding, separator and line end are found out."""
    text = end.join([f"phone{separator}name", f"+12025550143{separator}Zoë", ""])
    assert read(text.encode(encoding)) == ROWS


def test_excel_may_name_its_separator() -> None:
    """The line sep=; is no header, and counts as a row of the file."""
    assert read(b"sep=|\r\nphone|a,b,c\r\n1|2\r\n") == [(2, ["phone", "a,b,c"]), (3, ["1", "2"])]


def test_empty_rows_are_left_out_and_counted() -> None:
    """A row has the number that a spreadsheet shows, across quoted line ends too."""
    assert read(b'a,b\n\n"x\ny",1\n,\nz,2\n') == [(1, ["a", "b"]), (3, ["x\ny", "1"]), (5, ["z", "2"])]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("phone,Zoë\n1,".encode() + b"\xe9\n", "UTF-8, but damaged at byte 13"),
        (b"phone,name\n1,\x81\xe9\n", "not text in cp1252"),
        ("phone,näme\n".encode("utf-16") + b"\x00\xd8", "not text in utf-16"),
        (b'phone,name\n1,"open\n2,b\n', "Close every quote"),
        (b'phone,name\n1,"a"b\n', "Close every quote"),
        (b"x" * (csv_rows.LONGEST_LINE + 5), "more than 1048576 characters"),
        (b'phone\n"' + b"y\n" * 200_000, "Close every quote"),
    ],
    ids=["damaged", "no-encoding", "half-a-pair", "open-quote", "junk-after-quote", "one-line", "endless-cell"],
)
def test_what_is_no_csv_is_told(content: bytes, said: str) -> None:
    """What is wrong, where, and what to do."""
    with pytest.raises(Unusable, match=said):
        read(content)


def test_an_empty_file_has_no_rows() -> None:
    """Not even a header."""
    assert read(b"") == []
