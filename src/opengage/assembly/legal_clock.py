"""Where the rules of the legal clock come from: the file that an operator names, or the one in the package."""

from importlib.resources import files
from pathlib import Path

from opengage.domain.legal_clock import LegalClock, parse


def legal_clock(path: Path | None = None) -> LegalClock:
    """The clock by the rules of a file, or by those in the package. Raises InvalidRules, OSError."""
    return LegalClock(parse(path.read_text("utf-8") if path else built_in()))


def built_in() -> str:
    """The text of the rules that Opengage brings."""
    return files("opengage.domain").joinpath("rules", "quiet-hours.toml").read_text("utf-8")
