"""The settings of the application database: its size, its retention, and where it comes from."""

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
        "latest, or a moment in ISO 8601 with its time zone, in whole seconds and quotation marks, such as"
        ' "2026-03-01T02:30:00Z" or "2026-03-01T03:30:00+01:00"'
    ),
]
_TIME = "The moment whose data it gets; latest is as late as the backups go."


class NewSettings(Section):
    """An empty database."""

    from_: Literal["new"] = Field(alias="from", description="An empty database.")

    def declared(self) -> Source:
        return New()


class PointInTimeSettings(Section):
    """A moment of an instance of the same region, or of one that was deleted there and whose backups were kept."""

    from_: Literal["pointInTime"] = Field(alias="from", description="A moment of an instance of the same region.")
    instance: InstanceName = Field(description="The instance, which may have been deleted.")
    time: Time = Field(default=LATEST, description=_TIME)

    def declared(self) -> Source:
        return PointInTime(instance=self.instance, moment=moment(self.time))


class ReplicatedBackupSettings(Section):
    """A moment of an instance of another region, out of the backups of it that were replicated to this one."""

    from_: Literal["replicatedBackup"] = Field(
        alias="from", description="A moment of an instance of another region, whose backups are replicated to this one."
    )
    instance: InstanceName = Field(description="The instance, which may be lost together with its region.")
    time: Time = Field(default=LATEST, description=_TIME)

    def declared(self) -> Source:
        return ReplicatedBackup(instance=self.instance, moment=moment(self.time))


class SnapshotSettings(Section):
    """A snapshot of the same region."""

    from_: Literal["snapshot"] = Field(alias="from", description="A snapshot of the same region.")
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
    """The copy of a snapshot that AWS Backup keeps in a vault of the same region."""

    from_: Literal["vaultCopy"] = Field(
        alias="from", description="A copy in a vault of AWS Backup, in the same region."
    )
    vault: Annotated[
        str,
        StringConstraints(pattern=r"^[A-Za-z0-9_-]{2,50}$"),
        Allowed("the name of a vault of AWS Backup: 2 to 50 letters, digits, hyphens and underscores"),
    ] = Field(description="The vault.")
    instance: InstanceName = Field(description="The instance that was copied, which may be lost with its region.")
    time: Time = Field(
        default=LATEST, description="The newest copy that is not later than this is taken. A copy has no other."
    )

    def declared(self) -> Source:
        return VaultCopy(vault=self.vault, instance=self.instance, moment=moment(self.time))


SourceSettings = Annotated[
    NewSettings | PointInTimeSettings | ReplicatedBackupSettings | SnapshotSettings | VaultCopySettings,
    Field(discriminator="from_"),
]
_SOURCE = "Where its data come from. It is asked once, to make the database; afterwards it may change, or go."


class DatabaseSettings(Section):
    """The application database."""

    identifier: Annotated[str | None, StringConstraints(pattern=_INSTANCE, max_length=63), Allowed(_INSTANCE_WORDS)] = (
        Field(
            default=None,
            description=(
                "The instance's own name; left out, it is botbrains-<stack>-database. Another name is another database,"
                " made from `source` beside the old one. The old one is protected, so Pulumi refuses to delete it, and"
                " everything else with it, until a person takes it (and its replication) out of the state with"
                " `pulumi state delete --force`; at AWS it then stays until somebody deletes it there."
            ),
        )
    )
    instance_class: Annotated[
        str,
        StringConstraints(pattern=r"^db\.[a-z0-9]+\.[a-z0-9]+$"),
        Allowed("the name of an RDS instance class, such as db.m7g.large"),
    ] = Field(description="The size of the database's machine.")
    engine_version: Annotated[
        str,
        StringConstraints(pattern=r"^[1-9][0-9]*(\.[0-9]+)?$"),
        Allowed('a version of PostgreSQL in quotation marks, such as "18" (17.10 without them is the number 17.1)'),
    ] = Field(description="PostgreSQL's version. With the major number alone, RDS keeps the minor one current.")
    storage_gib: Annotated[
        int, Field(ge=20, le=65536), Allowed("a whole number of GiB, 20 to 65536, which is what RDS offers")
    ] = Field(description="The storage to begin with, or what the source has if that is more. It cannot shrink.")
    max_storage_gib: Annotated[
        int, Field(ge=22, le=65536), Allowed("a whole number of GiB, at least a tenth more than storageGib, to 65536")
    ] = Field(description="How far RDS may grow the storage by itself.")
    ip_range: PrivateRange = Field(description="The addresses of its network at AWS.")
    backup_retention_days: Annotated[
        int, Field(ge=0, le=35), Allowed("a whole number of days, 0 (no backups) to 35, which is what RDS offers")
    ] = from_plan("retention.database_backup_days", description="How far back it can be restored in its own region.")

    @field_validator("max_storage_gib")
    @classmethod
    def _room_to_grow(cls, value: int, info: ValidationInfo) -> int:
        if value < least_maximum_gib(info.data.get("storage_gib", 0)):
            raise PydanticCustomError("no_room_to_grow", "less than a tenth above the storage to begin with")
        return value


class ProductionDatabaseSettings(DatabaseSettings):
    """The application database at home."""

    source: SourceSettings = Field(default=NewSettings.model_validate({"from": "new"}), description=_SOURCE)
    replicate_backups: bool = Field(
        default=True, description="Whether its backups are copied to the plan's recovery region."
    )


class RecoveryDatabaseSettings(DatabaseSettings):
    """The application database in the recovery region."""

    source: SourceSettings | None = Field(
        default=None,
        description=f"{_SOURCE} To make it, it has to be set: an empty one is no recovery, unless it is asked for.",
    )
    replicate_backups: bool = Field(
        default=False,
        description=(
            "Whether its backups are copied to the plan's home region, which may be what was lost: true once that is"
            " back, and the vault has `failback`, with the key for the copies."
        ),
    )
