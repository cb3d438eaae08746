"""A row of a spreadsheet as a contact: column names, mappings, numbers, and what is wrong with a cell."""

import pytest

from opengage.domain.imports import Column, Fault, Person, Target, Unusable, check_mapping, columns, dashed, read_row

PHONE = Column("Phone", Target.PHONE_NUMBER)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("First Name", "first-name"),
        ("Policy No.", "policy-no"),
        ("  CITY ", "city"),
        ("Größe (cm)", "größe-cm"),
        ("—", ""),
    ],
)
def test_names_become_merge_fields(name: str, expected: str) -> None:
    """Lower case, dashes, no punctuation."""
    assert dashed(name) == expected


def test_columns_are_known_by_their_names() -> None:
    """The words of address books; every other one is a merge value, and one without a name is left out."""
    found = columns(["Mobile Phone", "Given Name", "Surname", "E-mail", "Notes", "Policy No.", ""], None)
    assert [column.target for column in found] == [
        Target.PHONE_NUMBER,
        Target.FIRST_NAME,
        Target.LAST_NAME,
        Target.EMAIL,
        Target.NOTES,
        None,
        Target.IGNORE,
    ]
    assert found[5].key == "policy-no"


def test_a_mapping_wins() -> None:
    """What it leaves out keeps its own name."""
    found = columns(["A", "Phone", "B", "City"], {"A": "phone-number", "Phone": "ignore", "B": "meta.Branch Office"})
    assert [(each.target, each.key) for each in found] == [
        (Target.PHONE_NUMBER, ""),
        (Target.IGNORE, ""),
        (None, "branch-office"),
        (None, "city"),
    ]


@pytest.mark.parametrize(
    ("header", "mapping", "said"),
    [
        (["name"], None, "No column holds phone numbers"),
        (["phone"], {"phone": "ignore"}, "No column holds phone numbers"),
        (["phone", "x", "x"], None, "Two columns are called “x”"),
        (["phone"], {"mobile": "phone-number"}, "a column “mobile”, which the file does not have. It has “phone”"),
        (["phone"] + [f"c{place}" for place in range(256)], None, "257 columns"),
    ],
)
def test_headers_that_cannot_be(header: list[str], mapping: dict[str, str] | None, said: str) -> None:
    """Each says what to mend."""
    with pytest.raises(Unusable, match=said):
        columns(header, mapping)


@pytest.mark.parametrize("target", ["phone", "", "meta.", "meta.!", "Meta.x"])
def test_mappings_that_cannot_be(target: str) -> None:
    """Told before the file is read; what can be is not."""
    assert "Map it to one of" in str(check_mapping({"A": target}))
    assert check_mapping({"A": "meta.city", "B": "phone-number", "C": "ignore"}) is None
    assert "257 columns" in str(check_mapping({str(place): "ignore" for place in range(257)}))


def test_a_row_becomes_a_person() -> None:
    """Several numbers and addresses in a cell, each once; empty cells are left out; cells may be missing at the end."""
    header = columns(["Phone", "Phone 2", "First name", "Email", "City", "Plan"], None)
    cells = ["+1 202 555 0143; +1 (202) 555-0144", "+12025550143", " Zoë ", "a@example.org;b@example.org", ""]
    assert read_row(header, cells, None) == Person(
        ["+12025550143", "+12025550144"], "Zoë", None, ["a@example.org", "b@example.org"], None, {}
    )


@pytest.mark.parametrize(
    ("written", "region", "number"),
    [
        ("(202) 555-0143", "US", "+12025550143"),
        ("1 202 555 0143", "US", "+12025550143"),
        ("07700 900123", "GB", "+447700900123"),
        ("+12025550143", "GB", "+12025550143"),
        ("00 1 202 555 0143", "GB", "+12025550143"),
    ],
)
def test_national_numbers_take_a_region(written: str, region: str, number: str) -> None:
    """A number without a country code belongs to the region; one with it does not."""
    assert read_row([PHONE], [written], region) == Person([number], None, None, [], None, {})


@pytest.mark.parametrize(
    ("cell", "region", "detail", "fix"),
    [
        ("", None, "the phone number is missing", "write one, as in +12025550100"),
        ("2025550143", None, "the country code is missing", "or set “default-region”"),
        ("call me", "US", "this is no phone number", "write its digits alone"),
        ("123", "US", "the number has the wrong length for +1", "check its digits"),
        ("1.2025550143E+10", "US", "the spreadsheet has rounded it", "format the column as text"),
        ("+1202\x005550143", None, "it holds a NUL character", "remove it"),
        ("+" * 5000, "US", "this is no phone number in E.164 form", "write + and 7 to 15 digits"),
    ],
)
def test_bad_numbers_are_told(cell: str, region: str | None, detail: str, fix: str) -> None:
    """What is wrong, and how to mend it; no more of the cell than fits a line, and never a NUL."""
    (fault,) = read_row([PHONE], [cell], region)  # type: ignore[misc]
    assert isinstance(fault, Fault)
    assert detail in fault.detail
    assert fix in fault.fix
    assert len(fault.value) <= 80
    assert "\x00" not in fault.value


def test_every_fault_of_a_row_is_told() -> None:
    """Not only the first one."""
    header = columns(["Phone", "Email", "First name", "City"], None)
    faults = read_row(header, ["x", "nobody", "y" * 1001, "z\x00"], None)
    assert isinstance(faults, list)
    assert [fault.field for fault in faults] == ["Phone", "Email", "First name", "City"]


def test_a_row_with_more_cells_than_columns() -> None:
    """Something was not quoted: guessing which cell is which would text the wrong words."""
    (fault,) = read_row([PHONE], ["+12025550143", "Lee", ""], None)  # type: ignore[misc]
    assert isinstance(fault, Fault)
    assert fault.detail == "the row has 3 cells, the header 1"


def test_too_much_in_a_row() -> None:
    """Merge values have a limit together."""
    header = columns(["phone", *(f"c{place}" for place in range(50))], None)
    faults = read_row(header, ["+12025550143", *(["y" * 900] * 50)], None)
    assert isinstance(faults, list)
    assert "too much in all" in faults[0].detail
