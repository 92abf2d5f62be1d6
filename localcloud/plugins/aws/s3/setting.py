"""The form of the settings of a bucket, each of which is a resource type.

The id is the bucket's name. A bucket has at most one setting of each type, so creating it and changing it are one call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from localcloud.plugins.aws.common import (
    REGION,
    client,
    gone_at,
    locate,
)
from localcloud.plugins.aws.connection import Cloud
from localcloud.plugins.table import Property, Props, ResourceType

NO_BUCKET: Final = ("404", "NoSuchBucket")

Put = Callable[[Any, str, Props], None]
Get = Callable[[Any, str], Props]
Remove = Callable[[Any, str, Props], None]


def setting(
    token: str,
    properties: Mapping[str, Property],
    put: Put,
    get: Get,
    remove: Remove,
    absent: tuple[str, ...] = (),
) -> ResourceType:
    """Return the resource type. `absent`: the codes with which S3 answers if the bucket has no such setting."""

    def create(cloud: Cloud, inputs: Props) -> str:
        put(client(cloud, "s3", inputs), inputs["bucket"], inputs)
        return str(inputs["bucket"])

    def read(cloud: Cloud, identity: str, state: Props) -> Props:
        identity, region = locate(cloud, identity, state)
        with gone_at(*NO_BUCKET, *absent):
            found = get(cloud.client("s3", region), identity)
        return {"id": identity, "region": region, "bucket": identity, **found}

    def update(cloud: Cloud, identity: str, old: Props, new: Props, changed: frozenset[str]) -> None:
        put(client(cloud, "s3", new), identity, new)

    def delete(cloud: Cloud, identity: str, state: Props) -> None:
        with gone_at(*NO_BUCKET, *absent):
            remove(client(cloud, "s3", state), identity, state)

    return ResourceType(
        token=token,
        properties={"region": REGION, "bucket": Property(required=True, replaces=True), **properties},
        computed=("region",),
        create=create,
        read=read,
        update=update,
        delete=delete,
    )
