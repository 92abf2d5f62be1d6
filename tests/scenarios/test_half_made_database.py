"""An update gives up on a restore that takes longer than its time limit. The next one completes the database."""

from __future__ import annotations

from pathlib import Path

import pytest

from localcloud.engine.provide import Engine
from tests.conftest import a_local_cloud
from tests.scenarios.harness import CONTINUITY, RECOVERY
from tests.scenarios.harness.recovery import copies, database, instance, must_be_protected, until


def test_next_up_completes_a_half_made_database(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The limit is 5 hours, which pass in 60 seconds.
    monkeypatch.setenv("LOCALCLOUD_CLOCK", "300")
    monkeypatch.setenv("LOCALCLOUD_RDS_RESTORE_MINUTES", "420")
    with a_local_cloud(engine, tmp_path) as cloud:
        assert cloud.run(*CONTINUITY, "up", "--yes", timeout=900).returncode == 0
        until("the copy", lambda: copies(cloud, RECOVERY, "botbrains-prod-database")[0]["RestoreWindow"]["LatestTime"])
        first = cloud.run(*CONTINUITY, "up", "dr", "--yes", timeout=900)
        assert first.returncode != 0
        assert "is backing-up after 300 minutes" in first.stdout
        assert "MasterUserSecret" not in instance(cloud, RECOVERY, "botbrains-dr-database")

        second = cloud.run(*CONTINUITY, "up", "dr", "--yes", timeout=900)
        assert second.returncode == 0
        assert "creating it" in second.stderr
        must_be_protected(cloud, RECOVERY, "botbrains-dr-database", "botbrains-dr-database")
        with database(cloud, "dr") as connection:
            assert connection.execute("select 1").fetchone() == (1,)
        again = cloud.run(*CONTINUITY, "up", "dr", "--yes", timeout=900)
        assert "dr: no change" in again.stdout
