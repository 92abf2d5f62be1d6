"""The further permissions that a request needs: a service acts for its caller, and with the caller's permissions.

`KEYS` lists the uses of a customer's KMS keys, after the API references and user guides of the services: each call,
its keys, and the actions that the caller needs on them. KMS sees the service in `kms:ViaService`. The keys that AWS
manages (`alias/aws/...`) need no permission. A log group's key needs none either: its policy admits the service.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from moto.rds.exceptions import DBSnapshotNotFoundFault
from moto.rds.models import rds_backends
from moto.s3.models import s3_backends
from moto.secretsmanager.models import secretsmanager_backends
from moto.ssm.models import ssm_backends

from localcloud.aws.iam.evaluation import Call
from localcloud.aws.iam.keys import key_context, known_key
from localcloud.aws.iam.requests import ParsedRequest
from localcloud.aws.rds.automated_backups import kept
from localcloud.aws.rds.snapshots import by_arn

Context = Mapping[str, tuple[str, ...]]
_Finder = Callable[[ParsedRequest], Iterable[str | None]]


# -- the keys of a request --------------------------------------------------------------------------------------------


def _given(parameter: str) -> _Finder:
    return lambda request: [request.parameters.get(parameter)]


def _for_replicas(request: ParsedRequest) -> Iterator[str | None]:
    for replica in request.parameters.get("AddReplicaRegions") or []:
        yield replica.get("KmsKeyId")


def _secret(request: ParsedRequest) -> Any:
    return secretsmanager_backends[request.account][request.region].secrets.get(request.parameters.get("SecretId", ""))


def _of_the_secret(request: ParsedRequest) -> Iterator[str | None]:
    secret = _secret(request)
    if secret is not None:
        yield secret.kms_key_id


def _of_its_replicas(request: ParsedRequest) -> Iterator[str | None]:
    for replica in getattr(_secret(request), "replicas", None) or []:
        name = str(replica.config["KmsKeyId"])
        yield name if name.startswith("arn:") else None


def _of_the_backup(request: ParsedRequest) -> Iterator[str | None]:
    """The key of the automated backup that a restore to a point in time uses."""
    source = {str(value).lower() for name, value in request.parameters.items() if name.startswith("Source")}
    for backup in kept(rds_backends[request.account][request.region]).values():
        names = (backup.arn, backup.dbi_resource_id, str(backup.described.get("DBInstanceIdentifier")))
        if source & {name.lower() for name in names}:
            yield backup.kms_key_id


def _of_the_snapshot(request: ParsedRequest) -> Iterator[str | None]:
    name = str(request.parameters.get("DBSnapshotIdentifier", ""))
    try:
        yield by_arn(request.account, name, rds_backends[request.account][request.region]).kms_key_id
    except DBSnapshotNotFoundFault:
        return


def _of_the_bucket(parameter: str) -> _Finder:
    """The key that a bucket encrypts its objects with."""

    def find(request: ParsedRequest) -> Iterator[str | None]:
        name = str(request.parameters.get(parameter, "")).partition("/")[0]
        bucket = s3_backends[request.account][request.partition].buckets.get(name)
        if bucket is not None and bucket.encryption:
            yield bucket.encryption["Rule"]["ApplyServerSideEncryptionByDefault"].get("KMSMasterKeyID")

    return find


def _if_secure(request: ParsedRequest) -> Iterator[str | None]:
    if request.parameters.get("Type") == "SecureString":
        yield request.parameters.get("KeyId")


def _of_parameters(request: ParsedRequest) -> Iterator[str | None]:
    given = request.parameters
    if given.get("WithDecryption"):
        for name in given.get("Names") or [given.get("Name")]:
            yield getattr(ssm_backends[request.account][request.region].get_parameter(str(name)), "keyid", None)


# -- the table --------------------------------------------------------------------------------------------------------

_ENCRYPT: Final = ("Decrypt", "GenerateDataKey")
_ENCRYPT_AGAIN: Final = ("Decrypt", "Encrypt", "GenerateDataKey")
_COPY: Final = ("Encrypt", "GenerateDataKey")
_GRANT: Final = ("CreateGrant", "DescribeKey")
_VAULT: Final = ("CreateGrant", "Decrypt", "DescribeKey", "GenerateDataKey", "RetireGrant")
_OF_AN_INSTANCE: Final = (
    (_given("KmsKeyId"), _GRANT),
    (_given("MasterUserSecretKmsKeyId"), (*_GRANT, *_ENCRYPT)),
    (_given("PerformanceInsightsKMSKeyId"), _ENCRYPT),
)

KEYS: Final[Mapping[tuple[str, str], Iterable[tuple[_Finder, tuple[str, ...]]]]] = {
    ("backup", "CreateBackupVault"): ((_given("EncryptionKeyArn"), _VAULT),),
    ("rds", "CreateDBInstance"): _OF_AN_INSTANCE,
    ("rds", "ModifyDBInstance"): _OF_AN_INSTANCE,
    ("rds", "RestoreDBInstanceFromDBSnapshot"): ((_of_the_snapshot, _GRANT), *_OF_AN_INSTANCE),
    ("rds", "RestoreDBInstanceToPointInTime"): ((_of_the_backup, _GRANT), *_OF_AN_INSTANCE),
    ("rds", "StartDBInstanceAutomatedBackupsReplication"): ((_given("KmsKeyId"), _GRANT),),
    ("s3", "CompleteMultipartUpload"): ((_of_the_bucket("Bucket"), ("Decrypt",)),),
    ("s3", "CopyObject"): (
        (_of_the_bucket("CopySource"), ("Decrypt",)),
        (_of_the_bucket("Bucket"), ("GenerateDataKey",)),
    ),
    ("s3", "CreateMultipartUpload"): ((_of_the_bucket("Bucket"), ("GenerateDataKey",)),),
    ("s3", "GetObject"): ((_of_the_bucket("Bucket"), ("Decrypt",)),),
    ("s3", "PutObject"): ((_of_the_bucket("Bucket"), ("GenerateDataKey",)),),
    ("s3", "UploadPart"): ((_of_the_bucket("Bucket"), _ENCRYPT),),
    ("secretsmanager", "CreateSecret"): ((_given("KmsKeyId"), _ENCRYPT), (_for_replicas, _COPY)),
    ("secretsmanager", "GetSecretValue"): ((_of_the_secret, ("Decrypt",)),),
    ("secretsmanager", "PutSecretValue"): ((_of_the_secret, _ENCRYPT), (_of_its_replicas, _COPY)),
    ("secretsmanager", "ReplicateSecretToRegions"): ((_of_the_secret, ("Decrypt",)), (_for_replicas, _COPY)),
    ("secretsmanager", "RotateSecret"): ((_of_the_secret, _ENCRYPT),),
    ("secretsmanager", "UpdateSecret"): (
        (_of_the_secret, _ENCRYPT_AGAIN),
        (_given("KmsKeyId"), _ENCRYPT_AGAIN),
        (_of_its_replicas, _COPY),
    ),
    ("ssm", "GetParameter"): ((_of_parameters, ("Decrypt",)),),
    ("ssm", "GetParameters"): ((_of_parameters, ("Decrypt",)),),
    ("ssm", "PutParameter"): ((_if_secure, ("Encrypt",)),),
}

# The permission to tag what a call creates with tags.
_TAGGING: Final = {
    "backup": "TagResource",
    "cloudtrail": "AddTags",
    "ec2": "CreateTags",
    "events": "TagResource",
    "kms": "TagResource",
    "logs": "TagResource",
    "rds": "AddTagsToResource",
    "secretsmanager": "TagResource",
    "sns": "TagResource",
    "ssm": "AddTagsToResource",
}
_CREATING: Final = ("Create", "Put", "Restore", "Copy", "Start")


def dependents(request: ParsedRequest, resources: tuple[str, ...], context: Context) -> Iterator[Call]:
    """The calls that services make for the caller of a request with these resources and values."""
    yield from _uses_of_keys(request)
    if request.operation.startswith(_CREATING) and any(key.startswith("aws:requesttag/") for key in context):
        yield from _tagging(request, resources, context)
    match request.service, request.operation:
        case "backup", "CreateBackupVault":
            yield Call("backup-storage:MountCapsule", ("*",), context)
        case "rds", _ if request.parameters.get("ManageMasterUserPassword") == "true":
            secret = (request.arn("secretsmanager", "secret:rds!db-"),)
            names = ["CreateSecret", "TagResource", *(["RotateSecret"] if request.operation.startswith("Mod") else [])]
            yield from (Call(f"secretsmanager:{name}", secret, _through(request)) for name in names)
        case "s3", "CreateBucket" if request.parameters.get("ObjectLockEnabledForBucket"):
            names = ["PutBucketObjectLockConfiguration", "PutBucketVersioning"]
            yield from (Call(f"s3:{name}", resources, context) for name in names)


def _uses_of_keys(request: ParsedRequest) -> Iterator[Call]:
    for find, actions in KEYS.get((request.service, request.operation), ()):
        for name in find(request):
            # A key that does not exist is refused by the service.
            key = known_key(request, name) if name else None
            if key is not None and not any(alias.startswith("alias/aws/") for alias in key.aliases):
                context = {**_through(request), **key_context(key), "aws:requestedregion": (key.region,)}
                for action in actions:
                    yield Call(f"kms:{action}", (key.arn,), context)


def _through(request: ParsedRequest) -> dict[str, tuple[str, ...]]:
    """The values of a call that the service of a request makes for its caller."""
    return {
        "aws:requestedregion": (request.region,),
        "kms:grantisforawsresource": ("true",),
        "kms:viaservice": (f"{request.service}.{request.region}.amazonaws.com",),
    }


def _tagging(request: ParsedRequest, resources: tuple[str, ...], context: Context) -> Iterator[Call]:
    action = _TAGGING.get(request.service)
    if request.service == "iam":
        yield Call(f"iam:Tag{request.operation.removeprefix('Create')}", resources, context)
    elif action is not None:
        created = (request.arn("kms", "key/*"),) if request.operation == "CreateKey" else resources[:1]
        yield Call(f"{request.service}:{action}", created, context)
