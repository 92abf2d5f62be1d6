"""Change the tags of RDS's objects."""

from __future__ import annotations

from localcloud.plugins.aws.common import change_tags, client, from_tag_list, tag_list
from localcloud.plugins.aws.connection import Cloud
from localcloud.plugins.table import Props


def retag(cloud: Cloud, arn: str, inputs: Props) -> None:
    rds = client(cloud, "rds", inputs)
    change_tags(
        cloud,
        from_tag_list(rds.list_tags_for_resource(ResourceName=arn)["TagList"]),
        inputs,
        lambda tags: rds.add_tags_to_resource(ResourceName=arn, Tags=tag_list(tags)),
        lambda keys: rds.remove_tags_from_resource(ResourceName=arn, TagKeys=keys),
    )
