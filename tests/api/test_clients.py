"""Clients that others wrote for any JSON:API server, as they are published: all that they do works here."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import jsonapi_client
import pytest
import requests
from jsonapi_client.exceptions import DocumentError

from api.fuzzing import Place, serving
from source import ROOT

PEERS = ROOT / "tests" / "peers"
MISSING = [404, 122, "There is no such thing"]
TAG_SCHEMA = {"tags": {"properties": {"name": {"type": "string"}}}}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A server that has something of everything."""
    with serving(tmp_path_factory.mktemp("clients")) as served:
        yield served


def node(script: str, place: Place, tag: str) -> Any:
    """What a script of tests/peers says; skips, and says how to mend it, where its packages are missing."""
    if shutil.which("node") is None or not (PEERS / "node_modules" / "kitsu").is_dir():
        pytest.skip("npm peer not checked: run npm ci in tests/peers")
    command = ["node", str(PEERS / script), f"{place.url}/api/v1", place.basic, tag]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_kitsu(place: Place) -> None:
    """npm kitsu: list, page, filter, include, create, update, delete, error."""
    seen = node("kitsu.mjs", place, "Kitsu")
    assert seen["created"] == [201, "Kitsu a", "tags"]
    assert seen["list"] == sorted(seen["list"])
    assert {"Kitsu a", "Kitsu b"} <= set(seen["list"])
    assert seen["pages"] == [seen["list"][:1], seen["list"][1:2], len(seen["list"])]
    assert seen["filtered"] == ["Kitsu b"]
    assert seen["included"] == "Text Template"
    assert seen["updated"] == [202, "Kitsu c"]
    assert seen["deleted"] == 204
    assert seen["error"] == MISSING


def test_devour(place: Place) -> None:
    """npm devour-client: the same."""
    seen = node("devour.js", place, "Devour")
    assert seen["created"] == ["Devour a", "tags"]
    assert seen["list"] == sorted(seen["list"])
    assert {"Devour a", "Devour b"} <= set(seen["list"])
    assert seen["pages"] == [seen["list"][:1], seen["list"][1:2], len(seen["list"])]
    assert seen["filtered"] == ["Devour b"]
    assert seen["included"] == "Text Template"
    assert seen["updated"] == "Devour c"
    assert seen["error"] == [MISSING[2]]


def test_jsonapi_client(place: Place) -> None:
    """PyPI jsonapi-client: the same; relationships are followed by their linkage."""
    asked = {"headers": {"Authorization": place.basic}}
    session = jsonapi_client.Session(f"{place.url}/api/v1", schema=TAG_SCHEMA, request_kwargs=asked)
    made = session.create_and_commit("tags", name="Python a")
    session.create_and_commit("tags", name="Python b")
    listed = [tag.name for tag in session.iterate("tags", jsonapi_client.Modifier("sort=name&page[limit]=1"))]
    assert listed == sorted(listed)
    assert {"Python a", "Python b"} <= set(listed)
    found = session.get("tags", jsonapi_client.Filter(name="Python b"))
    assert [tag.name for tag in found.resources] == ["Python b"]
    engagement = session.get("engagements", jsonapi_client.Inclusion("activity.text-template")).resources[0]
    assert engagement.activity.text_template.name == "Text Template"
    assert engagement.activity.phone_number.phone_number == "+12025550100"  # by a request of its own
    made.name = "Python c"
    made.commit()
    again = jsonapi_client.Session(f"{place.url}/api/v1", request_kwargs=asked).get("tags", made.id)
    assert again.resource.name == "Python c"
    made.delete()
    with pytest.raises(requests.JSONDecodeError):  # it looks for JSON in every answer, and 204 has none: but it is done
        made.commit()
    with pytest.raises(DocumentError) as refused:
        jsonapi_client.Session(f"{place.url}/api/v1", request_kwargs=asked).get("tags", made.id)
    assert refused.value.errors["status_code"] == 404
