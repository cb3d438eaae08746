"""The README's calls say what they mean to: a stand-in for curl writes down what the shell makes of them."""

import json
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from docs.documents import commands, script
from source import ROOT

CURL = """import json, os, sys
with open("calls.jsonl", "a") as log:
    log.write(json.dumps(sys.argv[1:]) + "\\n")
print(json.dumps({"data": {"id": "ID" + str(sum(1 for _ in open("calls.jsonl")))}}))
"""
ACCOUNT = {
    "account-key": "firstbank",
    "token-key": "k",
    "token-secret": "s",
    "phone-number-id": "PN",
    "phone-number": "+12025550100",
    "api-url": "http://127.0.0.1:8080/api/v1",
}
BULK = "application/vnd.api+json; ext=bulk"


def program(path: Path, text: str) -> None:
    """An executable Python file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!{sys.executable}\n{text}", "utf-8")
    path.chmod(0o755)


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> list[list[str]]:
    """The arguments of each curl that the README's marked blocks run."""
    folder = tmp_path_factory.mktemp("reader")
    program(folder / "bin/curl", CURL)
    program(folder / ".venv/bin/opengage", f"print({json.dumps(ACCOUNT)!r})")
    (folder / ".venv/bin/python").symlink_to(sys.executable)
    environment = {**os.environ, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}
    steps = script(commands(ROOT / "README.md"))
    subprocess.run(["bash", "-c", steps], cwd=folder, env=environment, check=True, capture_output=True)
    return [json.loads(line) for line in (folder / "calls.jsonl").read_text("utf-8").splitlines()]


def after(arguments: list[str], flag: str) -> list[str]:
    """The values of a flag."""
    return [value for name, value in pairwise(arguments) if name == flag]


def document(arguments: list[str]) -> Any:
    """The body of a call; not JSON, and the shell's quotes are wrong."""
    return json.loads(after(arguments, "--data")[0])["data"]


def test_the_five_calls_and_the_ledger(calls: list[list[str]]) -> None:
    """They go to the right places, in the guide's order."""
    paths = [next(one for one in call if one.startswith("http")).removeprefix(ACCOUNT["api-url"]) for call in calls]
    assert paths == [
        "/text-templates",
        "/engagements",
        "/activities",
        "/envelopes",
        "/engagements/ID2",
        "/engagements/ID2/ledger",
    ]


def test_every_call_says_who_it_is(calls: list[list[str]]) -> None:
    """The token of init and the account key are on each."""
    assert [after(call, "--user") for call in calls] == [["k:s"]] * 6
    assert all("X-Account-Key: firstbank" in after(call, "--header") for call in calls)


def test_bodies_name_what_earlier_calls_made(calls: list[list[str]]) -> None:
    """Ids of answers and of init land in the relationships."""
    related = {name: one["data"]["id"] for name, one in document(calls[2])["relationships"].items()}
    assert related == {"engagement": "ID2", "text-template": "ID1", "phone-number": "PN"}
    assert [one["relationships"]["engagement"]["data"]["id"] for one in document(calls[3])] == ["ID2", "ID2"]
    assert document(calls[4])["id"] == "ID2"


def test_the_bulk_call_names_its_media_type(calls: list[list[str]]) -> None:
    """Envelopes go as bulk and ask for the same."""
    assert {f"Content-Type: {BULK}", f"Accept: {BULK}"} <= set(after(calls[3], "--header"))


def test_the_last_call_schedules(calls: list[list[str]]) -> None:
    """It is a PATCH that sends at once."""
    assert after(calls[4], "--request") == ["PATCH"]
    assert document(calls[4])["attributes"] == {"status": "scheduled", "delivery-type": "immediately"}
