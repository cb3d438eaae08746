"""Schemathesis over every operation of the document, against a real server that has something of everything.

`make fuzz` runs this file for as long as it is told; `test_schemathesis.py` runs a few examples in the suite.
"""

import argparse
import asyncio
import base64
import contextlib
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import msgspec
import schemathesis
import sqlalchemy as sa
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import Failure
from schemathesis.core.transport import Response
from schemathesis.engine import from_schema
from schemathesis.engine.events import NonFatalError, ScenarioFinished
from schemathesis.engine.recorder import ScenarioRecorder
from schemathesis.generation.case import Case
from schemathesis.hooks import HookContext

from api.cases import WRITES, Ids, world
from api.fuzzing_document import with_real_ids
from api.fuzzing_excuses import OFF, TAKEN, excuse_for
from api_client import Client, Settings, StandingClock, an_account, in_process, resource
from opengage.api.app import create_app
from opengage.api.state import ApiState
from opengage.assembly.store import DATABASE
from opengage.clock import SystemClock
from opengage.ids import new_id
from opengage.sealing import Sealer
from opengage.store import migrations
from opengage.store.sqlite import SqliteStore
from processes import Process, free_port, until

KEY = b"k" * 32
PHASES = ("examples", "coverage", "fuzzing", "stateful")


class Place(msgspec.Struct, frozen=True):
    """A running server, what it holds, and who may ask it."""

    url: str
    ids: Ids
    """One of each, for what is read and pointed at."""
    changed: Ids
    """One of each, for what is changed."""
    deleted: Ids
    """One of each, for what is deleted."""
    basic: str
    """What stands in Authorization."""


class Plan(msgspec.Struct, frozen=True):
    """How much is tried."""

    examples: int = 4
    seed: int = 1
    phases: Sequence[str] = ("examples", "fuzzing")
    seconds: int | None = None
    only: str | None = None
    """A pattern of `METHOD /path`; without one, all."""


class Found(msgspec.Struct):
    """What a run came to."""

    operations: set[str] = set()
    cases: int = 0
    checks: Counter[str] = msgspec.field(default_factory=Counter)
    statuses: Counter[int] = msgspec.field(default_factory=Counter)
    failures: list[str] = []
    excused: Counter[str] = msgspec.field(default_factory=Counter)


