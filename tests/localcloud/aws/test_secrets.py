"""Secrets Manager in the local AWS: what the stand-in's tables do with it, and what a replica is and is not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud.aws import routing
from localcloud.plugins.aws import PLUGIN
from localcloud.plugins.aws.connection import Cloud
from localcloud.plugins.table import GoneError, RefusedError
from tests.localcloud.aws_harness import HERE, TABLES, THERE, LocalAws, Made, a_key, local_aws

ELSEWHERE = "eu-north-1"
SECRET = "aws:secretsmanager/secret:Secret"
VERSION = "aws:secretsmanager/secretVersion:SecretVersion"


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    with local_aws() as running:
        yield running


@pytest.fixture(scope="module")
def cloud(aws: LocalAws) -> Cloud:
    return aws.connect()


def secrets(aws: LocalAws, region: str = HERE) -> Any:
    return aws.client("secretsmanager", region)


def value(aws: LocalAws, name: str, region: str = HERE) -> str:
    return str(secrets(aws, region).get_secret_value(SecretId=name)["SecretString"])


def replicated(aws: LocalAws, name: str, key: str | None = None, **asked: Any) -> Any:
    """A secret with the value `one`, and a replica of it."""
    replica = {"Region": THERE, **({"KmsKeyId": key} if key else {})}
    return secrets(aws).create_secret(Name=name, SecretString="one", AddReplicaRegions=[replica], **asked)


def code_of(call: Callable[..., Any], **asked: Any) -> str:
    with pytest.raises(ClientError) as refusal:
        call(**asked)
    return str(refusal.value.response["Error"]["Code"])


# -- tables -----------------------------------------------------------------------------------------------------------


def test_a_secret_and_its_replicas(aws: LocalAws, cloud: Cloud) -> None:
    key, far, other = a_key(aws), a_key(aws, THERE), a_key(aws, THERE)
    secret = Made.create(
        cloud,
        SECRET,
        name="app/api",
        description="put in by people",
        kmsKeyId=key,
        recoveryWindowInDays=7,
        replicas=[{"region": THERE, "kmsKeyId": far}],
        tags={"tier": "1"},
    )
    assert secret.outputs["tagsAll"] == {"owner": "platform", "tier": "1"}
    there = secrets(aws, THERE).describe_secret(SecretId="app/api")
    assert (there["PrimaryRegion"], there["KmsKeyId"]) == (HERE, far)
    secret.change(replicas=[{"region": THERE, "kmsKeyId": other}, {"region": ELSEWHERE}], tags={"tier": "2"})
    assert secrets(aws, THERE).describe_secret(SecretId="app/api")["KmsKeyId"] == other
    assert "KmsKeyId" not in secrets(aws, ELSEWHERE).describe_secret(SecretId="app/api")
    secret.change(description=None, kmsKeyId=None, replicas=[{"region": THERE, "kmsKeyId": other}])
    found = secrets(aws).describe_secret(SecretId="app/api")
    assert not {"Description", "KmsKeyId"} & set(found)
    assert code_of(secrets(aws, ELSEWHERE).describe_secret, SecretId="app/api") == "ResourceNotFoundException"

    secrets(aws).remove_regions_from_replication(SecretId="app/api", RemoveReplicaRegions=[THERE])
    secrets(aws).update_secret(SecretId="app/api", Description="by hand", KmsKeyId=key)
    secrets(aws).tag_resource(SecretId="app/api", Tags=[{"Key": "by", "Value": "hand"}])
    assert secret.drift() == {"description", "kmsKeyId", "replicas", "tags"}
    secrets(aws).replicate_secret_to_regions(SecretId="app/api", AddReplicaRegions=[{"Region": ELSEWHERE}])
    secret.delete()
    gone = secrets(aws).describe_secret(SecretId="app/api")
    assert "ReplicationStatus" not in gone
    assert round((gone["DeletedDate"] - found["CreatedDate"]).total_seconds() / 86400) == 7
    with pytest.raises(GoneError):
        secret.read()
    with pytest.raises(GoneError):
        secret.delete()
    assert secret.table.find is not None
    assert secret.table.find(cloud, secret.inputs) is None
    with pytest.raises(ClientError, match="scheduled for deletion"):
        TABLES[SECRET].create(cloud, secret.inputs)


def test_without_a_window_a_secret_goes_at_once(aws: LocalAws, cloud: Cloud) -> None:
    secret = Made.create(cloud, SECRET, name="passing", region=THERE, recoveryWindowInDays=0)
    secret.delete()
    assert code_of(secrets(aws, THERE).describe_secret, SecretId="passing") == "ResourceNotFoundException"


def statuses(aws: LocalAws, name: str) -> list[tuple[str, str]]:
    """The status and the message of each replica, once none is in progress."""
    end = time.monotonic() + 10
    while True:
        found = secrets(aws).describe_secret(SecretId=name)["ReplicationStatus"]
        if all(one["Status"] != "InProgress" for one in found):
            return [(one["Status"], one["StatusMessage"]) for one in found]
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_failed_replica_is_a_status_and_no_error(aws: LocalAws, cloud: Cloud) -> None:
    table, wanted = TABLES[SECRET], {"name": "retried", "replicas": [{"region": THERE, "kmsKeyId": a_key(aws)}]}
    assert table.update is not None
    identity = table.create(cloud, wanted)
    assert [one["status"] for one in table.read(cloud, identity, {})["replicas"]] == ["InProgress"]
    [(status, message)] = statuses(aws, "retried")
    assert status == "Failed"
    assert f"is not in region {THERE}" in message
    secrets(aws, THERE).create_secret(Name="retried", SecretString="mine")
    better = {**wanted, "replicas": [{"region": THERE}]}
    table.update(cloud, identity, wanted, better, frozenset({"replicas"}))
    assert [status for status, _ in statuses(aws, "retried")] == ["Failed"]
    assert value(aws, "retried", THERE) == "mine"
    # Like the provider, the table repairs nothing. People do, with these two calls.
    secrets(aws).remove_regions_from_replication(SecretId=identity, RemoveReplicaRegions=[THERE])
    secrets(aws).replicate_secret_to_regions(
        SecretId=identity, AddReplicaRegions=[{"Region": THERE}], ForceOverwriteReplicaSecret=True
    )
    assert [status for status, _ in statuses(aws, "retried")] == ["InSync"]
    assert secrets(aws, THERE).describe_secret(SecretId="retried")["PrimaryRegion"] == HERE


def test_a_version_keeps_its_value_until_another_takes_its_place(aws: LocalAws, cloud: Cloud) -> None:
    secret = Made.create(cloud, SECRET, name="with-versions")
    first = Made.create(cloud, VERSION, secretId=secret.identity, secretString="one")
    assert value(aws, "with-versions") == "one"
    second = Made.create(cloud, VERSION, secretId=secret.identity, secretString="two")
    assert value(aws, "with-versions") == "two"
    first.delete()
    with pytest.raises(GoneError):
        first.read()
    secrets(aws).put_secret_value(SecretId=secret.identity, SecretString="by hand")
    assert second.read()["versionStages"] == ["AWSPREVIOUS"]


def test_a_program_may_ask_for_a_secret_and_for_a_replica(aws: LocalAws, cloud: Cloud) -> None:
    call = next(one.call for one in PLUGIN.functions if one.token.endswith(":getSecret"))
    far = a_key(aws, THERE)
    arn = replicated(aws, "asked-for", far, Tags=[{"Key": "a", "Value": "b"}])["ARN"]
    known = call(cloud, {"name": "asked-for"})
    assert (known["arn"], known["tags"], known["kmsKeyId"]) == (arn, {"a": "b"}, "")
    assert "one" not in known.values()
    there = call(cloud, {"name": "asked-for", "region": THERE})
    assert (there["arn"], there["kmsKeyId"]) == (arn.replace(HERE, THERE), far)
    with pytest.raises(RefusedError, match="either `arn` or `name`"):
        call(cloud, {})
    secrets(aws).remove_regions_from_replication(SecretId=arn, RemoveReplicaRegions=[THERE])
    secrets(aws).delete_secret(SecretId=arn)
    with pytest.raises(RefusedError, match="scheduled for deletion"):
        call(cloud, {"arn": arn})


# -- replicas ---------------------------------------------------------------------------------------------------------


def test_a_replica_follows_and_takes_no_changes(aws: LocalAws) -> None:
    name = f"of-{HERE}"  # a region in a name is not the region of the ARN
    primary, far = replicated(aws, name), secrets(aws, THERE)
    shown = far.get_secret_value(SecretId=name)
    assert shown["SecretString"] == "one"
    assert shown["ARN"] == primary["ARN"].replace(f":{HERE}:", f":{THERE}:")
    secrets(aws).put_secret_value(SecretId=name, SecretString="two")
    assert value(aws, name, THERE) == value(aws, shown["ARN"], THERE) == "two"
    versions = {
        stage[0]: version for version, stage in far.describe_secret(SecretId=name)["VersionIdsToStages"].items()
    }
    for call, asked in (
        (far.put_secret_value, {"SecretString": "three"}),
        (far.update_secret, {"Description": "mine"}),
        (far.delete_secret, {"ForceDeleteWithoutRecovery": True}),
        (far.tag_resource, {"Tags": [{"Key": "a", "Value": "b"}]}),
        (
            far.update_secret_version_stage,
            {
                "VersionStage": "AWSCURRENT",
                "MoveToVersionId": versions["AWSPREVIOUS"],
                "RemoveFromVersionId": versions["AWSCURRENT"],
            },
        ),
    ):
        assert code_of(call, SecretId=name, **asked) == "InvalidParameterException"
    assert code_of(far.create_secret, Name=name, SecretString="three") == "ResourceExistsException"
    assert value(aws, name) == value(aws, name, THERE) == "two"
    assert code_of(secrets(aws).delete_secret, SecretId=name) == "InvalidParameterException"


def test_each_side_needs_its_own_key(aws: LocalAws) -> None:
    near, far = a_key(aws), a_key(aws, THERE)
    replicated(aws, "two-keys", far, KmsKeyId=near)
    aws.client("kms").disable_key(KeyId=near)
    assert code_of(secrets(aws).get_secret_value, SecretId="two-keys") == "DecryptionFailure"
    assert code_of(secrets(aws).put_secret_value, SecretId="two-keys", SecretString="2") == "EncryptionFailure"
    assert value(aws, "two-keys", THERE) == "one"
    aws.client("kms").enable_key(KeyId=near)
    aws.client("kms", THERE).schedule_key_deletion(KeyId=far)
    assert value(aws, "two-keys") == "one"
    assert code_of(secrets(aws, THERE).get_secret_value, SecretId="two-keys") == "DecryptionFailure"
    replicated(aws, "lost-key", far)
    assert [status for status, _ in statuses(aws, "lost-key")] == ["Failed"]
    assert code_of(secrets(aws, THERE).describe_secret, SecretId="lost-key") == "ResourceNotFoundException"
    assert code_of(secrets(aws).create_secret, Name="x", KmsKeyId=far) == "EncryptionFailure"


def test_a_dead_region_is_not_in_sync(aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> None:
    replicated(aws, "out-of-reach")
    monkeypatch.setattr(routing, "_is_dead", lambda region: region == THERE)
    status = secrets(aws).describe_secret(SecretId="out-of-reach")["ReplicationStatus"]
    assert [one["Status"] for one in status] == ["InProgress"]


def test_after_a_restart_they_still_belong_together(tmp_path: Path) -> None:
    """In whichever order the regions are read back: one secret has its primary here, one there."""
    with local_aws(tmp_path) as first:
        far = a_key(first, THERE)
        replicated(first, "kept", far)
        secrets(first, THERE).create_secret(
            Name="reverse", SecretString="one", AddReplicaRegions=[{"Region": HERE}], Tags=[{"Key": "a", "Value": "b"}]
        )
        known = secrets(first).describe_secret(SecretId="kept")["ReplicationStatus"]
    with local_aws(tmp_path) as second:
        assert secrets(second).describe_secret(SecretId="kept")["ReplicationStatus"] == known
        assert secrets(second, THERE).describe_secret(SecretId="kept")["KmsKeyId"] == far
        for name, region, replica_region in (("kept", HERE, THERE), ("reverse", THERE, HERE)):
            secrets(second, region).put_secret_value(SecretId=name, SecretString="two")
            assert value(second, name, replica_region) == "two"
            refused = secrets(second, replica_region).put_secret_value
            assert code_of(refused, SecretId=name, SecretString="no") == "InvalidParameterException"
        alone = secrets(second, THERE).stop_replication_to_replica(SecretId="kept")["ARN"]
        assert f":{THERE}:" in alone
        assert "ReplicationStatus" not in secrets(second).describe_secret(SecretId="kept")
    with local_aws(tmp_path) as third:
        secrets(third).put_secret_value(SecretId="kept", SecretString="three")
        assert value(third, "kept", THERE) == "two"
        secrets(third, THERE).put_secret_value(SecretId="kept", SecretString="its own")
        assert (value(third, "kept"), value(third, alone, THERE)) == ("three", "its own")
        found = secrets(third, THERE).describe_secret(SecretId="kept")
        assert (found["KmsKeyId"], found.get("PrimaryRegion")) == (far, None)
        refused = secrets(third).stop_replication_to_replica
        assert code_of(refused, SecretId="kept") == "InvalidRequestException"
        secrets(third, THERE).remove_regions_from_replication(SecretId="reverse", RemoveReplicaRegions=[HERE])
        assert code_of(secrets(third).describe_secret, SecretId="reverse") == "ResourceNotFoundException"


def test_a_replica_has_what_it_received_and_nothing_else() -> None:
    dead: set[str] = set()
    with local_aws() as aws:
        routing.follow(dead.__contains__)
        try:
            replicated(aws, "app/received")
            secrets(aws).put_secret_value(SecretId="app/received", SecretString="two")
            dead.add(THERE)  # what is written now does not get there
            secrets(aws).put_secret_value(SecretId="app/received", SecretString="three")
            dead.symmetric_difference_update({THERE, HERE})
            assert value(aws, "app/received", THERE) == "two"
            dead.clear()
            assert value(aws, "app/received", THERE) == "three"
        finally:
            routing.follow(lambda region: False)
