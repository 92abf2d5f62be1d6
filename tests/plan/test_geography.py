"""Tests of the EU's regions against AWS's own SDK."""

from __future__ import annotations

import boto3
import pytest

from plan.geography import AWS_EU_PARTITIONS, AWS_EU_REGIONS, aws_partition


@pytest.mark.parametrize("region", sorted(AWS_EU_REGIONS))
def test_partition_of_region_is_the_sdks(region: str) -> None:
    assert aws_partition(region) == boto3.Session().get_partition_for_region(region)
    assert aws_partition(region) in AWS_EU_PARTITIONS
