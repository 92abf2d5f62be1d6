"""The settings of the application database: its size, its retention, and its source."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from components.database.source import (
    LATEST,
    New,
    PointInTime,
    ReplicatedBackup,
    Snapshot,
    Source,
    VaultCopy,
    least_maximum_gib,
    moment,
)
from plan.types import Allowed, PrivateRange
from stacks.settings.reading import Section, from_plan


def _moment(value: str) -> str:
    try:
        moment(value)
    except ValueError as error:
        raise PydanticCustomError("moment", "{error}", {"error": str(error)}) from None
    return value


_INSTANCE = r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$"
_INSTANCE_WORDS = "the name of an RDS instance: at most 63 lowercase letters, digits and single hyphens, a letter first"
InstanceName = Annotated[str, StringConstraints(pattern=_INSTANCE, max_length=63), Allowed(_INSTANCE_WORDS)]
Time = Annotated[
    str,
    AfterValidator(_moment),
    Allowed(
        "latest, or a time in ISO 8601 with its time zone, in whole seconds and quotation marks, such as"
        ' "2026-03-01T02:30:00Z" or "2026-03-01T03:30:00+01:00"'
    ),
]
_TIME = "The point in time to restore; latest is the last one that the backups contain."


class NewSettings(Section):
    """An empty database."""

    from_: Literal["new"] = Field(alias="from", description="An empty database.")

    def declared(self) -> Source:
        return New()


class PointInTimeSettings(Section):
    """A point in time of an instance in the same region, or of a deleted instance whose backups were retained."""

    from_: Literal["pointInTime"] = Field(
        alias="from", description="A point in time of an instance in the same region."
    )
    instance: InstanceName = Field(description="The instance. It may have been deleted.")
    time: Time = Field(default=LATEST, description=_TIME)

    def declared(self) -> Source:
        return PointInTime(instance=self.instance, moment=moment(self.time))


class ReplicatedBackupSettings(Section):
    """A point in time of an instance in another region, from its backups that were replicated to this region."""

    from_: Literal["replicatedBackup"] = Field(
        alias="from",
        description="A point in time of an instance in another region, whose backups are replicated to this region.",
    )
    instance: InstanceName = Field(description="The instance. It may be lost together with its region.")
    time: Time = Field(default=LATEST, description=_TIME)

    def declared(self) -> Source:
        return ReplicatedBackup(instance=self.instance, moment=moment(self.time))


class SnapshotSettings(Section):
    """A snapshot in the same region."""

    from_: Literal["snapshot"] = Field(alias="from", description="A snapshot in the same region.")
    snapshot: Annotated[
        str,
        StringConstraints(
            pattern=r"^(arn:aws[a-z-]*:rds:[a-z0-9-]+:[0-9]{12}:snapshot:)?[A-Za-z][A-Za-z0-9:-]*$", max_length=400
        ),
        Allowed("the name or the ARN of an RDS snapshot"),
    ] = Field(description="The snapshot, by name or ARN.")

    def declared(self) -> Source:
        return Snapshot(snapshot=self.snapshot)


class VaultCopySettings(Section):
    """A copy of a snapshot in an AWS Backup vault in the same region."""

    from_: Literal["vaultCopy"] = Field(alias="from", description="A copy in an AWS Backup vault in the same region.")
    vault: Annotated[
        str,
        StringConstraints(pattern=r"^[A-Za-z0-9_-]{2,50}$"),
        Allowed("the name of a vault of AWS Backup: 2 to 50 letters, digits, hyphens and underscores"),
    ] = Field(description="The backup vault.")
    instance: InstanceName = Field(description="The instance that was copied. It may be lost with its region.")
    time: Time = Field(default=LATEST, description="The newest copy that is not later than this time is restored.")

    def declared(self) -> Source:
        return VaultCopy(vault=self.vault, instance=self.instance, moment=moment(self.time))


SourceSettings = Annotated[
    NewSettings | PointInTimeSettings | ReplicatedBackupSettings | SnapshotSettings | VaultCopySettings,
    Field(discriminator="from_"),
]
_SOURCE = "The source of its data. Used once, to create the database; later it may be changed or removed."


class DatabaseSettings(Section):
    """The application database."""

    identifier: Annotated[str | None, StringConstraints(pattern=_INSTANCE, max_length=63), Allowed(_INSTANCE_WORDS)] = (
        Field(
            default=None,
            description=(
                "The name of the instance. The default is botbrains-<stack>-database. Changing the name creates a new"
                " database from `source`. The old one is protected: Pulumi stops the deployment until an operator"
                " removes it (and its replication) from the state with `pulumi state delete --force`. At AWS it then"
                " stays until it is deleted there."
            ),
        )
    )
    instance_class: Annotated[
        str,
        StringConstraints(pattern=r"^db\.[a-z0-9]+\.[a-z0-9]+$"),
        Allowed("the name of an RDS instance class, such as db.m7g.large"),
    ] = Field(description="The instance class, which is the size of the database's machine.")
    engine_version: Annotated[
        str,
        StringConstraints(pattern=r"^[1-9][0-9]*(\.[0-9]+)?$"),
        Allowed('a version of PostgreSQL in quotation marks, such as "18" (17.10 without them is the number 17.1)'),
    ] = Field(description="The version of PostgreSQL. With only a major version, RDS keeps the minor version current.")
    storage_gib: Annotated[
        int, Field(ge=20, le=65536), Allowed("a whole number of GiB, 20 to 65536, which is what RDS offers")
    ] = Field(description="The initial storage, or the storage of the source if that is larger. It cannot shrink.")
    max_storage_gib: Annotated[
        int, Field(ge=22, le=65536), Allowed("a whole number of GiB, at least a tenth more than storageGib, to 65536")
    ] = Field(description="The size up to which RDS may grow the storage automatically.")
    ip_range: PrivateRange = Field(description="The address range of its network at AWS.")
    backup_retention_days: Annotated[
        int, Field(ge=0, le=35), Allowed("a whole number of days, 0 (no backups) to 35, which is what RDS offers")
    ] = from_plan("retention.database_backup_days", description="How far back RDS can restore it in its region.")

    @field_validator("max_storage_gib")
    @classmethod
    def _room_to_grow(cls, value: int, info: ValidationInfo) -> int:
        if value < least_maximum_gib(info.data.get("storage_gib", 0)):
            raise PydanticCustomError("no_room_to_grow", "less than a tenth above the initial storage")
        return value


class ProductionDatabaseSettings(DatabaseSettings):
    """The application database in the home region."""

    source: SourceSettings = Field(default=NewSettings.model_validate({"from": "new"}), description=_SOURCE)
    replicate_backups: bool = Field(
        default=True, description="Whether its backups are replicated to the plan's recovery region."
    )


class RecoveryDatabaseSettings(DatabaseSettings):
    """The application database in the recovery region."""

    source: SourceSettings | None = Field(
        default=None,
        description=f"{_SOURCE} Required to create the database: recovery does not create an empty one by default.",
    )
    replicate_backups: bool = Field(
        default=False,
        description=(
            "Whether its backups are replicated to the plan's home region. Set it to true once that region is available"
            " again and the vault has `failback: true`, which creates the key for the replicated backups."
        ),
    )
