"""What keeps Pulumi's own state: made from nothing, checked, broken by hand, mended, broken off and gone on with."""

from __future__ import annotations

import functools
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from botocore.client import BaseClient
from botocore.exceptions import ClientError

import plan
from continuity.engine import stacks
from continuity.errors import ContinuityError
from continuity.state_backend.config import StateBackendConfig, resolve_config
from continuity.state_backend.setup import apply, inspect
from localcloud.engine.provide import Engine
from localcloud.faults.outages import change
from plan.names import STATE_BUCKET_ALLOWED, STATE_KEY_ALIAS
from tests.conftest import LocalCloud
from tests.localcloud.aws_harness import HERE, THERE, LocalAws, local_aws

DAYS = plan.load().retention.object_version_days
BUCKET = "botbrains-state-123456789012"
REPLICA = f"{BUCKET}-replica"
KEYS, BUCKETS = {THERE: "state key", HERE: "replica key"}, {BUCKET: "state bucket", REPLICA: "replica bucket"}
PATHS = "s3ForcePathStyle=true"
READING = ("Get", "List", "Head", "Describe")


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalAws]:
    """Empty, and what the environment leads to."""
    with local_aws() as running:
        _lead_to(running, monkeypatch)
        yield running


@pytest.fixture(scope="module")
def made() -> Iterator[LocalAws]:
    """Bootstrapped. Each test leaves it as it found it.

    A later local AWS takes over in the process, so all tests with this one stand before those with an `aws`.
    """
    with pytest.MonkeyPatch.context() as monkeypatch, local_aws() as running:
        _lead_to(running, monkeypatch)
        bootstrap()
        yield running


def _lead_to(running: LocalAws, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "AWS_ENDPOINT_URL": running.endpoint,
        "AWS_ACCESS_KEY_ID": "LKIATESTTESTTESTTEST",
        "AWS_SECRET_ACCESS_KEY": "nothing",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }.items():
        monkeypatch.setenv(name, value)


@functools.cache
def the_config(endpoint: str | None = None) -> StateBackendConfig:
    """Clients take longer to make than to use. They know nothing of earlier calls."""
    return resolve_config(plan.load(), {})


def bootstrap() -> None:
    apply(the_config(os.environ["AWS_ENDPOINT_URL"]), say=print)


def findings() -> list[tuple[str, str]]:
    """What is wrong: the kind of resource, and its property."""
    found = inspect(the_config(os.environ["AWS_ENDPOINT_URL"]))
    print(*(finding.sentence() for finding in found.findings), sep="\n")
    assert not found.unknown
    return [(finding.resource.kind, finding.property) for finding in found.findings]


