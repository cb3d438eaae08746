"""POST /text-templates: bodies are compiled before they are kept."""

from typing import Any

import pytest

from api_client import Client, resource


@pytest.mark.parametrize(
    ("attributes", "code", "pointer"),
    [
        ({"name": "T", "body": "Hi {{ first-name"}, 106, "/data/attributes/body"),
        ({"name": "T", "body": "{% for x in (1..9) %}{% endfor %}"}, 106, "/data/attributes/body"),
        ({"name": "T", "body": " "}, 103, "/data/attributes/body"),
        ({"name": "", "body": "Hi"}, 103, "/data/attributes/name"),
        ({"name": "T"}, 103, "/data/attributes/body"),
        ({"name": "T", "body": None}, 102, "/data/attributes/body"),
        ({"name": "T", "body": 5}, 102, "/data/attributes/body"),
    ],
)
async def test_refused(client: Client, attributes: dict[str, Any], code: int, pointer: str) -> None:
    """Each fault at its place; nothing is kept."""
    answer = await client.post("/text-templates", resource("text-templates", attributes))
    (error,) = answer.json()["errors"]
    assert answer.status_code == 400
    assert (error["code"], error["source"]) == (code, {"pointer": pointer})
    assert (await client.get("/text-templates")).json()["meta"]["total"] == 0


async def test_the_guide_s_template(client: Client) -> None:
    """Merge fields with dashes are kept as they are; unknown attributes and `uploads` are ignored."""
    body = "Hello {{first-name}}, text templates support variables. 😀"
    document = resource("text-templates", {"name": "T", "body": body, "colour": "red"})
    document["data"]["relationships"] = {"uploads": {"data": []}, "files": {"data": []}}
    made = (await client.post("/text-templates?test_request_number=1", document)).json()["data"]
    assert made["attributes"]["body"] == body
    assert (await client.get(f"/text-templates/{made['id']}")).json()["data"] == made


async def test_an_array_is_refused_here(client: Client) -> None:
    """Only envelopes come in bulk now."""
    answer = await client.post("/text-templates", {"data": []})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["source"]["pointer"] == "/data"
