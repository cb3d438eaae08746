"""POST /activities: its targets must be there, its kind must be text."""

from typing import Any

import pytest

from api_client import Client, resource, to_wire_number

STRANGER = "VkyqXJqA3ZSjBuGCtSxZJ2"


async def targets(client: Client) -> dict[str, tuple[str, str]]:
    """All that an activity points at."""
    template_id = await client.make("text-templates", {"name": "T", "body": "Hi"})
    return {
        "engagement": ("engagements", await client.engagement()),
        "phone_number": ("phone-numbers", to_wire_number(client.account)),
        "text_template": ("text-templates", template_id),
    }


@pytest.mark.parametrize("kind", ["voice", "email", "text-voice", ""])
async def test_other_kinds(client: Client, kind: str) -> None:
    """400 at the kind, saying what is supported."""
    document = resource("activities", {"name": "A", "kind": kind}, **await targets(client))
    answer = await client.post("/activities", document)
    (error,) = answer.json()["errors"]
    assert answer.status_code == 400
    assert (error["code"], error["source"]["pointer"]) == (108, "/data/attributes/kind")
    assert "“text”" in error["detail"]


@pytest.mark.parametrize("name", ["engagement", "phone_number", "text_template"])
@pytest.mark.parametrize(("target", "code"), [(None, 103), (("people", STRANGER), 102), ("other", 107), ("no id", 107)])
async def test_targets(client: Client, name: str, target: Any, code: int) -> None:
    """A relationship that is missing, of another type or unknown is pointed at."""
    wanted = await targets(client)
    if target is None:
        del wanted[name]
    elif isinstance(target, tuple):
        wanted[name] = target
    else:
        wanted[name] = (wanted[name][0], STRANGER if target == "other" else target)
    answer = await client.post("/activities", resource("activities", {"name": "A", "kind": "text"}, **wanted))
    (error,) = answer.json()["errors"]
    assert answer.status_code == 400
    assert (error["code"], error["source"]["pointer"]) == (code, f"/data/relationships/{name.replace('_', '-')}")
    assert (await client.get("/activities")).json()["meta"]["total"] == 0


async def test_all_unknown_targets_are_told(client: Client) -> None:
    """Every problem in one answer."""
    wanted = {
        "engagement": ("engagements", STRANGER),
        "phone_number": ("phone-numbers", STRANGER),
        "text_template": ("text-templates", STRANGER),
    }
    answer = await client.post("/activities", resource("activities", {"name": "", "kind": "text"}, **wanted))
    assert [error["code"] for error in answer.json()["errors"]] == [103, 107, 107, 107]


async def test_one_activity_an_engagement(client: Client) -> None:
    """A second one would silently do nothing, so it is refused."""
    wanted = await targets(client)
    document = resource("activities", {"name": "A", "kind": "text"}, **wanted)
    assert (await client.post("/activities", document)).status_code == 201
    answer = await client.post("/activities", document)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["code"] == 109


async def test_not_on_a_canceled_engagement(client: Client) -> None:
    """Only pending engagements take one."""
    wanted = await targets(client)
    await client.change(wanted["engagement"][1], status="canceled")
    answer = await client.post("/activities", resource("activities", {"name": "A", "kind": "text"}, **wanted))
    assert answer.json()["errors"][0]["code"] == 109
