"""The command line inside the test's own process: quick, and as `main` sees it."""

import logging
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
import structlog

from opengage.cli import main
from opengage.settings import PREFIX


@dataclass(frozen=True)
class Ended:
    """How a verb ended, and what it said."""

    code: int
    out: str
    err: str


Opengage = Callable[..., Ended]


@pytest.fixture
def opengage(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Opengage]:
    """Calls a verb: `opengage("init", "--json", data="folder")`; keywords are settings in the environment."""
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "200")
    handlers, level = logging.root.handlers[:], logging.root.level

    def call(*arguments: str, **settings: str) -> Ended:
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", ["opengage", *arguments])
            for name, value in settings.items():
                patch.setenv(PREFIX + name.upper(), value)
            with pytest.raises(SystemExit) as ended:
                main()
        said = capsys.readouterr()
        code = ended.value.code
        return Ended(code if isinstance(code, int) else int(code is not None), said.out, said.err)

    yield call
    logging.root.handlers, logging.root.level = handlers, level
    structlog.reset_defaults()
