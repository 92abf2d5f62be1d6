"""Patches of RDS instances: creation, changes, descriptions and deletion, where moto differs from AWS.

Restores (`RestoreDBInstance…`) also call `RDSBackend.create_db_instance`, with the settings of their source. So that
method checks what must hold for every instance, and the API's calls check what a caller must specify.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import string
from collections.abc import Callable, MutableMapping
from datetime import datetime
from typing import Any, Final

from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.rds.exceptions import InvalidParameterCombination, InvalidParameterValue, KMSKeyNotAccessibleFault
from moto.rds.models import DBInstance, MasterUserSecret, RDSBackend
from moto.rds.responses import RDSResponse

from localcloud.aws.patching import wrap_method, wrap_property
from localcloud.aws.rds import lifecycle
from localcloud.aws.rds.errors import refuse
from localcloud.aws.rds.placement import check_public, place
from localcloud.aws.rds.servers import Origin, current_servers, naive

Kwargs = MutableMapping[str, Any]

NEWEST_POSTGRES: Final = {"13": "13.23", "14": "14.20", "15": "15.15", "16": "16.11", "17": "17.7", "18": "18.1"}
"""The minor version for each major version. RDS updates these every quarter; here they are fixed."""
_DEFAULT_POSTGRES: Final = "17"

# Parameters of CreateDBInstance and ModifyDBInstance that moto's instance does not store: the attribute, the
# parameter's names (a restore uses the attribute's name), and RDS's default.
_KEPT: Final[tuple[tuple[str, tuple[str, ...], Any], ...]] = (
    ("performance_insights_enabled", ("enable_performance_insights",), False),
    ("performance_insights_kms_key_id", (), None),
    ("performance_insights_retention_period", (), None),
    ("database_insights_mode", (), "standard"),
    ("network_type", (), "IPV4"),
    ("backup_target", (), "region"),
    ("dedicated_log_volume", (), False),
    ("customer_owned_ip_enabled", ("enable_customer_owned_ip",), False),
    ("engine_lifecycle_support", (), "open-source-rds-extended-support"),
    ("custom_iam_instance_profile", (), None),
    ("replica_mode", (), None),
)
# Parameters of a change that are not settings of the instance.
_MODIFIERS: Final = frozenset(
    {
        "apply_immediately",
        "allow_major_version_upgrade",
        "certificate_rotation_restart",
        "use_default_processor_features",
        "enable_performance_insights",
        "enable_customer_owned_ip",
        "db_port_number",
    }
)
# Route 53's zones of RDS's endpoints; AWS publishes them.
_HOSTED_ZONES: Final = {"eu-central-1": "Z1RLNUO7B9Q6NB", "eu-west-1": "Z29XKXDKYMONMX"}


def patch() -> None:
    wrap_method(RDSResponse, "create_db_instance", _asked_to_create)
    wrap_method(RDSResponse, "delete_db_instance", _asked_to_delete)
    wrap_method(RDSBackend, "create_db_instance", _create)
    wrap_method(RDSBackend, "modify_db_instance", _modify)
    wrap_method(RDSBackend, "_validate_kms_key", _usable_key)
    wrap_method(MasterUserSecret, "_generate_secret_string", _generate_password)
    wrap_method(MasterUserSecret, "rotate_secret", _rotate)
    wrap_property(DBInstance, "latest_restorable_time", _latest_restorable_time)
    wrap_property(DBInstance, "endpoint", _endpoint)


# -- what a caller must specify ---------------------------------------------------------------------------------------


def _asked_to_create(original: Callable[..., ActionResult], response: RDSResponse) -> ActionResult:
    asked = response.params
    if asked.get("DBClusterIdentifier") is None:
        if not asked.get("MasterUsername"):
            raise InvalidParameterValue("The parameter MasterUsername must be provided and must not be blank.")
        if not asked.get("AllocatedStorage"):
            raise InvalidParameterValue("The parameter AllocatedStorage must be provided and must not be blank.")
        _check_password(asked, needed=not asked.get("ManageMasterUserPassword"))
    return original(response)


def _check_password(asked: Kwargs, needed: bool) -> None:
    password = asked.get("MasterUserPassword")
    if asked.get("ManageMasterUserPassword"):
        if password:
            raise InvalidParameterCombination(
                "You can't specify MasterUserPassword when ManageMasterUserPassword is enabled."
            )
    elif asked.get("MasterUserSecretKmsKeyId"):
        raise InvalidParameterCombination(
            "MasterUserSecretKmsKeyId can be specified only when ManageMasterUserPassword is enabled."
        )
    if password is None:
        if needed:
            raise InvalidParameterValue("The parameter MasterUserPassword must be provided and must not be blank.")
        return
    if len(password) < 8:
        raise InvalidParameterValue(
            "The parameter MasterUserPassword is not a valid password because it is shorter than 8 characters."
        )
    if not password.isascii() or not password.isprintable() or any(letter in '/@" ' for letter in password):
        raise InvalidParameterValue(
            "The parameter MasterUserPassword is not a valid password. Only printable ASCII characters besides "
            "'/', '@', '\"', ' ' may be used."
        )


def _asked_to_delete(original: Callable[..., ActionResult], response: RDSResponse) -> ActionResult:
    asked = response.params
    instance = response.backend.databases.get(asked["DBInstanceIdentifier"])
    if instance is not None and instance.db_cluster_identifier is None and not instance.deletion_protection:
        final = asked.get("FinalDBSnapshotIdentifier")
        if asked.get("SkipFinalSnapshot"):
            if final:
                raise InvalidParameterCombination(
                    "FinalDBSnapshotIdentifier can't be specified when SkipFinalSnapshot is enabled."
                )
        elif final and final.lower() in response.backend.database_snapshots:
            refuse("DBSnapshotAlreadyExists", f"Cannot create the snapshot because {final} already exists.")
        elif not final and not instance.is_replica:
            raise InvalidParameterCombination(
                "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified."
            )
    return original(response)


# -- what holds for every instance ------------------------------------------------------------------------------------


def _create(original: Callable[..., DBInstance], backend: RDSBackend, asked: Kwargs) -> DBInstance:
    if asked.get("db_cluster_identifier") is not None:
        clustered = original(backend, asked)
        clustered.dbi_resource_id = _resource_id()
        return clustered
    wanted = dict(asked)
    origin = wanted.pop("origin", None) or Origin()
    servers = current_servers()
    if servers is not None and wanted["engine"] != "postgres":
        raise InvalidParameterCombination(
            f"Cannot create a DB instance of engine {wanted['engine']}: the local cloud runs postgres only."
        )
    if wanted["engine"] == "postgres":
        wanted["engine_version"] = _postgres(wanted.get("engine_version") or _default_version())
        wanted.setdefault("license_model", "postgresql-license")
    _check_retention(wanted)
    if wanted.get("storage_encrypted"):
        wanted["kms_key_id"] = backend._validate_kms_key(wanted.get("kms_key_id") or "alias/aws/rds")
    elif wanted.get("kms_key_id"):
        raise InvalidParameterCombination("KmsKeyId can be specified only when StorageEncrypted is enabled.")
    wanted["storage_type"] = wanted.get("storage_type") or ("io1" if wanted.get("iops") else "gp3")
    if not wanted.get("allocated_storage"):
        wanted["allocated_storage"] = 100 if wanted["storage_type"].startswith("io") else 20
    if wanted["storage_type"] == "gp3" and wanted["allocated_storage"] < 400:
        wanted["iops"] = wanted.get("iops") or 3000  # the fixed values of gp3
        wanted["storage_throughput"] = wanted.get("storage_throughput") or 125
    wanted.setdefault("ca_certificate_identifier", "rds-ca-rsa2048-g1")
    place(backend, wanted)
    # moto creates an automated snapshot at once. Without backups there is none, and an instance with a server takes it
    # when the server answers.
    database = original(backend, wanted)
    if database.backup_retention_period == 0 or servers is not None:
        for name, snapshot in list(backend.database_snapshots.items()):
            if (
                snapshot.db_instance_identifier == database.db_instance_identifier
                and snapshot.snapshot_type == "automated"
            ):
                del backend.database_snapshots[name]
    database.dbi_resource_id = _resource_id()
    for attribute, names, default in _KEPT:
        given = next((wanted[name] for name in (attribute, *names) if wanted.get(name) is not None), default)
        setattr(database, attribute, given)
    _complete(backend, database)
    if not database.option_group_supplied and database.engine == "postgres":
        database.option_group_name = f"default:postgres-{database.engine_version.split('.')[0]}"
    if database.manage_master_user_password:
        _take_password(database)
    lifecycle.begin(backend, database, origin)
    return database


def _modify(original: Callable[..., DBInstance], backend: RDSBackend, identifier: str, asked: Kwargs) -> DBInstance:
    database = backend.describe_db_instances(identifier)[0]
    if database.db_cluster_identifier is not None:
        return original(backend, identifier, asked)
    lifecycle.must_be_available(database, "be modified")
    wanted = dict(asked)
    _check_retention(wanted)
    old_version, old_password = database.engine_version, database.__dict__.get("_master_user_password")
    if database.engine == "postgres" and wanted.get("engine_version"):
        version = wanted["engine_version"] = _postgres(wanted["engine_version"])
        major, old_major = (int(number.split(".")[0]) for number in (version, database.engine_version))
        if major < old_major:
            raise InvalidParameterCombination(f"Cannot upgrade postgres from {database.engine_version} to {version}")
        if major > old_major and not wanted.get("allow_major_version_upgrade"):
            raise InvalidParameterCombination(
                "The AllowMajorVersionUpgrade flag must be present when upgrading to a new major version."
            )
    storage = wanted.get("allocated_storage")
    if storage is not None and storage < database.allocated_storage:
        raise InvalidParameterCombination(
            f"Requested storage size ({storage}) can't be less than the current one ({database.allocated_storage})."
        )
    managed = wanted.get("manage_master_user_password")
    _check_password(
        {
            "MasterUserPassword": wanted.get("master_user_password"),
            "ManageMasterUserPassword": bool(database.manage_master_user_password if managed is None else managed),
            "MasterUserSecretKmsKeyId": wanted.get("master_user_secret_kms_key_id"),
        },
        needed=managed is False and bool(database.manage_master_user_password),
    )
    if managed and database.manage_master_user_password and not wanted.get("master_user_secret_kms_key_id"):
        wanted.pop("manage_master_user_password")  # it is managed already: the secret stays
    if wanted.get("multi_az") is False or wanted.get("multi_az") is None:
        wanted.pop("availability_zone", None)
    if wanted.get("publicly_accessible") and not database.publicly_accessible:
        check_public(backend, database.db_subnet_group.vpc_id)
    group = wanted.get("db_parameter_group_name")
    if group and group.startswith("default."):
        database.db_parameter_groups()  # this creates the default group
    if wanted.get("db_port_number"):
        wanted["port"] = wanted["db_port_number"]
        if current_servers() is not None and wanted["port"] != database.port:
            raise InvalidParameterCombination(
                f"The local cloud cannot change the port of {identifier}, which is {database.port}."
            )
    for attribute, names, _ in _KEPT:
        for name in names:
            if wanted.get(name) is not None:
                wanted[attribute] = wanted[name]
    if wanted.get("storage_type") == "gp3" and database.storage_type != "gp3":
        wanted.setdefault("iops", 3000)
        wanted.setdefault("storage_throughput", 125)
    if "new_db_instance_identifier" in wanted and wanted["new_db_instance_identifier"].lower() == identifier.lower():
        wanted.pop("new_db_instance_identifier")
    rotating = wanted.get("rotate_master_user_password")
    for modifier in _MODIFIERS:
        if not (rotating and modifier == "apply_immediately"):
            wanted.pop(modifier, None)
    database = original(backend, identifier, wanted)
    database.__dict__.pop("apply_immediately", None)
    if database.engine_version.split(".")[0] != old_version.split(".")[0] and not database.option_group_supplied:
        database.option_group_name = f"default:postgres-{database.engine_version.split('.')[0]}"
    _complete(backend, database)
    if (managed or rotating) and database.manage_master_user_password:
        _take_password(database)
    lifecycle.changed(backend, database, old_password)
    return database


def _take_password(database: DBInstance) -> None:
    """Set the instance's password to the one in its secret."""
    kept = database.master_user_secret
    value = kept.secretsmanager.get_secret_value(kept.secret.arn, version_id="", version_stage="AWSCURRENT")
    database.master_user_password = json.loads(value["SecretString"])["password"]


