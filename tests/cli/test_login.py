"""`opengage login`: a member may log in, and who sees the command line does not see the password."""

import asyncio
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import Ended, Opengage
from opengage.clock import SECOND, SystemClock
from opengage.ids import new_id
from opengage.operations.sessions import Issued, Lifetimes, Refused, Sessions
from opengage.store.sqlite import SqliteStore

PASSWORD = "correct horse battery"


@pytest.fixture
def login(opengage: Opengage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Calls the verb on a folder with one account, with a password on standard input."""
    assert opengage("init", "--data", str(tmp_path), "--account", "firstbank").code == 0

    def call(
        *flags: str, account: str = "firstbank", email: str = "ann@example.org", password: str = PASSWORD
    ) -> Ended:
        monkeypatch.setattr(sys, "stdin", io.StringIO(password + "\n"))
        return opengage("login", "--data", str(tmp_path), "--account", account, "--email", email, *flags)

    return call


def tried(data: Path, password: str) -> Issued | None:
    """What a login with this password gets."""

    async def ask() -> Issued | None:
        store = SqliteStore(data / "opengage.db")
        try:
            lifetimes = Lifetimes(3600 * SECOND, 86_400 * SECOND)
            return await Sessions(store, SystemClock(), new_id, lifetimes, "test").by_password(
                "ann@example.org", password
            )
        except Refused:
            return None
        finally:
            await store.close()

    return asyncio.run(ask())


def test_an_owner_may_log_in(login: Any, tmp_path: Path) -> None:
    """With the password that was piped in, and no other; it is told nowhere."""
    ended = login("--json")
    assert ended.code == 0, ended.err
    told = json.loads(ended.out)
    assert list(told) == ["account-key", "membership-id", "email"]
    assert PASSWORD not in ended.out + ended.err
    assert tried(tmp_path, PASSWORD)
    assert tried(tmp_path, PASSWORD + " ") is None


def test_a_member_by_name(login: Any, tmp_path: Path) -> None:
    """The id that one call tells serves the next; the newer password counts."""
    member = json.loads(login("--json").out)["membership-id"]
    assert login("--membership", member, password="another good password").code == 0
    assert tried(tmp_path, PASSWORD) is None
    assert tried(tmp_path, "another good password")


@pytest.mark.parametrize(
    ("flags", "changes", "said"),
    [
        ([], {"account": "nobody"}, "There is no account “nobody”"),
        (["--membership", "x"], {}, "the member “x”"),
        ([], {"password": "short"}, "12 to 1024 characters"),
        ([], {"email": "ann"}, "“ann” is no e-mail address"),
    ],
)
def test_what_is_refused(login: Any, flags: list[str], changes: dict[str, str], said: str) -> None:
    """In words, with the mending, and without a traceback."""
    ended = login(*flags, **changes)
    assert (ended.code, ended.out) == (3, "")
    assert said in ended.err
    assert "Traceback" not in ended.err
