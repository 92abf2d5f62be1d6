"""The data sources: the caller's identity, the region, its availability zones, and secrets."""

from __future__ import annotations

from datetime import UTC
from typing import Any, Final

from localcloud.plugins.aws.common import from_tag_list
from localcloud.plugins.aws.connection import Cloud
from localcloud.plugins.table import Function, Props, RefusedError

_DESCRIPTIONS: Final = {
    "eu-central-1": "Europe (Frankfurt)",
    "eu-central-2": "Europe (Zurich)",
    "eu-north-1": "Europe (Stockholm)",
    "eu-south-1": "Europe (Milan)",
    "eu-south-2": "Europe (Spain)",
    "eu-west-1": "Europe (Ireland)",
    "eu-west-2": "Europe (London)",
    "eu-west-3": "Europe (Paris)",
    "us-east-1": "US East (N. Virginia)",
    "us-east-2": "US East (Ohio)",
    "us-west-1": "US West (N. California)",
    "us-west-2": "US West (Oregon)",
}


def _caller(cloud: Cloud, arguments: Props) -> Props:
    who = cloud.identity()
    return {"id": who["Account"], "accountId": who["Account"], "arn": who["Arn"], "userId": who["UserId"]}


def _region(cloud: Cloud, arguments: Props) -> Props:
    region = arguments.get("region") or arguments.get("name") or cloud.region
    if region not in _DESCRIPTIONS:
        raise RefusedError(f"the local cloud's getRegion does not know {region}; it knows {', '.join(_DESCRIPTIONS)}")
    return {
        "id": region,
        "region": region,
        "name": region,
        "description": _DESCRIPTIONS[region],
        "endpoint": f"ec2.{region}.amazonaws.com",
    }


def _zones(cloud: Cloud, arguments: Props) -> Props:
    region = arguments.get("region") or cloud.region
    conditions: list[dict[str, Any]] = []
    if arguments.get("state"):
        conditions.append({"Name": "state", "Values": [arguments["state"]]})
    found = cloud.client("ec2", region).describe_availability_zones(Filters=conditions)["AvailabilityZones"]
    without_names = set(arguments.get("excludeNames") or ())
    without_ids = set(arguments.get("excludeZoneIds") or ())
    zones = sorted(
        (zone for zone in found if zone["ZoneName"] not in without_names and zone["ZoneId"] not in without_ids),
        key=lambda zone: str(zone["ZoneName"]),
    )
    return {
        "id": region,
        "region": region,
        "names": [zone["ZoneName"] for zone in zones],
        "zoneIds": [zone["ZoneId"] for zone in zones],
        "groupNames": sorted({zone.get("GroupName") or region for zone in zones}),
        **{key: arguments[key] for key in ("state", "excludeNames", "excludeZoneIds") if key in arguments},
    }


def _secret(cloud: Cloud, arguments: Props) -> Props:
    """Return a secret without its value, which has a separate data source."""
    named = [arguments[key] for key in ("arn", "name") if arguments.get(key)]
    if len(named) != 1:
        raise RefusedError(f"getSecret has {' and '.join(named) or 'no argument'}; it needs either `arn` or `name`")
    region = arguments.get("region") or cloud.region
    secrets = cloud.client("secretsmanager", region)
    found = secrets.describe_secret(SecretId=named[0])
    if found.get("DeletedDate"):
        raise RefusedError(f"the secret {found['ARN']} is scheduled for deletion; restore it first")
    is_replica = found.get("PrimaryRegion") not in (None, region)
    policy = {} if is_replica else secrets.get_resource_policy(SecretId=found["ARN"])
    return {
        "id": found["ARN"],
        "arn": found["ARN"],
        "region": region,
        "name": found["Name"],
        "description": found.get("Description", ""),
        "kmsKeyId": found.get("KmsKeyId", ""),
        "createdDate": found["CreatedDate"].astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "lastChangedDate": found["LastChangedDate"].astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "policy": policy.get("ResourcePolicy", ""),
        "tags": from_tag_list(found.get("Tags", [])),
    }


FUNCTIONS: Final = (
    Function(token="aws:index/getCallerIdentity:getCallerIdentity", call=_caller),  # noqa: S106 - a function's name
    Function(
        token="aws:index/getRegion:getRegion",  # noqa: S106
        arguments=frozenset({"region", "name"}),
        call=_region,
    ),
    Function(
        token="aws:index/getAvailabilityZones:getAvailabilityZones",  # noqa: S106
        arguments=frozenset({"region", "state", "excludeNames", "excludeZoneIds"}),
        call=_zones,
    ),
    Function(
        token="aws:secretsmanager/getSecret:getSecret",  # noqa: S106
        arguments=frozenset({"region", "arn", "name"}),
        call=_secret,
    ),
)
