"""XLSX files: what people see in their cells, and files that mean no good."""

import io
import tracemalloc
import zipfile
from collections.abc import Callable
from datetime import datetime
from typing import Any

import openpyxl
import pytest

from opengage.domain.imports import Unusable
from opengage.operations import xlsx_rows

SHEET = "xl/worksheets/sheet1.xml"
STRINGS = "xl/sharedStrings.xml"
TYPES = "[Content_Types].xml"
OF_STRINGS = 'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"'
MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'


def workbook(*rows: list[Any]) -> bytes:
    """A file as a spreadsheet program saves it."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in rows:
        sheet.append(row)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def shared(*texts: str) -> bytes:
    """A table of strings."""
    return f"<sst {MAIN}>{''.join(f'<si><t>{each}</t></si>' for each in texts)}</sst>".encode()


def sheet(rows: str, before: str = "") -> Callable[[bytes], bytes]:
    """A sheet of these rows."""
    return lambda _: f"{before}<worksheet {MAIN}><sheetData>{rows}</sheetData></worksheet>".encode()


def rewritten(part: str, change: Callable[[bytes], bytes]) -> bytes:
    """A small workbook, whose two cells point at shared strings, with one part changed."""
    file = io.BytesIO()
    cells = '<row><c t="s"><v>0</v></c></row><row><c t="s"><v>1</v></c></row>'
    with zipfile.ZipFile(io.BytesIO(workbook(["phone"]))) as old:
        parts = {each: old.read(each) for each in old.namelist()}
    parts[SHEET], parts[STRINGS] = sheet(cells)(b""), shared("phone", "+12025550143")
    parts[TYPES] = parts[TYPES].replace(b"</Types>", f'<Override PartName="/{STRINGS}" {OF_STRINGS}/></Types>'.encode())
    parts[part] = change(parts[part])
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        for name, content in parts.items():
            new.writestr(name, content)
    return file.getvalue()


def read(content: bytes) -> list[tuple[int, list[str]]]:
    """All rows of a file."""
    return list(xlsx_rows.rows(io.BytesIO(content)))


def test_cells_read_as_people_see_them() -> None:
    """Whole numbers without a point, dates without midnight, empty cells empty, rows by their number."""
    file = workbook(
        ["phone", "name", "since", "paid", "share"],
        [12025550143, "Zoë", datetime.fromisoformat("2026-01-02"), True, 0.5],
        [],
        [None, "only a name", datetime.fromisoformat("2026-01-02T09:30")],
    )
    assert read(file) == [
        (1, ["phone", "name", "since", "paid", "share"]),
        (2, ["12025550143", "Zoë", "2026-01-02", "true", "0.5"]),
        (4, ["", "only a name", "2026-01-02 09:30"]),
    ]


def test_rich_texts_are_joined_without_their_reading() -> None:
    """Runs of one text belong together; how it is pronounced does not belong to it."""
    strings = (
        f'<sst {MAIN}><si><r><t>pho</t></r><r><t>ne</t></r><rPh sb="0" eb="1"><t>x</t></rPh></si>'
        "<si><t>+12025550143</t></si></sst>"
    )
    assert read(rewritten(STRINGS, lambda _: strings.encode())) == [(1, ["phone"]), (2, ["+12025550143"])]


BOMBS: dict[str, Callable[[], bytes]] = {
    "one-endless-row": lambda: rewritten(SHEET, sheet(f"<row>{'<c/>' * 600_000}</row>")),
    "a-row-far-down": lambda: rewritten(SHEET, sheet('<row r="2000000000"><c><v>1</v></c></row>')),
    "spaces": lambda: rewritten(SHEET, sheet(" " * 20_000_000)),
    "one-long-string": lambda: rewritten(
        STRINGS, lambda _: f"<sst {MAIN}><si><t>{'x' * 9_000_000}</t></si></sst>".encode()
    ),
    "entities": lambda: rewritten(
        SHEET, sheet("<row><c><v>&a;</v></c></row>", '<!DOCTYPE x [<!ENTITY a "aaaaaaaa">]>')
    ),
    "entities-in-utf-16": lambda: rewritten(
        SHEET, lambda _: sheet("", '<?xml version="1.0" encoding="utf-16"?><!DOCTYPE x>')(b"").decode().encode("utf-16")
    ),
    "entities-in-the-styles": lambda: rewritten(
        "xl/styles.xml", lambda old: old.replace(b"<styleSheet", b"<!DOCTYPE x><styleSheet", 1)
    ),
    "a-fat-style": lambda: rewritten("xl/styles.xml", lambda old: old + b" " * (5 << 20)),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_bombs_cost_little(bomb: str) -> None:
    """Each is refused with what to do instead, within little memory, however much it unpacks to."""
    content = BOMBS[bomb]()
    assert len(content) < 200_000
    tracemalloc.start()
    try:
        with pytest.raises(Unusable, match=r"CSV UTF-8|Split it"):
            read(content)
        assert tracemalloc.get_traced_memory()[1] < 200 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("limit", "value", "part", "content"),
    [
        ("MOST_ROWS", 10, SHEET, sheet("<row/>" * 11)),
        ("_MOST_STRINGS", 10, STRINGS, lambda _: shared(*"abcdefghijk")),
        ("_LARGEST_STRINGS", 100_000, STRINGS, lambda _: shared(*("x" * 1000 for _ in range(500)))),
        ("_LARGEST_SHEET", 100_000, SHEET, sheet("<row><c><v>1</v></c></row>" * 30_000)),
    ],
)
def test_the_whole_is_limited(
    limit: str, value: int, part: str, content: Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows, strings, and what both unpack to; within them all is well."""
    file = rewritten(part, content)
    assert read(file) is not None
    monkeypatch.setattr(xlsx_rows, limit, value)
    with pytest.raises(Unusable, match=r"CSV UTF-8|Split it"):
        read(file)


