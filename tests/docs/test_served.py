"""The documents' commands against a real server, typed in by a reader who starts with the README."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from docs.documents import commands, documents, script
from opengage.client import Client
from running import PATIENCE, Served, environment, serving
from source import ROOT, shown

README = ROOT / "README.md"
OTHERS = [path for path in documents() if path != README and commands(path)]


class Reader:
    """A folder as `make setup` leaves it, beside a running server."""

    def __init__(self, folder: Path, served: Served) -> None:
        self.folder = folder
        self.served = served

    def types(self, text: str) -> subprocess.CompletedProcess[str]:
        """Run a script there; a failing command ends it."""
        variables = environment(data=str(self.served.data), port=str(self.served.port))
        command = ["bash", "-c", text]
        return subprocess.run(command, cwd=self.folder, env=variables, capture_output=True, text=True, timeout=PATIENCE)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """Someone who has run `make setup` and `make serve`."""
    if not shutil.which("curl"):
        pytest.skip("curl is not here")
    folder = tmp_path_factory.mktemp("reader")
    binaries = folder / ".venv/bin"
    binaries.mkdir(parents=True)
    for name, module in (("opengage", "-m opengage "), ("python", "")):
        program = binaries / name
        program.write_text(f'#!/bin/sh\nexec {sys.executable} {module}"$@"\n', "utf-8")
        program.chmod(0o755)
    with serving(folder / "data", callback_allow="127.0.0.0/8") as served:
        yield Reader(folder, served)


@pytest.fixture(scope="module")
def blast(reader: Reader) -> subprocess.CompletedProcess[str]:
    """What the README's commands said."""
    return reader.types(script(commands(README)))


def answers(text: str) -> list[Any]:
    """The documents that the last commands printed, one a line."""
    return [json.loads(line)["data"] for line in text.splitlines() if line.startswith("{")]


def test_the_readme_works(reader: Reader, blast: subprocess.CompletedProcess[str]) -> None:
    """Every command succeeds, both texts arrive, and the secret is in the file that the README names alone."""
    assert blast.returncode == 0, blast.stderr + blast.stdout
    activity, envelopes, engagement, ledger = answers(blast.stdout)
    assert activity["type"] == "activities"
    assert len(envelopes) == 2
    assert ledger["type"] == "ledgers"
    token = json.loads((reader.folder / "firstbank.json").read_text("utf-8"))
    assert token["token-secret"] not in blast.stdout + blast.stderr
    with Client(token["api-url"], "firstbank", token["token-key"], token["token-secret"]) as api:
        while (found := api.ledger(str(engagement["id"]))).open:
            assert found.is_balanced
    assert (found.total, found.reasons) == (2, {"delivered": 2})


@pytest.mark.usefixtures("blast")
@pytest.mark.parametrize("path", OTHERS, ids=shown)
def test_the_other_documents_work(reader: Reader, path: Path) -> None:
    """After the README's blast, each document's commands succeed."""
    ended = reader.types(script(commands(path)))
    assert ended.returncode == 0, ended.stderr + ended.stdout


def test_some_documents_have_commands() -> None:
    """The test above is not empty."""
    assert {path.name for path in OTHERS} >= {"read-the-ledger.md", "use-a-real-carrier.md"}


@pytest.mark.usefixtures("blast")
def test_curl_without_headers_is_understood(reader: Reader) -> None:
    """`curl -d` calls every body a form; a template arrives all the same."""
    body = json.dumps({"data": {"type": "text-templates", "attributes": {"name": "Bare", "body": "Hello"}}})
    token = json.loads((reader.folder / "firstbank.json").read_text("utf-8"))
    user, url = f"{token['token-key']}:{token['token-secret']}", f"{token['api-url']}/text-templates"
    command = ["curl", "-s", "-w", "%{http_code}", "-u", user, "-d", body, url]
    ended = subprocess.run(command, capture_output=True, text=True, check=True, env=dict(os.environ))
    assert ended.stdout.endswith("201"), ended.stdout
