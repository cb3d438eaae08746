"""What a run found: figures, raw limits, shares and musts, as lines for people and as one JSON object."""

import json
from dataclasses import asdict, dataclass, field

MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Must:
    """A bound that the project has set for itself."""

    what: str
    value: float
    bound: float
    unit: str
    at_most: bool = False

    @property
    def met(self) -> bool:
        """Whether this run kept it."""
        return self.value <= self.bound if self.at_most else self.value >= self.bound


@dataclass(frozen=True)
class Bounds:
    """What a run must reach, envelopes or texts per second; what is None is shown and not judged."""

    ingest: float | None = None
    blast: float | None = None
    share: float | None = None
    """Of the blast pipeline, in per cent."""
    memory: float | None = None
    """Of all processes of ours, in megabytes."""


BOUNDS = {
    "SQLite": Bounds(ingest=35_000, blast=10_000, share=50, memory=400),
    "PostgreSQL": Bounds(ingest=35_000, blast=8_000),
}
"""By database: PostgreSQL is processes of its own on the same cores."""


@dataclass
class Limits:
    """Raw limits: envelopes or texts per second."""

    plain_decode: float
    decode: float
    insert: float
    store_cycle: float
    smpp: float
    smpp_processor_seconds: float

    @property
    def ingest(self) -> float:
        """Decoding and inserting one after the other, and nothing else."""
        return 1 / (1 / self.decode + 1 / self.insert)

    @property
    def blast(self) -> float:
        """A text's turn in the store and its SMPP work one after the other in one process, and nothing else.

        The SMPP part counts by the processor time of our end: the simulator works on another core meanwhile.
        """
        return 1 / (1 / self.store_cycle + self.smpp_processor_seconds)


@dataclass
class Run:
    """Everything measured, rates per second."""

    limits: Limits
    ingest: dict[int, float]
    """Envelopes per second by connections at a time."""
    texts: int
    submit_rate: float
    receipt_rate: float
    first_text_ms: float
    get_p99_ms: float
    gets: int
    peaks: dict[str, int]
    """The most memory that each process held, in bytes."""
    place: dict[str, str] = field(default_factory=dict)
    """Where it was measured."""
    bounds: Bounds = BOUNDS["SQLite"]
    api: list[dict[str, float | str]] = field(default_factory=list)
    """Single requests."""

    @property
    def connections(self) -> int:
        """How many connections at a time were the fastest."""
        return max(self.ingest, key=lambda count: self.ingest[count])

    @property
    def best_ingest(self) -> float:
        """The headline: the better of the ingest rates."""
        return self.ingest[self.connections]

    @property
    def memory(self) -> int:
        """All processes' peaks together, in bytes."""
        return sum(self.peaks.values())

    def musts(self) -> list[Must]:
        """The bounds of issue and design."""
        bounds, share = self.bounds, 100 * self.receipt_rate / self.limits.blast
        musts = []
        if bounds.ingest is not None:
            musts.append(Must("ingest", self.best_ingest, bounds.ingest, "envelopes/s"))
        if bounds.blast is not None:
            musts.append(Must("blast, to the last receipt", self.receipt_rate, bounds.blast, "texts/s"))
        if bounds.share is not None:
            musts.append(Must("share of the blast pipeline", share, bounds.share, "%"))
        if bounds.memory is not None:
            memory = self.memory / MEGABYTE
            musts.append(Must("memory, all processes", memory, bounds.memory, "MB", at_most=True))
        return musts

    def as_json(self) -> str:
        """One line, for machines."""
        shares = {"ingest": self.best_ingest / self.limits.ingest, "blast": self.receipt_rate / self.limits.blast}
        limits = asdict(self.limits) | {"ingest": self.limits.ingest, "blast": self.limits.blast}
        musts = {must.what: asdict(must) | {"met": must.met} for must in self.musts()}
        return json.dumps(asdict(self) | {"limits": limits, "shares": shares, "musts": musts}, ensure_ascii=False)


def shown(run: Run) -> str:
    """The run for people."""
    limits = run.limits
    lines = [
        ", ".join(f"{name} {value}" for name, value in run.place.items()),
        "",
        "Raw limits of this run",
        _line("decode only, msgspec into dicts", limits.plain_decode, "envelopes/s"),
        _line("decode only, parsed and checked", limits.decode, "envelopes/s"),
        _line("insert only, durable", limits.insert, "envelopes/s"),
        _line("ingest pipeline: decode, then insert", limits.ingest, "envelopes/s"),
        _line("store cycle only, durable", limits.store_cycle, "texts/s"),
        _line(
            "SMPP only", limits.smpp, f"texts/s ({limits.smpp_processor_seconds * 1e6:.1f} µs of our processor each)"
        ),
        _line("blast pipeline: store cycle, then SMPP", limits.blast, "texts/s, both in one process"),
        "",
        "Ingest over HTTP, durable",
        *_ingest(run),
        "",
        f"Blast of {run.texts:,} texts, all durable",
        _line("to the last submit", run.submit_rate, f"texts/s{_of(run.submit_rate, limits.blast, 'the pipeline')}"),
        _line("to the last receipt recorded", run.receipt_rate, f"texts/s{_blast_shares(run)}"),
        _line("first text on a handset", run.first_text_ms, "ms after the PATCH", digits=1),
        _line("GET one meanwhile, p99", run.get_p99_ms, f"ms, of {run.gets} GETs at 50 a second", digits=1),
        "",
        "Peak memory (VmHWM; pages that processes share count for each)",
        *(_line(verb, held / MEGABYTE, "MB") for verb, held in run.peaks.items()),
        _line("together", run.memory / MEGABYTE, "MB"),
    ]
    if musts := run.musts():
        lines += ["", "Musts", *map(_must, musts)]
    return "\n".join(lines)


def _ingest(run: Run) -> list[str]:
    best = run.connections
    lines = [
        _line(
            f"{connections} connection{'s at a time' if connections > 1 else ''}",
            rate,
            f"envelopes/s{_of(rate, run.limits.ingest, 'the pipeline')}{' (headline)' if connections == best else ''}",
        )
        for connections, rate in run.ingest.items()
    ]
    decode, insert = run.best_ingest / run.limits.decode, run.best_ingest / run.limits.insert
    return [*lines, f"  {'':42} the headline is {decode:.0%} of decode only, {insert:.0%} of insert only"]


def _blast_shares(run: Run) -> str:
    limits = run.limits
    store, smpp = run.receipt_rate / limits.store_cycle, run.receipt_rate / limits.smpp
    return f"{_of(run.receipt_rate, limits.blast, 'the pipeline')}, {store:.0%} of the store cycle, {smpp:.0%} of SMPP"


def _line(what: str, value: float, unit: str, *, digits: int = 0) -> str:
    return f"  {what:42} {value:>10,.{digits}f} {unit}"


def _of(value: float, limit: float, name: str) -> str:
    return f", {value / limit:.0%} of {name}"


def _must(must: Must) -> str:
    bound = f"{'≤' if must.at_most else '≥'} {must.bound:,.0f} {must.unit}"
    return f"  {must.what:42} {must.value:>10,.0f} {must.unit:12} {bound:22} {'met' if must.met else 'NOT MET'}"
