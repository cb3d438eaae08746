"""`opengage demo`: the main job once for real, and what it says when something does not add up."""

import io
import json
import signal
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from cli.conftest import Opengage
from opengage.cli import demo_pages as pages
from opengage.cli.contacts import BadRow, Contact, Contacts
from opengage.cli.demo import EXAMPLE, _problems
from opengage.cli.sandbox import fresh_folder
from opengage.client import Ledger
from opengage.domain.states import STATUS_OF, Reason
from running import PATIENCE, arguments, environment, run

BALANCED = Ledger(3, 0, 0, 0, 2, 1, {"delivered": 2, "duplicate": 1})
COUNTS = {"submits": 2, "unique": 2, "duplicates": 0, "receipts": 2, "rung": 2}
PEOPLE = Contacts([Contact(line, f"+1202555014{line}", {}) for line in range(2, 5)], [])


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """The demo on the example list, with JSON; and its folder."""
    folder = tmp_path_factory.mktemp("demo") / "demo-data"
    return folder, run("demo", "--data", str(folder), "--json")


@pytest.fixture(scope="module")
def told(ran: tuple[Path, subprocess.CompletedProcess[str]]) -> dict[str, Any]:
    """What it printed on stdout: one JSON object."""
    assert ran[1].returncode == 0, ran[1].stderr
    found: dict[str, Any] = json.loads(ran[1].stdout)
    return found


def test_it_makes_exactly_the_five_calls(told: dict[str, Any]) -> None:
    """In the guide's order, each answered as recorded."""
    engagement = f"/engagements/{told['engagement-id']}"
    assert [(call["method"], call["path"], call["status"]) for call in told["calls"]] == [
        ("POST", "/text-templates", 201),
        ("POST", "/engagements", 201),
        ("POST", "/activities", 201),
        ("POST", "/envelopes", 201),
        ("PATCH", engagement, 202),
    ]


def test_everybody_is_accounted_for(told: dict[str, Any]) -> None:
    """The ledger is what the example's README foretells, and the network agrees."""
    assert (told["ok"], told["problems"]) == (True, [])
    assert (told["rows"], told["left-out"], told["accepted"]) == (1000, 12, 988)
    ledger = told["ledger"]
    assert (ledger["total"], ledger["complete"], ledger["incomplete"]) == (988, 984, 4)
    assert ledger["reasons"] == {"delivered": 984, "duplicate": 2, "missing-variable": 2}
    assert told["handsets-rung"] == 984
    assert told["simulator"] == {"submits": 985, "unique": 985, "duplicates": 0, "receipts": 985}
    assert told["texts-per-second"] > 0


def test_bad_rows_are_refused_by_the_api_too(told: dict[str, Any]) -> None:
    """400, and every one of them is pointed at."""
    assert told["refusal"]["status"] == 400
    pointers = [error["pointer"] for error in told["refusal"]["errors"]]
    assert pointers == [f"/data/{number}/attributes/phone-number" for number in range(12)]


def test_people_see_the_whole_story(ran: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    """Bad rows are masked, handsets show accents and emoji, and it says where to look next; no colours in a pipe."""
    page = ran[1].stderr
    for expected in ("12 cannot and are left out", "and 7 more", "988/988", "missing-variable", "984 texts in"):
        assert expected in page
    assert "***47" in page
    assert "12125550147" not in page
    assert page.count("╭") >= 3
    assert "Hello Ängla" in page
    assert "ucs-2" in page
    assert "README.md" in page
    assert "nobody was texted twice" in page
    assert "\x1b" not in page


def test_the_token_is_kept_for_its_owner_alone(ran: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    """In a file that curl reads; the secret is nowhere on the page or in the log."""
    file = ran[0] / "firstbank.curl"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    secret = file.read_text("utf-8").split('"')[1].partition(":")[2]
    assert secret.startswith("ogs_")
    assert secret not in ran[1].stderr + ran[1].stdout + (ran[0] / "serve.log").read_text("utf-8")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_everything(tmp_path: Path, number: int) -> None:
    """Whenever it comes, the server that it started ends too, and the exit code is not 0."""
    data = tmp_path / "demo"
    command = arguments("demo", "--data", str(data), "--rate", "100")
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert process.stdout
        while b"PATCH" not in (line := process.stdout.readline()):
            assert line, "it ended before the blast"
        process.send_signal(number)
        process.stdout.read()
        assert process.wait(PATIENCE) != 0
    log = (data / "serve.log").read_text("utf-8")
    assert "Traceback" not in log
    assert fresh_folder(data) is True  # nobody holds it any more


def test_the_example_is_found() -> None:
    """It is the checkout's."""
    assert EXAMPLE.is_file()


def test_no_list_is_told(opengage: Opengage, tmp_path: Path) -> None:
    """Before anything is thrown away or started."""
    ended = opengage("demo", "--data", str(tmp_path / "demo"), "--contacts", str(tmp_path / "none.csv"))
    assert ended.code != 0
    assert "none.csv cannot be read" in ended.err
    assert not (tmp_path / "demo").exists()


def test_a_good_run_has_no_problems() -> None:
    """The ledger sums up, and the network saw each text once."""
    assert _problems(PEOPLE, 3, BALANCED, COUNTS) == []


@pytest.mark.parametrize(
    ("accepted", "ledger", "counts", "problem"),
    [
        (2, BALANCED, COUNTS, "3 people were sent to the API and 2 accepted"),
        (3, Ledger(4, 0, 0, 0, 2, 1, BALANCED.reasons), COUNTS, "parts do not sum up"),
        (3, Ledger(3, 0, 0, 1, 2, 0, {"delivered": 2, "in-doubt": 1}), COUNTS, "1 envelopes are still open"),
        (3, BALANCED, COUNTS | {"duplicates": 1}, "1 texts arrived twice"),
        (3, BALANCED, COUNTS | {"submits": 3}, "3 submits of which 2 differ"),
        (3, BALANCED, COUNTS | {"rung": 1}, "1 texts rang and the ledger says that 2 did"),
    ],
)
def test_what_does_not_add_up_is_told(accepted: int, ledger: Ledger, counts: dict[str, int], problem: str) -> None:
    """Each way of not balancing has its own words."""
    assert any(problem in found for found in _problems(PEOPLE, accepted, ledger, counts))


def page(width: int = 80) -> tuple[Console, io.StringIO]:
    """A page that is no terminal."""
    file = io.StringIO()
    return Console(file=file, width=width, highlight=False), file


def test_each_reason_stands_under_its_status() -> None:
    """The table's rows agree with the law of states, whatever the reason."""
    for reason in Reason:
        if reason is Reason.NONE:
            continue
        status = STATUS_OF[reason].value
        numbers = {name: int(name == status) for name in ("pending", "processing", "hold", "complete", "incomplete")}
        console, file = page()
        pages.ledger(console, Ledger(total=1, **numbers, reasons={reason.value: 1}))
        row = next(line for line in file.getvalue().splitlines() if f" {reason.value} " in line)
        assert row.split()[:3] == [status, reason.value, "1"]


def test_a_bad_value_cannot_dress_up() -> None:
    """Markup in a list is shown as it stands, and a digit string is masked."""
    console, file = page()
    bad = [BadRow(2, "[red]12025550147", "why", "fix"), BadRow(3, None, "why", "fix")]
    pages.opening(console, Path("list.csv"), Contacts([], bad), replaced=None)
    assert "[red]***47" in file.getvalue()
    assert "(empty)" in file.getvalue()
