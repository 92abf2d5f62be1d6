"""The tags of EC2's objects: set at creation, and changed by one call for all types."""

from __future__ import annotations

from typing import Any

from localcloud.plugins.aws.common import all_tags, change_tags, client, from_tag_list, tag_list
from localcloud.plugins.aws.connection import Cloud
from localcloud.plugins.table import Props


def tags_for(cloud: Cloud, kind: str, inputs: Props) -> dict[str, Any]:
    """Return the argument of a `Create…` call that tags the new object."""
    tags = all_tags(cloud, inputs)
    return {"TagSpecifications": [{"ResourceType": kind, "Tags": tag_list(tags)}]} if tags else {}


def retag(cloud: Cloud, identity: str, inputs: Props) -> None:
    ec2 = client(cloud, "ec2", inputs)
    pages = ec2.get_paginator("describe_tags").paginate(Filters=[{"Name": "resource-id", "Values": [identity]}])
    change_tags(
        cloud,
        from_tag_list(tag for page in pages for tag in page["Tags"]),
        inputs,
        lambda tags: ec2.create_tags(Resources=[identity], Tags=tag_list(tags)),
        lambda keys: ec2.delete_tags(Resources=[identity], Tags=[{"Key": key} for key in keys]),
    )