def _complete(backend: RDSBackend, database: Any) -> None:
    if database.performance_insights_enabled:
        database.performance_insights_kms_key_id = backend._validate_kms_key(
            database.performance_insights_kms_key_id or "alias/aws/rds"
        )
        database.performance_insights_retention_period = database.performance_insights_retention_period or 7
    else:
        database.performance_insights_kms_key_id = None
        database.performance_insights_retention_period = None
    database.secondary_availability_zone = None
    if database.multi_az:
        zones = {subnet["SubnetAvailabilityZone"]["Name"] for subnet in database.db_subnet_group.subnets}
        database.secondary_availability_zone = min(zones - {database.availability_zone}, default=None)


def _check_retention(wanted: Kwargs) -> None:
    days = wanted.get("backup_retention_period")
    if days is not None and not 0 <= days <= 35:
        raise InvalidParameterValue(f"Invalid backup retention period: {days}")


def _postgres(version: str) -> str:
    """Return a full version: the newest minor version of a major one. All servers run the same version."""
    major = version.split(".")[0]
    servers = current_servers()
    if servers is not None:
        if version not in (major_of(servers.version), servers.version):
            raise InvalidParameterCombination(
                f"Cannot find version {version} for postgres: the local cloud runs {servers.version} only."
            )
        return servers.version
    if major not in NEWEST_POSTGRES:
        raise InvalidParameterCombination(f"Cannot find version {version} for postgres")
    return NEWEST_POSTGRES[major] if version == major else version


