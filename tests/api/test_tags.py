"""Tags: made once for each name, renamed, and gone from every template when they go."""

from api_client import Client, resource


async def test_a_life(client: Client) -> None:
    """201 with its name and authors; 202 for another name; 204, and the templates are without it."""
    id_ = await client.make("tags", {"name": "spring"})
    template_id = await client.make("text-templates", {"name": "T", "body": "Hi"})
    address = f"/text-templates/{template_id}/relationships/tags"
    await client.post(address, {"data": [{"type": "tags", "id": id_}]})
    changed = await client.patch(f"/tags/{id_}", resource("tags", {"name": "summer"}))
    assert (changed.status_code, changed.json()["data"]["attributes"]["name"]) == (202, "summer")
    assert [one["id"] for one in (await client.get("/tags")).json()["data"]] == [id_]
    assert (await client.delete(f"/tags/{id_}")).status_code == 204
    assert (await client.get(f"/tags/{id_}")).status_code == 404
    assert (await client.delete(f"/tags/{id_}")).status_code == 404
    assert (await client.get(address)).json()["data"] == []


async def test_a_name_is_there_once(client: Client, other: Client) -> None:
    """400 for a name that the account has, when made and when renamed; another account may have it too."""
    first, second = [await client.make("tags", {"name": name}) for name in ("spring", "summer")]
    made = await client.post("/tags", resource("tags", {"name": "spring"}))
    renamed = await client.patch(f"/tags/{second}", resource("tags", {"name": "spring"}))
    for answer in (made, renamed):
        (error,) = answer.json()["errors"]
        assert (answer.status_code, error["code"]) == (400, 104)
        assert error["source"]["pointer"] == "/data/attributes/name"
    assert (await client.patch(f"/tags/{first}", resource("tags", {"name": "spring"}))).status_code == 202
    assert (await client.get("/tags")).json()["meta"]["total"] == 2
    await other.make("tags", {"name": "spring"})


async def test_a_name_says_something(client: Client) -> None:
    """400 for none, an empty or an endless one."""
    for attributes, code in (({}, 103), ({"name": " "}, 103), ({"name": "n" * 256}, 104), ({"name": 1}, 102)):
        answer = await client.post("/tags", resource("tags", attributes))
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, code)
    assert (await client.get("/tags")).json()["meta"]["total"] == 0
