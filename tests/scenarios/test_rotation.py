"""The application's own database user, when RDS rotates the master password and when production is destroyed."""

from __future__ import annotations

import os
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from continuity.drills.load.traffic import Request, Settings, Traffic
from localcloud.engine.provide import Engine
from tests.conftest import LocalCloud, a_local_cloud
from tests.scenarios.harness import CONTINUITY, HOME, aws, outputs
from tests.scenarios.harness.recovery import until
from tests.scenarios.harness.teardown import take_down

pytestmark = pytest.mark.skipif(
    shutil.which("haproxy") is None and "CI" not in os.environ,
    reason="haproxy is not on this machine, so there are no load balancers; CI installs it",
)

RATE = 10.0


@pytest.fixture(scope="module")
def cloud(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """Production, with hosts and load balancers that are real processes."""
    with a_local_cloud(engine, tmp_path_factory.mktemp("cloud"), machines=True) as made:
        assert made.run(*CONTINUITY, "up", "--yes", timeout=900).returncode == 0
        yield made


@contextmanager
def database_queries(cloud: LocalCloud, stack: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Request]]:
    """Send requests that each open a connection to the database, from the first answer to the end of the block."""
    for name in ("SSL_CERT_FILE", "HTTPS_PORT"):
        monkeypatch.setenv(name, cloud.env[name])
    where = outputs(cloud, stack)
    settings = Settings(
        name=where["name"],
        addresses=tuple(one["address"] for one in where["load_balancers"]),
        port=int(cloud.env["HTTPS_PORT"]),
        path="/database",
        rate=RATE,
        patience=5,
    )

    def is_served() -> bool:
        probe = Traffic(settings)
        probe.start()
        probe.wait_for_first(30)
        time.sleep(1)
        requests = probe.stop()
        return bool(requests) and all(request.status == 200 for request in requests)

    until(f"the hosts of {stack}", is_served)
    traffic, requests = Traffic(settings), list[Request]()
    traffic.start()
    traffic.wait_for_first(30)
    try:
        yield requests
    finally:
        requests += traffic.stop()


def test_no_request_fails_when_rds_rotates_the_master_password(
    cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database_queries(cloud, "prod", monkeypatch) as requests:
        time.sleep(3)
        aws(cloud, "secretsmanager").rotate_secret(SecretId=outputs(cloud, "prod")["database_secret_arn"])
        time.sleep(5)
    assert Counter(request.error or str(request.status) for request in requests) == {"200": len(requests)}
    assert len(requests) > RATE * 7


def test_recovery_serves_when_production_is_destroyed(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its hosts know the application's user from the replica of a secret, and the restored database has it."""
    take_down(cloud, "prod", HOME)
    assert cloud.run(*CONTINUITY, "up", "--yes", "dr", timeout=900).returncode == 0
    with database_queries(cloud, "dr", monkeypatch) as requests:
        time.sleep(3)
    assert Counter(request.error or str(request.status) for request in requests) == {"200": len(requests)}
