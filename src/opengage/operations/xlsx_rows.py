"""The first sheet of an XLSX file as rows, in bounded memory whatever the file claims to hold.

Before the text's path begins. openpyxl understands the parts (dates, booleans, styles); the reading of the large ones
is ours, because a file of a few kilobytes may unpack to gigabytes: what is unpacked is counted as it comes, and what a
row or the table of strings may hold is limited. A document type, where XML bombs are declared, is refused outright.
"""

import datetime as dt
import warnings
import zipfile
from collections.abc import Generator, Iterable, Iterator
from typing import Any, BinaryIO, Final
from xml.etree.ElementTree import ParseError, iterparse

from openpyxl.reader.excel import ExcelReader
from openpyxl.styles.stylesheet import apply_stylesheet
from openpyxl.worksheet._reader import DATA_TAG, ROW_TAG, WorkSheetParser
from openpyxl.xml.constants import SHARED_STRINGS, SHEET_MAIN_NS

from opengage.domain.imports import Unusable

_MIB: Final = 1 << 20
MOST_ROWS: Final = 1_048_576
"""Excel's own limit."""
_MOST_COLUMNS: Final = 257
"""One more than a header may have, so that a longer one is seen to be too long."""
_LARGEST_ROW: Final = _MIB
_LARGEST_SHEET: Final = 4096 * _MIB
_LARGEST_STRINGS: Final = 32 * _MIB
_MOST_STRINGS: Final = 2_000_000
_LARGEST_PART: Final = 4 * _MIB
"""Of the parts that openpyxl reads whole: the workbook, its styles, who refers to whom."""
_MOST_PARTS: Final = 16 * _MIB
"""Of all those together."""
_LARGEST_DIRECTORY: Final = _MIB
_DOCTYPES: Final = (b"<!DOCTYPE", "<!DOCTYPE".encode("utf-16-le"), "<!DOCTYPE".encode("utf-16-be"))
_STREAMED: Final = ("xl/worksheets/sheet", "xl/sharedStrings")
"""What the names of the parts begin with that are read piece by piece."""
_TAIL: Final = 65_557
"""Where the end record of a ZIP file must begin (APPNOTE 4.3.16): 22 bytes and a comment of 65,535."""
_AS_CSV: Final = "Save the sheet as “CSV UTF-8” and upload that."

_STRING: Final = f"{{{SHEET_MAIN_NS}}}si"
_RUN: Final = f"{{{SHEET_MAIN_NS}}}r"
_TEXT: Final = f"{{{SHEET_MAIN_NS}}}t"

_BROKEN: Final = (
    zipfile.BadZipFile,
    ParseError,
    KeyError,
    IndexError,
    ValueError,
    TypeError,
    AttributeError,
    OSError,
    EOFError,
    NotImplementedError,
    RuntimeError,
    OverflowError,
)
"""What openpyxl, zipfile and the XML parser raise for files that are none, or are broken on purpose."""


def rows(file: BinaryIO) -> Generator[tuple[int, list[str]], None, None]:
    """(number of the row, its cells as text); empty rows are left out. Raises Unusable, with what to do about it."""
    try:
        _check_directory(file)
        with zipfile.ZipFile(file) as archive:
            yield from _rows(archive)
    except Unusable:
        raise
    except _BROKEN as error:
        raise Unusable(f"The file is no XLSX workbook that can be read. {_AS_CSV}") from error


def _check_directory(file: BinaryIO) -> None:
    """A ZIP file's list of contents is read whole: it must not be a bomb itself."""
    size = file.seek(0, 2)
    file.seek(max(0, size - _TAIL))
    tail = file.read(_TAIL)
    end = tail.rfind(b"PK\x05\x06")
    if end < 0:
        raise zipfile.BadZipFile
    length = int.from_bytes(tail[end + 12 : end + 16], "little")
    if length > _LARGEST_DIRECTORY or tail[max(0, end - 20) : end].startswith(b"PK\x06\x07"):
        raise Unusable(f"The workbook has too many parts. {_AS_CSV}")


def _rows(archive: zipfile.ZipFile) -> Iterator[tuple[int, list[str]]]:
    reader, sheet = _workbook(archive)
    strings = _strings(archive, reader)
    with archive.open(sheet) as raw:
        source = _Counted(raw, _LARGEST_SHEET)
        parser = WorkSheetParser(
            source,
            strings,
            data_only=True,
            epoch=reader.wb.epoch,
            date_formats=reader.wb._date_formats,
            timedelta_formats=reader.wb._timedelta_formats,
        )
        for number, cells in _parsed(source, parser):
            found = _cells(cells)
            if any(found):
                yield number, found