@contextlib.contextmanager
def serving(data: Path) -> Iterator[Place]:
    """`opengage web` on a folder with something of everything, until the block ends."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    place = asyncio.run(_fill(data, url))
    limits = dict.fromkeys(("token_rate_limit", "account_rate_limit", "bulk_rate_limit"), "0")
    key = base64.b64encode(KEY).decode()
    process = Process("web", "--data", str(data), "--port", str(port), public_url=url, secret_key=key, **limits)
    try:
        until(lambda: _answers(url) or not process.runs, what="an answer")
        assert process.runs, process.lines[-5:]
        yield place
    finally:
        process.stop()


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz").status_code == 200
    except httpx.TransportError:
        return False


async def _fill(data: Path, url: str) -> Place:
    """A new database with one account that has three of each."""
    path = data / DATABASE
    migrations.upgrade(sa.URL.create("sqlite", database=str(path)))
    sealer = Sealer([KEY])
    store, clock = SqliteStore(path, seals=lambda: sealer), StandingClock()
    clock.instant = SystemClock().now()  # uploads are good for an hour
    settings = Settings(files=data / "files", public_url=url)
    app = create_app(ApiState(store, clock, new_id, settings, sealer))
    try:
        async with in_process(app) as http:
            client = Client(http, await an_account(store, clock, "firstbank"))
            ids = await world(client, store)
            changed, deleted = [ids | await _one_more(client, ids, digit) for digit in "89"]
            off = resource("phone-numbers", {"is-active": False})
            assert (await client.patch(f"/phone-numbers/{changed['phone-numbers']}", off)).status_code == 202
            taken = resource("tags", {"name": "Taken"})
            assert (await client.post("/tags", taken, idempotency_key=TAKEN)).status_code == 201
            ids |= {OFF: changed["phone-numbers"]}
            return Place(url, ids, changed, deleted, client.headers["Authorization"])
    finally:
        await store.close()


async def _one_more(client: Client, ids: Ids, digit: str) -> Ids:
    """One more of whatever can be made by a POST; numbers and names that must differ end with a digit."""
    made: Ids = {}
    for case in WRITES:
        if case.method == "POST" and case.path.count("/") == 1 and case.body is not None:
            text = msgspec.json.encode(case.body(ids)).decode()
            for number in ("+12025550101", "+12025550177"):
                text = text.replace(number, number[:-1] + digit)
            answer = await client.post(case.path, text.replace("Summer", f"Summer {digit}").encode())
            if answer.status_code == 201:
                data = answer.json()["data"]
                made[case.path[1:]] = (data[0] if isinstance(data, list) else data)["id"]
    token = await client.post("/api-tokens", {"data": {"type": "api-tokens"}})
    return made | {"api-tokens": token.json()["data"]["id"]}


def run(place: Place, plan: Plan) -> Found:
    """Try every operation, with every check."""
    found = Found()
    schema = _schema(place, plan, found)
    for event in from_schema(schema).execute():
        if isinstance(event, NonFatalError):
            found.failures.append(f"{event.label}: {event.info.format()}")
        elif isinstance(event, ScenarioFinished) and event.phase.value in PHASES:
            _count(event.recorder, found)
    return found


def _schema(place: Place, plan: Plan, found: Found) -> Any:
    described = httpx.get(f"{place.url}/api/v1/openapi.json").json()
    document = with_real_ids(described, place.ids, place.changed, place.deleted)
    schema: Any = schemathesis.openapi.from_dict(document, config=_config(place, plan))

    @schema.hook  # type: ignore[untyped-decorator]
    def filter_failure(context: HookContext, failure: Failure, case: Case[Any], response: Response) -> bool:
        excuse = excuse_for(failure, response)
        if excuse is not None:
            found.excused[excuse.reason] += 1
        return excuse is None

    pattern = re.compile(plan.only or "")
    return schema.include(lambda of: bool(pattern.search(of.operation.label)))


def _config(place: Place, plan: Plan) -> SchemathesisConfig:
    generation = {
        "max-examples": plan.examples,
        "no-shrink": True,
        "database": "none",
        "deterministic": plan.seconds is None,
        "allow-x00": False,  # no text can carry it: `hostile.py` shows that it is refused
    }
    return SchemathesisConfig.from_dict(
        {
            "seed": plan.seed,
            **({} if plan.seconds is None else {"max-time": plan.seconds}),
            "base-url": place.url,
            "headers": {"Authorization": place.basic},
            "continue-on-failure": True,
            "generation": generation,
            "phases": {name: {"enabled": name in plan.phases} for name in PHASES},
        }
    )


def _count(recorder: ScenarioRecorder, found: Found) -> None:
    for id_, node in recorder.cases.items():
        interaction = recorder.interactions.get(id_)
        if interaction is None or interaction.response is None:
            continue
        found.cases += 1
        found.operations.add(node.value.operation.label)
        found.statuses[interaction.response.status_code] += 1
        for check in recorder.checks.get(id_, []):
            found.checks[check.name] += 1
            if check.failure_info is not None:
                failure = check.failure_info.failure
                answer = f"{interaction.response.status_code} {interaction.response.content[:600].decode()}"
                found.failures.append(
                    f"{check.name}: {failure.operation}: {failure.title}: {failure.message}\n{answer}"
                    f"\n{check.failure_info.code_sample}"
                )


def main(arguments: Sequence[str]) -> int:
    """`make fuzz`: a deep run, bounded by time."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--examples", type=int, default=50, help="generated requests per operation")
    parser.add_argument("--seed", type=int, default=1, help="where the generator begins: the same run again")
    parser.add_argument("--seconds", type=int, default=600, help="how long it goes on; 0: each operation once")
    parser.add_argument("--phases", default=",".join(PHASES), help=f"some of {', '.join(PHASES)}")
    parser.add_argument("--only", help="a pattern of METHOD /path, as in “POST /contacts”")
    told = parser.parse_args(arguments)
    plan = Plan(told.examples, told.seed, told.phases.split(","), told.seconds or None, told.only)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as data, serving(Path(data)) as place:
        found = run(place, plan)
    for failure in found.failures:
        _say(failure, "")
    _say(f"{len(found.operations)} operations, {found.cases} requests, {found.checks.total()} checks")
    _say(f"answers: {dict(sorted(found.statuses.items()))}", f"excused: {dict(found.excused.most_common())}")
    _say(f"failures: {len(found.failures)}")
    return min(len(found.failures), 1)


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
