"""The actions that a request needs to be allowed, on which resources, and the values that conditions compare.

After the "Service Authorization Reference", with one function for each service. The permissions that a service needs
from its caller during the call (RDS with the key of a database, for example) are in `dependents.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from moto.iam.exceptions import NotFoundException
from moto.iam.models import iam_backends
from moto.secretsmanager.models import secretsmanager_backends

from localcloud.aws.iam.dependents import dependents
from localcloud.aws.iam.evaluation import Call
from localcloud.aws.iam.keys import key_arn, key_context, key_name, known_key
from localcloud.aws.iam.requests import ParsedRequest

# S3's actions whose names differ from those of its operations.
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


def calls(request: ParsedRequest) -> Iterator[Call]:
    """The calls that a request needs to be allowed: itself, and the roles and objects that it passes on."""
    context = {key: tuple(values) for key, values in _context(request).items()}
    resources = tuple(_RESOURCES.get(request.service, _anything)(request)) or ("*",)
    yield Call(f"{_prefix(request.service)}:{_action(request)}", resources, context)
    for arn, service in _passed_roles(request):
        yield Call("iam:PassRole", (arn,), {**context, "iam:passedtoservice": (service,)})
    if request.parameters.get("CopySource"):
        yield Call("s3:GetObject", (f"arn:{request.partition}:s3:::{request.parameters['CopySource']}",), context)
    yield from dependents(request, resources, context)


def _prefix(service: str) -> str:
    return "s3" if service == "s3control" else service


def _action(request: ParsedRequest) -> str:
    if request.service != "s3":
        return request.operation
    action = _S3_ACTIONS.get(request.operation, request.operation)
    return _OF_A_VERSION.get(action, action) if request.parameters.get("versionId") else action


# -- resources --------------------------------------------------------------------------------------------------------


def _anything(request: ParsedRequest) -> Iterator[str]:
    yield "*"


def _of_iam(request: ParsedRequest) -> Iterator[str]:
    given = request.parameters
    if "RoleName" in given:
        yield _role_arn(request, given["RoleName"])
    elif "UserName" in given:
        yield request.arn("iam", f"user/{given['UserName']}", "")
    elif "GroupName" in given:
        yield request.arn("iam", f"group/{given['GroupName']}", "")
    elif "InstanceProfileName" in given:
        yield request.arn("iam", f"instance-profile/{given['InstanceProfileName']}", "")
    elif "PolicyName" in given:
        yield request.arn("iam", f"policy{given.get('Path', '/')}{given['PolicyName']}", "")
    elif "VirtualMFADeviceName" in given:
        yield request.arn("iam", f"mfa/{given['VirtualMFADeviceName']}", "")
    elif "Url" in given:
        yield request.arn("iam", f"oidc-provider/{given['Url'].removeprefix('https://')}", "")
    elif "AWSServiceName" in given:
        yield request.arn("iam", f"role/aws-service-role/{given['AWSServiceName']}/x", "")
    else:
        for key in ("PolicyArn", "OpenIDConnectProviderArn", "SAMLProviderArn", "SerialNumber"):
            if key in given:
                yield given[key]


def _role_arn(request: ParsedRequest, name: str) -> str:
    try:
        return str(iam_backends[request.account][request.partition].get_role(name).arn)
    except NotFoundException:
        return request.arn("iam", f"role{request.parameters.get('Path', '/')}{name}", "")


def _of_sts(request: ParsedRequest) -> Iterator[str]:
    if "RoleArn" in request.parameters:
        yield request.parameters["RoleArn"]


def _of_kms(request: ParsedRequest) -> Iterator[str]:
    given = request.parameters
    if "AliasName" in given and request.operation in ("CreateAlias", "DeleteAlias", "UpdateAlias"):
        yield request.arn("kms", given["AliasName"])
    name = key_name(request)
    if name:
        yield key_arn(request, name)


def _of_s3(request: ParsedRequest) -> Iterator[str]:
    bucket, key = request.parameters.get("Bucket"), request.parameters.get("Key")
    if request.parameters.get("resourceArn"):
        yield request.parameters["resourceArn"]
    elif bucket:
        # DeleteObjects names the objects in its body. It is evaluated for all objects of the bucket.
        below = "/*" if request.operation == "DeleteObjects" else f"/{key}" if key else ""
        yield f"arn:{request.partition}:s3:::{bucket}{below}"


_RDS_NAMES: Final = {
    # What a call creates comes before its source.
    "TargetDBInstanceIdentifier": "db",
    "DBInstanceIdentifier": "db",
    "SourceDBInstanceIdentifier": "db",
    "TargetDBSnapshotIdentifier": "snapshot",
    "DBSnapshotIdentifier": "snapshot",
    "SourceDBSnapshotIdentifier": "snapshot",
    "DBSubnetGroupName": "subgrp",
    "DBParameterGroupName": "pg",
    "ResourceName": "db",
    "SourceDBInstanceArn": "db",
    "SourceDBInstanceAutomatedBackupsArn": "auto-backup",
    "DBInstanceAutomatedBackupsArn": "auto-backup",
}


def _of_rds(request: ParsedRequest) -> Iterator[str]:
    if not request.operation.startswith("Describe"):
        for key, kind in _RDS_NAMES.items():
            if key in request.parameters:
                yield request.arn_or(request.parameters[key], "rds", f"{kind}:")


def _of_secretsmanager(request: ParsedRequest) -> Iterator[str]:
    secret = request.parameters.get("SecretId") or request.parameters.get("Name")
    if secret:
        known = secretsmanager_backends[request.account][request.region].secrets.get(secret)
        yield known.arn if known is not None else request.arn_or(secret, "secretsmanager", "secret:")


def _of_backup(request: ParsedRequest) -> Iterator[str]:
    given = request.parameters
    if given.get("resourceArn"):
        yield given["resourceArn"]
    elif given.get("backupVaultName"):
        yield request.arn("backup", f"backup-vault:{given['backupVaultName']}")
    elif given.get("backupPlanId"):
        yield request.arn("backup", f"backup-plan:{given['backupPlanId']}")


def _of_ssm(request: ParsedRequest) -> Iterator[str]:
    given = request.parameters
    names = given.get("Names") or [given[key] for key in ("Name", "ResourceId") if key in given]
    if request.operation.endswith(("Activation", "Activations")):
        return
    for name in names:
        kind = "activation/" if given.get("ResourceType") == "Activation" else "parameter/"
        yield request.arn_or(str(name), "ssm", kind).replace("parameter//", "parameter/")


def _of_logs(request: ParsedRequest) -> Iterator[str]:
    if request.parameters.get("resourceArn"):
        yield request.parameters["resourceArn"]
    elif request.parameters.get("logGroupName"):
        yield request.arn("logs", f"log-group:{request.parameters['logGroupName']}")


def _of_sns(request: ParsedRequest) -> Iterator[str]:
    for key in ("TopicArn", "ResourceArn", "SubscriptionArn"):
        if key in request.parameters:
            yield request.parameters[key]
            return
    if "Name" in request.parameters:
        yield request.arn("sns", request.parameters["Name"])


def _of_events(request: ParsedRequest) -> Iterator[str]:
    rule = request.parameters.get("ResourceARN") or request.parameters.get("Rule") or request.parameters.get("Name")
    if rule:
        yield request.arn_or(rule, "events", "rule/")


def _of_cloudwatch(request: ParsedRequest) -> Iterator[str]:
    given = request.parameters
    for alarm in given.get("AlarmNames") or [given.get("AlarmName") or given.get("ResourceARN")]:
        if alarm:
            yield request.arn_or(alarm, "cloudwatch", "alarm:")


def _of_cloudtrail(request: ParsedRequest) -> Iterator[str]:
    trails = request.parameters.get("ResourceIdList") or [
        request.parameters.get("Name") or request.parameters.get("ResourceId")
    ]
    for trail in trails:
        if trail:
            yield request.arn_or(trail, "cloudtrail", "trail/")


_RESOURCES: Final[Mapping[str, Callable[[ParsedRequest], Iterator[str]]]] = {
    "backup": _of_backup,
    "cloudtrail": _of_cloudtrail,
    "cloudwatch": _of_cloudwatch,
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


# -- values for conditions --------------------------------------------------------------------------------------------


def _context(request: ParsedRequest) -> dict[str, Sequence[str]]:
    # IAM is global, and its region in conditions is this one.
    context: dict[str, Sequence[str]] = {
        "aws:requestedregion": ["us-east-1" if request.service == "iam" else request.region]
    }
    for key, value in _tags(request).items():
        context[f"aws:requesttag/{key.lower()}"] = [value]
    if request.service == "iam":
        context.update(_about_roles(request))
    if request.service == "kms":
        context.update(_about_keys(request))
    if request.service == "sts" and "RoleSessionName" in request.parameters:
        context["sts:rolesessionname"] = [request.parameters["RoleSessionName"]]
    return context


def _tags(request: ParsedRequest) -> dict[str, str]:
    given = request.parameters
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


def _about_roles(request: ParsedRequest) -> dict[str, list[str]]:
    about = {}
    boundary = request.parameters.get("PermissionsBoundary")
    if boundary is None and "RoleName" in request.parameters:
        try:
            role = iam_backends[request.account][request.partition].get_role(request.parameters["RoleName"])
            boundary = role.permissions_boundary_arn
        except NotFoundException:
            boundary = None
    if boundary:
        about["iam:permissionsboundary"] = [boundary]
    if "AWSServiceName" in request.parameters:
        about["iam:awsservicename"] = [request.parameters["AWSServiceName"]]
    return about


def _about_keys(request: ParsedRequest) -> Mapping[str, Sequence[str]]:
    name = key_name(request)
    key = known_key(request, name) if name else None
    return {} if key is None else key_context(key)


# -- roles that a request passes to a service --------------------------------------------------------------------------


def _passed_roles(request: ParsedRequest) -> Iterator[tuple[str, str]]:
    """The roles that a request passes to services, each with its service."""
    given = request.parameters
    match request.service, request.operation:
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
            yield _role_arn(request, str(given["IamRole"]).rpartition("/")[2]), "ssm.amazonaws.com"
        case "cloudtrail", _ if given.get("CloudWatchLogsRoleArn"):
            yield given["CloudWatchLogsRoleArn"], "cloudtrail.amazonaws.com"
        case "events", "PutTargets":
            for target in given.get("Targets", []):
                if target.get("RoleArn"):
                    yield target["RoleArn"], "events.amazonaws.com"
        case _:
            return