def _workbook(archive: zipfile.ZipFile) -> tuple[Any, str]:
    """openpyxl's reader with the small parts read, and the name of the first sheet's part."""
    _check_parts(archive)
    reader = ExcelReader.__new__(ExcelReader)
    reader.archive, reader.valid_files = archive, archive.namelist()
    reader.read_only = reader.data_only = True
    reader.keep_vba = reader.keep_links = reader.rich_text = False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # openpyxl warns of missing styles, which no import needs
        reader.read_manifest()
        _check_main(reader.package.Override)
        reader.read_workbook()
        apply_stylesheet(archive, reader.wb)
    for _, relation in reader.parser.find_sheets():
        if "chartsheet" not in relation.Type and relation.target in reader.valid_files:
            return reader, relation.target
    raise Unusable(f"The workbook has no sheet. {_AS_CSV}")


def _check_parts(archive: zipfile.ZipFile) -> None:
    """The parts that openpyxl may read whole, all but the sheets and their strings, are small and declare nothing."""
    left = _MOST_PARTS
    for part in archive.infolist():
        if part.filename.startswith(_STREAMED) or not part.filename.endswith((".xml", ".rels")):
            continue
        left -= part.file_size
        if part.file_size > _LARGEST_PART or left < 0:
            raise Unusable(f"The workbook's part {part.filename[:80]} is too large. {_AS_CSV}")
        _refuse_doctype(archive.read(part))


def _check_main(parts: Iterable[Any]) -> None:
    """What claims to be the workbook is read whole too: it must be one of the parts that were looked at."""
    streamed = tuple(f"/{each}" for each in _STREAMED)
    for part in parts:
        name = part.PartName
        if "main+xml" in part.ContentType and (name.startswith(streamed) or not name.endswith(".xml")):
            raise Unusable(f"The workbook's main part has an odd name. {_AS_CSV}")


def _refuse_doctype(data: bytes) -> None:
    if any(mark in data for mark in _DOCTYPES):
        raise Unusable(f"The workbook declares a document type, which no spreadsheet does. {_AS_CSV}")


class _Counted:
    """A part of the archive as it is unpacked; what comes between two rows is limited, and so is the whole."""

    def __init__(self, raw: Any, limit: int) -> None:
        self._raw = raw
        self._limit = limit
        self._total = 0
        self._last = b""
        self.since_row = 0

    def read(self, size: int = -1) -> bytes:
        """See io.RawIOBase.read."""
        data: bytes = self._raw.read(size if size > 0 else 65_536)
        if self.since_row == self._total:  # no row yet: what is declared is declared here
            self._last = self._last[-32:] + data
            _refuse_doctype(self._last)
        self._total += len(data)
        self.since_row += len(data)
        if self.since_row > _LARGEST_ROW + 65_536 or self._total > self._limit:
            raise Unusable(f"The workbook unpacks to more than a list of people needs. {_AS_CSV}")
        return data


def _strings(archive: zipfile.ZipFile, reader: Any) -> list[str]:
    """The shared strings, which must be in memory: cells name them by number."""
    part = reader.package.find(SHARED_STRINGS)
    if part is None:
        return []
    found: list[str] = []
    with archive.open(part.PartName[1:]) as raw:
        source = _Counted(raw, _LARGEST_STRINGS)
        top = None
        for event, node in iterparse(source, ("start", "end")):  # noqa: S314 - see _Counted
            if event == "start":
                top = node if top is None else top
            elif node.tag == _STRING:
                found.append("".join(each.text or "" for each in _texts(node)))
                source.since_row = 0
                assert top is not None
                top.clear()
                if len(found) > _MOST_STRINGS:
                    raise Unusable(f"The workbook holds more than {_MOST_STRINGS} different texts. {_AS_CSV}")
    return found


def _texts(node: Any) -> Iterator[Any]:
    """The texts of a shared string; how it is pronounced in Japanese (rPh) is no part of it."""
    for child in node:
        if child.tag == _TEXT:
            yield child
        elif child.tag == _RUN:
            yield from (each for each in child if each.tag == _TEXT)


def _parsed(source: _Counted, parser: WorkSheetParser) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """Each row that is there, and what it holds; nothing of it stays in memory."""
    top, count = None, 0
    for event, node in iterparse(source, ("start", "end")):  # noqa: S314 - see _Counted
        if event == "start":
            top = node if node.tag == DATA_TAG else top
        elif node.tag == DATA_TAG:
            return
        elif node.tag == ROW_TAG:
            count += 1
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                number, cells = parser.parse_row(node)
            if count > MOST_ROWS or number > MOST_ROWS:
                raise Unusable(f"The sheet has more than {MOST_ROWS} rows. Split it.")
            yield number, cells
            parser.row_dimensions.clear()
            source.since_row = 0
            if top is not None:
                top.clear()


def _cells(cells: list[dict[str, Any]]) -> list[str]:
    """A row's cells as text, in their columns."""
    found: list[str] = []
    for cell in cells:
        column = min(int(cell["column"]), _MOST_COLUMNS)
        if cell["value"] is not None and column > 0:
            found += [""] * (column - len(found))
            found[column - 1] = _text(cell["value"])
    return found


def _text(value: Any) -> str:
    """A cell's value as a person reads it: whole numbers without a point, dates without midnight."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, dt.datetime):
        return value.date().isoformat() if value.time() == dt.time() else value.isoformat(" ", "minutes")
    return str(value)
