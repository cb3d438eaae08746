"""A CSV file as rows, whatever program wrote it: encoding and separator are found out, memory stays small.

Before the text's path begins. Excel in Europe separates by semicolons and writes Windows-1252; others write UTF-8 with
or without a byte order mark, or UTF-16.
"""

import codecs
import csv
import io
from collections.abc import Generator, Iterator
from typing import BinaryIO, Final

from opengage.domain.imports import Unusable
from opengage.domain.media import utf16_without_mark

_CHUNK: Final = 1 << 20
LONGEST_LINE: Final = 1 << 20
"""Characters: a file without line ends must not be read into memory whole."""
_SEPARATORS: Final = ",;\t|"


def rows(file: BinaryIO) -> Generator[tuple[int, list[str]], None, None]:
    """(number of the row, its cells), counted as a spreadsheet counts; empty rows are left out.

    Raises Unusable, with what to do about it.
    """
    encoding = _encoding(file)
    file.seek(0)
    text = io.TextIOWrapper(file, encoding, newline="")
    try:
        yield from _parted(text, encoding)
    finally:
        text.detach()


def _parted(text: io.TextIOWrapper, encoding: str) -> Iterator[tuple[int, list[str]]]:
    number, before = 0, 0
    try:
        lines = _lines(text)
        first = next(lines, "")
        separator = _declared(first)
        if separator is None:
            separator = _separator(first)
            lines = _again(first, lines)
        else:
            before = 1
        for number, row in enumerate(csv.reader(lines, delimiter=separator, strict=True), before + 1):
            if any(row):
                yield number, row
    except UnicodeDecodeError as error:
        raise Unusable(
            f"The file is not text in {encoding} (after row {number}). Save it as “CSV UTF-8” and upload it again."
        ) from error
    except csv.Error as error:
        raise Unusable(
            f"Row {number + 1} is no CSV ({error}). Close every quote, and double those inside of quoted cells."
        ) from error


def _lines(text: io.TextIOWrapper) -> Iterator[str]:
    while line := text.readline(LONGEST_LINE):
        if len(line) >= LONGEST_LINE:
            raise Unusable(f"A line of the file has more than {LONGEST_LINE} characters. Upload a CSV file with rows.")
        yield line


def _again(first: str, lines: Iterator[str]) -> Iterator[str]:
    yield first
    yield from lines


def _declared(first: str) -> str | None:
    """The separator that Excel's own first line names: sep=;"""
    line = first.strip("\r\n")
    return line[4] if len(line) == 5 and line.lower().startswith("sep=") else None


def _separator(first: str) -> str:
    """What parts the header most often, outside of quotes."""
    outside = "".join(first.split('"')[::2])
    return max(_SEPARATORS, key=outside.count)


def _encoding(file: BinaryIO) -> str:
    """The file's encoding. One that is UTF-8 but for some bytes is damaged, not Windows-1252: raises Unusable."""
    file.seek(0)
    head = file.read(4096)
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    guessed = utf16_without_mark(head)
    return guessed or _one_byte_or_utf8(file)


def _one_byte_or_utf8(file: BinaryIO) -> str:
    file.seek(0)
    decode = codecs.getincrementaldecoder("utf-8")().decode
    is_plain, read = True, 0
    while chunk := file.read(_CHUNK):
        try:
            is_plain = decode(chunk).isascii() and is_plain
        except UnicodeDecodeError as error:
            good = chunk[: error.start].decode("utf-8", "ignore")
            if is_plain and good.isascii():
                return "cp1252"
            raise Unusable(
                f"The file is UTF-8, but damaged at byte {read + error.start}. Save it as “CSV UTF-8” and upload it "
                "again."
            ) from error
        read += len(chunk)
    return "utf-8"
