"""The calls: each one request of the public guide, with exactly its headers."""

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import httpx
import msgspec

from opengage.client.documents import (
    ApiError,
    ErrorObject,
    ErrorsDocument,
    Ledger,
    ManyDocument,
    OneDocument,
    Recipient,
    Resource,
)
from opengage.clock import Clock, SystemClock
from opengage.jsonapi.media import JSON_API

BULK: Final = f"{JSON_API}; ext=bulk"
_BULK_HEADERS: Final = {"Content-Type": BULK, "Accept": BULK}
_PAGE: Final = 1000
_OK: Final = range(200, 300)

Answer = TypeVar("Answer")


class Call(msgspec.Struct, frozen=True):
    """One request that was answered, for whoever watches."""

    method: str
    path: str
    status: int
    seconds: float


class Client:
    """One account's access to the API at `url`, which ends with /api/v1. Every method raises ApiError.

    The plain calls carry Host, X-Account-Key and Authorization alone, and no Content-Type: that is what the guide's own
    calls look like. Bulk calls name their media type in Content-Type and Accept.
    """

    def __init__(
        self,
        url: str,
        account_key: str,
        token_key: str,
        token_secret: str,
        *,
        clock: Clock | None = None,
        timeout: float = 30.0,
        transport: httpx.BaseTransport | None = None,
        on_call: Callable[[Call], None] | None = None,
    ) -> None:
        """`timeout` is seconds per answer; `on_call` is told of each request that was answered."""
        self._url = url.rstrip("/")
        self._clock = clock or SystemClock()
        self._on_call = on_call
        # no proxy or .netrc of the environment: the address and the credentials were named outright
        self._http = httpx.Client(timeout=timeout, transport=transport, trust_env=False)
        pair = base64.b64encode(f"{token_key}:{token_secret}".encode()).decode()
        self._http.headers.clear()
        self._http.headers.update({"X-Account-Key": account_key, "Authorization": f"Basic {pair}"})

    def __enter__(self) -> Self:
        """The client itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def create_text_template(self, name: str, body: str) -> Resource:
        """POST /text-templates; `body` may hold {{merge-fields}}."""
        return self.create("text-templates", {"name": name, "body": body})

    def create_engagement(self, name: str, direction: str = "outbound") -> Resource:
        """POST /engagements."""
        return self.create("engagements", {"name": name, "direction": direction})

    def create_activity(
        self, name: str, engagement_id: str, text_template_id: str, phone_number_id: str, kind: str = "text"
    ) -> Resource:
        """POST /activities: what an engagement sends, and from which number."""
        return self.create(
            "activities",
            {"name": name, "kind": kind},
            {
                "engagement": ("engagements", engagement_id),
                "text-template": ("text-templates", text_template_id),
                "phone-number": ("phone-numbers", phone_number_id),
            },
        )

    def create_envelopes(self, engagement_id: str, recipients: Sequence[Recipient]) -> list[Resource]:
        """POST /envelopes in bulk: all of them or none, in the order given, 10,000 at most."""
        link = {"engagement": {"data": {"type": "engagements", "id": engagement_id}}}
        data = [
            {
                "type": "envelopes",
                "attributes": {"phone-number": recipient.phone_number, "meta": recipient.meta},
                "relationships": link,
            }
            for recipient in recipients
        ]
        return self._send("POST", "/envelopes", ManyDocument, {"data": data}, _BULK_HEADERS).data

    def schedule(self, engagement_id: str) -> Resource:
        """PATCH /engagements/{id}: send it now."""
        return self.update_engagement(engagement_id, {"status": "scheduled", "delivery-type": "immediately"})

    def update_engagement(self, engagement_id: str, attributes: Mapping[str, Any]) -> Resource:
        """PATCH /engagements/{id}."""
        data = {"id": engagement_id, "type": "engagements", "attributes": attributes}
        return self._send("PATCH", f"/engagements/{engagement_id}", OneDocument, {"data": data}).data

    def ledger(self, engagement_id: str) -> Ledger:
        """GET /engagements/{id}/ledger: where every envelope stands now."""
        found = self._send("GET", f"/engagements/{engagement_id}/ledger", OneDocument).data
        return msgspec.convert(found.attributes, Ledger)

    def create(
        self, kind: str, attributes: Mapping[str, Any], relationships: Mapping[str, tuple[str, str]] | None = None
    ) -> Resource:
        """POST one resource; `relationships` are (type, id) by name."""
        data: dict[str, Any] = {"type": kind, "attributes": attributes}
        if relationships:
            data["relationships"] = {
                name: {"data": {"type": target, "id": id_}} for name, (target, id_) in relationships.items()
            }
        return self._send("POST", f"/{kind}", OneDocument, {"data": data}).data

    def get(self, kind: str, id_: str) -> Resource:
        """GET one resource."""
        return self._send("GET", f"/{kind}/{id_}", OneDocument).data

    def iterate(self, kind: str, filters: Mapping[str, str] | None = None, page: int = _PAGE) -> Iterator[Resource]:
        """Every resource of a list, fetched `page` at a time; `filters` such as {"engagement.id": "..."}."""
        plain = {f"filter[{path}]": value for path, value in (filters or {}).items()}
        seen = 0
        while True:
            parameters = {**plain, "page[limit]": str(page), "page[offset]": str(seen)}
            found = self._send("GET", f"/{kind}", ManyDocument, parameters=parameters)
            yield from found.data
            seen += len(found.data)
            if not found.data or (found.meta.total is not None and seen >= found.meta.total):
                return

    def _send(
        self,
        method: str,
        path: str,
        expected: type[Answer],
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        parameters: Mapping[str, str] | None = None,
    ) -> Answer:
        content = None if body is None else msgspec.json.encode(body)
        started = self._clock.monotonic()
        try:
            answer = self._http.request(method, self._url + path, content=content, headers=headers, params=parameters)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            detail = f"The API at {self._url} does not answer ({error}). Check the address and that it runs."
            raise ApiError(0, [ErrorObject(detail)]) from error
        if self._on_call:
            self._on_call(Call(method, path, answer.status_code, self._clock.monotonic() - started))
        if answer.status_code not in _OK:
            raise _refusal(answer)
        return _read(answer, expected)


def _read(answer: httpx.Response, expected: type[Answer]) -> Answer:
    try:
        return msgspec.json.decode(answer.content, type=expected)
    except msgspec.DecodeError as error:
        raise _strange(answer) from error


def _refusal(answer: httpx.Response) -> ApiError:
    try:
        document = msgspec.json.decode(answer.content, type=ErrorsDocument)
    except msgspec.DecodeError:
        return _strange(answer)
    return ApiError(answer.status_code, document.errors, document.meta.total) if document.errors else _strange(answer)


def _strange(answer: httpx.Response) -> ApiError:
    """No document of ours: something else listens there, or stands between."""
    detail = f"{answer.url} answered {answer.status_code} with no JSON:API document. Check the address."
    return ApiError(answer.status_code, [ErrorObject(detail)])
