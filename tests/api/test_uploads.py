"""/uploads and its form: the dance of existing clients, and everything that may be wrong with it."""

import base64
import json
import tracemalloc
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx
import pytest

from api_client import PUBLIC_URL, START, Client, Settings, StandingClock
from api_samples import attached, upload
from opengage.clock import SECOND, Instant
from opengage.store.sqlite import SqliteStore

CSV = b"phone,first name\n+12025550143,Ann\n"
GIF = b"GIF89a\x02\x00\x01\x00;"


async def form(client: Client, name: str = "people.csv", kind: str = "text/csv") -> dict[str, Any]:
    """The attributes of a new upload."""
    answer = await client.post("/uploads", {"name": name, "type": kind, "size": 10})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()["data"]["attributes"]
    return found


async def send(
    client: Client,
    asked: dict[str, Any],
    content: bytes = CSV,
    kind: str = "text/csv",
    changed: Mapping[str, str | None] = MappingProxyType({}),
) -> httpx.Response:
    """Send a file by a form, some of whose fields are changed, or left out by None."""
    fields = {name: value for each in asked["request-form-data"] for name, value in each.items()}
    fields |= {"Content-Type": kind, **{name: value for name, value in changed.items() if value is not None}}
    fields = {name: value for name, value in fields.items() if changed.get(name, "") is not None}
    files = {"file": ("people.csv", content, "multipart/form-data")}
    return await client.http.post(asked["request-url"], data=fields, files=files)


def stored(settings: Settings) -> list[Path]:
    """The files in the folder, arriving ones too."""
    assert settings.files is not None
    return [path for path in settings.files.glob("*/*") if path.is_file()]


@pytest.mark.parametrize(
    "body",
    [
        b"{ 'name': 'O'Brien, Ann.csv', 'type': 'text/csv', 'size': 1234 }",
        b'{"name": "people.csv", "type": "text/csv", "size": 1234}',
        b"{'name':'people.csv','type':'text/csv','size':'1234'}",
        b"{name: 'people.csv', type: \"text/csv\", size: null}",
        b'{"data": {"type": "uploads", "attributes": {"name": "a.csv", "type": "text/csv", "size": 1}}}',
    ],
)
async def test_the_request_in_any_quotes(client: Client, body: bytes) -> None:
    """201 with the members that are on record, in their order; the form expires in exactly an hour."""
    answer = await client.post("/uploads", body, content_type="application/json; charset=utf-8")
    assert answer.status_code == 201
    data = answer.json()["data"]
    assert list(data) == ["type", "id", "attributes"]
    attributes = data["attributes"]
    assert list(attributes) == [
        "expires-at",
        "max-length-in-bytes",
        "request-url",
        "request-method",
        "request-headers",
        "request-form-data",
    ]
    expires = parsedate_to_datetime(attributes["expires-at"])
    assert expires == datetime.fromtimestamp(START // SECOND + 3600, UTC)
    assert attributes["expires-at"].endswith(" GMT")
    assert attributes["request-method"] == "post"
    assert attributes["request-headers"] == [{"x-amz-server-side-encryption": "AES256"}]
    fields = [next(iter(each.items())) for each in attributes["request-form-data"]]
    assert [name for name, _ in fields] == ["acl", "AWSAccessKeyId", "key", "policy", "signature"]
    key = dict(fields)["key"]
    assert key.startswith("uploads/")
    assert key.endswith("/${filename}")
    policy = json.loads(base64.b64decode(dict(fields)["policy"]))
    assert policy["conditions"][2] == ["starts-with", "$key", key.removesuffix("${filename}")]
    assert policy["conditions"][4] == ["content-length-range", 0, attributes["max-length-in-bytes"]]
    assert policy["expiration"].endswith("Z")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"hello", 101),
        (b"\xff\xfe{", 101),
        (b"", 101),
        (b"{nothing of it}", 101),
        (b"{'name': 'a.csv', 'more': {'name': 'b'}}", 101),
        (rb'{"name": "a\u0000b"}', 104),
        (b'{"data": {"type": "engagements", "attributes": {"name": "a"}}}', 101),
        (b"{}", 103),
        (b'{"name": ""}', 103),
        (b'{"name": "a", "size": "many"}', 102),
        (b'{"name": "a", "size": -1}', 104),
        (b'{"name": "a", "size": 1048577}', 104),
        (b'{"name": "a", "type": "text/html"}', 104),
    ],
)
async def test_requests_that_cannot_be(client: Client, body: bytes, code: int) -> None:
    """400 with the mending."""
    answer = await client.post("/uploads", body)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, code)


async def test_too_long_a_request(client: Client) -> None:
    """Names need no kilobytes."""
    assert (await client.post("/uploads", b"{'name': '" + b"x" * 20_000 + b"'}")).status_code == 413


async def test_the_file_arrives(client: Client, settings: Settings) -> None:
    """Exactly 204 without a body, and the very bytes are on the disk, under a name of ours."""
    answer = await send(client, await form(client))
    assert (answer.status_code, answer.content) == (204, b"")
    (path,) = stored(settings)
    assert path.read_bytes() == CSV
    assert path.name.isalnum()


