"""The regions of AWS that a request needs, and the regions that do not answer.

A request needs the region that it was signed for. Without a signature it needs the region in the name of its host. A
request to S3 also needs the regions of the buckets that it names, because their objects are stored there, although any
region's endpoint accepts the request. A listing of all buckets names no bucket.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import unquote
from xml.etree import ElementTree

from moto.s3.models import s3_backends
from moto.s3.responses import S3Response
from moto.s3.utils import bucket_name_from_url
from werkzeug.wrappers import Request

from localcloud.aws.signatures import credential_of

# Of SSM only, which has a regional call without a signature.
_HOST: Final = re.compile(r"ssm\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(:\d+)?")

_is_dead: Callable[[str], bool] = lambda region: False  # noqa: E731 - until `follow`


def follow(is_dead: Callable[[str], bool]) -> None:
    """Use this function to find out which regions are dead. It holds for the process, like moto's state."""
    global _is_dead
    _is_dead = is_dead


def is_dead(region: str) -> bool:
    """Whether a region is cut off. Then nothing inside the local AWS may read from it or write to it."""
    return _is_dead(region)


def needed(environ: dict[str, Any], body: bytes) -> tuple[str | None, ...]:
    """Return the regions that a request needs: first the one that it was signed for (`None` without a signature).

    `body` may be empty while it has not been received. It is not read from `environ`.
    """
    region, service = _signed_for(environ)
    if service not in (None, "s3"):
        return (region,)
    return (region, *_of_buckets(environ, body))


def _signed_for(environ: dict[str, Any]) -> tuple[str | None, str | None]:
    """The region and the service that a request is for."""
    credential = credential_of(environ)
    if credential.service:
        return credential.region, credential.service
    unsigned = of_host(environ)
    return (unsigned, "ssm") if unsigned else (None, None)


def of_host(environ: dict[str, Any]) -> str | None:
    """The region in the `Host` that an unsigned request to SSM is for."""
    match = _HOST.fullmatch(environ.get("HTTP_HOST", ""))
    return match["region"] if match else None


def _of_buckets(environ: dict[str, Any], body: bytes) -> Iterator[str]:
    request = Request(environ)
    path = request.path.lstrip("/")
    if request.path.startswith("/v20180820/"):  # S3 Control, which may name a bucket by its ARN
        yield from _home(path.partition(":::")[2].partition("/")[0])
        return
    if S3Response.subdomain_based_buckets(request):
        bucket, key = str(bucket_name_from_url(request.url) or ""), path
    else:
        bucket, _, key = path.partition("/")
    yield from _home(bucket)
    # A copy reads another bucket: `/BUCKET/KEY?versionId=…`, percent-encoded.
    source = unquote(request.headers.get("x-amz-copy-source", "")).lstrip("/")
    yield from _home(source.partition("/")[0])
    if request.method == "PUT" and bucket and not key and not request.query_string:
        yield from _chosen_home(body)


def _home(bucket: str) -> Iterator[str]:
    """The region of a bucket, if it exists. Names are unique over all accounts."""
    for account in list(s3_backends.values()):  # lists, because other requests may add an account meanwhile
        for backend in list(account.values()):
            found = backend.buckets.get(bucket)
            if found is not None:
                yield str(found.region_name)


def _chosen_home(body: bytes) -> Iterator[str]:
    """The region in which a bucket is to be created: the `LocationConstraint` of the body."""
    try:
        document = ElementTree.fromstring(body)  # noqa: S314 - expat's own limits hold, and the caller is on loopback
    except ElementTree.ParseError:
        return  # S3 itself answers with an error
    for element in document.iter():
        if element.tag.rpartition("}")[2] == "LocationConstraint" and element.text:
            yield element.text
