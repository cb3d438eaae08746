"""A rolling upgrade: the next version migrates the database while this one sends, and this one goes on sending."""

import json
import subprocess
from pathlib import Path

import pytest
from drill.release import Release

import postgres
from blasts import Tenants
from processes import Server, Smsc, ended, until
from running import arguments, environment, run


@pytest.mark.timeout(120)
def test_an_old_version_goes_on_over_the_next_ones_schema(postgres_server: postgres.Server, tmp_path: Path) -> None:
    """A blast is migrated in its middle and ends as it must; everything can still be made from the start."""
    release = Release(tmp_path / "next")
    smsc = Smsc(tmp_path)
    with postgres_server.database() as url, ended(smsc):
        server = Server(tmp_path / "data", database_url=url, window="40")
        with ended(server):
            server.ready()
            new = ("--account", "upgrade", "--json", "--smsc", smsc.address("upgrade"))
            told = run("init", "--data", str(server.data), *new, database_url=url)
            assert told.returncode == 0, told.stderr
            tenants = Tenants(server.url, server.data, "upgrade")
            tenant = tenants.of(json.loads(told.stdout))
            smsc.chaos(answer_delay=0.2)
            engagement_id = tenant.blast(1000)
            until(lambda: smsc.counts()["submits"] >= 100, what="a part of the blast")
            children = [server.process.child(verb) for verb in ("web", "worker")]
            migrated = subprocess.run(
                arguments("migrate"),
                env=environment(database_url=url) | {"PYTHONPATH": str(release.source)},
                capture_output=True,
                text=True,
                check=False,
            )
            assert migrated.returncode == 0, migrated.stderr
            assert f"at revision {release.revision} (was: {release.before})" in migrated.stdout
            assert smsc.counts()["submits"] < 1000
            smsc.chaos()
            assert tenant.completed(engagement_id)["complete"] == 1000
            assert tenant.completed(tenant.blast(50, "All of it once more."))["complete"] == 50
            assert [server.process.child(verb) for verb in ("web", "worker")] == children
            assert smsc.counts()["duplicates"] == 0
            tenants.close()
