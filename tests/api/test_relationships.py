"""What relationships lead to: as resources under their name, as linkage under `relationships`."""

from litestar import Litestar, Response, post
from litestar.di import Provide
from litestar.params import FromPath

from api_client import PUBLIC_URL, SEALER, Client, Settings, StandingClock, in_process, to_wire_number
from api_samples import one_of_each
from opengage.api import reads
from opengage.api.resources.registry import BY_TYPE
from opengage.api.state import ApiState
from opengage.domain.errors import Forbidden
from opengage.ids import new_id, to_wire
from opengage.operations.actors import Actor
from opengage.store.sqlite import SqliteStore

BASE = f"{PUBLIC_URL}/api/v1"


async def test_to_one(client: Client, store: SqliteStore) -> None:
    """The resource that it leads to, and its identifier with both addresses."""
    ids = await one_of_each(client, store)
    address = f"/activities/{ids['activities']}"
    related = await client.get(f"{address}/engagement")
    assert related.text == (await client.get(f"/engagements/{ids['engagements']}")).text
    linkage = await client.get(f"{address}/relationships/engagement")
    assert linkage.json() == {
        "links": {"self": f"{BASE}{address}/relationships/engagement", "related": f"{BASE}{address}/engagement"},
        "data": {"type": "engagements", "id": ids["engagements"]},
    }


async def test_to_nothing(client: Client) -> None:
    """200 with null: the relationship exists, and is empty."""
    address = f"/engagements/{await client.engagement()}"
    assert (await client.get(f"{address}/activity")).text == '{"data":null}\n'
    assert (await client.get(f"{address}/relationships/activity")).json()["data"] is None


async def test_to_a_few(client: Client) -> None:
    """The numbers of an engagement, as a page of a list."""
    id_ = await client.ready(0)
    page = (await client.get(f"/engagements/{id_}/phone-numbers")).json()
    number = to_wire_number(client.account)
    assert ([one["id"] for one in page["data"]], page["meta"]) == ([number], {"total": 1})
    assert (await client.get(f"/engagements/{id_}/phone-numbers?page[offset]=1")).json()["data"] == []
    linkage = (await client.get(f"/engagements/{id_}/relationships/phone-numbers")).json()
    assert linkage["data"] == [{"type": "phone-numbers", "id": number}]


async def test_to_what_leads_back(client: Client, store: SqliteStore) -> None:
    """The results of a text: the page that the recorded link gives, under the text's own address."""
    ids = await one_of_each(client, store)
    address = f"/texts/{ids['texts']}"
    page = (await client.get(f"{address}/results")).json()
    assert page["data"] == (await client.get(f"/text-results?filter[text.id]={ids['texts']}")).json()["data"]
    assert page["links"]["self"] == f"{BASE}{address}/results?page%5Blimit%5D=50&page%5Boffset%5D=0"
    linkage = (await client.get(f"{address}/relationships/results?page[limit]=1")).json()
    assert linkage["data"] == [{"type": "text-results", "id": ids["text-results"]}]
    assert linkage["links"]["related"] == f"{BASE}{address}/results"
    assert linkage["meta"] == {"total": 1}


async def test_what_leads_nowhere(client: Client, other: Client, store: SqliteStore) -> None:
    """404: an unknown name, a resource that this server has not, an id of another account or of none."""
    ids = await one_of_each(client, store)
    text = f"/texts/{ids['texts']}"
    for path in ("/nothing", "/relationships/nothing", "/relationships", "/relationships/results/x"):
        assert (await client.get(text + path)).status_code == 404
    for path in ("/results", "/engagement", "/relationships/results", "/relationships/engagement"):
        assert (await other.get(text + path)).status_code == 404
        assert (await client.get(f"/texts/{to_wire(new_id())}{path}")).status_code == 404
        assert (await client.get(f"/texts/x{path}")).status_code == 404
    named = (await client.get(f"{text}/nothing")).json()["errors"][0]["detail"]
    assert named.endswith(
        "Use one of text-message, contact, envelope, result, results, phone-number, "
        "service-profile, created-by, updated-by, engagement, revision."
    )


async def test_beside_a_route_of_a_noun(client: Client, store: SqliteStore) -> None:
    """A noun's own route at a relationship's address hides nothing of what every relationship has."""

    @post("/texts/{resource_id:str}/relationships/results", status_code=204)
    async def add(resource_id: FromPath[str]) -> None:
        """As a noun would."""

    @post("/texts/{resource_id:str}/engagement", status_code=204)
    async def move(resource_id: FromPath[str]) -> None:
        """As a noun would."""

    own = [add, move]
    handlers = [*reads.routes(BY_TYPE["texts"], reads.taken_by(own)), *own]
    paths = {(method, path) for one in handlers for path in one.paths for method in one.http_methods}
    linkage, related = "/texts/{resource_id:str}/relationships/results", "/texts/{resource_id:str}/engagement"
    assert {(method, linkage) for method in ("GET", "POST", "PATCH", "DELETE")} <= paths
    assert {(method, related) for method in ("GET", "POST")} <= paths
    assert len([one for one in handlers if linkage in one.paths]) == 3
    ids = await one_of_each(client, store)
    app = Litestar(
        handlers,
        dependencies={
            "api": Provide(lambda: ApiState(store, StandingClock(), new_id, Settings(), SEALER), sync_to_thread=False),
            "actor": Provide(
                lambda: Actor(1, "firstbank", client.account.membership_id, "owner"), sync_to_thread=False
            ),
        },
        exception_handlers={Forbidden: lambda _, error: Response(error.problems[0].detail, status_code=403)},
        openapi_config=None,
    )
    async with in_process(app) as http:
        address = f"/texts/{ids['texts']}"
        assert len((await http.get(f"{address}/relationships/results")).json()["data"]) == 1
        assert (await http.post(f"{address}/relationships/results")).status_code == 204
        assert (await http.patch(f"{address}/relationships/results")).status_code == 403
        assert (await http.get(f"{address}/engagement")).json() == {"data": None}
        assert (await http.patch(f"{address}/relationships/envelope")).status_code == 403