def major_of(version: str) -> str:
    return version.split(".")[0]


def _default_version() -> str:
    servers = current_servers()
    return _DEFAULT_POSTGRES if servers is None else servers.version


def _usable_key(original: Callable[..., str], backend: RDSBackend, key: str) -> str:
    """The ARN of an enabled key of this region."""
    try:
        if key.startswith("arn:") and key.split(":")[3] != backend.region_name:
            raise KMSKeyNotAccessibleFault(key)
        found = backend.kms.describe_key(key)
    except (KeyError, AttributeError, IndexError):
        raise KMSKeyNotAccessibleFault(key) from None
    if found.key_state != "Enabled":
        raise KMSKeyNotAccessibleFault(key)
    return found.arn


def _resource_id() -> str:
    return "db-" + "".join(secrets.choice(string.ascii_uppercase + "234567") for _ in range(26))


def _generate_password(original: Callable[..., str], managed: MasterUserSecret) -> str:
    """Create the password of an instance, in the form of RDS's secrets."""
    letters = string.ascii_letters + string.digits + "!#$%&()*+-.:;<=>?[]^_{|}~"
    password = "".join(secrets.choice(letters) for _ in range(28))
    return json.dumps({"username": managed.resource.master_username, "password": password})


def _rotate(original: Callable[..., None], managed: MasterUserSecret) -> None:
    """moto keeps the old value. RDS rotates its secrets itself, without a function of the customer."""
    managed._status = "rotating"
    managed.secretsmanager.put_secret_value(
        managed.secret.arn,
        managed._generate_secret_string(),
        secret_binary="",
        client_request_token="",
        version_stages=["AWSCURRENT"],
    )


def _latest_restorable_time(original: Callable[..., datetime], database: DBInstance) -> datetime | None:
    if not database.backup_retention_period:
        return None
    servers = current_servers()
    if servers is None:
        return utcnow()
    window = servers.archive(database.region, database.dbi_resource_id).window()
    return None if window is None else naive(window[1]).replace(microsecond=0)


def _endpoint(original: Callable[..., dict[str, Any]], database: Any) -> dict[str, Any] | None:
    address = getattr(database, "server_address", None)
    if address is not None and database.status == "creating":
        return None
    zone = _HOSTED_ZONES.get(database.region) or "Z" + hashlib.sha256(database.region.encode()).hexdigest()[:13].upper()
    endpoint = {**original(database), "HostedZoneId": zone}
    # A name would have to be resolved. Every program on this machine can reach a loopback address.
    return endpoint if address is None else {**endpoint, "Address": address}
