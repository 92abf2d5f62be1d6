"""The permissions that services need from their callers in the local AWS, above all on customers' KMS keys."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from localcloud.aws.kms.tags import TAG_VARIABLE
from tests.localcloud.aws_harness import HERE, THERE, LocalAws, a_key, a_network, local_aws

Permission = dict[str, Any]
Client = Callable[..., Any]


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    with local_aws(enforce_iam=True) as running:
        yield running


@pytest.fixture
def user(aws: LocalAws) -> Iterator[Callable[[Sequence[Permission]], Client]]:
    """A user with exactly the given statements, as clients by service and region."""
    iam, name = aws.client("iam"), "ann"
    iam.create_user(UserName=name)
    key = iam.create_access_key(UserName=name)["AccessKey"]

    def with_statements(statements: Sequence[Permission]) -> Client:
        document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **each} for each in statements]}
        iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=json.dumps(document))
        return lambda service, region=HERE: boto3.client(
            service,
            region_name=region,
            endpoint_url=aws.endpoint,
            aws_access_key_id=key["AccessKeyId"],
            aws_secret_access_key=key["SecretAccessKey"],
        )

    yield with_statements
    iam.delete_user_policy(UserName=name, PolicyName="own")
    iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
    iam.delete_user(UserName=name)


def assert_each_needed(
    user: Callable[[Sequence[Permission]], Client],
    call: Callable[[Client], Any],
    services: Sequence[str],
    needed: Sequence[tuple[str, str, str]],
) -> None:
    """The call fails without each permission on a key (action, key, calling service), and succeeds with all."""
    own = [{"Action": [f"{service}:*" for service in services], "Resource": "*"}]
    on_keys = [
        {
            "Action": action,
            "Resource": key,
            "Condition": {"StringEquals": {"kms:ViaService": f"{via}.amazonaws.com"}},
        }
        for action, key, via in needed
    ]
    for missing in on_keys:
        with pytest.raises(ClientError, match=f"not authorized to perform: {missing['Action']} on resource: "):
            call(user([*own, *(each for each in on_keys if each is not missing)]))
    call(user([*own, *on_keys]))


def test_value_of_secret_needs_its_key_and_the_keys_of_its_replicas(aws: LocalAws, user: Any) -> None:
    here, there = a_key(aws), a_key(aws, THERE)
    via = f"secretsmanager.{HERE}"
    encrypt = [("kms:Decrypt", here, via), ("kms:GenerateDataKey", here, via)]
    copy = [("kms:Encrypt", there, via), ("kms:GenerateDataKey", there, via)]
    replicas = [{"Region": THERE, "KmsKeyId": there}]
    manager = ["secretsmanager"]
    assert_each_needed(
        user,
        lambda of: of("secretsmanager").create_secret(Name="s", KmsKeyId=here, AddReplicaRegions=replicas),
        manager,
        [*encrypt, *copy],
    )
    assert_each_needed(
        user,
        lambda of: of("secretsmanager").put_secret_value(SecretId="s", SecretString="x"),
        manager,
        [*encrypt, *copy],
    )
    assert_each_needed(
        user, lambda of: of("secretsmanager").get_secret_value(SecretId="s"), manager, [("kms:Decrypt", here, via)]
    )
    aws.client("secretsmanager").create_secret(Name="alone", KmsKeyId=here)
    assert_each_needed(
        user,
        lambda of: of("secretsmanager").replicate_secret_to_regions(SecretId="alone", AddReplicaRegions=replicas),
        manager,
        [("kms:Decrypt", here, via), *copy],
    )
    # A key that AWS manages needs no permission.
    of = user([{"Action": "secretsmanager:*", "Resource": "*"}])
    of("secretsmanager").create_secret(Name="plain", SecretString="x")
    assert of("secretsmanager").get_secret_value(SecretId="plain")["SecretString"] == "x"


def test_backup_vault_needs_five_permissions_on_its_key(aws: LocalAws, user: Any) -> None:
    key, via = a_key(aws), f"backup.{HERE}"
    actions = ("CreateGrant", "Decrypt", "DescribeKey", "GenerateDataKey", "RetireGrant")
    needed = [(f"kms:{action}", key, via) for action in actions]

    def create(of: Client) -> None:
        of("backup").create_backup_vault(BackupVaultName="kept", EncryptionKeyArn=key)

    assert_each_needed(user, create, ["backup", "backup-storage"], needed)
    with pytest.raises(ClientError, match="backup-storage:MountCapsule"):
        create(user([{"Action": ["backup:*", "kms:*"], "Resource": "*"}]))


def test_database_needs_its_keys_and_the_secret_of_its_master_user(aws: LocalAws, user: Any) -> None:
    storage, secret, insights, copies = a_key(aws), a_key(aws), a_key(aws), a_key(aws, THERE)
    via = f"rds.{HERE}"
    grant = ("kms:CreateGrant", "kms:DescribeKey")
    encrypt = ("kms:Decrypt", "kms:GenerateDataKey")

    def create(of: Client) -> None:
        of("rds").create_db_instance(
            DBInstanceIdentifier="d",
            DBInstanceClass="db.t4g.small",
            Engine="postgres",
            AllocatedStorage=20,
            BackupRetentionPeriod=3,
            MasterUsername="root",
            DBSubnetGroupName=network,
            StorageEncrypted=True,
            KmsKeyId=storage,
            ManageMasterUserPassword=True,
            MasterUserSecretKmsKeyId=secret,
            EnablePerformanceInsights=True,
            PerformanceInsightsKMSKeyId=insights,
        )

    network = a_network(aws)
    with pytest.raises(ClientError, match="secretsmanager:CreateSecret"):
        create(user([{"Action": ["rds:*", "kms:*"], "Resource": "*"}]))
    needed = [(it, storage, via) for it in grant] + [(it, secret, via) for it in (*grant, *encrypt)]
    needed += [(it, insights, via) for it in encrypt]
    assert_each_needed(user, create, ["rds", "secretsmanager"], needed)
    source = aws.client("rds").describe_db_instances(DBInstanceIdentifier="d")["DBInstances"][0]["DBInstanceArn"]
    assert_each_needed(
        user,
        lambda of: of("rds", THERE).start_db_instance_automated_backups_replication(
            SourceDBInstanceArn=source, KmsKeyId=copies, BackupRetentionPeriod=3
        ),
        ["rds"],
        [(it, copies, f"rds.{THERE}") for it in grant],
    )
    assert_each_needed(
        user,
        lambda of: of("rds").restore_db_instance_to_point_in_time(
            SourceDBInstanceIdentifier="d",
            TargetDBInstanceIdentifier="restored",
            UseLatestRestorableTime=True,
            DBSubnetGroupName=network,
        ),
        ["rds"],
        [(it, storage, via) for it in grant],
    )


def test_objects_need_the_key_of_their_bucket(aws: LocalAws, user: Any) -> None:
    key, via = a_key(aws), f"s3.{HERE}"
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="encrypted", CreateBucketConfiguration={"LocationConstraint": HERE})
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}
    s3.put_bucket_encryption(Bucket="encrypted", ServerSideEncryptionConfiguration={"Rules": [rule]})
    where = {"Bucket": "encrypted", "Key": "k"}
    assert_each_needed(
        user, lambda of: of("s3").put_object(**where, Body=b"x"), ["s3"], [("kms:GenerateDataKey", key, via)]
    )
    assert_each_needed(user, lambda of: of("s3").get_object(**where), ["s3"], [("kms:Decrypt", key, via)])


def test_secure_parameters_need_their_key(aws: LocalAws, user: Any) -> None:
    key, via = a_key(aws), f"ssm.{HERE}"
    what = {"Name": "/secure", "Value": "x", "Type": "SecureString", "KeyId": key}
    assert_each_needed(user, lambda of: of("ssm").put_parameter(**what), ["ssm"], [("kms:Encrypt", key, via)])
    for read in (
        lambda of: of("ssm").get_parameter(Name="/secure", WithDecryption=True),
        lambda of: of("ssm").get_parameters(Names=["/secure"], WithDecryption=True),
    ):
        assert_each_needed(user, read, ["ssm"], [("kms:Decrypt", key, via)])


def test_creation_with_tags_needs_the_permission_to_tag(user: Any) -> None:
    tags = [{"Key": "stack", "Value": "prod"}]
    of = user([{"Action": ["secretsmanager:CreateSecret", "ssm:*"], "Resource": "*"}])
    with pytest.raises(ClientError, match="not authorized to perform: secretsmanager:TagResource"):
        of("secretsmanager").create_secret(Name="tagged", Tags=tags)
    of("ssm").put_parameter(Name="/p", Value="x", Type="String", Tags=tags)


def test_tags_of_a_key_take_effect_late(aws: LocalAws, user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TAG_VARIABLE, "300")
    tag = [{"TagKey": "stack", "TagValue": "prod"}]
    made, tagged = aws.client("kms").create_key(Tags=tag)["KeyMetadata"]["Arn"], a_key(aws)
    aws.client("kms").tag_resource(KeyId=tagged, Tags=tag)
    by_tag = {"StringEquals": {"aws:ResourceTag/stack": "prod"}}
    for key in (made, tagged):
        kms = user([{"Action": "kms:*", "Resource": "*", "Condition": by_tag}])("kms")
        with pytest.raises(ClientError, match="not authorized to perform: kms:EnableKeyRotation"):
            kms.enable_key_rotation(KeyId=key)
        monkeypatch.setenv(TAG_VARIABLE, "0")
        kms.enable_key_rotation(KeyId=key)
        monkeypatch.setenv(TAG_VARIABLE, "300")


def test_ciphertext_names_the_key_of_a_decryption(
    aws: LocalAws, user: Callable[[Sequence[Permission]], Client]
) -> None:
    key, other = a_key(aws), a_key(aws)
    sealed = {each: aws.client("kms").encrypt(KeyId=each, Plaintext=b"x")["CiphertextBlob"] for each in (key, other)}
    kms = user(
        [{"Action": "kms:Decrypt", "Resource": aws.client("kms").describe_key(KeyId=key)["KeyMetadata"]["Arn"]}]
    )("kms")
    assert kms.decrypt(CiphertextBlob=sealed[key])["Plaintext"] == b"x"
    with pytest.raises(ClientError, match="AccessDenied"):
        kms.decrypt(CiphertextBlob=sealed[other])
