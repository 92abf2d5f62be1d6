"""Service Quotas: quotas of RDS and KMS, which moto lacks, and the defaults of all quotas.

`GetServiceQuota` returns the quota that was applied to the account. A quota that was never applied has a default only,
which is a different call. Here the quotas of KMS were never applied.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

from moto.servicequotas.exceptions import NoSuchResource
from moto.servicequotas.models import ServiceQuotasBackend
from moto.servicequotas.responses import ServiceQuotasResponse

from localcloud.aws.patching import add_methods, wrap_method

# Values of a new account: "Quotas and constraints for Amazon RDS" and "AWS KMS quotas" in their guides.
_APPLIED: Final = {("rds", "L-7B6409FD"): ("DB instances", 40.0)}
_DEFAULTS: Final = {**_APPLIED, ("kms", "L-C2F1777E"): ("AWS KMS keys", 100_000.0)}


def patch() -> None:
    wrap_method(ServiceQuotasBackend, "get_service_quota", _get_service_quota)
    add_methods(ServiceQuotasResponse, get_aws_default_service_quota)


def _get_service_quota(
    original: Callable[..., dict[str, Any]], backend: ServiceQuotasBackend, service_code: str, quota_code: str
) -> dict[str, Any]:
    if service_code == "vpc":
        return original(backend, service_code, quota_code)
    return _show(_APPLIED, service_code, quota_code)


def get_aws_default_service_quota(self: ServiceQuotasResponse) -> str:
    asked = json.loads(self.body)
    if asked["ServiceCode"] == "vpc":
        return json.dumps({"Quota": self.backend.get_service_quota("vpc", asked["QuotaCode"])})
    return json.dumps({"Quota": _show(_DEFAULTS, asked["ServiceCode"], asked["QuotaCode"])})


def _show(known: dict[tuple[str, str], tuple[str, float]], service: str, code: str) -> dict[str, Any]:
    if (service, code) not in known:
        raise NoSuchResource
    name, value = known[service, code]
    return {"ServiceCode": service, "QuotaCode": code, "QuotaName": name, "Value": value, "Adjustable": True}