async def test_the_form_of_the_dotnet_client(client: Client, settings: Settings) -> None:
    """A boundary with spaces, slashes and colons, names without quotes, a second file name, parts typed as text."""
    asked = await form(client)
    boundary = "Upload----07/07/2020 22:25:11"
    fields = [item for each in asked["request-form-data"] for item in each.items()]
    parts = [*(("x-amz-server-side-encryption", "AES256"),), *fields, ("Content-Type", "text/csv")]
    body = "".join(
        f"--{boundary}\r\nContent-Type: text/plain; charset=utf-8\r\n"
        f"Content-Disposition: form-data; name={name}\r\n\r\n{value}\r\n"
        for name, value in parts
    )
    body += (
        f"--{boundary}\r\nContent-Type: multipart/form-data\r\nContent-Disposition: form-data; name=file; "
        "filename=people.csv; filename*=utf-8''people.csv\r\n\r\n"
    )
    content = body.encode() + CSV + f"\r\n--{boundary}--\r\n".encode()
    headers = {"content-type": f'multipart/form-data; boundary="{boundary}"'}
    answer = await client.http.post(asked["request-url"], content=content, headers=headers)
    assert answer.status_code == 204, answer.text
    assert [path.read_bytes() for path in stored(settings)] == [CSV]


async def test_sent_twice(client: Client, settings: Settings) -> None:
    """The later bytes win, until something refers to the upload: then 409, and they stay as they are."""
    asked = await form(client)
    assert (await send(client, asked, b"phone\n1\n")).status_code == 204
    assert (await send(client, asked, b"phone\n2\n")).status_code == 204
    (path,) = stored(settings)
    assert path.read_bytes() == b"phone\n2\n"
    id_ = await upload(client, "a.csv", "text/csv", CSV)
    await client.make("import-contacts", {}, upload=("uploads", id_))
    both = await form(client)
    assert (await send(client, both)).status_code == 204


async def test_in_use_it_cannot_be_replaced(client: Client, settings: Settings) -> None:
    """409, and no bytes are left behind."""
    answer = await client.post("/uploads", {"name": "a.csv", "type": "text/csv"})
    data = answer.json()["data"]
    await send(client, data["attributes"])
    await client.make("import-contacts", {}, upload=("uploads", data["id"]))
    again = await send(client, data["attributes"], b"phone\n2\n")
    assert again.status_code == 409
    assert [path.read_bytes() for path in stored(settings)] == [CSV]


@pytest.mark.parametrize(
    "changed",
    [
        {"signature": "AAAA"},
        {"signature": None},
        {"policy": base64.b64encode(b'{"conditions": []}').decode()},
        {"policy": None},
        {"policy": "é"},
        {"key": "uploads/" + "0" * 32 + "/x"},
        {"key": "../../etc/passwd"},
        {"key": None},
    ],
    ids=str,
)
async def test_forms_that_were_changed(client: Client, settings: Settings, changed: dict[str, str | None]) -> None:
    """403, and nothing is kept."""
    answer = await send(client, await form(client), changed=changed)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (403, 160)
    assert stored(settings) == []


async def test_forms_of_others(client: Client, other: Client, settings: Settings) -> None:
    """A genuine form is good for its own upload and its own account alone."""
    first, second, foreign = await form(client), await form(client), await form(other)
    key = first["request-form-data"][2]["key"]
    assert (await send(client, second, changed={"key": key})).status_code == 403
    for url, asked in ((foreign["request-url"], first), (f"{PUBLIC_URL}/uploads/nobody", first)):
        assert (await send(client, asked | {"request-url": url})).status_code == 403
    assert stored(settings) == []


async def test_an_hour_later(client: Client, clock: StandingClock, settings: Settings) -> None:
    """Until the hour is over it is taken, and then no more."""
    asked = await form(client)
    clock.instant = Instant(START + 3600 * SECOND - 1)
    assert (await send(client, asked)).status_code == 204
    clock.instant = Instant(START + 3600 * SECOND)
    answer = await send(client, asked)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (403, 160)
    assert len(stored(settings)) == 1


async def test_size_is_limited(client: Client, settings: Settings) -> None:
    """At the limit it is taken; a byte more is 413 and leaves nothing, whatever the header claims."""
    settings.upload_limit_bytes = 200_000
    asked = await form(client)
    assert (await send(client, asked, b"a" * 200_000)).status_code == 204
    assert (await send(client, await form(client), b"a" * 200_001)).status_code == 413
    claimed = await client.http.post(asked["request-url"], content=b"x", headers={"content-length": "9" * 19})
    assert claimed.status_code == 413
    assert [path.stat().st_size for path in stored(settings)] == [200_000]


