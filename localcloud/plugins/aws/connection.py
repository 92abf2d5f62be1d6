"""Connect the AWS tables to their cloud: the official provider's settings in its order, on loopback only."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from botocore.config import Config
from botocore.session import Session

from localcloud.plugins.loopback import on_loopback
from localcloud.plugins.table import Property, Props, RefusedError

CONFIGURATION: Final[Mapping[str, Property]] = {
    "region": Property(replaces=True),
    "accessKey": Property(secret=True),
    "secretKey": Property(secret=True),
    "token": Property(secret=True),
    "endpoints": Property(),
    "defaultTags": Property(),
    "ignoreTags": Property(),
    "allowedAccountIds": Property(),
    "forbiddenAccountIds": Property(),
    # These have no effect: they switch off steps that are not done here, or state what is always the case here.
    "skipCredentialsValidation": Property(),
    "skipMetadataApiCheck": Property(),
    "skipRequestingAccountId": Property(),
    "skipRegionValidation": Property(),
    "s3UsePathStyle": Property(),
}

_ENDPOINT_VARIABLES: Final = {
    "backup": "AWS_ENDPOINT_URL_BACKUP",
    "cloudwatch": "AWS_ENDPOINT_URL_CLOUDWATCH",
    "cloudtrail": "AWS_ENDPOINT_URL_CLOUDTRAIL",
    "ec2": "AWS_ENDPOINT_URL_EC2",
    "events": "AWS_ENDPOINT_URL_EVENTBRIDGE",
    "iam": "AWS_ENDPOINT_URL_IAM",
    "kms": "AWS_ENDPOINT_URL_KMS",
    "logs": "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS",
    "rds": "AWS_ENDPOINT_URL_RDS",
    "s3": "AWS_ENDPOINT_URL_S3",
    "secretsmanager": "AWS_ENDPOINT_URL_SECRETS_MANAGER",
    "ssm": "AWS_ENDPOINT_URL_SSM",
    "sns": "AWS_ENDPOINT_URL_SNS",
    "sts": "AWS_ENDPOINT_URL_STS",
}


@dataclass(frozen=True)
class _Address:
    """The values that identify a client."""

    service: str
    region: str
    endpoint: str
    access_key: str
    secret_key: str = field(repr=False)
    token: str | None = field(repr=False)


# Creating a client is slow (it reads the service's model). Clients are thread-safe. So each address has one.
_clients: dict[_Address, Any] = {}
_making = threading.Lock()
_session: Session | None = None


@dataclass
class Cloud:
    """The connection that the tables' functions get: clients by service and region, and the provider's settings."""

    region: str
    default_tags: Mapping[str, str]
    ignored_tag_keys: frozenset[str]
    ignored_tag_prefixes: tuple[str, ...]
    _endpoints: Mapping[str, str]
    _access_key: str
    _secret_key: str = field(repr=False)
    _token: str | None = field(repr=False)
    _identity: Mapping[str, str] | None = None

    def client(self, service: str, region: str | None = None) -> Any:
        """Return the official client of a service, for a region. The default is the provider's region."""
        endpoint = self._endpoints.get(service)
        if endpoint is None:
            raise RefusedError(
                f"no endpoint is known for AWS's {service}: set aws:endpoints, {_ENDPOINT_VARIABLES[service]} or "
                "AWS_ENDPOINT_URL to the local cloud. This plugin never connects to the internet."
            )
        address = _Address(service, region or self.region, endpoint, self._access_key, self._secret_key, self._token)
        with _making:
            if address not in _clients:
                _clients[address] = _make(address)
            return _clients[address]

    def identity(self) -> Mapping[str, str]:
        """The identity that STS returns for the credentials: `Account`, `Arn`, `UserId`."""
        if self._identity is None:
            self._identity = self.client("sts").get_caller_identity()
        return self._identity

    @property
    def account(self) -> str:
        return self.identity()["Account"]


def _region(settings: Props, environment: Mapping[str, str]) -> Any:
    return settings.get("region") or environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")


def inherited(settings: Props, environment: Mapping[str, str]) -> Props:
    """Return the provider's region, which applies to a resource that declares none."""
    region = _region(settings, environment)
    return {"region": region} if region else {}


def connect(settings: Props, environment: Mapping[str, str]) -> Cloud:
    """Connect. Refuse without a region, credentials or an endpoint on loopback, or if the account is not allowed."""
    region = _region(settings, environment)
    if not region:
        raise RefusedError("no AWS region: set aws:region, AWS_REGION or AWS_DEFAULT_REGION")
    access_key = settings.get("accessKey") or environment.get("AWS_ACCESS_KEY_ID")
    secret_key = settings.get("secretKey") or environment.get("AWS_SECRET_ACCESS_KEY")
    if not access_key or not secret_key:
        raise RefusedError(
            "no AWS credentials: set aws:accessKey and aws:secretKey, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )
    ignored = settings.get("ignoreTags") or {}
    cloud = Cloud(
        region=region,
        default_tags=dict((settings.get("defaultTags") or {}).get("tags") or {}),
        ignored_tag_keys=frozenset(ignored.get("keys") or ()),
        ignored_tag_prefixes=tuple(ignored.get("keyPrefixes") or ()),
        _endpoints=_endpoints(settings.get("endpoints") or [], environment),
        _access_key=access_key,
        _secret_key=secret_key,
        _token=settings.get("token") or environment.get("AWS_SESSION_TOKEN"),
    )
    _check_account(cloud, settings)
    return cloud


def _endpoints(configured: list[Mapping[str, str]], environment: Mapping[str, str]) -> dict[str, str]:
    """Return each service's endpoint: from the provider's `endpoints`, its own variable, or the common variable."""
    merged = {service: url for entry in configured for service, url in entry.items() if url}
    for service, variable in _ENDPOINT_VARIABLES.items():
        url = merged.get(service) or environment.get(variable) or environment.get("AWS_ENDPOINT_URL")
        if url:
            merged[service] = url
    for service, url in merged.items():
        if not on_loopback(url):
            raise RefusedError(
                f"the endpoint of AWS's {service} is {url}, which is not on loopback. "
                "This plugin connects to the local cloud and never to the internet."
            )
    return merged


def _check_account(cloud: Cloud, settings: Props) -> None:
    allowed, forbidden = settings.get("allowedAccountIds") or [], settings.get("forbiddenAccountIds") or []
    if allowed and forbidden:
        raise RefusedError("aws:allowedAccountIds and aws:forbiddenAccountIds cannot be set together")
    if (allowed and cloud.account not in allowed) or (forbidden and cloud.account in forbidden):
        raise RefusedError(f"AWS account ID not allowed: {cloud.account}")


def _make(address: _Address) -> Any:
    global _session
    if _session is None:
        # Ignore profiles, configuration files and proxies.
        _session = Session(
            session_vars={
                "profile": (None, None, None, None),
                "config_file": (None, None, os.devnull, None),
                "credentials_file": (None, None, os.devnull, None),
            }
        )
    return _session.create_client(
        address.service,
        region_name=address.region,
        endpoint_url=address.endpoint,
        aws_access_key_id=address.access_key,
        aws_secret_access_key=address.secret_key,
        aws_session_token=address.token,
        config=Config(
            proxies={},
            retries={"total_max_attempts": 1},
            connect_timeout=5,
            read_timeout=300,
            max_pool_connections=32,
            s3={"addressing_style": "path"},
        ),
    )
