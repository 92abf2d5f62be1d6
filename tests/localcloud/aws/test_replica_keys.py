"""Replicas of multi-region KMS keys by the AWS stand-in's table: what one seals, the other opens."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError

from localcloud.plugins.table import GoneError, RefusedError
from tests.localcloud.aws_harness import HERE, TABLES, THERE, LocalAws, Made, local_aws

REPLICA = "aws:kms/replicaKey:ReplicaKey"


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    with local_aws() as running:
        yield running


def test_a_replica_is_the_same_key_with_a_life_of_its_own(aws: LocalAws) -> None:
    cloud = aws.connect()
    primary = Made.create(
        cloud, "aws:kms/key:Key", description="state", multiRegion=True, enableKeyRotation=True, deletionWindowInDays=7
    )
    replica = Made.create(
        cloud,
        REPLICA,
        region=THERE,
        primaryKeyArn=primary.outputs["arn"],
        description="state, in Ireland",
        deletionWindowInDays=7,
        tags={"tier": "vault"},
    )
    assert replica.identity == primary.identity
    assert primary.identity.startswith("mrk-")
    assert replica.outputs["arn"] == primary.outputs["arn"].replace(HERE, THERE)
    assert replica.outputs["keyRotationEnabled"]
    assert replica.outputs["tagsAll"] == {"owner": "platform", "tier": "vault"}
    here, there = aws.client("kms"), aws.client("kms", THERE)
    sealed = here.encrypt(KeyId=primary.identity, Plaintext=b"the passphrase")["CiphertextBlob"]
    assert there.decrypt(CiphertextBlob=sealed)["Plaintext"] == b"the passphrase"

    replica.change(description="renamed", tags={"tier": "gold"})
    replica.change(enabled=False)
    assert primary.drift() == set()
    with pytest.raises(ClientError, match="DisabledException"):
        there.decrypt(CiphertextBlob=sealed)
    replica.change(enabled=None)
    replica.delete()
    with pytest.raises(GoneError):
        replica.read()
    with pytest.raises(GoneError):
        replica.delete()
    assert here.decrypt(CiphertextBlob=sealed)["Plaintext"] == b"the passphrase"


def test_what_has_no_replica_is_refused(aws: LocalAws) -> None:
    cloud = aws.connect()
    single = Made.create(cloud, "aws:kms/key:Key", description="one region")
    table = TABLES[REPLICA]
    with pytest.raises(ClientError, match="UnsupportedOperationException"):
        table.create(cloud, {"region": THERE, "primaryKeyArn": single.outputs["arn"]})
    with pytest.raises(RefusedError, match="`primaryKeyArn` of a replica key is 'mrk-1'; it must be a key's ARN"):
        table.create(cloud, {"region": THERE, "primaryKeyArn": "mrk-1"})
    with pytest.raises(RefusedError, match="is not a multi-Region replica key"):
        table.read(cloud, f"{single.identity}@{HERE}", {})
