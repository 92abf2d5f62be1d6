"""Production's database is deleted with an administrator's rights. The backups that `dr` restores are kept."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.conftest import LocalCloud
from tests.scenarios.harness import CONTINUITY, HOME, RECOVERY, aws

# The worst that a stolen administrator's key can do: disable the protection and delete everything in the home region.
DELETION = """
import sys
import boto3

rds = boto3.client("rds", region_name=sys.argv[1])
rds.modify_db_instance(DBInstanceIdentifier=sys.argv[2], DeletionProtection=False, ApplyImmediately=True)
rds.delete_db_instance(DBInstanceIdentifier=sys.argv[2], SkipFinalSnapshot=True, DeleteAutomatedBackups=True)
"""


def test_backups_in_ireland_outlive_a_deleted_database(fresh_cloud: LocalCloud, tmp_path: Path) -> None:
    assert fresh_cloud.run(*CONTINUITY, "up", "--yes").returncode == 0
    script = tmp_path / "delete.py"
    script.write_text(DELETION)
    fault = f"{sys.executable} {script} {{home_region}} botbrains-prod-database"
    done = fresh_cloud.run(
        *CONTINUITY, "drill", "recovery", "--yes", "--json", "--write-seconds", "5", "--fault", fault
    )
    assert done.returncode == 0
    measured = json.loads(done.stdout[done.stdout.rindex("\n{\n") :])
    assert measured["kept"]
    assert measured["rows_wrong"] == 0
    # RDS uploads and copies the committed log before it deletes an instance. Only rows that are acknowledged between
    # the upload and the end of the server can be missing.
    assert measured["data_loss"] < 1.0

    home, recovery = aws(fresh_cloud, "rds", HOME), aws(fresh_cloud, "rds", RECOVERY)
    assert home.describe_db_instances()["DBInstances"] == []
    assert home.describe_db_instance_automated_backups()["DBInstanceAutomatedBackups"] == []
    kept = recovery.describe_db_instance_automated_backups(DBInstanceIdentifier="botbrains-prod-database")
    assert [backup["Status"] for backup in kept["DBInstanceAutomatedBackups"]] == ["retained"]
