"""/import-contacts: queued by the API, carried out by a worker, explained cell by cell."""

import csv
import io
from typing import Any

import pytest

from api_client import Client, Settings, StandingClock, resource
from api_samples import upload
from opengage.dispatch.importer import Importer
from opengage.ids import new_id, to_wire
from opengage.operations.contact_imports import neutral
from opengage.store.blobs import Blobs
from opengage.store.sqlite import SqliteStore

CSV = "Phone;First name;City\n+12025550143;Zoë;Oslo\n202 555 0144;Ann;=1+1\n=HYPERLINK(A1);Bob;x\n".encode()


@pytest.fixture
def worker(store: SqliteStore, clock: StandingClock, settings: Settings) -> Importer:
    """A worker on the API's store and folder."""
    assert settings.files is not None
    return Importer(store, Blobs(settings.files), clock, new_id, "w")


async def ask(client: Client, upload_id: str, list_id: str | None = None, **attributes: Any) -> Any:
    """POST an import; the answer."""
    named = {name.replace("_", "-"): value for name, value in attributes.items()}
    targets = {"upload": ("uploads", upload_id)} | ({"list": ("lists", list_id)} if list_id else {})
    return await client.post("/import-contacts", resource("import-contacts", named, **targets))


async def test_from_the_file_to_the_contacts(client: Client, worker: Importer) -> None:
    """The guide's request is queued; a worker completes it; contacts, list, counts and errors can be read."""
    list_id = await client.make("lists", {"title": "Customers"})
    upload_id = await upload(client, "people.csv", "text/csv", CSV)
    answer = await ask(client, upload_id, list_id, status="queued", unique_primary_phone=True, default_region="US")
    assert answer.status_code == 201
    made = answer.json()["data"]
    assert (made["attributes"]["status"], made["attributes"]["unique-primary-phone"]) == ("queued", True)
    assert made["relationships"]["upload"]["data"] == {"type": "uploads", "id": upload_id}
    assert await worker.turn()
    told = (await client.get(f"/import-contacts/{made['id']}")).json()["data"]["attributes"]
    counts = {name: told[f"count-{name}"] for name in ("rows", "created", "failed", "errors")}
    assert (told["status"], counts) == ("completed", {"rows": 3, "created": 2, "failed": 1, "errors": 1})
    people = (await client.get(f"/lists/{list_id}/contacts")).json()["data"]
    assert [one["attributes"]["phone-number"] for one in people] == ["+12025550143", "+12025550144"]
    assert [one["attributes"]["meta"] for one in people] == [{"city": "Oslo"}, {"city": "=1+1"}]
    (error,) = (await client.get(f"/import-contacts/{made['id']}/errors")).json()["data"]
    assert error["attributes"] | {"created-at": "", "updated-at": ""} == {
        "created-at": "",
        "updated-at": "",
        "row": 4,
        "column": "Phone",
        "value": "=HYPERLINK(A1)",
        "detail": "this is no phone number",
        "fix": "write its digits alone",
    }


async def test_errors_as_csv(client: Client, other: Client, worker: Importer) -> None:
    """For a spreadsheet: no cell is a formula; another account's is missing."""
    upload_id = await upload(client, "people.csv", "text/csv", CSV)
    id_ = (await ask(client, upload_id, default_region="US")).json()["data"]["id"]
    assert await worker.turn()
    answer = await client.get(f"/import-contacts/{id_}/errors.csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"].startswith("attachment")
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert rows[0] == ["row", "column", "value", "what", "fix"]
    assert rows[1][:3] == ["4", "Phone", "'=HYPERLINK(A1)"]
    assert (await other.get(f"/import-contacts/{id_}/errors.csv")).status_code == 404
    assert (await other.get(f"/import-contacts/{id_}/errors")).status_code == 404


@pytest.mark.parametrize("cell", ["=1", "+1", "-1", "@x", "\t=1", "\r=1", " =1", "\ufeff=1", "|x", "%0A"])
def test_no_cell_is_a_formula(cell: str) -> None:
    """Whatever a spreadsheet would take for one."""
    assert neutral(cell) == f"'{cell}"
    assert neutral("Ann = Bob") == "Ann = Bob"


@pytest.mark.parametrize(
    ("attributes", "code", "place"),
    [
        ({"status": "completed"}, 109, "status"),
        ({"mapping": {"Phone": "telephone"}}, 104, "mapping"),
        ({"mapping": {"Phone": 7}}, 102, "mapping/Phone"),
        ({"default_region": "us"}, 104, "default-region"),
        ({"default_region": "XX"}, 104, "default-region"),
        ({"unique_primary_phone": "yes"}, 102, "unique-primary-phone"),
    ],
)
async def test_bad_wishes(client: Client, attributes: dict[str, Any], code: int, place: str) -> None:
    """400 at the place, and nothing is queued."""
    upload_id = await upload(client, "people.csv", "text/csv", CSV)
    answer = await ask(client, upload_id, **attributes)
    error = answer.json()["errors"][0]
    assert (answer.status_code, error["code"]) == (400, code)
    assert error["source"]["pointer"] == f"/data/attributes/{place}"
    assert (await client.get("/import-contacts")).json()["meta"]["total"] == 0


async def test_bad_targets(client: Client, other: Client) -> None:
    """No upload, another account's, none yet, a picture, another account's list."""
    own = await upload(client, "people.csv", "text/csv", CSV)
    theirs = await upload(other, "people.csv", "text/csv", CSV)
    picture = await upload(client, "a.gif", "image/gif", b"GIF89a\x02\x00\x01\x00;")
    promised = (await client.post("/uploads", {"name": "a.csv", "type": "text/csv"})).json()["data"]["id"]
    foreign_list = await other.make("lists", {"title": "L"})
    for upload_id, list_id, code in (
        (to_wire(new_id()), None, 107),
        ("x", None, 107),
        (theirs, None, 107),
        (promised, None, 107),
        (picture, None, 104),
        (own, foreign_list, 107),
        (own, to_wire(new_id()), 107),
    ):
        answer = await ask(client, upload_id, list_id)
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, code)
    missing = await client.post("/import-contacts", resource("import-contacts", {}))
    assert (missing.status_code, missing.json()["errors"][0]["code"]) == (400, 103)
    assert (await client.get("/import-contacts")).json()["meta"]["total"] == 0
    assert (await other.get("/import-contacts")).json()["meta"]["total"] == 0


async def test_a_hostile_name_is_only_a_name(client: Client, worker: Importer, settings: Settings) -> None:
    """Paths in file names lead nowhere."""
    upload_id = await upload(client, "../../../tmp/x.csv", "text/csv", CSV)
    await ask(client, upload_id, default_region="US")
    assert await worker.turn()
    assert settings.files is not None
    inside = [path.relative_to(settings.files).parts for path in settings.files.rglob("*") if path.is_file()]
    assert all(len(parts) == 2 and parts[1].startswith(parts[0]) for parts in inside)
    assert len(inside) == 1
