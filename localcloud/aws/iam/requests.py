"""What a request to AWS is to IAM: which actions, on which things, and what conditions can ask about it.

After the "Service Authorization Reference", a service a function. What a service does with its caller's rights on the
way (RDS and the key of a database, for one) is not followed.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qs, unquote
from xml.etree import ElementTree

import botocore.session
from moto.iam.exceptions import NotFoundException
from moto.iam.models import iam_backends
from moto.kms.models import kms_backends
from moto.secretsmanager.models import secretsmanager_backends

from localcloud.aws.iam.evaluation import Call

_REST: Final = ("backup", "s3", "s3control")
_QUERY: Final = ("ec2", "iam", "rds", "sns", "sts")

# S3's actions that are not called like its operations.
_S3_ACTIONS: Final = {
    "CompleteMultipartUpload": "PutObject",
    "CopyObject": "PutObject",
    "CreateMultipartUpload": "PutObject",
    "DeleteBucketCors": "PutBucketCORS",
    "DeleteBucketEncryption": "PutEncryptionConfiguration",
    "DeleteBucketLifecycle": "PutLifecycleConfiguration",
    "DeleteBucketOwnershipControls": "PutBucketOwnershipControls",
    "DeleteBucketReplication": "PutReplicationConfiguration",
    "DeleteBucketTagging": "PutBucketTagging",
    "DeleteObjects": "DeleteObject",
    "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
    "GetBucketAccelerateConfiguration": "GetAccelerateConfiguration",
    "GetBucketCors": "GetBucketCORS",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "GetBucketLifecycle": "GetLifecycleConfiguration",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "GetBucketNotificationConfiguration": "GetBucketNotification",
    "GetBucketReplication": "GetReplicationConfiguration",
    "GetObjectLockConfiguration": "GetBucketObjectLockConfiguration",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "HeadBucket": "ListBucket",
    "HeadObject": "GetObject",
    "ListBuckets": "ListAllMyBuckets",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "ListObjectVersions": "ListBucketVersions",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "ListParts": "ListMultipartUploadParts",
    "PutBucketAccelerateConfiguration": "PutAccelerateConfiguration",
    "PutBucketCors": "PutBucketCORS",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "PutBucketLifecycle": "PutLifecycleConfiguration",
    "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
    "PutBucketNotificationConfiguration": "PutBucketNotification",
    "PutBucketReplication": "PutReplicationConfiguration",
    "PutObjectLockConfiguration": "PutBucketObjectLockConfiguration",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "UploadPart": "PutObject",
}
_OF_A_VERSION: Final = {"GetObject": "GetObjectVersion", "DeleteObject": "DeleteObjectVersion"}


@dataclass(frozen=True)
class Asked:
    """A request, taken apart: the operation, what it was given by the API's names, and where it was made to."""

    service: str
    operation: str
    given: Mapping[str, Any]
    region: str
    account: str
    partition: str = "aws"

    def arn(self, service: str, name: str, region: str | None = None) -> str:
        where = self.region if region is None else region
        return f"arn:{self.partition}:{service}:{where}:{self.account}:{name}"

    def arn_or(self, value: str, service: str, kind: str, region: str | None = None) -> str:
        """What already is an ARN, or the ARN of the thing of that name."""
        return value if value.startswith("arn:") else self.arn(service, f"{kind}{value}", region)


def take_apart(service: str, action: str, environ: Mapping[str, Any], body: bytes, region: str, account: str) -> Asked:
    """The request in the words of the service's API.

    Raises:
        LookupError: it is no operation of the service.
    """
    if service in _REST:
        operation, given = _rest(service, environ, body)
    elif service in _QUERY:
        fields = parse_qs(body.decode("utf-8", "replace")) or parse_qs(environ.get("QUERY_STRING", ""))
        operation, given = action, {key: values[0] for key, values in fields.items()}
    else:
        operation, given = action, json.loads(body or b"{}")
    return Asked(service, operation, given, region, account)


def calls(asked: Asked) -> Iterator[Call]:
    """What the request needs to be allowed: itself, and what it hands on."""
    context = {key: tuple(values) for key, values in _context(asked).items()}
    resources = tuple(_RESOURCES.get(asked.service, _anything)(asked)) or ("*",)
    yield Call(f"{_prefix(asked.service)}:{_action(asked)}", resources, context)
    for arn, service in _passed_roles(asked):
        yield Call("iam:PassRole", (arn,), {**context, "iam:passedtoservice": (service,)})
    if asked.given.get("CopySource"):
        yield Call("s3:GetObject", (f"arn:{asked.partition}:s3:::{asked.given['CopySource']}",), context)
    if asked.operation == "CreateKey" and asked.given.get("Tags"):
        yield Call("kms:TagResource", (asked.arn("kms", "key/*"),), context)


