"""The main job over real processes: five calls, and every handset rings."""

import json
import os
import subprocess
import sys

from blasts import Tenants, number
from journeys.conftest import RECEIPT_WINDOW
from processes import Server, Smsc, ask, until
from source import SRC


def opengage(*arguments: str) -> str:
    """What a command prints."""
    done = subprocess.run(
        [sys.executable, "-m", "opengage", *arguments],
        env=os.environ | {"PYTHONPATH": str(SRC)},
        capture_output=True,
        check=True,
        timeout=60,
    )
    return done.stdout.decode()


def test_five_calls_and_every_handset_rings(server: Server, tenants: Tenants) -> None:
    """With an account from `opengage init` and the guide's headers, every envelope is delivered and accounted for."""
    told = json.loads(opengage("init", "--data", str(server.data), "--account", "firstbank", "--json"))
    firstbank = tenants.of(told)
    engagement_id = firstbank.blast(1000)
    ledger = firstbank.completed(engagement_id)
    assert (ledger["total"], ledger["reasons"]) == (1000, {"delivered": 1000})

    texts = firstbank.every("texts", engagement_id=engagement_id)
    assert {each["attributes"]["to"] for each in texts} == {number(each) for each in range(1000)}
    assert {each["attributes"]["status"] for each in texts} == {"delivered"}
    one = next(each for each in texts if each["attributes"]["to"] == number(7))
    results = firstbank.get(f"/text-results?filter[text.id]={one['id']}")["data"]
    assert [each["attributes"]["kind"] for each in results] == ["sent", "delivered"]
    message_id = one["relationships"]["text-message"]["data"]["id"]
    message = firstbank.get(f"/text-messages/{message_id}")["data"]["attributes"]
    assert message["body"] == "Hello Ann7, firstbank supports variables."
    inbox = ask(server.control, "inbox", number=number(7))["texts"]
    assert message["body"] in [text["text"] for text in inbox]


def test_two_tenants_see_only_their_own(server: Server, tenants: Tenants) -> None:
    """Two blasts at once are delivered whole, each to its own tenant's eyes; the other's ids are not there."""
    first, second = tenants.new(), tenants.new()
    one, two = first.blast(300), second.blast(200)
    assert first.completed(one)["reasons"] == {"delivered": 300}
    assert second.completed(two)["reasons"] == {"delivered": 200}
    for mine, count, foreign in ((first, 300, two), (second, 200, one)):
        assert len(mine.every("envelopes")) == len(mine.every("texts")) == count
        assert len(mine.get("/engagements")["data"]) == 1
        for path in (f"/engagements/{foreign}", f"/engagements/{foreign}/ledger"):
            assert mine.send("GET", path).status_code == 404
        assert mine.every("envelopes", engagement_id=foreign) == []


def test_long_and_foreign_words_arrive_whole(server: Server, tenants: Tenants) -> None:
    """Three segments of GSM-7, and letters that force UCS-2 over two, reach the handset as they were written."""
    writer = tenants.new()
    bodies = {"gsm-7": "{{first-name}} €" + "x" * 400, "ucs-2": "{{first-name}} Привет 👋 " + "ы" * 80}
    for encoding, body in bodies.items():
        engagement_id = writer.blast([number(9001)], body)
        assert writer.completed(engagement_id)["reasons"] == {"delivered": 1}
        (text,) = writer.every("texts", engagement_id=engagement_id)
        arrived = ask(server.control, "inbox", number=number(9001))["texts"][-1]
        assert arrived["text"] == body.replace("{{first-name}}", "Ann0")
        assert (arrived["encoding"], arrived["complete"]) == (encoding, True)
        assert arrived["segments"] == text["attributes"]["segments"] == (3 if encoding == "gsm-7" else 2)


def test_stop_is_obeyed(server: Server, tenants: Tenants) -> None:
    """Whoever answers STOP is left out of the next blast, by name; START brings them back."""
    sender = tenants.new(phone_number="+12025550142")
    quiet = number(9100)
    sender.completed(sender.blast([quiet, number(9101)]))

    def answer(words: str) -> None:
        heard = len(sender.every("texts"))
        ask(server.control, "send", **{"from": quiet, "to": sender.phone_number, "text": words})
        until(lambda: len(sender.every("texts")) > heard, what="the inbound text")

    answer("STOP")
    after = sender.blast([quiet, number(9101)], "Second blast")
    assert sender.completed(after)["reasons"] == {"delivered": 1, "opted-out": 1}
    assert sender.reasons(after)[quiet] == "opted-out"
    answer("START")
    assert sender.completed(sender.blast([quiet], "Third blast"))["reasons"] == {"delivered": 1}