def test_a_directory_that_claims_too_much() -> None:
    """The list of parts is never read when it alone would fill memory, or hides behind ZIP64."""
    content = workbook(["phone"])
    at = content.rindex(b"PK\x05\x06")
    huge = content[: at + 12] + (2 << 20).to_bytes(4, "little") + content[at + 16 :]
    hidden = content[:at] + b"PK\x06\x07" + bytes(16) + content[at:]
    for each in (huge, hidden):
        with pytest.raises(Unusable, match="too many parts"):
            read(each)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\x03\x04",
        b"PK\x05\x06" + bytes(18),
        workbook(["phone"])[:-30],
        rewritten(SHEET, lambda _: b"<worksheet"),
        rewritten(SHEET, lambda old: old.replace(b"<v>0</v>", b"<v>999</v>")),
        rewritten(SHEET, lambda old: old.replace(b"<v>0</v>", b"<v>-9e99</v>")),
        rewritten(TYPES, lambda _: b"<x/>"),
        rewritten("xl/workbook.xml", lambda _: b"\x00"),
        rewritten(TYPES, lambda old: old.replace(b"/xl/workbook.xml", b"/xl/worksheets/sheet1.xml")),
    ],
)
def test_broken_files_are_told(content: bytes) -> None:
    """Whatever is broken, the answer is a sentence and no failure."""
    with pytest.raises(Unusable, match="CSV UTF-8"):
        read(content)


def test_a_part_longer_than_it_claims() -> None:
    """A part that unpacks to more than the directory says is broken, not believed."""
    content = rewritten(SHEET, sheet("<row><c><v>1</v></c></row>" * 50_000))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        size = archive.getinfo(SHEET).file_size
    lying = content.replace(size.to_bytes(4, "little"), (100).to_bytes(4, "little"))
    with pytest.raises(Unusable, match="CSV UTF-8"):
        read(lying)
