"""The API's own description: whole, true to what is answered, and readable without a network."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import jsonschema_rs
import pytest

from api_client import PUBLIC_URL, Client
from api_samples import one_of_each
from opengage.api.resources.registry import RESOURCES
from opengage.store.sqlite import SqliteStore

Found = dict[str, Any]


@pytest.fixture
async def described(client: Client) -> Found:
    """The document."""
    answer = await client.http.get("/api/v1/openapi.json")
    assert answer.status_code == 200
    found: Found = answer.json()
    return found


def operations(described: Found) -> Iterator[tuple[str, str, Found]]:
    """(path, method, operation) of each."""
    for path, item in described["paths"].items():
        for method in item.keys() - {"servers"}:
            yield path, method, item[method]


def check(described: Found, schema: Found, value: Any) -> None:
    """Whether a value fits a schema of the document."""
    whole = {**schema, "components": described["components"]}
    jsonschema_rs.Draft202012Validator(whole).validate(value)


def test_every_route_is_described(described: Found) -> None:
    """Each method of each path, once, with a name of its own, a summary and its errors."""
    names = [operation["operationId"] for _, _, operation in operations(described)]
    assert len(names) == len(set(names))
    assert described["openapi"] == "3.1.0"
    assert described["servers"] == [{"url": f"{PUBLIC_URL}/api/v1"}]
    for resource in RESOURCES:
        assert {f"/{resource.type}", f"/{resource.type}/{{id}}"} <= set(described["paths"])
    for path, _, operation in operations(described):
        assert operation["summary"]
        assert {"400", "401", "503"} <= set(operation["responses"]) or "servers" in described["paths"][path]
        places = [one["name"] for one in operation["parameters"] if one["in"] == "path"]
        assert sorted(places) == sorted(re.findall(r"\{(\w+)\}", path))
        assert len({one["name"] for one in operation["parameters"]}) == len(operation["parameters"])


BODILESS = ("/webhook-endpoints/{id}/rotate-secret", "/webhook-deliveries/{id}/resend")
"""Whose address says it all."""


def test_every_body_is_described(described: Found) -> None:
    """Whatever changes something by a body says what it takes, with an example."""
    for path, method, operation in operations(described):
        if method in ("post", "patch", "put") and path not in BODILESS:
            assert "requestBody" in operation, f"{method} {path}: name its reader in the route's opt"


def test_examples_fit(described: Found) -> None:
    """Every example of a request and of an answer is one."""
    seen = 0
    for _, _, operation in operations(described):
        contents = [one["content"] for one in operation["responses"].values() if "content" in one]
        contents += [operation["requestBody"]["content"]] if "requestBody" in operation else []
        for content in contents:
            for media in content.values():
                check(described, media["schema"], media["example"])
                seen += 1
    for response in described["components"]["responses"].values():
        (media,) = response["content"].values()
        check(described, media["schema"], media["example"])
    assert seen >= len(list(operations(described)))


def test_every_reference_leads_somewhere(described: Found) -> None:
    """No `$ref` to what is not there."""

    def refs(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            yield from [value["$ref"]] if isinstance(value.get("$ref"), str) else []
            for each in value.values():
                yield from refs(each)
        if isinstance(value, list):
            for each in value:
                yield from refs(each)

    for found in refs(described):
        place: Any = described
        for step in found.removeprefix("#/").split("/"):
            place = place[step]
        assert place


async def test_answers_fit(described: Found, client: Client, store: SqliteStore) -> None:
    """What is really answered is as described: one, the list, and every relationship."""
    ids = await one_of_each(client, store)
    for path, item in described["paths"].items():
        kind = path.strip("/").partition("/")[0]
        if "get" not in item or kind not in ids:
            continue
        answer = await client.get(path.replace("{id}", ids[kind]))
        if answer.status_code == 200 and answer.headers["content-type"] == "application/json":
            content = item["get"]["responses"]["200"]["content"]["application/json"]
            check(described, content["schema"], answer.json())


async def test_errors_fit(described: Found, client: Client) -> None:
    """So is every error."""
    for path, status in (("/engagements?sort=x", "400"), ("/engagements/x", "404")):
        content = described["components"]["responses"][status]["content"]["application/json"]
        check(described, content["schema"], (await client.get(path)).json())


async def test_what_is_offered_is_taken(described: Found, client: Client) -> None:
    """The example of every parameter of every list is honoured."""
    id_ = await client.engagement()
    for path, item in described["paths"].items():
        if "{" in path or "get" not in item:
            continue
        for one in item["get"]["parameters"]:
            within = re.search(r"Only together with (filter\[[\w.-]+\])", one["description"])
            asked = {one["name"]: str(one["example"]), **({within[1]: id_} if within else {})}
            answer = await client.get(f"{path}?{urlencode(asked)}")
            assert answer.status_code == 200, (path, one["name"], answer.text)


async def test_the_page_needs_no_network(client: Client) -> None:
    """The page and all that it is made of come from here, and it may load nothing else."""
    page = await client.http.get("/api/docs")
    assert (page.status_code, page.headers["content-type"].partition(";")[0]) == (200, "text/html")
    assert page.headers["content-security-policy"].startswith("default-src 'self'")
    linked = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(linked) == 6
    linked.remove("data:,")  # no icon: a browser asks for none
    for address in linked:
        assert "//" not in address
        assert (await client.http.get(f"/api/{address}")).status_code == 200
    for name in ("LICENSE", "NOTICE"):
        assert (await client.http.get(f"/api/docs/{name}")).status_code == 200
    assert (await client.http.get("/api/docs/nothing")).status_code == 404


async def test_options_name_every_method(described: Found, client: Client) -> None:
    """An address that several routes share is told whole: whatever is described, and OPTIONS itself."""
    for path, item in described["paths"].items():
        if "servers" in item:
            continue
        answer = await client.http.options(f"/api/v1{path.replace('{id}', 'qCMRuyJ7gvBvzeSzvH2aJ2')}")
        assert answer.status_code == 204
        assert {"OPTIONS", *(method.upper() for method in item)} == set(answer.headers["allow"].split(", ")), path
        assert len(answer.headers.get_list("allow")) == 1


async def test_what_stands_beside_is_told(described: Found) -> None:
    """Tokens, forms, files and health name their own server, and say who may ask: nobody need say who they are."""
    beside = {path: item for path, item in described["paths"].items() if "servers" in item}
    assert {"/identity/v1/oauth2/tokens", "/uploads/{bucket}", "/healthz", "/metrics"} <= set(beside)
    for item in beside.values():
        assert item["servers"] == [{"url": PUBLIC_URL}]
        assert all({} in item[method]["security"] for method in item.keys() - {"servers"})
    flows = described["components"]["securitySchemes"]["oauth"]["flows"]
    assert {flow["tokenUrl"] for flow in flows.values()} == {f"{PUBLIC_URL}/identity/v1/oauth2/tokens"}
