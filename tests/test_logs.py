"""Logs: numbers, messages and secrets never appear, whatever way they come in."""

import io
import json
import logging
import logging.config
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import structlog

from opengage import logs

NUMBER = "+12025550143"
BODY = "Hello Ada, your code is 7788"
SECRET = "sk_4fJq9dLmV2"


@dataclass
class Text:
    """Something whose repr holds a message."""

    to: str
    body: str


class Fate(StrEnum):
    """An enumeration, shown by value."""

    DELIVERED = "delivered"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Logs configured as JSON into memory; afterwards everything is as before."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    sink = io.StringIO()
    logs.configure("info", "json", sink)
    yield sink
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    """Every line that was written."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.mark.parametrize(
    "written",
    [
        "+12025550143",
        "12025550143",
        "+1 (202) 555-0143",
        "+1.202.555.0143",
        "%2B12025550143",
        "tel:+12025550143",
        "(202) 555-0143",
        "202-555-0143",
        "202 555 0143",
        "2025550143",
        "to=12025550143&x=1",
        "+44 7700 900143",
        "07700 900143",
        "447700900143",
    ],
)
def test_numbers_are_masked_however_written(written: str) -> None:
    """Only the last two digits of a number stay."""
    masked = logs.mask(f"sent to {written}, done")
    assert masked.startswith("sent to ")
    assert masked.endswith(", done")
    assert "***43" in masked
    assert not any(part in masked for part in ("555", "900143", "7700", "202"))


@pytest.mark.parametrize(
    "harmless",
    [
        "2026-06-01 10:00:00 +0000",
        "2026-06-01T10:00:00.000001+00:00",
        "127.0.0.1:8080",
        "192.168.100.200",
        "sent 10000 of 50000 in 4.137 s",
        "/api/v1/engagements/7YjSXNGqbeKZKhBfLQAVpR",
        "opengage 0.1.0, window 500",
    ],
)
def test_what_is_no_number_stays(harmless: str) -> None:
    """Times, addresses, counts and ids stay readable."""
    assert logs.mask(harmless) == harmless


@pytest.mark.parametrize("text", [f"Basic {SECRET}", f"bearer {SECRET}", f"smpp://demo:{SECRET}@127.0.0.1:2775"])
def test_credentials_inside_text_are_cut(text: str) -> None:
    """An authorization header or a URL with a password shows neither."""
    assert SECRET not in logs.mask(f"using {text} now")


@pytest.mark.parametrize(
    "fields",
    [
        {"to": NUMBER, "text": BODY, "token_secret": SECRET},
        {"number": int(NUMBER), "body": BODY, "Authorization": f"Basic {SECRET}"},
        {"request": {"headers": {"X-To": [NUMBER], "authorization": SECRET}, "short-message": BODY}},
        {"items": [{"phone-number": NUMBER, "meta": {"first-name": BODY}}, (NUMBER,), {NUMBER}]},
        {"by_number": {NUMBER: 1}, "message": BODY, "password": SECRET},
        {
            "text_object": Text(NUMBER, BODY),
            "pdu": BODY.encode(),
            "callback": f"https://me:{SECRET}@x.example/",
        },
        {"error": ValueError(f"no route to {NUMBER}"), "path": Path("/spool") / NUMBER},
        {"old_secret": SECRET, "webhook_token": SECRET, "response_body": BODY, "cookie": SECRET},
    ],
)
def test_seeded_values_never_appear(stream: io.StringIO, fields: dict[str, Any]) -> None:
    """A number, a body and a secret are gone at every depth and in every type."""
    logs.get("opengage.test").warning("submit refused", **fields)
    written = stream.getvalue()
    assert "submit refused" in written
    assert "2025550143" not in written
    assert BODY not in written
    assert SECRET not in written


def test_messages_and_arguments_are_masked(stream: io.StringIO) -> None:
    """Numbers in the sentence itself and in its arguments are masked, in our logger and in the library's."""
    logs.get("opengage.test").info(f"to {NUMBER}")
    logs.get("opengage.test").info("to %s", NUMBER)
    logging.getLogger("somebody.else").warning("to %s and %s", NUMBER, {"number": NUMBER})
    logging.getLogger("granian.access").info('"%(path)s"', {"path": f"/texts?to=%2B{NUMBER[1:]}"})
    assert len(lines(stream)) == 4
    assert all("***43" in line["event"] for line in lines(stream))
    assert "2025550143" not in stream.getvalue()