def _prefix(service: str) -> str:
    return "s3" if service == "s3control" else service


def _action(asked: Asked) -> str:
    if asked.service != "s3":
        return asked.operation
    action = _S3_ACTIONS.get(asked.operation, asked.operation)
    return _OF_A_VERSION.get(action, action) if asked.given.get("versionId") else action


# -- what a request says ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Route:
    operation: str
    method: str
    path: re.Pattern[str]
    query: frozenset[str]
    headers: frozenset[str]
    """What a request of this operation has to have in its query, and among its headers."""

    fixed: int
    """How much of the path is written out."""

    def fits(self, method: str, path: str, query: Iterable[str], environ: Mapping[str, Any]) -> bool:
        return (
            self.method == method
            and self.path.fullmatch(path) is not None
            and self.query <= set(query)
            and all(f"HTTP_{name.upper().replace('-', '_')}" in environ for name in self.headers)
        )

    @property
    def says(self) -> tuple[int, int, int]:
        """Of several routes that fit, the one that says most is meant."""
        return len(self.query) + len(self.headers), self.path.groups, self.fixed


@functools.cache
def _routes(service: str) -> list[_Route]:
    model = botocore.session.get_session().get_service_model(service)
    return sorted(
        (_route(model.operation_model(name)) for name in model.operation_names),
        key=lambda route: route.says,
        reverse=True,
    )


def _route(operation: Any) -> _Route:
    path, _, query = operation.http["requestUri"].partition("?")
    pattern = re.sub(r"\\\{(\w+)(\\\+)?\\\}", lambda it: f"(?P<{it[1]}>{'.+' if it[2] else '[^/]+'})", re.escape(path))
    shape = operation.input_shape
    needed = [shape.members[name].serialization for name in shape.required_members] if shape else []
    return _Route(
        operation=operation.name,
        method=operation.http["method"],
        path=re.compile(pattern + "/?"),
        query=frozenset(part.partition("=")[0] for part in query.split("&") if part)
        | {each["name"] for each in needed if each.get("location") == "querystring"},
        headers=frozenset(each["name"] for each in needed if each.get("location") == "header"),
        fixed=len(re.sub(r"\{.*?\}", "", path)),
    )


def _rest(service: str, environ: Mapping[str, Any], body: bytes) -> tuple[str, dict[str, Any]]:
    path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
    query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    for route in _routes(service):
        if route.fits(method, path, query, environ):
            match = route.path.fullmatch(path)
            given: dict[str, Any] = {key: unquote(value) for key, value in (match.groupdict() if match else {}).items()}
            given.update({key: values[0] for key, values in query.items()})
            given.update(_content(service, body))
            if environ.get("HTTP_X_AMZ_COPY_SOURCE"):
                given["CopySource"] = unquote(environ["HTTP_X_AMZ_COPY_SOURCE"]).lstrip("/").partition("?")[0]
            return route.operation, given
    raise LookupError(f"{service} has no operation {method} {path}")


def _content(service: str, body: bytes) -> dict[str, Any]:
    if service == "backup":
        content: dict[str, Any] = json.loads(body or b"{}")
        return content
    # Of S3's documents the one thing that matters here is the role that a replication is given.
    if b"<ReplicationConfiguration" in body[:400]:
        for element in ElementTree.fromstring(body).iter():  # noqa: S314 - the caller is on loopback
            if element.tag.rpartition("}")[2] == "Role":
                return {"Role": element.text or ""}
    return {}


# -- what it is done to -----------------------------------------------------------------------------------------------


def _anything(asked: Asked) -> Iterator[str]:
    yield "*"


def _of_iam(asked: Asked) -> Iterator[str]:
    given = asked.given
    if "RoleName" in given:
        yield _role_arn(asked, given["RoleName"])
    elif "UserName" in given:
        yield asked.arn("iam", f"user/{given['UserName']}", "")
    elif "GroupName" in given:
        yield asked.arn("iam", f"group/{given['GroupName']}", "")
    elif "InstanceProfileName" in given:
        yield asked.arn("iam", f"instance-profile/{given['InstanceProfileName']}", "")
    elif "PolicyName" in given:
        yield asked.arn("iam", f"policy{given.get('Path', '/')}{given['PolicyName']}", "")
    elif "VirtualMFADeviceName" in given:
        yield asked.arn("iam", f"mfa/{given['VirtualMFADeviceName']}", "")
    elif "Url" in given:
        yield asked.arn("iam", f"oidc-provider/{given['Url'].removeprefix('https://')}", "")
    elif "AWSServiceName" in given:
        yield asked.arn("iam", f"role/aws-service-role/{given['AWSServiceName']}/x", "")
    else:
        for key in ("PolicyArn", "OpenIDConnectProviderArn", "SAMLProviderArn", "SerialNumber"):
            if key in given:
                yield given[key]


