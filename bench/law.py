"""Rules for the legal clock that ask about everybody and hold nobody: what the clock and the caps cost, at any hour."""

from pathlib import Path

_RULES = """
format = 1
version = "bench"

[[rules]]
id = "bench"
title = "All day, and a cap that nobody reaches"
countries = ["US", "CA"]
hours = { daily = "00:00-24:00" }
cap = { count = 50, hours = 24 }
source = "made for the benchmark"
checked-on = 2026-11-25
basis = "secondary"
"""


def setting(folder: Path) -> dict[str, str]:
    """The setting that names these rules, as a file in this folder."""
    path = folder / "quiet-hours.toml"
    path.write_text(_RULES, "utf-8")
    return {"OPENGAGE_QUIET_HOURS_FILE": str(path)}