def test_exceptions_are_masked_and_show_no_values(stream: io.StringIO) -> None:
    """A traceback has types, places and masked text, not the values of variables."""
    held = Text(NUMBER, BODY)
    try:
        raise LookupError(f"nobody at {NUMBER}", len(held.body))
    except LookupError:
        logs.get("opengage.test").exception("lookup failed")
        logging.getLogger("somebody.else").exception("lookup failed")
    for line in lines(stream):
        assert "LookupError" in line["exception"]
        assert "***43" in line["exception"]
        assert NUMBER not in line["exception"]
        assert BODY not in line["exception"]


def test_plain_values_stay(stream: io.StringIO) -> None:
    """What helps to understand a line is there as it was."""
    identity = UUID("0198c2f3-5a1b-7c3d-8e4f-a0b1c2d3e4f5")
    when = datetime(2026, 6, 1, 10, tzinfo=UTC)
    logs.get("opengage.test").info(
        "window",
        count=500,
        rate=9.5,
        ok=True,
        none=None,
        fate=Fate.DELIVERED,
        id=identity,
        at=when,
        rss_bytes=2_000_000_000,
    )
    (line,) = lines(stream)
    assert {key: line[key] for key in ("count", "rate", "ok", "none", "rss_bytes")} == {
        "count": 500,
        "rate": 9.5,
        "ok": True,
        "none": None,
        "rss_bytes": 2_000_000_000,
    }
    assert (line["fate"], line["id"], line["at"]) == ("delivered", str(identity), "2026-06-01T10:00:00+00:00")


def test_lines_say_who_when_and_how_severe(stream: io.StringIO) -> None:
    """Each line is one object with time, level, logger and event; below the level nothing is written."""
    logs.get("opengage.dispatch").debug("unseen")
    logs.get("opengage.dispatch").error("seen", text_id="x")
    (line,) = lines(stream)
    assert (line["level"], line["logger"], line["event"], line["text_id"]) == (
        "error",
        "opengage.dispatch",
        "seen",
        "x",
    )
    assert datetime.fromisoformat(line["timestamp"]).utcoffset() is not None


def test_request_id_is_on_every_line_of_the_request(stream: io.StringIO) -> None:
    """Our lines and the library's carry it inside the block and lose it after."""
    with logs.bind_request("7YjSXNGqbeKZ"):
        logs.get("opengage.api").info("ours")
        logging.getLogger("somebody.else").info("theirs")
    logs.get("opengage.api").info("after")
    assert [line.get("request_id") for line in lines(stream)] == ["7YjSXNGqbeKZ", "7YjSXNGqbeKZ", None]


def test_console_style_is_plain_off_a_terminal(stream: io.StringIO) -> None:
    """Lines for people have no escape codes in a file, and are masked alike."""
    sink = io.StringIO()
    logs.configure("info", "console", sink)
    try:
        raise ValueError(NUMBER)
    except ValueError:
        logs.get("opengage.test").exception("to", number=NUMBER, body=BODY)
    assert "\x1b" not in sink.getvalue()
    assert "***43" in sink.getvalue()
    assert NUMBER not in sink.getvalue()
    assert BODY not in sink.getvalue()
    assert stream.getvalue() == ""


def test_a_server_can_take_the_configuration(stream: io.StringIO) -> None:
    """A web server that configures logging from a dict writes the same lines."""
    logging.config.dictConfig(logs.stdlib_config("info", "json", stream))
    logging.getLogger("_granian").info("Started worker-1")
    (line,) = lines(stream)
    assert (line["logger"], line["event"]) == ("_granian", "Started worker-1")
