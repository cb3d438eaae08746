"""The database is away for minutes (bars R16): nothing is taken that is not kept, and everything goes on after it."""

import signal
import time
from collections.abc import Sequence
from typing import Final

import httpx

from drill.fleet import Fleet
from drill.rounds import Scene
from drill.senders import Sender
from processes import Smsc, until

REPLIES: Final = 20
"""Texts from handsets to each of our numbers while the database is away."""
_SHARE: Final = 0.1
"""Of the blast, that leaves before."""
_LOOK: Final = 2.0
"""Seconds between two requests to each web node."""


def outage(scene: Scene, total: int, before: int, seconds: float) -> list[str]:
    """Take the database away in mid-blast for so long, and check all but the blast's end; notes for the table."""
    fleet, smsc = scene.fleet, scene.fleet.smsc
    idle = [(sender, sender.tenant.prepare()) for sender in scene.senders]
    until(lambda: smsc.counts()["submits"] - before >= total * _SHARE, 120, "a part of the blast")
    known = smsc.counts()
    running = [node.process.pid for node in fleet.nodes]
    fleet.server.stop(signal.SIGINT)
    ends = time.monotonic() + seconds
    refused = _refused(fleet, idle)
    _reply(smsc, scene.senders)
    while time.monotonic() < ends:
        time.sleep(min(_LOOK, max(0.0, ends - time.monotonic())))
        refused += _refused(fleet, idle)
    acknowledged = smsc.counts()["inbound"] - known["inbound"]
    assert not acknowledged, f"{acknowledged} texts from handsets were acknowledged and kept nowhere"
    fleet.server.start()
    fleet.lead_to(fleet.server)
    scene.web_answers()
    _accepted(idle)
    replies = REPLIES * len(scene.senders)
    until(lambda: smsc.counts()["inbound"] - known["inbound"] >= replies, 120, "the handsets' texts, once more")
    kept = scene.look("SELECT recipient, sender, body FROM texts WHERE direction = 'inbound'")
    assert len(kept) == len(set(kept)) == replies, f"{replies} texts from handsets are kept as {len(kept)}"
    assert running == [node.process.pid for node in fleet.nodes if node.process.runs], "a process ended"
    again = smsc.counts()["redelivered"] - known["redelivered"]
    return [
        f"database away for {seconds:.0f} s: {refused} requests refused with 503 and Retry-After, none taken",
        f"{replies} texts from handsets meanwhile: none acknowledged then, each kept once after ({again} came again)",
    ]


def _reply(smsc: Smsc, senders: Sequence[Sender]) -> None:
    """Handsets text every number of ours."""
    for sender in senders:
        for each in range(REPLIES):
            words = {"from": f"+44770090{each:04d}", "to": sender.phone_number, "text": f"Reply {each}"}
            smsc.ask("send", **words)


def _refused(fleet: Fleet, idle: list[tuple[Sender, str]]) -> int:
    """Ask every web node for something; how many requests that were."""
    for sender, engagement_id in idle:
        answer = sender.tenant.address(engagement_id, ["+12025550199"])
        assert answer.status_code == 503, f"{answer.status_code} without a database: {answer.text}"
        assert answer.headers.get("retry-after"), "503 without Retry-After"
    for web in fleet.webs:
        assert httpx.get(f"{web.url}/readyz", timeout=30).status_code == 503
        assert httpx.get(f"{web.url}/healthz", timeout=30).status_code == 200
    return len(idle)


def _accepted(idle: list[tuple[Sender, str]]) -> None:
    """The refused requests are as new: each is taken, once, and taken back."""
    for sender, engagement_id in idle:
        answer = sender.tenant.address(engagement_id, ["+12025550199"])
        assert answer.status_code == 201, answer.text
        assert sender.tenant.ledger(engagement_id)["total"] == 1
        sender.tenant.change(engagement_id, status="canceled")