class Calls:
    """The mutating calls that were made; with `last`, the program is broken off after so many, once they are done."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, last: int | None = None) -> None:
        self.made: list[str] = []
        original = BaseClient._make_api_call

        def noting(client: Any, operation: str, asked: Any) -> Any:
            answer = original(client, operation, asked)
            if not operation.startswith(READING):
                self.made.append(operation)
                if len(self.made) == last:
                    raise KeyboardInterrupt
            return answer

        monkeypatch.setattr(BaseClient, "_make_api_call", noting)


# -- what was made ----------------------------------------------------------------------------------------------------


def test_a_state_is_copied_and_nobody_deletes_what_it_was(made: LocalAws) -> None:
    s3, there = made.client("s3", THERE), made.client("s3", HERE)
    version = s3.put_object(Bucket=BUCKET, Key="state.json", Body=b"{}")["VersionId"]
    copy = there.get_object(Bucket=REPLICA, Key="state.json")
    assert copy["Body"].read() == b"{}"
    assert copy["ServerSideEncryption"] == "aws:kms"
    s3.delete_object(Bucket=BUCKET, Key="state.json")
    with pytest.raises(ClientError, match="NoSuchKey"):
        there.get_object(Bucket=REPLICA, Key="state.json")
    for client, bucket in ((s3, BUCKET), (there, REPLICA)):
        with pytest.raises(ClientError, match="AccessDenied"):
            client.delete_object(Bucket=bucket, Key="state.json", VersionId=version)
        with pytest.raises(ClientError, match="AccessDenied"):
            client.delete_bucket(Bucket=bucket)


def test_a_second_run_calls_nothing_that_changes(made: LocalAws, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = Calls(monkeypatch)
    bootstrap()
    assert calls.made == []


# -- broken by hand ---------------------------------------------------------------------------------------------------

Break = Callable[[LocalAws], Any]


def key_of(aws: LocalAws, region: str) -> str:
    return str(aws.client("kms", region).describe_key(KeyId=STATE_KEY_ALIAS)["KeyMetadata"]["KeyId"])


def on_key(region: str, operation: str, **asked: Any) -> Break:
    return lambda aws: getattr(aws.client("kms", region), operation)(KeyId=key_of(aws, region), **asked)


def on_bucket(bucket: str, operation: str, **asked: Any) -> Break:
    region = THERE if bucket == BUCKET else HERE
    return lambda aws: getattr(aws.client("s3", region), operation)(Bucket=bucket, **asked)


def in_rule(name: str, value: Any) -> Break:
    """Change a part of the lifecycle rule."""

    def change_it(aws: LocalAws) -> None:
        s3 = aws.client("s3", THERE)
        [rule] = s3.get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"]
        rule[name] = value
        s3.put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration={"Rules": [rule]})

    return change_it


def in_order(value: Any, *path: str) -> Break:
    """Change a part of the replication; None takes it away."""

    def change_it(aws: LocalAws) -> None:
        s3 = aws.client("s3", THERE)
        order = s3.get_bucket_replication(Bucket=BUCKET)["ReplicationConfiguration"]
        part = order["Rules"][0] if path[0] != "Role" else order
        for name in path[:-1]:
            part = part[name]
        if value is None:
            del part[path[-1]]
        else:
            part[path[-1]] = value
        s3.put_bucket_replication(Bucket=BUCKET, ReplicationConfiguration=order)

    return change_it


def without_statement(bucket: str, action: str) -> Break:
    def change_it(aws: LocalAws) -> None:
        s3 = aws.client("s3", THERE)
        policy = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])
        policy["Statement"] = [each for each in policy["Statement"] if each["Action"] != action]
        s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))

    return change_it


def wider_role(aws: LocalAws) -> None:
    iam = aws.client("iam")
    [name] = iam.list_role_policies(RoleName=REPLICA)["PolicyNames"]
    policy = iam.get_role_policy(RoleName=REPLICA, PolicyName=name)["PolicyDocument"]
    policy["Statement"].append({"Effect": "Allow", "Action": "s3:*", "Resource": "*"})
    iam.put_role_policy(RoleName=REPLICA, PolicyName=name, PolicyDocument=json.dumps(policy))


def trusting(aws: LocalAws) -> None:
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    aws.client("iam").update_assume_role_policy(RoleName=REPLICA, PolicyDocument=document)


BLOCK = {"BlockPublicAcls": True, "BlockPublicPolicy": False, "IgnorePublicAcls": True, "RestrictPublicBuckets": True}
AES = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": False}]}
DAYS_KEPT = "days that noncurrent versions are kept"
SUSPENDED = {"Status": "Suspended"}
UPLOADS, MARKERS = "days that unfinished uploads are kept", "expiry of delete markers that hide nothing"
KEY_OF_COPIES = ("Destination", "EncryptionConfiguration", "ReplicaKmsKeyID")
BROKEN: list[tuple[str, str, Break]] = [
    *((KEYS[region], "state", on_key(region, "disable_key")) for region in KEYS),
    *((KEYS[region], "state", on_key(region, "schedule_key_deletion", PendingWindowInDays=7)) for region in KEYS),
    *(
        (KEYS[region], "alias", lambda aws, of=region: aws.client("kms", of).delete_alias(AliasName=STATE_KEY_ALIAS))
        for region in KEYS
    ),
    ("state key", "rotation", on_key(THERE, "disable_key_rotation")),
    ("replica bucket", "versioning", on_bucket(REPLICA, "put_bucket_versioning", VersioningConfiguration=SUSPENDED)),
    *(
        case
        for bucket, kind in BUCKETS.items()
        for case in (
            (kind, "public access", on_bucket(bucket, "put_public_access_block", PublicAccessBlockConfiguration=BLOCK)),
            (kind, "public access", on_bucket(bucket, "delete_public_access_block")),
            (kind, "ownership", on_bucket(bucket, "delete_bucket_ownership_controls")),
            (kind, "encryption", on_bucket(bucket, "put_bucket_encryption", ServerSideEncryptionConfiguration=AES)),
            (kind, "policy", on_bucket(bucket, "delete_bucket_policy")),
            (kind, "policy", without_statement(bucket, "s3:DeleteBucket")),
            (kind, "policy", without_statement(bucket, "s3:DeleteObjectVersion")),
            (kind, "policy", without_statement(bucket, "s3:*")),
        )
    ),
    ("state bucket", DAYS_KEPT, in_rule("NoncurrentVersionExpiration", {"NoncurrentDays": DAYS - 1})),
    ("state bucket", UPLOADS, in_rule("AbortIncompleteMultipartUpload", {"DaysAfterInitiation": 8})),
    ("state bucket", MARKERS, in_rule("Expiration", {"ExpiredObjectDeleteMarker": False})),
    ("replication role", "trust", trusting),
    ("replication role", "permissions", wider_role),
    ("replication", "existence", on_bucket(BUCKET, "delete_bucket_replication")),
    ("replication", "role", in_order("arn:aws:iam::123456789012:role/other", "Role")),
    ("replication", "status", in_order("Disabled", "Status")),
    ("replication", "selection", in_order({"Prefix": ".pulumi/"}, "Filter")),
    ("replication", "copying of delete markers", in_order({"Status": "Disabled"}, "DeleteMarkerReplication")),
    ("replication", "key of the copies", in_order("arn:aws:kms:eu-central-1:123456789012:key/other", *KEY_OF_COPIES)),
    ("replication", "time control", in_order(None, "Destination", "ReplicationTime")),
    ("replication", "metrics", in_order({"Status": "Disabled"}, "Destination", "Metrics")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "name", "broken"), BROKEN, ids=[f"{number} {kind} {name}" for number, (kind, name, _) in enumerate(BROKEN)]
)
def test_what_is_broken_is_named_and_mended(made: LocalAws, kind: str, name: str, broken: Break) -> None:
    broken(made)
    assert findings() == [(kind, name)]
    bootstrap()
    assert findings() == []


def test_what_is_stricter_or_somebody_elses_denial_is_kept(made: LocalAws) -> None:
    in_rule("NoncurrentVersionExpiration", {"NoncurrentDays": DAYS + 1})(made)
    s3 = made.client("s3", THERE)
    policy = json.loads(s3.get_bucket_policy(Bucket=BUCKET)["Policy"])
    theirs = {"Sid": "Theirs", "Effect": "Deny", "Principal": "*", "Action": "s3:PutBucketAcl",
              "Resource": f"arn:aws:s3:::{BUCKET}"}  # fmt: skip
    s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps({**policy, "Statement": [theirs]}))
    assert findings() == [("state bucket", "policy")]
    in_rule("AbortIncompleteMultipartUpload", {"DaysAfterInitiation": 8})(made)
    bootstrap()
    assert findings() == []
    assert theirs in json.loads(s3.get_bucket_policy(Bucket=BUCKET)["Policy"])["Statement"]
    [rule] = s3.get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"]
    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": DAYS + 1}


# -- from nothing -----------------------------------------------------------------------------------------------------


def test_it_makes_everything_from_nothing_as_aws_itself_says(aws: LocalAws) -> None:
    assert findings() == [
        (kind, "existence")
        for kind in (*KEYS.values(), *BUCKETS.values(), "replication role", "replication")
    ]  # fmt: skip
    bootstrap()

    keys = {region: aws.client("kms", region).describe_key(KeyId=STATE_KEY_ALIAS)["KeyMetadata"] for region in KEYS}
    assert keys[THERE]["KeyId"] == keys[HERE]["KeyId"]
    assert keys[THERE]["MultiRegionConfiguration"]["MultiRegionKeyType"] == "PRIMARY"
    assert keys[HERE]["MultiRegionConfiguration"]["MultiRegionKeyType"] == "REPLICA"
    assert keys[HERE]["MultiRegionConfiguration"]["PrimaryKey"] == {"Arn": keys[THERE]["Arn"], "Region": THERE}
    for region, key in keys.items():
        kms = aws.client("kms", region)
        assert key["KeyState"] == "Enabled"
        assert kms.get_key_rotation_status(KeyId=key["KeyId"])["KeyRotationEnabled"]
    secret = aws.client("kms", THERE).encrypt(KeyId=STATE_KEY_ALIAS, Plaintext=b"secret")["CiphertextBlob"]
    assert aws.client("kms", HERE).decrypt(CiphertextBlob=secret)["Plaintext"] == b"secret"

    for bucket, region in ((BUCKET, THERE), (REPLICA, HERE)):
        s3 = aws.client("s3", region)
        assert s3.head_bucket(Bucket=bucket)["BucketRegion"] == region
        assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
        encryption = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
        assert encryption == [
            {
                "ApplyServerSideEncryptionByDefault": {
                    "SSEAlgorithm": "aws:kms",
                    "KMSMasterKeyID": keys[region]["Arn"],
                },
                "BucketKeyEnabled": True,
            }
        ]
        assert set(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values()) == {True}
        ownership = s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"]
        assert ownership == [{"ObjectOwnership": "BucketOwnerEnforced"}]
        [rule] = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
        assert rule["Status"] == "Enabled"
        assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": DAYS}
        assert rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"] == 7
        denied = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"]
        assert {each["Effect"] for each in denied} == {"Deny"}
        assert {each["Principal"] for each in denied} == {"*"}
        [over_tls] = [each for each in denied if "Condition" in each]
        assert over_tls["Action"] == "s3:*"
        assert over_tls["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}

    role = aws.client("iam").get_role(RoleName=REPLICA)["Role"]
    [trusted] = role["AssumeRolePolicyDocument"]["Statement"]
    assert trusted["Principal"] == {"Service": "s3.amazonaws.com"}
    replication = aws.client("s3", THERE).get_bucket_replication(Bucket=BUCKET)["ReplicationConfiguration"]
    assert replication["Role"] == role["Arn"]
    [order] = replication["Rules"]
    assert order["Status"] == order["DeleteMarkerReplication"]["Status"] == "Enabled"
    assert order["SourceSelectionCriteria"]["SseKmsEncryptedObjects"]["Status"] == "Enabled"
    assert order["Destination"]["EncryptionConfiguration"]["ReplicaKmsKeyID"] == keys[HERE]["Arn"]
    assert order["Destination"]["Metrics"]["Status"] == order["Destination"]["ReplicationTime"]["Status"] == "Enabled"

    assert findings() == []


def test_broken_off_after_any_call_the_next_run_goes_on_and_does_nothing_twice(
    aws: LocalAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    while True:
        with monkeypatch.context() as one_run:
            calls = Calls(one_run, last=1)
            try:
                bootstrap()
                break
            except KeyboardInterrupt:
                done += calls.made
        inspect(the_config(os.environ["AWS_ENDPOINT_URL"]))  # half of it is there: that must not confuse a look
    assert findings() == []
    assert [operation for operation in done if operation.startswith("Create")] == [
        "CreateKey", "CreateAlias", "CreateAlias", "CreateBucket", "CreateBucket", "CreateRole"
    ]  # fmt: skip
    assert len(done) >= 20
    assert len(aws.client("kms", THERE).list_keys()["Keys"]) == 1


# -- what a person has to decide --------------------------------------------------------------------------------------


def with_a_foreign_alias(aws: LocalAws) -> None:
    kms = aws.client("kms", THERE)
    kms.create_alias(AliasName=STATE_KEY_ALIAS, TargetKeyId=kms.create_key()["KeyMetadata"]["KeyId"])


def with_a_foreign_alias_of_the_replica(aws: LocalAws) -> None:
    kms = aws.client("kms", HERE)
    kms.create_alias(AliasName=STATE_KEY_ALIAS, TargetKeyId=kms.create_key(MultiRegion=True)["KeyMetadata"]["KeyId"])


def in_another_region(aws: LocalAws) -> None:
    aws.client("s3", HERE).create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": HERE})


def in_another_account(aws: LocalAws) -> None:
    role = "arn:aws:iam::210987654321:role/other"
    lent = aws.client("sts").assume_role(RoleArn=role, RoleSessionName="other")["Credentials"]
    boto3.client(
        "s3",
        region_name=THERE,
        endpoint_url=aws.endpoint,
        aws_access_key_id=lent["AccessKeyId"],
        aws_secret_access_key=lent["SecretAccessKey"],
        aws_session_token=lent["SessionToken"],
    ).create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": THERE})


def open_to_others(aws: LocalAws) -> None:
    bootstrap()
    s3 = aws.client("s3", THERE)
    policy = json.loads(s3.get_bucket_policy(Bucket=BUCKET)["Policy"])
    allowed = {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::210987654321:root"}, "Action": "s3:GetObject",
               "Resource": f"arn:aws:s3:::{BUCKET}/*"}  # fmt: skip
    policy["Statement"].append(allowed)
    s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(policy))


def expiring(aws: LocalAws) -> None:
    bootstrap()
    s3 = aws.client("s3", THERE)
    rules = s3.get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"]
    theirs = {"ID": "tidy", "Status": "Enabled", "Filter": {"Prefix": ".pulumi/"}, "Expiration": {"Days": 1}}
    s3.put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration={"Rules": [*rules, theirs]})


def mighty(aws: LocalAws) -> None:
    bootstrap()
    arn = "arn:aws:iam::aws:policy/AdministratorAccess"
    aws.client("iam").attach_role_policy(RoleName=REPLICA, PolicyArn=arn)


@pytest.mark.parametrize(
    ("conflict", "kind", "name", "said"),
    [
        (with_a_foreign_alias, "state key", "existence", "delete-alias"),
        (with_a_foreign_alias_of_the_replica, "replica key", "existence", "delete-alias"),
        (in_another_region, "state bucket", "existence", "in eu-central-1"),
        (
            in_another_account,
            "state bucket",
            "existence",
            "set botbrains:stateBucket in Pulumi.vault.yaml to a different name",
        ),
        (open_to_others, "state bucket", "access for others", "210987654321"),
        (expiring, "state bucket", "other lifecycle rules", "tidy"),
        (mighty, "replication role", "further permissions", "AdministratorAccess"),
    ],
)
def test_what_is_somebody_elses_is_left_alone_and_said(
    aws: LocalAws, monkeypatch: pytest.MonkeyPatch, conflict: Break, kind: str, name: str, said: str
) -> None:
    conflict(aws)
    [finding] = [finding for finding in inspect(the_config(os.environ["AWS_ENDPOINT_URL"])).findings if finding.by_hand]
    assert (finding.resource.kind, finding.property) == (kind, name)
    assert said in finding.sentence()
    calls = Calls(monkeypatch)
    done = run_here("--yes")
    assert isinstance(done, ContinuityError)
    assert said in str(done)
    assert calls.made == []


def run_here(*arguments: str) -> BaseException | None:
    from typer.testing import CliRunner

    from continuity.cli import app

    done: BaseException | None = CliRunner().invoke(app, ["bootstrap", *arguments]).exception
    return done


@pytest.mark.parametrize("name", ["A", "a.b", "x" * 56, "-ab", "ab-", 123, "botbrains-prod-state"])
def test_a_name_that_is_not_allowed_is_refused(name: object) -> None:
    with pytest.raises(ContinuityError) as raised:
        resolve_config(plan.load(), {"botbrains:stateBucket": name})
    expected = f"botbrains:stateBucket in Pulumi.vault.yaml is {name!r}; allowed is {STATE_BUCKET_ALLOWED}"
    assert str(raised.value) == expected


def test_it_makes_the_bucket_that_the_vaults_file_names(
    aws: LocalAws, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for file in stacks.PROJECT.glob("Pulumi.*.yaml"):
        settings = yaml.safe_load(file.read_text())
        if file.name == "Pulumi.vault.yaml":
            settings["config"]["botbrains:stateBucket"] = "example-state"
        (tmp_path / file.name).write_text(yaml.safe_dump(settings))
    monkeypatch.setattr(stacks, "PROJECT", tmp_path)
    assert run_here("--yes") is None
    for bucket, region in (("example-state", THERE), ("example-state-replica", HERE)):
        assert aws.client("s3", region).head_bucket(Bucket=bucket)["BucketRegion"] == region
    assert run_here("--check") is None


def test_without_credentials_it_says_so(aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(ContinuityError, match=r"no AWS credentials: set AWS_PROFILE"):
        resolve_config(plan.load(), {})


# -- the command, and Pulumi's engine ---------------------------------------------------------------------------------


def command(cloud: LocalCloud, *arguments: str) -> subprocess.CompletedProcess[str]:
    return cloud.run(sys.executable, "-m", "continuity", "bootstrap", *arguments)


def test_the_engine_keeps_its_state_and_secrets_there_and_either_region_may_be_lost(
    local_cloud: LocalCloud, engine: Engine, tmp_path: Path
) -> None:
    missing = command(local_cloud, "--check", "--json")
    assert missing.returncode == 3
    assert len(json.loads(missing.stdout)["findings"]) == 6
    done = command(local_cloud, "--yes", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["bucket"] == BUCKET
    [_, when_lost] = json.loads(done.stdout)["commands"].values()
    assert command(local_cloud, "--check").returncode == 0

    (tmp_path / "Pulumi.yaml").write_text("name: trivial\nruntime: python\n")
    (tmp_path / "__main__.py").write_text(
        "import pulumi\npulumi.export('password', pulumi.Config().require_secret('password'))\n"
    )
    kept = {key: value for key, value in local_cloud.env.items() if not key.startswith("PULUMI_")}
    env = {**kept, "PULUMI_HOME": str(tmp_path / "home"), "PULUMI_SKIP_UPDATE_CHECK": "true"}

    def pulumi(*arguments: str) -> str:
        ran = subprocess.run(
            [engine.pulumi, *arguments, "--non-interactive"],
            cwd=tmp_path, env=env, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout.strip()

    pulumi("login", f"s3://{BUCKET}?region={THERE}&{PATHS}")
    pulumi("stack", "init", "x", "--secrets-provider", f"awskms://{STATE_KEY_ALIAS}?region={THERE}")
    pulumi("config", "set", "--secret", "password", "correct horse", "--stack", "x")
    assert "correct horse" not in (tmp_path / "Pulumi.x.yaml").read_text()
    pulumi("up", "--yes", "--skip-preview", "--stack", "x")

    try:
        change(local_cloud.folder, "cut", [HERE])
        broken = boto3.client(
            "kms",
            region_name=THERE,
            endpoint_url=local_cloud.env["AWS_ENDPOINT_URL"],
            aws_access_key_id=local_cloud.env["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=local_cloud.env["AWS_SECRET_ACCESS_KEY"],
        )
        key = broken.describe_key(KeyId=STATE_KEY_ALIAS)["KeyMetadata"]["KeyId"]
        broken.disable_key_rotation(KeyId=key)
        cut = command(local_cloud, "--check", "--json")
        said = json.loads(cut.stdout)
        assert cut.returncode == 1
        assert [finding["property"] for finding in said["findings"]] == ["rotation"]
        assert len(said["could_not_look"]) == 1
        assert said["could_not_look"][0].startswith(f"{HERE}: ")
        refused = command(local_cloud, "--yes")
        assert refused.returncode == 1
        assert HERE in refused.stderr
        change(local_cloud.folder, "restore", [HERE])
        assert command(local_cloud, "--yes").returncode == 0

        change(local_cloud.folder, "cut", [THERE])
        # Exactly what the command says to type, but for the address of the local S3, which has no bucket's own names.
        for line in when_lost:
            words = shlex.split(line.replace("STACK", "x").replace(f"region={HERE}'", f"region={HERE}&{PATHS}'"))
            if words[0] == "pulumi":
                pulumi(*words[1:])
            else:
                subprocess.run(words, cwd=tmp_path, check=True)
        assert pulumi("config", "get", "password", "--stack", "x") == "correct horse"
        assert pulumi("stack", "output", "password", "--show-secrets", "--stack", "x") == "correct horse"
    finally:
        change(local_cloud.folder, "restore", [HERE, THERE])
