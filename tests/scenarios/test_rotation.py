"""RDS rotates the password of the master user while the application serves from its own connections."""

from __future__ import annotations

import os
import shutil
import time
from collections import Counter
from pathlib import Path

import pytest

from continuity.drills.load.traffic import Settings, Traffic
from localcloud.engine.provide import Engine
from tests.conftest import a_local_cloud
from tests.scenarios.harness import CONTINUITY, aws, outputs
from tests.scenarios.harness.recovery import database, until

pytestmark = pytest.mark.skipif(
    shutil.which("haproxy") is None and "CI" not in os.environ,
    reason="haproxy is not on this machine, so there are no load balancers; CI installs it",
)

RATE = 10.0


def test_no_request_fails_when_rds_rotates_the_master_password(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with a_local_cloud(engine, tmp_path, machines=True) as cloud:
        assert cloud.run(*CONTINUITY, "up", "--yes").returncode == 0
        for name in ("SSL_CERT_FILE", "HTTPS_PORT"):
            monkeypatch.setenv(name, cloud.env[name])
        where = outputs(cloud, "prod")
        with database(cloud, "prod") as session:
            until(
                "the workers",
                lambda: session.execute("select 1 from pg_stat_activity where application_name = 'worker'").fetchone(),
            )
        traffic = Traffic(
            Settings(
                name=where["name"],
                addresses=tuple(one["address"] for one in where["load_balancers"]),
                port=int(cloud.env["HTTPS_PORT"]),
                path="/database",
                rate=RATE,
                patience=5,
            )
        )
        traffic.start()
        traffic.wait_for_first(30)
        time.sleep(3)
        aws(cloud, "secretsmanager").rotate_secret(SecretId=where["database_secret_arn"])
        time.sleep(5)
        requests = traffic.stop()
        assert Counter(request.error or str(request.status) for request in requests) == {"200": len(requests)}
        assert len(requests) > RATE * 7
