"""Production's database is deleted by somebody who may: what `dr` needs is still there."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.conftest import LocalCloud
from tests.scenarios.asking import HOME, RECOVERY, aws

# What a stolen administrator's key, or a mistake with it, can do: switch the protection off, and leave nothing at home.
DELETION = """
import sys
import boto3

rds = boto3.client("rds", region_name=sys.argv[1])
rds.modify_db_instance(DBInstanceIdentifier=sys.argv[2], DeletionProtection=False, ApplyImmediately=True)
rds.delete_db_instance(DBInstanceIdentifier=sys.argv[2], SkipFinalSnapshot=True, DeleteAutomatedBackups=True)
"""


def test_ireland_keeps_what_was_deleted_at_home(fresh_cloud: LocalCloud, tmp_path: Path) -> None:
    continuity = (sys.executable, "-m", "continuity")
    assert fresh_cloud.run(*continuity, "up", "--yes").returncode == 0
    script = tmp_path / "delete.py"
    script.write_text(DELETION)
    fault = f"{sys.executable} {script} {{home_region}} botbrains-prod-database"
    said = fresh_cloud.run(
        *continuity, "drill", "recovery", "--yes", "--json", "--write-seconds", "5", "--fault", fault
    )
    assert said.returncode == 0
    measured = json.loads(said.stdout[said.stdout.rindex("\n{\n") :])
    assert measured["kept"]
    assert measured["rows_wrong"] == 0
    # A deletion is no loss of power: what was committed is uploaded, and copied, before the instance is gone. Only what
    # is acknowledged between that and the server's end can be missing.
    assert measured["data_loss"] < 1.0

    home, recovery = aws(fresh_cloud, "rds", HOME), aws(fresh_cloud, "rds", RECOVERY)
    assert home.describe_db_instances()["DBInstances"] == []
    assert home.describe_db_instance_automated_backups()["DBInstanceAutomatedBackups"] == []
    kept = recovery.describe_db_instance_automated_backups(DBInstanceIdentifier="botbrains-prod-database")
    assert [backup["Status"] for backup in kept["DBInstanceAutomatedBackups"]] == ["retained"]
