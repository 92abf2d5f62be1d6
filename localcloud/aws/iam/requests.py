"""A request to AWS as the operation and the parameters of the service's API.

Query and JSON protocols name the operation. A REST request is matched with the routes of the service's model.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qs, unquote
from xml.etree import ElementTree

import botocore.session

_REST: Final = ("backup", "s3", "s3control")
_QUERY: Final = ("ec2", "iam", "rds", "sns", "sts")


@dataclass(frozen=True)
class ParsedRequest:
    """A request: the operation, its parameters by the API's names, and the region and account that it is for."""

    service: str
    operation: str
    parameters: Mapping[str, Any]
    region: str
    account: str
    partition: str = "aws"

    def arn(self, service: str, name: str, region: str | None = None) -> str:
        where = self.region if region is None else region
        return f"arn:{self.partition}:{service}:{where}:{self.account}:{name}"

    def arn_or(self, value: str, service: str, kind: str, region: str | None = None) -> str:
        """Return `value` if it is an ARN, or the ARN of the resource with that name."""
        return value if value.startswith("arn:") else self.arn(service, f"{kind}{value}", region)


def parse_request(
    service: str, action: str, environ: Mapping[str, Any], body: bytes, region: str, account: str
) -> ParsedRequest:
    """Parse a request to the service's API.

    Raises:
        LookupError: the service has no such operation.
    """
    if service in _REST:
        operation, given = _rest(service, environ, body)
    elif service in _QUERY:
        fields = parse_qs(body.decode("utf-8", "replace")) or parse_qs(environ.get("QUERY_STRING", ""))
        operation, given = action, {key: values[0] for key, values in fields.items()}
    else:
        operation, given = action, json.loads(body or b"{}")
    return ParsedRequest(service, operation, given, region, account)


# -- REST requests ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Route:
    operation: str
    method: str
    path: re.Pattern[str]
    query: frozenset[str]
    headers: frozenset[str]
    """The query parameters and the headers that a request of this operation must have."""

    fixed: int
    """The number of characters of the path outside its variables."""

    def fits(self, method: str, path: str, query: Iterable[str], environ: Mapping[str, Any]) -> bool:
        return (
            self.method == method
            and self.path.fullmatch(path) is not None
            and self.query <= set(query)
            and all(f"HTTP_{name.upper().replace('-', '_')}" in environ for name in self.headers)
        )

    @property
    def rank(self) -> tuple[int, int, int]:
        """The rank among several routes that fit: the most specific one is meant."""
        return len(self.query) + len(self.headers), self.path.groups, self.fixed


@functools.cache
def _routes(service: str) -> list[_Route]:
    model = botocore.session.get_session().get_service_model(service)
    return sorted(
        (_route(model.operation_model(name)) for name in model.operation_names),
        key=lambda route: route.rank,
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
            if environ.get("HTTP_X_AMZ_BUCKET_OBJECT_LOCK_ENABLED"):
                given["ObjectLockEnabledForBucket"] = environ["HTTP_X_AMZ_BUCKET_OBJECT_LOCK_ENABLED"]
            return route.operation, given
    raise LookupError(f"{service} has no operation {method} {path}")


def _content(service: str, body: bytes) -> dict[str, Any]:
    if service == "backup":
        content: dict[str, Any] = json.loads(body or b"{}")
        return content
    # Of S3's documents, only the role of a replication matters here.
    if b"<ReplicationConfiguration" in body[:400]:
        for element in ElementTree.fromstring(body).iter():  # noqa: S314 - the caller is on loopback
            if element.tag.rpartition("}")[2] == "Role":
                return {"Role": element.text or ""}
    return {}
