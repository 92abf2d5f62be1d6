"""The local AWS as a process: what it still knows after it ended, and which doors of moto's it does not have."""

from __future__ import annotations

import io
import json
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import pytest
from botocore.exceptions import ClientError
from moto.kms.models import kms_backends
from werkzeug.test import Client

from localcloud.aws import create_app
from localcloud.aws.kms.keys import _NoPrivateKey
from localcloud.aws.persistence import _MOVED, _Bodies, _Unpickler
from localcloud.aws.ssm.activations import Activation
from localcloud.instance.folder import LocalCloudError
from tests.localcloud.aws_harness import HERE, THERE, a_database, a_key, a_network, local_aws


def test_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    with local_aws(tmp_path) as first:
        key, far = a_key(first), a_key(first, THERE)
        sealed = first.client("kms").encrypt(KeyId=key, Plaintext=b"the passphrase")["CiphertextBlob"]
        signer = first.client("kms").create_key(KeyUsage="SIGN_VERIFY", KeySpec="ECC_NIST_P256")["KeyMetadata"]["Arn"]
        question = {"KeyId": signer, "Message": b"m", "SigningAlgorithm": "ECDSA_SHA_256"}
        signature = first.client("kms").sign(**question)["Signature"]
        s3 = first.client("s3", THERE)
        s3.create_bucket(Bucket="state", CreateBucketConfiguration={"LocationConstraint": THERE})
        s3.put_bucket_versioning(Bucket="state", VersioningConfiguration={"Status": "Enabled"})
        old = s3.put_object(Bucket="state", Key="k", Body=b"old")["VersionId"]
        s3.put_object(Bucket="state", Key="k", Body=b"new", Metadata={"m": "1"})
        group = a_network(first)
        database = a_database(
            first, "prod", DBSubnetGroupName=group, StorageEncrypted=True, KmsKeyId=key, BackupRetentionPeriod=35
        )
        backup = first.client("rds", THERE).start_db_instance_automated_backups_replication(
            SourceDBInstanceArn=database["DBInstanceArn"], KmsKeyId=far, BackupRetentionPeriod=14
        )["DBInstanceAutomatedBackup"]["DBInstanceAutomatedBackupsArn"]
        secret = database["MasterUserSecret"]["SecretArn"]
        password = first.client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"]
        default_key = first.client("kms").describe_key(KeyId="alias/aws/s3")["KeyMetadata"]["Arn"]
        vpcs = first.client("ec2", "eu-north-1").describe_vpcs()["Vpcs"]  # a look alone makes the default network
        first.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument="{}")

    with local_aws(tmp_path) as second:
        kms, s3, rds = second.client("kms"), second.client("s3", THERE), second.client("rds")
        assert kms.decrypt(CiphertextBlob=sealed)["Plaintext"] == b"the passphrase"
        assert kms.verify(**question, Signature=signature)["SignatureValid"]
        assert kms.describe_key(KeyId="alias/aws/s3")["KeyMetadata"]["Arn"] == default_key
        assert s3.get_object(Bucket="state", Key="k", VersionId=old)["Body"].read() == b"old"
        newest = s3.head_object(Bucket="state", Key="k")
        assert (newest["Metadata"], newest["ContentLength"]) == ({"m": "1"}, 3)
        found = rds.describe_db_instances()["DBInstances"][0]
        for moving in ("LatestRestorableTime", "MasterUserSecret", "DBInstanceAutomatedBackupsReplications"):
            found.pop(moving)
            database.pop(moving)
        assert found == database
        assert second.client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"] == password
        assert second.client("ec2", "eu-north-1").describe_vpcs()["Vpcs"] == vpcs
        assert second.client("iam").get_role(RoleName="r")
        kept = second.client("rds", THERE).describe_db_instance_automated_backups(DBInstanceAutomatedBackupsArn=backup)
        assert kept["DBInstanceAutomatedBackups"][0]["Status"] == "replicating"
        # What was loaded is one whole again: RDS's subnets are EC2's, and its secret goes with the instance.
        subnet = found["DBSubnetGroup"]["Subnets"][0]["SubnetIdentifier"]
        with pytest.raises(ClientError, match="DependencyViolation"):
            second.client("ec2").delete_subnet(SubnetId=subnet)
        rds.delete_db_instance(DBInstanceIdentifier="prod", SkipFinalSnapshot=True)
        with pytest.raises(ClientError, match="ResourceNotFound"):
            second.client("secretsmanager").describe_secret(SecretId=secret)
        s3.delete_object(Bucket="state", Key="k", VersionId=old)

    with local_aws(tmp_path) as third:
        assert third.client("rds").describe_db_instances()["DBInstances"] == []
        kept = third.client("rds", THERE).describe_db_instance_automated_backups()["DBInstanceAutomatedBackups"]
        assert [backup["Status"] for backup in kept] == ["retained"]
    assert len(list((tmp_path / "s3-bodies").iterdir())) == 1  # the deleted version's is gone


def test_every_answer_is_on_disk_before_it_is_given(tmp_path: Path) -> None:
    """After a kill at any moment, the folder holds everything that was answered."""
    with local_aws(tmp_path / "one") as aws:
        for number in range(3):
            key = a_key(aws)
            copy = tmp_path / f"copy-{number}"
            copy.mkdir()
            for file in (tmp_path / "one").iterdir():
                if file.is_file():
                    (copy / file.name).write_bytes(file.read_bytes())
    with local_aws(copy) as aws:
        keys = [entry["KeyArn"] for entry in aws.client("kms").list_keys()["Keys"]]
        assert len(keys) == 3
        assert key in keys


