"""A client of the API for tests: its settings, its clock, and the documents that it sends."""

import base64
from pathlib import Path
from typing import Any

import httpx
import msgspec

from opengage.clock import Instant, SystemClock
from opengage.ids import from_wire, new_id, to_wire
from opengage.operations.accounts import Created, create_account
from opengage.store.sqlite import SqliteStore
from seals import seals

SEALER = seals()
PUBLIC_URL = "https://texts.example.org"
NUMBER = "+12025550100"
START = Instant(1_594_150_561_641_305)
"""2020-07-07T19:36:01.641305+00:00."""


class Settings(msgspec.Struct):
    """The settings that the API reads."""

    body_limit_bytes: int = 4 * 1024 * 1024
    bulk_limit: int = 10_000
    max_segments: int = 10
    page_limit_default: int = 50
    page_limit_max: int = 1000
    public_url: str = PUBLIC_URL
    files: Path | None = None
    upload_limit_bytes: int = 1024 * 1024
    idempotency_seconds: float = 86_400.0
    access_token_seconds: float = 3600.0
    refresh_token_seconds: float = 2_592_000.0
    token_rate_limit: int = 2000
    account_rate_limit: int = 4000
    bulk_rate_limit: int = 100_000
    requests_in_flight: int = 512
    bytes_in_flight: int = 256 * 1024 * 1024
    undo_seconds: int = 0


class StandingClock(SystemClock):
    """Stands still until a test moves it."""

    def __init__(self) -> None:
        self.instant = START

    def now(self) -> Instant:
        """The instant that the test has set."""
        return self.instant


class Client:
    """One account's client: JSON:API documents in, answers out."""

    def __init__(self, http: httpx.AsyncClient, account: Created) -> None:
        self.http = http
        self.account = account
        pair = f"{account.token_key}:{account.token_secret}"
        self.headers = {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}

    async def send(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """A request with this account's credentials; bytes are sent as they are."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        content = body if isinstance(body, bytes | None) else msgspec.json.encode(body)
        return await self.http.request(method, path, content=content, headers=self.headers | named)

    async def get(self, path: str, **headers: str) -> httpx.Response:
        """GET below /api/v1."""
        return await self.send("GET", f"/api/v1{path}", **headers)

    async def post(self, path: str, body: Any, **headers: str) -> httpx.Response:
        """POST below /api/v1."""
        return await self.send("POST", f"/api/v1{path}", body, **headers)

    async def patch(self, path: str, body: Any, **headers: str) -> httpx.Response:
        """PATCH below /api/v1."""
        return await self.send("PATCH", f"/api/v1{path}", body, **headers)

    async def delete(self, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """DELETE below /api/v1."""
        return await self.send("DELETE", f"/api/v1{path}", body, **headers)

    async def member(self, role: str) -> "Client":
        """The client of a new member of the same account."""
        membership_id = await self.make("memberships", {"name": role.title(), "role": role})
        document = resource("api-tokens", {}, membership=("memberships", membership_id))
        made = (await self.post("/api-tokens", document)).json()["data"]["attributes"]
        stored = from_wire(membership_id)
        assert stored is not None
        return Client(
            self.http,
            msgspec.structs.replace(
                self.account, token_key=made["key"], token_secret=made["secret"], membership_id=stored
            ),
        )

    async def make(self, kind: str, attributes: dict[str, Any], **targets: tuple[str, str]) -> str:
        """POST one resource; its id."""
        answer = await self.post(f"/{kind}", resource(kind, attributes, **targets))
        assert answer.status_code == 201, answer.text
        made: str = answer.json()["data"]["id"]
        return made

    async def engagement(self) -> str:
        """A pending engagement without anything; its id."""
        return await self.make("engagements", {"name": "Example Text Blast", "direction": "outbound"})

    async def ready(self, envelopes: int = 1) -> str:
        """An engagement with all that it needs to be scheduled; its id."""
        engagement_id = await self.engagement()
        await self.activity(engagement_id)
        if envelopes:
            answer = await self.post("/envelopes", {"data": recipients(engagement_id, envelopes)})
            assert answer.status_code == 201, answer.text
        return engagement_id

    async def activity(self, engagement_id: str) -> str:
        """The activity of an engagement, with a new template and the account's number; its id."""
        template_id = await self.make("text-templates", {"name": "Text Template", "body": "Hi {{first-name}}"})
        return await self.make(
            "activities",
            {"name": "Text Blast", "kind": "text"},
            engagement=("engagements", engagement_id),
            phone_number=("phone-numbers", to_wire_number(self.account)),
            text_template=("text-templates", template_id),
        )

    async def change(self, engagement_id: str, **attributes: Any) -> httpx.Response:
        """PATCH an engagement; underscores stand for dashes."""
        named = {name.replace("_", "-"): value for name, value in attributes.items()}
        document = {"data": {"id": engagement_id, "type": "engagements", "attributes": named}}
        return await self.patch(f"/engagements/{engagement_id}", document)


def to_wire_number(account: Created) -> str:
    """The wire id of an account's phone number."""
    return to_wire(account.phone_number_id)


def linkage(kind: str, id_: str) -> dict[str, Any]:
    """A to-one relationship."""
    return {"data": {"type": kind, "id": id_}}


def resource(kind: str, attributes: dict[str, Any], **targets: tuple[str, str]) -> dict[str, Any]:
    """A request document of one resource."""
    relationships = {name.replace("_", "-"): linkage(*target) for name, target in targets.items()}
    return {"data": {"type": kind, "attributes": attributes, "relationships": relationships}}


def recipients(engagement_id: str, count: int) -> list[dict[str, Any]]:
    """Resource objects of envelopes to fictional numbers."""
    return [
        {
            "type": "envelopes",
            "attributes": {
                "phone-number": f"+44770090{number % 1000:04d}"[:13],
                "meta": {"first-name": f"Ann{number}", "last-name": "Lee"},
            },
            "relationships": {"engagement": linkage("engagements", engagement_id)},
        }
        for number in range(count)
    ]


def in_process(app: Any) -> httpx.AsyncClient:
    """An HTTP client of an ASGI application, with no header of its own choice."""
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    client = httpx.AsyncClient(transport=transport, base_url=PUBLIC_URL)
    del client.headers["accept"]
    return client


async def an_account(store: SqliteStore, clock: StandingClock, key: str, number: str = NUMBER) -> Created:
    """A new account with a token and a number."""
    return await create_account(store, clock, new_id, key=key, phone_number=number)
