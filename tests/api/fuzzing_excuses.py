"""What schemathesis finds and is right all the same: each with its reason, and with a request that proves it.

`test_schemathesis.py` sends the proofs: they must fit the document and be refused all the same. One that is not needed
any more is red.
"""

import re
from collections.abc import Callable
from typing import Any

import msgspec
from schemathesis.core.failures import Failure
from schemathesis.core.transport import Response
from schemathesis.openapi.checks import RejectedPositiveData

from api.cases import Ids
from api_client import resource
from opengage.domain.errors import Code
from opengage.ids import new_id, to_wire

Proof = Callable[[Ids], tuple[str, str, Any]]


TAKEN = "a-key-that-is-taken"
OFF = "a phone number that is switched off"


class Excuse(msgspec.Struct, frozen=True):
    """Requests that fit the document and are refused: no schema can say why."""

    reason: str
    code: Code
    where: str
    """A pattern of the pointer or parameter that the answer names."""
    proof: Proof
    """A method, a path and a body that the document allows."""
    headers: tuple[tuple[str, str], ...] = ()
    """What the proof says beside its credentials."""

    def fits(self, error: Any) -> bool:
        """Whether an error of an answer is this one."""
        source = error.get("source", {})
        where = source.get("pointer") or source.get("parameter") or ""
        return bool(error.get("code") == self.code and re.search(self.where, where))


def _post(kind: str, attributes: dict[str, Any], /, **targets: str) -> Proof:
    def proof(ids: Ids) -> tuple[str, str, Any]:
        led = {name: ("phone-numbers" if target == OFF else target, ids[target]) for name, target in targets.items()}
        return "POST", f"/{kind}", resource(kind, attributes, **led)

    return proof


def _patch(kind: str, /, **attributes: Any) -> Proof:
    named = {name.replace("_", "-"): value for name, value in attributes.items()}
    return lambda ids: ("PATCH", f"/{kind}/{ids[kind]}", {"data": {"type": kind, "attributes": named}})


def _get(path: str) -> Proof:
    return lambda ids: ("GET", re.sub(r"\{([\w-]+)\}", lambda place: ids[place[1]], path), None)


def _gone(_: Ids) -> tuple[str, str, Any]:
    return "DELETE", "/contacts", {"data": [{"type": "contacts", "id": to_wire(new_id())}]}


_SMPP = {"name": "P", "kind": "smpp"}
_WINDOW = {"days": ["mon"], "from": "09:00", "to": "10:00"}

