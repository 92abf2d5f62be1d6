"""CloudTrail's event about a call, in the region of the call, if a trail of the account is logging.

The trail writes no log files: `requests.jsonl` records every call.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from moto.cloudtrail.models import cloudtrail_backends

from localcloud.aws.iam.principals import Principal
from localcloud.aws.iam.requests import ParsedRequest
from localcloud.aws.iam.sessions import RefusedError

_READING: Final = ("AssumeRole", "Describe", "Get", "List", "Lookup", "Head")
# Names in CloudTrail that differ from those of the API (S3 User Guide, "Amazon S3 bucket-level actions").
_SERVICES: Final = {"s3control": "s3", "cloudwatch": "monitoring"}
_S3_OPERATIONS: Final = {
    "PutBucketLifecycleConfiguration": "PutBucketLifecycle",
    "PutObjectLockConfiguration": "PutBucketObjectLockConfiguration",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
}


def is_logged(request: ParsedRequest) -> bool:
    """Whether a trail logs the call. A trail logs management events, not reads and writes of objects."""
    if request.service == "s3" and "Key" in request.parameters:
        return False
    regions: Mapping[str, Any] = cloudtrail_backends[request.account]
    return any(
        trail.status.is_logging and (trail.is_multi_region or region == request.region)
        for region, backend in list(regions.items())
        for trail in backend.trails.values()
    )


def call_event(
    request: ParsedRequest, principal: Principal | None, subject: str | None, refusal: RefusedError | str | None
) -> dict[str, Any]:
    """Return the event. `refusal` is IAM's refusal or the name of the service's error, if the call failed.

    CloudTrail records no parameters of a call that IAM refuses: only the message names the resource.
    """
    service = _SERVICES.get(request.service, request.service)
    operation = _S3_OPERATIONS.get(request.operation, request.operation) if service == "s3" else request.operation
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    detail: dict[str, Any] = {
        "eventVersion": "1.11",
        "eventTime": now,
        "eventSource": f"{service}.amazonaws.com",
        "eventName": operation,
        "awsRegion": request.region,
        "sourceIPAddress": "127.0.0.1",
        "readOnly": request.operation.startswith(_READING),
        "userIdentity": {"arn": principal.arn if principal else "", "userName": subject or ""},
        "requestParameters": {_parameter(service, key): value for key, value in request.parameters.items()},
        "eventType": "AwsApiCall",
    }
    if isinstance(refusal, RefusedError):
        detail |= {"errorCode": refusal.code, "errorMessage": str(refusal), "requestParameters": None}
    elif refusal:
        detail |= {"errorCode": refusal}
    return {
        "source": f"aws.{service}",
        "detail-type": "AWS API Call via CloudTrail",
        "time": now,
        "resources": [],
        "detail": detail,
    }


def _parameter(service: str, name: str) -> str:
    return "bucketName" if (service, name) == ("s3", "Bucket") else name[:1].lower() + name[1:]
