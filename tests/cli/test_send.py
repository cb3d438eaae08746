"""`opengage send`: a list of people texted over the API, looked at before, and taken back in time."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from running import PATIENCE, Served, arguments, environment, run, serving

TEXT = "Hi {{first-name}}"
LIST = "phone-number,first-name\n+12025550150,Ann\n+12025550151,Ben\n+12025550152,\nnobody,Eve\n"


class Shop:
    """A running server, an account on it, and a list of people."""

    def __init__(self, served: Served, folder: Path) -> None:
        self.served = served
        self.contacts = folder / "people.csv"
        self.contacts.write_text(LIST, "utf-8")
        self.credentials = folder / "firstbank.json"
        made = run("init", "--data", str(served.data), "--account", "firstbank", "--json", port=str(served.port))
        assert made.returncode == 0, made.stderr
        self.credentials.write_text(made.stdout, "utf-8")

    def verb(self, *flags: str) -> list[str]:
        """The command line."""
        paths = (str(self.contacts), "--credentials", str(self.credentials))
        return ["send", *paths, "--text", TEXT, "--json", *flags]

    def send(self, *flags: str) -> tuple[int, dict[str, Any]]:
        """The exit code and what was printed."""
        ended = run(*self.verb(*flags))
        return ended.returncode, json.loads(ended.stdout) if ended.stdout else {"error": ended.stderr}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """One server for these tests."""
    folder = tmp_path_factory.mktemp("shop")
    with serving(folder / "data") as served:
        yield Shop(served, folder)


def test_a_dry_run_sends_nothing_and_says_what_would_be_sent(shop: Shop) -> None:
    """Recipients, segments, and who would be refused for what."""
    code, found = shop.send("--dry-run")
    assert code == 0
    assert (found["recipients"], found["left-out"], found["segments"]) == (3, 1, 2)
    assert (found["refused"], found["example"]) == ({"missing-variable": 1}, "Hi Ann")


def test_everybody_is_texted_and_the_ledger_shown(shop: Shop) -> None:
    """To the last receipt."""
    code, found = shop.send("--undo", "0")
    assert code == 0
    assert found["reasons"] == {"delivered": 2, "missing-variable": 1}
    assert len(found["engagement-id"]) == 22


def test_ctrl_c_takes_it_back(shop: Shop) -> None:
    """In the undo window everything is canceled, and nobody was texted."""
    with subprocess.Popen(
        arguments(*shop.verb("--undo", "60")),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr
        for line in process.stderr:
            if "takes all of it back" in line:
                break
        os.kill(process.pid, signal.SIGINT)
        rest = process.stderr.read()
        assert process.wait(PATIENCE) == 130
    assert "nothing has left" in rest


@pytest.mark.parametrize(
    ("flags", "said"),
    [(("--text", "Hi {{ "), "cannot be used"), (("--credentials", "/nowhere"), "init --account")],
    ids=["template", "credentials"],
)
def test_what_cannot_be_is_said(shop: Shop, flags: tuple[str, str], said: str) -> None:
    """Before anything was made, without a traceback."""
    code, found = shop.send(*flags)
    assert code != 0
    assert said in found["error"]
    assert "Traceback" not in found["error"]
