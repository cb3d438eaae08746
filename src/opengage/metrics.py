"""What is counted and measured, and its text for Prometheus (exposition format 0.0.4).

Beside the text's path, at the bottom. `FAMILIES` is the whole list: what is not in it cannot be counted, and each has
its line in docs/reference/metrics.md. No label ever holds a phone number, an account or an id: their values come from
short lists, so that the number of series does not grow with the data.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple


class Family(NamedTuple):
    """One metric with all of its series."""

    kind: str
    """`counter`, `gauge` or `histogram`."""
    help: str
    labels: tuple[str, ...] = ()


FAMILIES: Final[dict[str, Family]] = {
    "opengage_http_requests_total": Family(
        "counter", "Requests answered by this process.", ("method", "route", "status")
    ),
    "opengage_http_request_seconds": Family("histogram", "Time until a request was answered.", ("method", "route")),
    "opengage_commit_seconds": Family("histogram", "Time that a commit of this process took to be durable."),
    "opengage_commit_failures_total": Family("counter", "Commits of this process that failed."),
    "opengage_database_up": Family(
        "gauge", "1 when the database's part of this answer is there, 0 when it is missing."
    ),
    "opengage_envelopes": Family("gauge", "Envelopes of all engagements, by their place.", ("status", "reason")),
    "opengage_engagements": Family("gauge", "Engagements by their status.", ("status",)),
    "opengage_queue_envelopes": Family("gauge", "Envelopes of running engagements that are yet to be submitted."),
    "opengage_in_doubt_envelopes": Family("gauge", "Envelopes whose text may or may not have arrived."),
    "opengage_texts_written": Family("gauge", "Texts of engagements written as sending, since the beginning."),
    "opengage_lanes": Family("gauge", "Lanes of phone numbers.", ("state",)),
    "opengage_lane_texts_under_way": Family("gauge", "Texts submitted and not yet answered, over all held lanes."),
    "opengage_circuits": Family("gauge", "Service profiles of held lanes, by the phase of their circuit.", ("phase",)),
    "opengage_parked_receipts": Family("gauge", "Receipts that wait for the text that they are about."),
    "opengage_webhook_deliveries_waiting": Family("gauge", "Webhook deliveries that are yet to be made."),
    "opengage_disk_free_bytes": Family("gauge", "Room on the disk of the data folder."),
}

BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper limits of a histogram's classes, in seconds."""

Labels = tuple[str, ...]
"""Values, in the order of the family's names."""
Gauge = tuple[str, Labels, float]
"""(family, label values, value)"""

CONTENT_TYPE: Final = "text/plain; version=0.0.4"


class _Histogram:
    __slots__ = ("count", "counts", "sum")

    def __init__(self) -> None:
        self.counts = [0] * len(BUCKETS)
        self.count = 0
        self.sum = 0.0


class Metrics:
    """The counters and histograms of one process."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, Labels], float] = {}
        self._histograms: dict[tuple[str, Labels], _Histogram] = {}

    def count(self, family: str, *labels: str) -> None:
        """One more."""
        key = (family, labels)
        self._counts[key] = self._counts.get(key, 0) + 1

    def observe(self, family: str, seconds: float, *labels: str) -> None:
        """Something took so long."""
        histogram = self._histograms.get((family, labels))
        if histogram is None:
            histogram = self._histograms[family, labels] = _Histogram()
        histogram.count += 1
        histogram.sum += seconds
        place = bisect_left(BUCKETS, seconds)
        if place < len(BUCKETS):
            histogram.counts[place] += 1

    def text(self, gauges: Iterable[Gauge] = ()) -> str:
        """Everything, with what was just looked up, family by family."""
        values: dict[str, list[tuple[Labels, float]]] = {}
        for family, labels, value in (*gauges, *((*key, count) for key, count in self._counts.items())):
            values.setdefault(family, []).append((labels, value))
        lines: list[str] = []
        for name, family_ in FAMILIES.items():
            lines += (f"# HELP {name} {family_.help}", f"# TYPE {name} {family_.kind}")
            lines += (f"{name}{_braced(family_.labels, labels)} {value:g}" for labels, value in values.pop(name, ()))
            if family_.kind == "histogram":
                lines += self._classes(name, family_)
        assert not values, "every metric is in the list"
        return "\n".join(lines) + "\n"

    def _classes(self, name: str, family: Family) -> list[str]:
        lines = []
        for (of, labels), histogram in self._histograms.items():
            if of != name:
                continue
            below = 0
            for limit, count in zip(BUCKETS, histogram.counts, strict=True):
                below += count
                lines.append(f"{name}_bucket{_braced((*family.labels, 'le'), (*labels, f'{limit:g}'))} {below}")
            lines.append(f"{name}_bucket{_braced((*family.labels, 'le'), (*labels, '+Inf'))} {histogram.count}")
            lines.append(f"{name}_sum{_braced(family.labels, labels)} {histogram.sum:.6f}")
            lines.append(f"{name}_count{_braced(family.labels, labels)} {histogram.count}")
        return lines


def _braced(names: Sequence[str], values: Sequence[str]) -> str:
    if not names:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in zip(names, values, strict=True)) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