def test_pause_resume_and_cancel(tenants: Tenants) -> None:
    """A slow blast stops when it is told to, goes on where it was, and a cancel counts exactly who was left."""
    slow = tenants.new(rate=100.0)
    engagement_id = slow.blast(400)
    until(lambda: slow.ledger(engagement_id)["complete"] >= 20, what="the first deliveries")
    assert slow.change(engagement_id, status="paused")["status"] == "paused"
    until(lambda: slow.ledger(engagement_id)["processing"] == 0, what="what was in flight")
    paused = slow.ledger(engagement_id)
    assert paused["pending"] > 0
    assert slow.change(engagement_id, status="scheduled")["status"] == "processing"
    until(lambda: slow.ledger(engagement_id)["complete"] > paused["complete"] + 20, what="deliveries after the pause")
    assert slow.change(engagement_id, status="canceled")["status"] == "canceled"
    assert slow.ledger(engagement_id)["pending"] == 0
    until(lambda: slow.ledger(engagement_id)["processing"] == 0, what="what was in flight")
    ledger = slow.ledger(engagement_id)
    assert ledger["reasons"] == {"delivered": ledger["complete"], "canceled": ledger["incomplete"]}
    assert ledger["complete"] + ledger["incomplete"] == 400
    assert 0 < ledger["incomplete"] < 400
    assert len(slow.every("texts")) == ledger["complete"]
    assert slow.status(engagement_id) == "canceled"


def test_magic_numbers_end_as_promised(server: Server, tenants: Tenants) -> None:
    """Each published ending leads to the reason that it stands for, and nobody is left over."""
    promised = {
        "99": "in-doubt",
        "98": "rejected",
        "97": "undelivered",
        "96": "expired",
        "95": "sent-unconfirmed",
        "94": "delivered",
        "93": "delivered",
        "92": "delivered",
        "91": "delivered",
        "90": "delivered",
        "89": "delivered",
    }
    magician = tenants.new()
    ask(server.control, "chaos", set={"magic": True})
    try:
        engagement_id = magician.blast([f"+331990012{ending}" for ending in promised])

        def nobody_is_on_the_way() -> bool:
            ledger = magician.ledger(engagement_id)  # looked at once: all may have set out between two looks
            return bool(ledger["processing"] == ledger["pending"] == 0)

        until(nobody_is_on_the_way, RECEIPT_WINDOW + 20, "every fate")
    finally:
        ask(server.control, "chaos", set={"magic": False})
    assert magician.reasons(engagement_id) == {f"+331990012{ending}": reason for ending, reason in promised.items()}
    assert magician.status(engagement_id) == "processing"
    stopped = until(lambda: [each for each in magician.every("texts") if each["attributes"]["direction"] == "inbound"])
    # it answers our confirmation with another STOP, and that one is not confirmed again
    assert {each["attributes"]["from"] for each in stopped} == {"+33199001290"}


def test_a_simulator_outside_takes_a_tenants_texts(server: Server, tenants: Tenants, outside: Smsc) -> None:
    """An account made with `init --smsc` sends there, at its own pace, and nothing of it to the bundled one."""
    bundled = ask(server.control, "counts")["submits"]
    arguments = ["--account", "abroad", "--smsc", outside.address("abroad"), "--phone-number", "+442079460100"]
    abroad = tenants.of(json.loads(opengage("init", "--data", str(server.data), *arguments, "--json")))
    engagement_id = abroad.blast(500)
    assert abroad.completed(engagement_id)["reasons"] == {"delivered": 500}
    assert ask(server.control, "counts")["submits"] == bundled
    code, told = outside.process.stop()
    counts = json.loads(told)
    assert code == 0
    assert {name: counts[name] for name in ("submits", "unique", "duplicates", "receipts")} == {
        "submits": 500,
        "unique": 500,
        "duplicates": 0,
        "receipts": 500,
    }