def _role_arn(asked: Asked, name: str) -> str:
    try:
        return str(iam_backends[asked.account][asked.partition].get_role(name).arn)
    except NotFoundException:
        return asked.arn("iam", f"role{asked.given.get('Path', '/')}{name}", "")


def _of_sts(asked: Asked) -> Iterator[str]:
    if "RoleArn" in asked.given:
        yield asked.given["RoleArn"]


def _of_kms(asked: Asked) -> Iterator[str]:
    given = asked.given
    if "AliasName" in given and asked.operation in ("CreateAlias", "DeleteAlias", "UpdateAlias"):
        yield asked.arn("kms", given["AliasName"])
    for key in ("KeyId", "TargetKeyId"):
        if key in given:
            yield _key_arn(asked, given[key])


def _key_arn(asked: Asked, key: str) -> str:
    known = _known_key(asked, key)
    return asked.arn_or(key, "kms", "key/") if known is None else str(known.arn)


def _known_key(asked: Asked, name: str) -> Any:
    parts = name.split(":")
    backend = kms_backends[asked.account][parts[3] if len(parts) > 3 else asked.region]
    try:
        return backend.keys.get(backend.any_id_to_key_id(name))
    except AttributeError:  # moto's way to say that it has no such alias
        return None


def _of_s3(asked: Asked) -> Iterator[str]:
    bucket, key = asked.given.get("Bucket"), asked.given.get("Key")
    if asked.given.get("resourceArn"):
        yield asked.given["resourceArn"]
    elif bucket:
        # A deletion of several names them in its body: it is asked about as one of all.
        below = "/*" if asked.operation == "DeleteObjects" else f"/{key}" if key else ""
        yield f"arn:{asked.partition}:s3:::{bucket}{below}"


_RDS_NAMES: Final = {
    "DBInstanceIdentifier": "db",
    "SourceDBInstanceIdentifier": "db",
    "TargetDBInstanceIdentifier": "db",
    "DBSnapshotIdentifier": "snapshot",
    "SourceDBSnapshotIdentifier": "snapshot",
    "TargetDBSnapshotIdentifier": "snapshot",
    "DBSubnetGroupName": "subgrp",
    "DBParameterGroupName": "pg",
    "ResourceName": "db",
    "SourceDBInstanceArn": "db",
    "SourceDBInstanceAutomatedBackupsArn": "auto-backup",
    "DBInstanceAutomatedBackupsArn": "auto-backup",
}


def _of_rds(asked: Asked) -> Iterator[str]:
    if not asked.operation.startswith("Describe"):
        for key, kind in _RDS_NAMES.items():
            if key in asked.given:
                yield asked.arn_or(asked.given[key], "rds", f"{kind}:")


def _of_secretsmanager(asked: Asked) -> Iterator[str]:
    secret = asked.given.get("SecretId") or asked.given.get("Name")
    if secret:
        known = secretsmanager_backends[asked.account][asked.region].secrets.get(secret)
        yield known.arn if known is not None else asked.arn_or(secret, "secretsmanager", "secret:")


def _of_backup(asked: Asked) -> Iterator[str]:
    given = asked.given
    if given.get("resourceArn"):
        yield given["resourceArn"]
    elif given.get("backupVaultName"):
        yield asked.arn("backup", f"backup-vault:{given['backupVaultName']}")
    elif given.get("backupPlanId"):
        yield asked.arn("backup", f"backup-plan:{given['backupPlanId']}")


def _of_ssm(asked: Asked) -> Iterator[str]:
    given = asked.given
    names = given.get("Names") or [given[key] for key in ("Name", "ResourceId") if key in given]
    if asked.operation.endswith(("Activation", "Activations")):
        return
    for name in names:
        kind = "activation/" if given.get("ResourceType") == "Activation" else "parameter/"
        yield asked.arn_or(str(name), "ssm", kind).replace("parameter//", "parameter/")


def _of_logs(asked: Asked) -> Iterator[str]:
    if asked.given.get("resourceArn"):
        yield asked.given["resourceArn"]
    elif asked.given.get("logGroupName"):
        yield asked.arn("logs", f"log-group:{asked.given['logGroupName']}")


def _of_sns(asked: Asked) -> Iterator[str]:
    for key in ("TopicArn", "ResourceArn", "SubscriptionArn"):
        if key in asked.given:
            yield asked.given[key]
            return
    if "Name" in asked.given:
        yield asked.arn("sns", asked.given["Name"])


def _of_events(asked: Asked) -> Iterator[str]:
    rule = asked.given.get("ResourceARN") or asked.given.get("Rule") or asked.given.get("Name")
    if rule:
        yield asked.arn_or(rule, "events", "rule/")


