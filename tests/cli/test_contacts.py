"""Lists of people: what can be texted, what cannot and why."""

from pathlib import Path

import pytest

from opengage.cli.contacts import BadRow, Contact, read
from opengage.domain.errors import Invalid

GOOD = Contact(2, "+12025550143", {"first-name": "Zoë"})


def written(folder: Path, text: str | bytes) -> Path:
    """A file with this content."""
    path = folder / "list.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_columns_become_merge_values(tmp_path: Path, mark: str, end: str) -> None:
    """Any line end, with or without a byte order mark; columns in any order, empty ones left out."""
    lines = ["first-name,phone-number,city", "Zoë,+12025550143,", ""]
    assert read(written(tmp_path, mark + end.join(lines))).good == [GOOD]


def test_bad_rows_are_told_with_line_reason_and_fix(tmp_path: Path) -> None:
    """Good ones around them stay; lines count from the header's, across fields of several lines."""
    text = 'phone-number,first-name\n+12025550143,Zoë\n2025550144,"A\nB"\n\n+12025550145\n,C\n+12025550146,D\n'
    found = read(written(tmp_path, text))
    assert found.good == [GOOD, Contact(8, "+12025550146", {"first-name": "D"})]
    missing = BadRow(
        4, "2025550144", "the country code is missing", "write + and the country code first, as in +12025550100"
    )
    assert found.bad[0] == missing
    assert found.bad[1] == BadRow(6, None, "the row has 1 fields", "give it as many as the header")
    assert (found.bad[2].line, found.bad[2].value) == (7, "")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "no usable header"),
        (b"name,number\nA,+12025550143\n", "one of them phone-number"),
        (b"phone-number,a,a\n", "each column once"),
        ("phone-number,a\n+12025550143,Zoë\n".encode("latin-1"), "is not UTF-8"),
        (b'phone-number,a\n+12025550143,"open\n', "is no CSV file"),
    ],
)
def test_what_is_no_list_is_told(tmp_path: Path, content: bytes, told: str) -> None:
    """The refusal names the file and the mending."""
    with pytest.raises(Invalid, match=told) as caught:
        read(written(tmp_path, content))
    assert "list.csv" in str(caught.value)


def test_no_file_is_told(tmp_path: Path) -> None:
    """With the flag that names another one."""
    with pytest.raises(Invalid, match=r"none\.csv cannot be read .*--contacts"):
        read(tmp_path / "none.csv")