async def test_size_costs_no_memory(client: Client, settings: Settings) -> None:
    """Forty megabytes go to the disk as they come."""
    settings.upload_limit_bytes = 50 << 20
    asked = await form(client)
    fields = {name: value for each in asked["request-form-data"] for name, value in each.items()}
    frame = httpx.Request("POST", asked["request-url"], data=fields, files={"file": ("a.csv", b"MARK", "text/csv")})
    before, after = frame.read().split(b"MARK")
    line = b"+12025550143,Ann\n" * 4096

    async def body() -> AsyncIterator[bytes]:
        yield before
        for _ in range(600):
            yield line
        yield after

    tracemalloc.start()
    try:
        headers = {"content-type": frame.headers["content-type"]}
        answer = await client.http.post(asked["request-url"], content=body(), headers=headers)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()
    assert answer.status_code == 204
    assert [path.stat().st_size for path in stored(settings)] == [600 * len(line)]


@pytest.mark.parametrize(
    ("content", "kind"),
    [(b"", "text/csv"), (b"<html>", "text/csv"), (GIF, "text/csv"), (b"MZ\x00", "image/gif"), (b"a\x00b", "text/csv")],
)
async def test_bytes_that_are_something_else(client: Client, settings: Settings, content: bytes, kind: str) -> None:
    """400, and nothing is kept."""
    answer = await send(client, await form(client, kind=kind), content, kind)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, 104)
    assert stored(settings) == []


@pytest.mark.parametrize(
    ("cut", "status"), [(0, 400), (20, 400), (-1, 400), (-30, 400), (None, 204)], ids=["all", "most", "2", "30", "none"]
)
async def test_a_connection_that_ends(client: Client, settings: Settings, cut: int | None, status: int) -> None:
    """A form that is cut short anywhere is none."""
    asked = await form(client)
    fields = {name: value for each in asked["request-form-data"] for name, value in each.items()}
    whole = httpx.Request("POST", asked["request-url"], data=fields, files={"file": ("a.csv", CSV)})
    body = whole.read()[: len(whole.read()) - 4 if cut == -1 else cut]
    headers = {"content-type": whole.headers["content-type"]}
    answer = await client.http.post(asked["request-url"], content=body, headers=headers)
    assert answer.status_code == status
    assert len(stored(settings)) == (status == 204)


async def test_forms_that_are_none(client: Client, settings: Settings) -> None:
    """Another media type, no boundary, no file, fields without end."""
    asked = await form(client)
    url = asked["request-url"]
    assert (await client.http.post(url, json={})).status_code == 415
    headers = {"content-type": "multipart/form-data"}
    assert (await client.http.post(url, content=b"x", headers=headers)).status_code == 415
    assert (await client.http.post(url, files={"other": ("a", b"b")})).status_code == 400
    assert (await send(client, asked, changed={"policy": "x" * 20_000})).status_code == 413
    many = {f"f{place}": "x" for place in range(100)}
    assert (await client.http.post(url, data=many, files={"file": ("a", b"b")})).status_code in (400, 413)
    assert stored(settings) == []


async def test_a_file_is_served(client: Client, store: SqliteStore) -> None:
    """Its url answers its bytes to anybody, labelled as what they are, as no page of ours."""
    template = await client.make("text-templates", {"name": "T", "body": "Hi"})
    id_ = await attached(client, store, await upload(client, "../Zoë's \u202e.gif", "image/gif", GIF), template)
    told = (await client.get(f"/files/{id_}")).json()["data"]["attributes"]
    assert list(told)[:5] == ["url", "size-in-bytes", "content-type", "width", "height"]
    assert (told["size-in-bytes"], told["content-type"]) == (len(GIF), "image/gif")
    assert (told["width"], told["height"], told["name"]) == (2, 1, "Zoë's .gif")
    answer = await client.http.get(told["url"])
    assert (answer.status_code, answer.content) == (200, GIF)
    assert answer.headers["content-type"] == "image/gif"
    assert answer.headers["content-disposition"] == "inline; filename*=UTF-8''Zo%C3%AB%27s%20.gif"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert len(told["url"].split("/")[-2]) >= 43


async def test_a_list_is_offered_for_saving(client: Client, store: SqliteStore) -> None:
    """Nothing but pictures is shown in place."""
    template = await client.make("text-templates", {"name": "T", "body": "Hi"})
    id_ = await attached(client, store, await upload(client, "people.csv", "text/csv", CSV), template)
    url = (await client.get(f"/files/{id_}")).json()["data"]["attributes"]["url"]
    answer = await client.http.get(url)
    assert answer.headers["content-disposition"].startswith("attachment; ")
    assert answer.headers["content-type"].startswith("text/csv")


async def test_addresses_that_lead_nowhere(client: Client, other: Client, store: SqliteStore) -> None:
    """404: a wrong token, another account's key, none at all."""
    template = await client.make("text-templates", {"name": "T", "body": "Hi"})
    id_ = await attached(client, store, await upload(client, "a.gif", "image/gif", GIF), template)
    url = (await client.get(f"/files/{id_}")).json()["data"]["attributes"]["url"]
    token = url.split("/")[-2]
    for path in (f"/files/otherbank/{token}/a.gif", "/files/firstbank/x/a.gif", f"/files/nobody/{token}/a.gif"):
        assert (await client.http.get(path)).status_code == 404
    assert (await other.get(f"/files/{id_}")).status_code == 404
