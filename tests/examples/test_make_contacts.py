"""The example list: reproducible, fictional, and odd exactly where its README says."""

import csv
from collections import Counter

from examples.make_contacts import FILE, ODD, REFUSED, ROWS, SENT, as_csv, as_table, rows

from opengage.domain.phone_numbers import InvalidNumber, parse


def canonical(number: str) -> str | None:
    """A number as the API takes it, or None."""
    try:
        return parse(number)
    except InvalidNumber:
        return None


def test_the_file_is_what_the_generator_makes() -> None:
    """Nobody edits the file by hand."""
    assert FILE.read_text("utf-8") == as_csv()


def test_the_file_reads_back() -> None:
    """A plain CSV reader sees every row whole."""
    with FILE.open(encoding="utf-8", newline="") as file:
        read = [tuple(row) for row in csv.reader(file)]
    assert len(read) == ROWS + 1
    assert read[1:] == rows()


def test_odd_rows_stand_where_the_readme_says() -> None:
    """The README's table is the generator's, and each line of it holds that row."""
    assert as_table() in FILE.with_name("README.md").read_text("utf-8")
    made = rows()
    for odd in ODD:
        assert made[odd.line - 2] == (odd.phone_number, odd.first_name, odd.last_name)


def test_exactly_the_refused_rows_have_bad_numbers() -> None:
    """The API agrees with the table on all of them."""
    refused = {odd.line for odd in ODD if odd.fate == REFUSED}
    assert {line for line, row in enumerate(rows(), 2) if canonical(row[0]) is None} == refused


def test_exactly_the_marked_rows_repeat_or_miss_something() -> None:
    """Apart from the table no number comes twice, and no first name is missing."""
    numbers = Counter(number for row in rows() if (number := canonical(row[0])))
    odd_numbers = {number for odd in ODD if (number := canonical(odd.phone_number))}
    assert {number for number, count in numbers.items() if count > 1} <= odd_numbers
    missing = {odd.line for odd in ODD if not odd.first_name}
    assert {line for line, row in enumerate(rows(), 2) if not row[1]} == missing


def test_the_readme_tells_the_right_counts() -> None:
    """What the demo's ledger must show follows from the table."""
    fates = Counter(odd.fate for odd in ODD)
    accepted = ROWS - fates[REFUSED]
    unsent = sum(count for fate, count in fates.items() if fate not in (SENT, REFUSED))
    expected = f"{fates[REFUSED]} refused, {accepted} accepted, of which {accepted - unsent} are sent"
    assert expected in FILE.with_name("README.md").read_text("utf-8")


def test_every_number_is_fictional() -> None:
    """Good numbers lie in the ranges kept for fiction, and nowhere else."""
    kept = ("+447700900", "+44207946", "+44141496", "+493023125", "+3319900", "+46701740")
    for number in filter(None, (canonical(row[0]) for row in rows())):
        is_nanp = number.startswith("+1") and len(number) == 12 and number[5:10] == "55501"
        assert is_nanp or number.startswith(kept), number