def _of_cloudtrail(asked: Asked) -> Iterator[str]:
    trails = asked.given.get("ResourceIdList") or [asked.given.get("Name") or asked.given.get("ResourceId")]
    for trail in trails:
        if trail:
            yield asked.arn_or(trail, "cloudtrail", "trail/")


_RESOURCES: Final[Mapping[str, Callable[[Asked], Iterator[str]]]] = {
    "backup": _of_backup,
    "cloudtrail": _of_cloudtrail,
    "events": _of_events,
    "iam": _of_iam,
    "kms": _of_kms,
    "logs": _of_logs,
    "rds": _of_rds,
    "s3": _of_s3,
    "s3control": _of_s3,
    "secretsmanager": _of_secretsmanager,
    "sns": _of_sns,
    "ssm": _of_ssm,
    "sts": _of_sts,
}


# -- what conditions ask about ----------------------------------------------------------------------------------------


def _context(asked: Asked) -> dict[str, list[str]]:
    # IAM is one for all regions, and counts as this one.
    context = {"aws:requestedregion": ["us-east-1" if asked.service == "iam" else asked.region]}
    for key, value in _tags(asked).items():
        context[f"aws:requesttag/{key.lower()}"] = [value]
    if asked.service == "iam":
        context.update(_about_roles(asked))
    if asked.service == "kms":
        context.update(_about_keys(asked))
    if asked.service == "sts" and "RoleSessionName" in asked.given:
        context["sts:rolesessionname"] = [asked.given["RoleSessionName"]]
    return context


def _tags(asked: Asked) -> dict[str, str]:
    given = asked.given
    for key in ("Tags", "TagList", "TagsList", "tags", "backupVaultTags", "backupPlanTags"):
        tags = given.get(key)
        if isinstance(tags, Mapping):
            return {str(name): str(value) for name, value in tags.items()}
        if isinstance(tags, list):
            return {
                str(tag.get("Key", tag.get("TagKey"))): str(tag.get("Value", tag.get("TagValue", ""))) for tag in tags
            }
    found = {}
    for name, value in given.items():
        match = re.fullmatch(r"(?:Tags?\.(?:member|Tag)\.|TagSpecification\.\d+\.Tag\.)(\d+)\.Key", str(name))
        if match:
            found[str(value)] = str(given.get(name.removesuffix("Key") + "Value", ""))
    return found


def _about_roles(asked: Asked) -> dict[str, list[str]]:
    about = {}
    boundary = asked.given.get("PermissionsBoundary")
    if boundary is None and "RoleName" in asked.given:
        try:
            role = iam_backends[asked.account][asked.partition].get_role(asked.given["RoleName"])
            boundary = role.permissions_boundary_arn
        except NotFoundException:
            boundary = None
    if boundary:
        about["iam:permissionsboundary"] = [boundary]
    if "AWSServiceName" in asked.given:
        about["iam:awsservicename"] = [asked.given["AWSServiceName"]]
    return about


def _about_keys(asked: Asked) -> dict[str, list[str]]:
    name = asked.given.get("KeyId") or asked.given.get("TargetKeyId")
    key = _known_key(asked, name) if name else None
    if key is None:
        return {}
    backend = kms_backends[asked.account][key.region]
    about = {
        f"aws:resourcetag/{tag['TagKey'].lower()}": [tag["TagValue"]]
        for tag in backend.list_resource_tags(key.id)["Tags"]
    }
    return {**about, "kms:resourcealiases": list(key.aliases)}


# -- roles that are handed on -----------------------------------------------------------------------------------------


def _passed_roles(asked: Asked) -> Iterator[tuple[str, str]]:
    """The roles that a request gives to services, and to which."""
    given = asked.given
    match asked.service, asked.operation:
        case "s3", "PutBucketReplication" if given.get("Role"):
            yield given["Role"], "s3.amazonaws.com"
        case "backup", "CreateBackupSelection":
            selection = given.get("BackupSelection") or {}
            if selection.get("IamRoleArn"):
                yield selection["IamRoleArn"], "backup.amazonaws.com"
        case "backup", "StartRestoreJob" | "StartBackupJob" | "StartCopyJob" if given.get("IamRoleArn"):
            yield given["IamRoleArn"], "backup.amazonaws.com"
        case "rds", _ if given.get("MonitoringRoleArn"):
            yield given["MonitoringRoleArn"], "monitoring.rds.amazonaws.com"
        case "ssm", "CreateActivation" if given.get("IamRole"):
            yield _role_arn(asked, str(given["IamRole"]).rpartition("/")[2]), "ssm.amazonaws.com"
        case "cloudtrail", _ if given.get("CloudWatchLogsRoleArn"):
            yield given["CloudWatchLogsRoleArn"], "cloudtrail.amazonaws.com"
        case "events", "PutTargets":
            for target in given.get("Targets", []):
                if target.get("RoleArn"):
                    yield target["RoleArn"], "events.amazonaws.com"
        case _:
            return
