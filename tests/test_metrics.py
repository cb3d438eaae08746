"""Metrics: the text format to the letter, and one list that code and documentation share."""

import re

import pytest

from opengage.metrics import BUCKETS, FAMILIES, Metrics
from source import ROOT

LINE = re.compile(r'[a-z_]+(\{[a-z_]+="(?:[^"\\\n]|\\.)*"(,[a-z_]+="(?:[^"\\\n]|\\.)*")*\})? [0-9.e+-]+')


def test_every_metric_is_documented() -> None:
    """The reference has a row for each, with kind, labels and meaning, and for no other."""
    text = (ROOT / "docs/reference/metrics.md").read_text("utf-8")
    for name, family in FAMILIES.items():
        labels = ", ".join(f"`{label}`" for label in family.labels) or "none"
        assert f"| `{name}` | {family.kind} | {labels} | {family.help} |" in text
    assert text.count("| `opengage_") == len(FAMILIES)


def test_names_follow_prometheus_rules() -> None:
    """Counters end with _total, and nothing else does; times are in seconds; each has a help text."""
    for name, family in FAMILIES.items():
        assert re.fullmatch(r"opengage_[a-z_]+", name)
        assert name.endswith("_total") == (family.kind == "counter")
        assert family.kind != "histogram" or name.endswith("_seconds")
        assert family.help.endswith(".")
        assert not set(family.labels) & {"le", "quantile", "account", "phone_number", "id"}


def test_histograms_accumulate() -> None:
    """Each class counts what is below its limit, the last one everything."""
    metrics = Metrics()
    for seconds in (0.001, 0.004, 0.3, 99.0):
        metrics.observe("opengage_commit_seconds", seconds)
    lines = [line for line in metrics.text().splitlines() if line.startswith("opengage_commit_seconds")]
    counts = [int(line.split()[1]) for line in lines[: len(BUCKETS) + 1]]
    assert counts == [1, 1, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 4]
    assert lines[-2:] == ["opengage_commit_seconds_sum 99.305000", "opengage_commit_seconds_count 4"]
    assert '{le="+Inf"} 4' in lines[len(BUCKETS)]


def test_every_line_is_well_formed() -> None:
    """Whatever a label holds; HELP and TYPE come once and before a family's series."""
    metrics = Metrics()
    metrics.count("opengage_http_requests_total", "GET", 'a "b" \\ \n', "200")
    metrics.observe("opengage_http_request_seconds", 0.1, "GET", "/x")
    text = metrics.text([("opengage_queue_envelopes", (), 12345678.0)])
    assert text.endswith("\n")
    seen: list[str] = []
    for line in text.splitlines():
        if line.startswith("# HELP "):
            seen.append(line.split()[2])
        elif not line.startswith("# TYPE "):
            assert LINE.fullmatch(line), line
            assert line.startswith(seen[-1])
    assert seen == list(FAMILIES)


def test_what_is_not_in_the_list_is_a_mistake() -> None:
    """So no metric stays undocumented."""
    metrics = Metrics()
    metrics.count("opengage_surprises_total")
    with pytest.raises(AssertionError, match=r"in the list"):
        metrics.text()
