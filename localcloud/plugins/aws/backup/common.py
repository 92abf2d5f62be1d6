"""What the tables of AWS Backup share: its tags, and asking for what may not be there."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from localcloud.plugins.aws.common import change_tags, code
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


def found_at(codes: tuple[str, ...], call: Any, **asked: Any) -> Any:
    """What a call answers, or None where it says that there is no such thing."""
    try:
        return call(**asked)
    except ClientError as error:
        if code(error) in codes:
            return None
        raise