def test_a_state_that_it_cannot_read_is_left_alone(tmp_path: Path) -> None:
    with local_aws(tmp_path) as aws:
        a_key(aws)
    file = tmp_path / f"kms.123456789012.{HERE}.pickle"
    whole = file.read_bytes()
    file.write_bytes(whole[:-20])
    with pytest.raises(LocalCloudError, match=rf"{re.escape(str(tmp_path))} \(kms.*make down"):
        create_app(tmp_path)
    file.write_bytes(whole)
    for unknown in ("moto 4.0.0, form 2", "moto 5.2.5, form 1"):
        (tmp_path / "version").write_text(f"{unknown}\n")
        with pytest.raises(LocalCloudError, match=f"written by {re.escape(unknown)}, this is"):
            create_app(tmp_path)
        assert (tmp_path / "version").read_text() == f"{unknown}\n"
    assert file.read_bytes() == whole


def test_state_of_form_2_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A state in which the classes still have the modules that they had before the packages."""
    with monkeypatch.context() as earlier, local_aws(tmp_path) as aws:
        for module, kind in (
            ("localcloud.aws.kms_keys", _NoPrivateKey),
            ("localcloud.aws.ssm_activations", Activation),
        ):
            earlier.setitem(sys.modules, module, ModuleType(module))
            earlier.setattr(sys.modules[module], kind.__name__, kind, raising=False)
            earlier.setattr(kind, "__module__", module)
        key = a_key(aws)
        trust = {"Statement": {"Effect": "Allow", "Principal": {"Service": "ssm.amazonaws.com"}}}
        aws.client("iam").create_role(RoleName="node", AssumeRolePolicyDocument=json.dumps(trust))
        activation = aws.client("ssm").create_activation(IamRole="node")["ActivationId"]
    assert b"localcloud.aws.kms_keys" in (tmp_path / f"kms.123456789012.{HERE}.pickle").read_bytes()
    assert b"localcloud.aws.ssm_activations" in (tmp_path / f"ssm.123456789012.{HERE}.pickle").read_bytes()
    version = tmp_path / "version"
    written = version.read_text()
    version.write_text(written.replace("form 3", "form 2"))

    with local_aws(tmp_path) as aws:
        assert [entry["KeyArn"] for entry in aws.client("kms").list_keys()["Keys"]] == [key]
        found = aws.client("ssm").describe_activations()["ActivationList"]
        assert [entry["ActivationId"] for entry in found] == [activation]
    assert version.read_text() == written


@pytest.mark.parametrize(("module", "name"), _MOVED)
def test_moved_class_is_found(module: str, name: str, tmp_path: Path) -> None:
    found = _Unpickler(io.BytesIO(), _Bodies(tmp_path)).find_class(module, name)
    assert (found.__module__, found.__name__) == (_MOVED[module, name], name)


def test_a_change_from_outside_a_request_is_written_down(tmp_path: Path) -> None:
    app = create_app(tmp_path)
    with app.changing("kms"):
        made = kms_backends["123456789012"][HERE].create_key(None, "ENCRYPT_DECRYPT", "SYMMETRIC_DEFAULT", "", None)
    with local_aws(tmp_path) as aws:
        assert [entry["KeyId"] for entry in aws.client("kms").list_keys()["Keys"]] == [made.id]
    with pytest.raises(RuntimeError, match="a later local AWS took over"):
        Client(app).get("/")


def test_many_at_once(tmp_path: Path) -> None:
    with local_aws(tmp_path) as aws:
        s3 = aws.client("s3", "us-east-1")
        s3.create_bucket(Bucket="busy")

        def one(number: int) -> None:
            s3.put_object(Bucket="busy", Key=f"k{number}", Body=b"x" * number)
            aws.client("kms").create_key(Description=str(number))

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(one, range(40)))
    with local_aws(tmp_path) as aws:
        found = aws.client("s3", "us-east-1").list_objects_v2(Bucket="busy")["Contents"]
        assert {(entry["Key"], entry["Size"]) for entry in found} == {(f"k{n}", n) for n in range(40)}
        assert len(aws.client("kms").list_keys()["Keys"]) == 40


def test_a_bucket_is_not_made_anew_over_one_that_is_there(tmp_path: Path) -> None:
    with local_aws(tmp_path) as aws:
        aws.client("s3", "us-east-1").create_bucket(Bucket="mine")
        aws.client("s3", "us-east-1").put_object(Bucket="mine", Key="one", Body=b"1")
    with local_aws(tmp_path) as aws:
        s3 = aws.client("s3", "us-east-1")
        s3.create_bucket(Bucket="mine")  # only in us-east-1, the owner can do this without an error
        assert s3.list_objects_v2(Bucket="mine")["KeyCount"] == 1


def test_motos_own_doors_are_closed(capfd: pytest.CaptureFixture[str]) -> None:
    app = create_app(None)
    for path in ("/moto-api/reset", "/moto-api/data.json", "/latest/meta-data/"):
        assert Client(app).post(path).status_code == 501
    answer = Client(app).get("/", headers={"Origin": "https://example.org"})
    assert not [name for name, _ in answer.headers if name.lower().startswith("access-control")]
    assert capfd.readouterr() == ("", "")
