"""The tags of AWS Backup's objects, which are changed in place."""

from __future__ import annotations

from typing import Any

from localcloud.plugins.aws.common import change_tags
from localcloud.plugins.aws.connection import Cloud
from localcloud.plugins.table import Props


def tags_of(backup: Any, arn: str) -> dict[str, str]:
    found: dict[str, str] = backup.list_tags(ResourceArn=arn).get("Tags", {})
    return found


def change_tags_of(cloud: Cloud, backup: Any, arn: str, inputs: Props) -> None:
    change_tags(
        cloud,
        tags_of(backup, arn),
        inputs,
        lambda tags: backup.tag_resource(ResourceArn=arn, Tags=tags),
        lambda keys: backup.untag_resource(ResourceArn=arn, TagKeyList=keys),
    )
