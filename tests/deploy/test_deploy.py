"""What deploys Opengage names verbs, settings and paths that exist, and gives no process more than it needs."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import pytest
import yaml

from opengage.cli import VERBS
from opengage.settings import PREFIX, Settings
from source import ROOT

CONTAINER = (ROOT / "deploy/Containerfile").read_text("utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text("utf-8"))
MANIFESTS: list[dict[str, Any]] = list(
    yaml.safe_load_all((ROOT / "deploy/kubernetes/opengage.yaml").read_text("utf-8"))
)
KNOWN = {PREFIX + field.name.upper() for field in fields(Settings)} | {"OPENGAGE_POSTGRES_PASSWORD"}
OURS = ("migrate", "web", "worker")


def pods() -> Iterator[tuple[str, dict[str, Any]]]:
    """The pod of each workload."""
    return (
        (each["metadata"]["name"], each["spec"]["template"]["spec"]) for each in MANIFESTS if "template" in each["spec"]
    )


def test_only_settings_that_exist_are_named() -> None:
    """In every file."""
    for path in (ROOT / "deploy").rglob("*"):
        if path.is_file():
            assert set(re.findall(r"OPENGAGE_[A-Z_]+", path.read_text("utf-8"))) <= KNOWN, path


def test_the_container_file_is_sound() -> None:
    """Two stages, hashes required, nobody's root, a health check, and only paths that exist."""
    lines = CONTAINER.replace("\\\n", " ").splitlines()
    assert sum(line.startswith("FROM ") for line in lines) == 2
    assert "--require-hashes -r requirements.lock" in CONTAINER
    last_user = [line.split()[1] for line in lines if line.startswith("USER ")][-1]
    assert int(last_user) > 0
    assert any(line.startswith("HEALTHCHECK ") for line in lines)
    assert 'ENTRYPOINT ["opengage"]' in lines
    copied = [shlex.split(line)[1:-1] for line in lines if line.startswith("COPY ") and "--from" not in line]
    assert all((ROOT / name).exists() for names in copied for name in names)


def test_compose_runs_two_of_each() -> None:
    """Verbs that exist, after the migration, without rights or a writable root."""
    services = COMPOSE["services"]
    for name in OURS:
        service = services[name]
        assert service["command"][0] in VERBS
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
    for name in ("web", "worker"):
        assert services[name]["deploy"]["replicas"] == 2
        assert services[name]["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}
    assert (ROOT / "deploy" / COMPOSE["x-opengage"]["build"]["context"] / "deploy/Containerfile").resolve().exists()


@pytest.mark.parametrize(("name", "pod"), list(pods()), ids=lambda each: each if isinstance(each, str) else "")
def test_pods_have_no_rights(name: str, pod: dict[str, Any]) -> None:
    """Nobody's root, nothing to gain, nothing to write but its volumes, and a verb that exists."""
    assert pod["securityContext"]["runAsNonRoot"] is True
    (container,) = pod["containers"]
    assert container["args"][0] in VERBS
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert {"name": "data", "mountPath": "/data"} in container["volumeMounts"]
    assert "memory" in container["resources"]["limits"]


def test_probes_ask_what_exists() -> None:
    """Liveness asks for the process alone: a database that is down is no reason to restart."""
    (web,) = (pod for name, pod in pods() if name == "opengage-web")
    container = web["containers"][0]
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"


def test_stops_have_time() -> None:
    """Longer than a process takes by itself."""
    for name, pod in pods():
        if name != "opengage-migrate":
            assert pod["terminationGracePeriodSeconds"] > Settings().stop_timeout_seconds
    assert int(COMPOSE["x-opengage"]["stop_grace_period"].rstrip("s")) > Settings().stop_timeout_seconds


def test_no_file_holds_a_secret() -> None:
    """Passwords come from outside."""
    for path in (ROOT / "deploy").rglob("*.yaml"):
        assert not re.search(r"://[^:@/\s]+:[^$@\s][^@\s]*@", path.read_text("utf-8"))
