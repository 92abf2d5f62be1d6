"""A local AWS for each module, with a role and a database to back up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from localcloud.plugins.aws.connection import Cloud
from tests.localcloud.aws.backup.harness import TRUST
from tests.localcloud.aws_harness import LocalAws, a_database, a_key, a_network, local_aws


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    with local_aws() as running:
        yield running


@pytest.fixture(scope="module")
def cloud(aws: LocalAws) -> Cloud:
    return aws.connect()


@pytest.fixture(scope="module")
def role(aws: LocalAws) -> str:
    created = aws.client("iam").create_role(RoleName="backups", AssumeRolePolicyDocument=TRUST)
    return str(created["Role"]["Arn"])


@pytest.fixture(scope="module")
def database(aws: LocalAws) -> Any:
    return a_database(
        aws,
        "prod",
        DBSubnetGroupName=a_network(aws),
        StorageEncrypted=True,
        KmsKeyId=a_key(aws),
        Tags=[{"Key": "tier", "Value": "1"}],
    )
