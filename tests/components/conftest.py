"""Fixtures: the vault's outputs, which production and recovery read, and a local AWS, which has their databases."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pulumi_aws
import pytest

import plan
from tests.components.recording import deploy_stack

if TYPE_CHECKING:
    from tests.localcloud.aws_harness import LocalAws

# The SDK loads a module when one of its classes is first used; naming the module does not load it. Before Python
# 3.11.9, that is not safe while another thread iterates over the loaded modules. The servers of other tests do that, so
# the modules are loaded here, before any test runs.
LOADED = (
    pulumi_aws.backup.Vault,
    pulumi_aws.cloudtrail.Trail,
    pulumi_aws.cloudwatch.EventRule,
    pulumi_aws.ec2.Vpc,
    pulumi_aws.iam.Role,
    pulumi_aws.iam.RolePolicyAttachment,
    pulumi_aws.kms.Key,
    pulumi_aws.rds.Instance,
    pulumi_aws.s3.Bucket,
    pulumi_aws.s3.BucketObjectLockConfiguration,
    pulumi_aws.secretsmanager.Secret,
    pulumi_aws.sns.Topic,
    pulumi_aws.vpc.SecurityGroupIngressRule,
)


@pytest.fixture(scope="session")
def vault_outputs() -> dict[str, Any]:
    """The outputs of the vault's stack, from a run of the program itself."""
    return deploy_stack("vault").outputs


@pytest.fixture(scope="session")
def vault(vault_outputs: dict[str, Any]) -> dict[str, Any]:
    """The vault that other stacks read. A module may replace it."""
    return vault_outputs


@contextmanager
def aws_in_environment() -> Iterator[LocalAws]:
    """Start a local AWS, and point the environment at it."""
    # Imported here, so that only the tests that use it load it, and before it serves requests.
    from tests.localcloud.aws_harness import local_aws

    with local_aws() as made, pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ENDPOINT_URL", made.endpoint)
        environment.setenv("AWS_ACCESS_KEY_ID", "LKIATESTTESTTESTTEST")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
        yield made


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    """A local AWS for all tests of a module."""
    with aws_in_environment() as made:
        yield made


@pytest.fixture(scope="module")
def lost(aws: LocalAws) -> dict[str, Any]:
    """The replicated backup of a deleted database that had the name of production's."""
    regions = plan.load().residency.aws
    home_region, recovery_region = regions.home_region, regions.recovery_region
    home, far = (aws.client("rds", region) for region in (home_region, recovery_region))
    database = home.create_db_instance(
        DBInstanceIdentifier="botbrains-prod-database",
        DBInstanceClass="db.m7g.large",
        Engine="postgres",
        EngineVersion="18",
        AllocatedStorage=130,
        MasterUsername="botbrains",
        ManageMasterUserPassword=True,
        StorageEncrypted=True,
        KmsKeyId=aws.client("kms", home_region).create_key()["KeyMetadata"]["Arn"],
        BackupRetentionPeriod=35,
    )["DBInstance"]
    replicated: dict[str, Any] = far.start_db_instance_automated_backups_replication(
        SourceDBInstanceArn=database["DBInstanceArn"],
        KmsKeyId=aws.client("kms", recovery_region).create_key()["KeyMetadata"]["Arn"],
        BackupRetentionPeriod=35,
    )["DBInstanceAutomatedBackup"]
    # These tests create production from nothing. An existing database would not be created, so only copies remain.
    home.delete_db_instance(DBInstanceIdentifier="botbrains-prod-database", SkipFinalSnapshot=True)
    return replicated


@pytest.fixture(scope="module")
def vault_with_backup(vault_outputs: dict[str, Any], lost: dict[str, Any]) -> dict[str, Any]:
    """The vault's outputs, with the key that the replicated backup is encrypted with."""
    return {**vault_outputs, "database_key_arn": lost["KmsKeyId"]}