EXCUSES = (
    Excuse(
        "countries are no pattern",
        Code.NOT_ALLOWED_VALUE,
        "/default-region$",
        _post("import-contacts", {"default-region": "QQ"}, upload="uploads"),
    ),
    Excuse(
        "an end is to come",
        Code.NOT_ALLOWED_VALUE,
        "/expires-at$",
        _post("api-tokens", {"expires-at": "2020-01-01T00:00:00+00:00"}),
    ),
    Excuse(
        "a key stands for one request",
        Code.KEY_REUSED,
        "",
        _post("tags", {"name": "Another"}),
        (("Idempotency-Key", TAKEN),),
    ),
    Excuse(
        "a number that is switched off sends nothing",
        Code.SENDER_OFF,
        "/phone-number$",
        _post("texts", {"to": "+12025550123"}, text_message="text-messages", phone_number=OFF),
    ),
    Excuse("what is pointed at may be gone", Code.UNKNOWN_TARGET, "", _gone),
    Excuse(
        "the size of an upload is written without a fraction, too",
        Code.MALFORMED,
        "^$",
        lambda _: ("POST", "/uploads", {"name": "a.csv", "type": "text/csv", "size": 5.0}),
    ),
    Excuse(
        "nobody guesses an ETag",
        Code.CHANGED,
        "",
        _patch("tags", name="Autumn"),
        (("If-Match", 'W/"guessed"'),),
    ),
    Excuse(
        "the primary number is one of the ten",
        Code.NOT_ALLOWED_VALUE,
        "/phone-numbers$",
        _post("contacts", {"phone-number": "+12025550100", "phone-numbers": [f"+1202555011{n}" for n in range(10)]}),
    ),
    Excuse(
        "numbering plans are no pattern",
        Code.INVALID_NUMBER,
        "",
        _post("suppressions", {"phone-number": "+19999999999"}),
    ),
    Excuse(
        "a template is a language",
        Code.INVALID_TEMPLATE,
        "/body$",
        _post("text-templates", {"name": "T", "body": "{{"}),
    ),
    Excuse(
        "what stands in a state does not allow everything",
        Code.ILLEGAL_STATE,
        "",
        _patch("engagements", status="paused"),
    ),
    Excuse("there is a receipt once all is done", Code.NOT_READY, "", _get("/engagements/{engagements}/receipt")),
    Excuse(
        "one cursor, or offsets",
        Code.BAD_PARAMETER,
        r"^page\[after\]$",
        _get("/tags?page[after]=&page[offset]=1"),
    ),
    Excuse(
        "what changes with every text is filtered within one engagement",
        Code.BAD_PARAMETER,
        r"^filter\[",
        _get("/envelopes?filter[status]=pending"),
    ),
    Excuse(
        "an engagement that is scheduled has a time to go",
        Code.NOT_ALLOWED_VALUE,
        "/delivery-(time|type)$",
        _post("engagements", {"name": "E", "delivery-type": "scheduled"}),
    ),
    Excuse(
        "time zones are no pattern",
        Code.NOT_ALLOWED_VALUE,
        "/(queue-schedule|budgets)",
        _post(
            "engagements",
            {
                "name": "E",
                "queue-schedule": {"time-zone": "X", "windows": [_WINDOW]},
            },
        ),
    ),
    Excuse(
        "a limit that must not be null is one in its PATCH, too",
        Code.NOT_ALLOWED_VALUE,
        "/kind$",
        _patch("service-profiles", kind="smpp"),
    ),
    Excuse("a network needs its address", Code.REQUIRED, "/url$", _post("service-profiles", _SMPP)),
    Excuse(
        "the sandbox has no address",
        Code.NOT_ALLOWED_VALUE,
        "/(url|password)$",
        _post("service-profiles", {"name": "P", "kind": "sandbox", "password": "correct horse"}),
    ),
    Excuse(
        "one of several must be named",
        Code.REQUIRED,
        "/relationships/(phone-number|service-profile)$",
        _post("phone-numbers", {"phone-number": "+12025550109"}),
    ),
    Excuse(
        "names of tags differ",
        Code.NOT_ALLOWED_VALUE,
        "/(name|phone-number)$",
        _post("tags", {"name": "Spring"}),
    ),
    Excuse("a text has words", Code.REQUIRED, "/body$", _post("text-messages", {"is-draft": False})),
    Excuse(
        "JSON Schema calls 1.0 a whole number; here it is written without a fraction",
        Code.WRONG_TYPE,
        "/(queue-|undo-|validity-|canary-|delay-|window|binds|receipt-|frequency-)",
        _post("engagements", {"name": "E", "queue-batch-limit": 5.0}),
    ),
    Excuse(
        "who opted out is not texted",
        Code.SUPPRESSED,
        "/to$",
        _post("texts", {"to": "+12025550199"}, text_message="text-messages", phone_number="phone-numbers"),
    ),
)


def excuse_for(failure: Failure, response: Response) -> Excuse | None:
    """The excuse for a failure, when every error of the answer has one."""
    if not isinstance(failure, RejectedPositiveData):
        return None
    try:
        errors = response.json()["errors"]
    except (ValueError, KeyError):
        return None
    found = [next((excuse for excuse in EXCUSES if excuse.fits(error)), None) for error in errors]
    return found[0] if found and all(found) else None
