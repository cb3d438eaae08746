"""The calls of the public guide, over one kept connection: bytes in, bytes out, so that the client costs little."""

import base64
import copy
import http.client
import json
import time
from typing import Any
from urllib.parse import urlsplit

BULK = "application/vnd.api+json; ext=bulk"
TEMPLATE = "Hello {{first-name}}, text templates support variables."

_TIMEOUT = 60.0
"""Seconds that an answer may take before the run is broken."""


class Broken(Exception):
    """The run cannot go on: something answered what it must not, or not in time."""


class Access:
    """What `opengage init` told: where the API is, and the credentials."""

    def __init__(self, told: dict[str, Any], port: int) -> None:
        secret = base64.b64encode(f"{told['token-key']}:{told['token-secret']}".encode()).decode()
        self.headers = {"X-Account-Key": told["account-key"], "Authorization": f"Basic {secret}"}
        self.phone_number_id: str = told["phone-number-id"]
        self.path = urlsplit(told["api-url"]).path
        self.port = port

    def at(self, port: int) -> "Access":
        """The same by another web process."""
        other = copy.copy(self)
        other.port = port
        return other


class Client:
    """One connection to the API."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._connection = http.client.HTTPConnection("127.0.0.1", access.port, timeout=_TIMEOUT)
        self._connection.connect()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def send(self, method: str, path: str, body: bytes | None = None, *, is_bulk: bool = False) -> bytes:
        """The body of the answer. Raises Broken unless it is a 2xx."""
        headers = self._access.headers | ({"Content-Type": BULK, "Accept": BULK} if is_bulk else {})
        self._connection.request(method, self._access.path + path, body, headers)
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status >= 300:
            raise Broken(f"{method} {path} was answered {answer.status}: {content[:500].decode(errors='replace')}")
        return content

    def data(self, method: str, path: str, resource: dict[str, Any] | None = None) -> Any:
        """The `data` of the answer."""
        body = json.dumps({"data": resource}).encode() if resource else None
        return json.loads(self.send(method, path, body))["data"]

    def make(self, kind: str, attributes: dict[str, Any], **related: tuple[str, str]) -> str:
        """Create a resource; its id. `related` are (type, id) by the relationship's name."""
        links = {name.replace("_", "-"): {"data": {"type": one, "id": id_}} for name, (one, id_) in related.items()}
        made = self.data("POST", f"/{kind}", {"type": kind, "attributes": attributes, "relationships": links})
        return str(made["id"])

    def make_engagement(self, name: str) -> str:
        """An engagement that lacks nothing but envelopes; its id."""
        template = self.make("text-templates", {"name": name, "body": TEMPLATE})
        engagement = self.make("engagements", {"name": name, "direction": "outbound"})
        self.make(
            "activities",
            {"name": name, "kind": "text"},
            engagement=("engagements", engagement),
            text_template=("text-templates", template),
            phone_number=("phone-numbers", self._access.phone_number_id),
        )
        return engagement

    def schedule(self, engagement_id: str) -> None:
        """Let the blast go."""
        attributes = {"status": "scheduled", "delivery-type": "immediately"}
        resource = {"type": "engagements", "id": engagement_id, "attributes": attributes}
        self.data("PATCH", f"/engagements/{engagement_id}", resource)

    def ledger(self, engagement_id: str) -> dict[str, Any]:
        """The counts of an engagement."""
        found: dict[str, Any] = self.data("GET", f"/engagements/{engagement_id}/ledger")["attributes"]
        return found


def is_ready(port: int) -> bool:
    """Whether a server answers its readiness check."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2.0)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def wait_until_ready(port: int, within: float = 30.0) -> None:
    """Wait for the server. Raises Broken when it does not come."""
    deadline = time.monotonic() + within
    while not is_ready(port):
        if time.monotonic() > deadline:
            raise Broken(f"no server was ready on port {port} within {within:g} seconds")
        time.sleep(0.02)
