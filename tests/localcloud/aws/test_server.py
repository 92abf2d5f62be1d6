"""The local AWS itself: what it remembers, what it refuses, and the calls that were added to moto."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.localcloud.aws_harness import HERE, THERE, LocalAws, a_database, a_key, local_aws


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    with local_aws() as running:
        yield running


# -- what it refuses --------------------------------------------------------------------------------------------------


def test_what_is_not_there_is_refused_by_name(aws: LocalAws) -> None:
    for service, call, words in (
        ("sqs", "list_queues", "has no AWS service 'sqs'"),
        ("lambda", "list_functions", "has no AWS service 'lambda'"),
        ("rds", "describe_db_engine_versions", "does not do rds:DescribeDBEngineVersions"),
        ("kms", "describe_custom_key_stores", "does not do kms:DescribeCustomKeyStores"),
        ("ec2", "describe_trunk_interface_associations", "does not do ec2:DescribeTrunkInterfaceAssociations"),
    ):
        with pytest.raises(ClientError, match=words) as refused:
            getattr(aws.client(service), call)()
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501
    with pytest.raises(ClientError, match="is not a region of rds"):
        aws.client("rds", "eu-middle-1").describe_db_instances()


def test_a_fault_of_ours_is_an_error_in_the_services_form(aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> None:
    from moto.rds.models import RDSBackend

    monkeypatch.setattr(RDSBackend, "describe_db_subnet_groups", lambda *_: 1 / 0)
    with pytest.raises(ClientError, match=r"InternalFailure.*ZeroDivisionError"):
        aws.client("rds").describe_db_subnet_groups()


def test_quotas_are_the_accounts_or_only_defaults(aws: LocalAws) -> None:
    quotas = aws.client("service-quotas")
    for service, code, value in (("rds", "L-7B6409FD", 40), ("vpc", "L-F678F1CE", 5)):
        for read in (quotas.get_service_quota, quotas.get_aws_default_service_quota):
            assert read(ServiceCode=service, QuotaCode=code)["Quota"]["Value"] == value
    keys = {"ServiceCode": "kms", "QuotaCode": "L-C2F1777E"}
    with pytest.raises(ClientError, match="NoSuchResourceException"):
        quotas.get_service_quota(**keys)
    assert quotas.get_aws_default_service_quota(**keys)["Quota"]["Value"] == 100_000


# -- RDS: backups and their replication -------------------------------------------------------------------------------


def test_replication_of_backups(aws: LocalAws) -> None:
    near, far, other = a_key(aws), a_key(aws, THERE), a_key(aws, THERE)
    source = a_database(aws, "source", StorageEncrypted=True, KmsKeyId=near, BackupRetentionPeriod=7)
    here, there = aws.client("rds"), aws.client("rds", THERE)
    wanted = {"SourceDBInstanceArn": source["DBInstanceArn"], "KmsKeyId": far, "BackupRetentionPeriod": 14}

    for wrong, code in (
        ({"KmsKeyId": near}, "KMSKeyNotAccessibleFault"),  # a key of the source's region
        ({"KmsKeyId": f"arn:aws:kms:{THERE}:123456789012:key/none"}, "KMSKeyNotAccessibleFault"),
        ({"SourceDBInstanceArn": source["DBInstanceArn"] + "x"}, "DBInstanceNotFound"),
        ({"SourceDBInstanceArn": "source"}, "InvalidParameterValue"),
        ({"BackupRetentionPeriod": 36}, "InvalidParameterValue"),
    ):
        with pytest.raises(ClientError, match=code):
            there.start_db_instance_automated_backups_replication(**{**wanted, **wrong})
    with pytest.raises(ClientError, match="Encrypted instances require a valid KMS key ID"):
        there.start_db_instance_automated_backups_replication(SourceDBInstanceArn=source["DBInstanceArn"])
    with pytest.raises(ClientError, match="is in the current region"):
        here.start_db_instance_automated_backups_replication(**wanted)

    copy = there.start_db_instance_automated_backups_replication(**wanted)["DBInstanceAutomatedBackup"]
    arn = copy["DBInstanceAutomatedBackupsArn"]
    assert re.fullmatch(rf"arn:aws:rds:{THERE}:123456789012:auto-backup:ab-[a-z2-7]{{26}}", arn)
    expected = {
        "DBInstanceArn": source["DBInstanceArn"],
        "DbiResourceId": source["DbiResourceId"],
        "DBInstanceIdentifier": "source",
        "Region": HERE,
        "KmsKeyId": far,
        "BackupRetentionPeriod": 14,
        "Status": "replicating",
        "Encrypted": True,
        "EngineVersion": source["EngineVersion"],
    }
    assert {key: copy[key] for key in expected} == expected
    assert timedelta() <= copy["RestoreWindow"]["LatestTime"] - copy["RestoreWindow"]["EarliestTime"]
    with pytest.raises(ClientError, match="InvalidDBInstanceAutomatedBackupState"):
        there.start_db_instance_automated_backups_replication(**wanted)

    replicated = [{"DBInstanceAutomatedBackupsArn": arn}]
    instance = here.describe_db_instances(DBInstanceIdentifier="source")["DBInstances"][0]
    assert instance["DBInstanceAutomatedBackupsReplications"] == replicated
    own = here.describe_db_instance_automated_backups(DBInstanceIdentifier="source")["DBInstanceAutomatedBackups"][0]
    assert (own["Status"], own["DBInstanceAutomatedBackupsReplications"]) == ("active", replicated)
    with pytest.raises(ClientError, match="InvalidDBInstanceAutomatedBackupState"):
        there.delete_db_instance_automated_backup(DBInstanceAutomatedBackupsArn=arn)

    stopped = there.stop_db_instance_automated_backups_replication(SourceDBInstanceArn=source["DBInstanceArn"])
    assert stopped["DBInstanceAutomatedBackup"]["Status"] == "retained"
    with pytest.raises(ClientError, match="not replicating to the current region"):
        there.stop_db_instance_automated_backups_replication(SourceDBInstanceArn=source["DBInstanceArn"])
    with pytest.raises(ClientError, match=f"encrypted with {far}"):
        there.start_db_instance_automated_backups_replication(**{**wanted, "KmsKeyId": other})
    again = there.start_db_instance_automated_backups_replication(**wanted)["DBInstanceAutomatedBackup"]
    assert (again["DBInstanceAutomatedBackupsArn"], again["Status"]) == (arn, "replicating")

    # Losing a key of either region stops it; starting again takes a person.
    aws.client("kms", THERE).disable_key(KeyId=far)
    found = there.describe_db_instance_automated_backups(
        Filters=[{"Name": "dbi-resource-id", "Values": [source["DbiResourceId"]]}]
    )["DBInstanceAutomatedBackups"]
    assert [backup["Status"] for backup in found] == ["retained"]
    there.delete_db_instance_automated_backup(DBInstanceAutomatedBackupsArn=arn)
    with pytest.raises(ClientError, match="DBInstanceAutomatedBackupNotFound"):
        there.describe_db_instance_automated_backups(DBInstanceAutomatedBackupsArn=arn)


def test_copies_follow_their_own_instance_only(aws: LocalAws) -> None:
    """A database with the name of a deleted one is a new database, and so is its copy."""
    there = aws.client("rds", THERE)
    arns = []
    for _ in range(2):
        database = a_database(aws, "twice", BackupRetentionPeriod=1)
        started = there.start_db_instance_automated_backups_replication(SourceDBInstanceArn=database["DBInstanceArn"])
        arns.append(started["DBInstanceAutomatedBackup"]["DBInstanceAutomatedBackupsArn"])
        aws.client("rds").delete_db_instance(DBInstanceIdentifier="twice", SkipFinalSnapshot=True)
    kept = there.describe_db_instance_automated_backups(DBInstanceIdentifier="twice")["DBInstanceAutomatedBackups"]
    assert {(backup["DBInstanceAutomatedBackupsArn"], backup["Status"]) for backup in kept} == {
        (arn, "retained") for arn in arns
    }
    assert len({backup["DbiResourceId"] for backup in kept}) == 2


def test_switching_backups_off_deletes_them(aws: LocalAws) -> None:
    database = a_database(aws, "off", BackupRetentionPeriod=1)
    rds = aws.client("rds")
    changed = rds.modify_db_instance(DBInstanceIdentifier="off", BackupRetentionPeriod=0, ApplyImmediately=True)
    assert "LatestRestorableTime" not in changed["DBInstance"]
    with pytest.raises(ClientError, match="DBInstanceAutomatedBackupNotFound"):
        rds.describe_db_instance_automated_backups(DbiResourceId=database["DbiResourceId"])
    with pytest.raises(ClientError, match="InvalidDBInstanceState"):
        aws.client("rds", THERE).start_db_instance_automated_backups_replication(
            SourceDBInstanceArn=database["DBInstanceArn"]
        )


def test_source_regions(aws: LocalAws) -> None:
    there = aws.client("rds", THERE)
    every = {
        region["RegionName"]: region["SupportsDBInstanceAutomatedBackupsReplication"]
        for region in there.describe_source_regions()["SourceRegions"]
    }
    assert every[HERE]
    assert THERE not in every
    assert not every["eu-south-1"]
    assert len(there.describe_source_regions(RegionName=HERE)["SourceRegions"]) == 1
    with pytest.raises(ClientError, match="InvalidParameterValue"):
        there.describe_source_regions(RegionName=THERE)


# -- RDS: instances ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"EngineVersion": "9.6"}, "Cannot find version 9.6 for postgres"),
        ({"BackupRetentionPeriod": 36}, "Invalid backup retention period: 36"),
        ({"KmsKeyId": "alias/none", "StorageEncrypted": True}, "KMSKeyNotAccessibleFault"),
        ({"ManageMasterUserPassword": False}, "MasterUserPassword must be provided"),
        ({"ManageMasterUserPassword": False, "MasterUserPassword": "short"}, "shorter than 8 characters"),
        ({"MasterUserPassword": "longenough"}, "can't specify MasterUserPassword"),
        ({"VpcSecurityGroupIds": ["sg-00000000000000000"]}, "Invalid security group"),
        ({"DBSubnetGroupName": "none"}, "DBSubnetGroupNotFoundFault"),
        ({"DBParameterGroupName": "none"}, "DBParameterGroupNotFound"),
    ],
)
def test_an_instance_is_refused(aws: LocalAws, asked: dict[str, Any], code: str) -> None:
    with pytest.raises(ClientError, match=code):
        a_database(aws, "never", **asked)
    with pytest.raises(ClientError, match="DBInstanceNotFound"):
        aws.client("rds").describe_db_instances(DBInstanceIdentifier="never")


def test_what_aws_chooses_is_chosen(aws: LocalAws) -> None:
    first, second = (a_database(aws, name, EngineVersion="16", StorageEncrypted=True) for name in ("left", "right"))
    assert first["DbiResourceId"] != second["DbiResourceId"]
    assert first["EngineVersion"].startswith("16.")
    assert first["LicenseModel"] == "postgresql-license"
    assert first["StorageType"] == "gp3"
    assert (first["Iops"], first["StorageThroughput"]) == (3000, 125)
    assert first["DBSubnetGroup"]["DBSubnetGroupName"] == "default"
    default = aws.client("kms").describe_key(KeyId="alias/aws/rds")["KeyMetadata"]["Arn"]
    assert first["KmsKeyId"] == default
    passwords = {
        aws.client("secretsmanager").get_secret_value(SecretId=database["MasterUserSecret"]["SecretArn"])[
            "SecretString"
        ]
        for database in (first, second)
    }
    assert len(passwords) == 2


def test_keys_that_are_out_of_use_open_nothing(aws: LocalAws) -> None:
    kms, key = aws.client("kms"), a_key(aws)
    sealed = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    kms.disable_key(KeyId=key)
    with pytest.raises(ClientError, match="DisabledException"):
        kms.decrypt(CiphertextBlob=sealed)
    kms.enable_key(KeyId=key)
    assert kms.decrypt(CiphertextBlob=sealed)["Plaintext"] == b"x"
    with pytest.raises(ClientError, match="ValidationException"):
        kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=6)
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    with pytest.raises(ClientError, match="KMSInvalidStateException"):
        kms.decrypt(CiphertextBlob=sealed)
    with pytest.raises(ClientError, match="KMSKeyNotAccessibleFault"):
        a_database(aws, "sealed", StorageEncrypted=True, KmsKeyId=key)


def test_a_bucket_that_refuses_what_is_not_tls_takes_what_comes_over_loopback(aws: LocalAws) -> None:
    s3 = aws.client("s3", HERE)
    s3.create_bucket(Bucket="tls-only", CreateBucketConfiguration={"LocationConstraint": HERE})
    everything = {"Principal": "*", "Resource": ["arn:aws:s3:::tls-only", "arn:aws:s3:::tls-only/*"]}
    over_tls = {"Effect": "Deny", "Action": "s3:*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}
    for_ever = {"Effect": "Deny", "Action": "s3:DeleteObject"}
    statements = [{**everything, **over_tls}, {**everything, **for_ever}]
    s3.put_bucket_policy(Bucket="tls-only", Policy=json.dumps({"Version": "2012-10-17", "Statement": statements}))
    s3.put_object(Bucket="tls-only", Key="one", Body=b"1")
    assert s3.get_object(Bucket="tls-only", Key="one")["Body"].read() == b"1"
    with pytest.raises(ClientError, match="403"):
        s3.delete_object(Bucket="tls-only", Key="one")
