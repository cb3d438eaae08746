"""Schemathesis, with all of its checks, over every operation of a real server; and what excuses its findings."""

from collections.abc import Iterator
from typing import Any

import httpx
import jsonschema_rs
import pytest
from schemathesis.checks import CHECKS, load_all_checks

from api.fuzzing import Found, Place, Plan, run, serving
from api.fuzzing_document import whole
from api.fuzzing_excuses import EXCUSES, Excuse

pytestmark = pytest.mark.xdist_group("schemathesis")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A server that has something of everything."""
    with serving(tmp_path_factory.mktemp("schemathesis")) as served:
        yield served


@pytest.fixture(scope="module")
def described(place: Place) -> Any:
    """The document."""
    return httpx.get(f"{place.url}/api/v1/openapi.json").json()


@pytest.mark.parametrize("excuse", EXCUSES, ids=lambda excuse: excuse.reason)
def test_every_excuse_is_needed(place: Place, described: Any, excuse: Excuse) -> None:
    """What is excused fits the document, and is refused all the same."""
    method, path, body = excuse.proof(place.ids)
    route = path.partition("?")[0]
    for kind, id_ in place.ids.items():
        route = route.replace(f"/{kind}/{id_}", f"/{kind}/{{id}}")
    operation = described["paths"][route][method.lower()]
    if body is not None:
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        jsonschema_rs.Draft202012Validator({**schema, "components": described["components"]}).validate(body)
    answer = httpx.request(
        method, f"{place.url}/api/v1{path}", json=body, headers={"Authorization": place.basic} | dict(excuse.headers)
    )
    assert answer.status_code in (400, 412, 422), answer.text
    assert [error for error in answer.json()["errors"] if excuse.fits(error)], answer.text


def check(found: Found) -> None:
    """Nothing failed, and every check was made."""
    load_all_checks()
    assert not found.failures, "\n\n".join(found.failures[:10])
    assert set(found.checks) == set(CHECKS.get_all_names())
    assert not [status for status in found.statuses if status >= 500]


def test_every_example_of_the_document(place: Place, described: Any) -> None:
    """Each operation, asked as the document shows it: no check fails."""
    found = run(place, Plan(phases=("examples",)))
    check(found)
    shown = {
        f"{method.upper()} {whole(path, item)}"
        for path, item in described["paths"].items()
        for method in item.keys() - {"servers"}
        if item[method].get("parameters") or "requestBody" in item[method]  # else there is nothing to show
    }
    assert shown == found.operations


def test_generated_requests(place: Place) -> None:
    """Right and wrong requests that nobody thought of, to whatever changes something: no check fails."""
    found = run(
        place, Plan(examples=3, phases=("fuzzing",), only="^(POST|PUT|PATCH|DELETE) |/(healthz|readyz|metrics)$")
    )
    check(found)
    assert found.cases > 150
