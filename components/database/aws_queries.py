"""Queries to AWS about the sources of a database.

They use boto3's core, whose credentials and API endpoint come from the environment, like the provider's. The rest of
boto3, above all for S3, is not needed, and loading it would slow down each preview.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from components.database.source import SourceError, Target

# A region that is down must not keep a recovery waiting: AWS answers these calls within a second.
_CONNECT_SECONDS: Final = 5
_READ_SECONDS: Final = 20
_ATTEMPTS: Final = 2

_SNAPSHOT_TYPES: Final = {"rds": "automated", "awsbackup": "awsbackup"}


class AwsQueries:
    """Queries to AWS in the region of the target. Each raises `SourceError` if AWS does not answer it."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self._clients: dict[str, Any] = {}

    def instance(self, identifier: str) -> Any | None:
        with self._asking("the database instance", identifier, none="DBInstanceNotFound"):
            return self._client("rds").describe_db_instances(DBInstanceIdentifier=identifier)["DBInstances"][0]
        return None

    def automated_backups(self) -> list[Any]:
        """List all backups: RDS cannot filter by every status, nor by an instance in a different region."""
        with self._asking("automated backups"):
            return self._all("rds", "describe_db_instance_automated_backups", "DBInstanceAutomatedBackups")
        return []

    def snapshot(self, name: str) -> Any | None:
        # RDS finds a snapshot that a service created only together with its type. The name begins with the type.
        kind = _SNAPSHOT_TYPES.get(name.partition(":")[0] if ":" in name else "")
        asked = {} if kind is None else {"SnapshotType": kind}
        with self._asking("the snapshot", name, none="DBSnapshotNotFound"):
            found = self._client("rds").describe_db_snapshots(DBSnapshotIdentifier=name, **asked)["DBSnapshots"]
            return found[0] if found else None
        return None

    def snapshots(self) -> list[Any]:
        with self._asking("snapshots"):
            return self._all("rds", "describe_db_snapshots", "DBSnapshots")
        return []

    def recovery_points(self, vault: str) -> list[Any] | None:
        with self._asking("the vault", vault, none="ResourceNotFoundException"):
            return self._all(
                "backup",
                "list_recovery_points_by_backup_vault",
                "RecoveryPoints",
                BackupVaultName=vault,
                ByResourceType="RDS",
            )
        return None

    def key_state(self, arn: str) -> str | None:
        with self._asking("the key", arn, none="NotFoundException"):
            return str(self._client("kms").describe_key(KeyId=arn)["KeyMetadata"]["KeyState"])
        return None

    def _all(self, service: str, call: str, of: str, **asked: Any) -> list[Any]:
        return [item for page in self._client(service).get_paginator(call).paginate(**asked) for item in page[of]]

    def _client(self, service: str) -> Any:
        if service not in self._clients:
            import botocore.session
            from botocore.config import Config

            self._clients[service] = botocore.session.get_session().create_client(
                service,
                region_name=self.target.region,
                config=Config(
                    connect_timeout=_CONNECT_SECONDS,
                    read_timeout=_READ_SECONDS,
                    retries={"total_max_attempts": _ATTEMPTS, "mode": "standard"},
                ),
            )
        return self._clients[service]

    @contextmanager
    def _asking(self, what: str, name: str = "", none: str = "") -> Iterator[None]:
        """Continue after the block if AWS answers with the error `none`. Any other error is a `SourceError`."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except (BotoCoreError, ClientError) as error:
            code = error.response["Error"]["Code"] if isinstance(error, ClientError) else ""
            if none and code.removesuffix("Fault") == none:
                return
            raise SourceError.unanswered(self.target, f"{what} {name}".rstrip(), error) from None
