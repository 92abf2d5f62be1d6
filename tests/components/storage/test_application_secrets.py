"""Tests of the application's secrets: encrypted, replicated, retained and imported, without a value anywhere."""

from __future__ import annotations

import re
from typing import Any

import pulumi
import pytest

from components.aws.retained import RetainedError, RetainedQueries
from components.storage import secret_replicas
from components.storage.application_secrets import ApplicationSecrets, ApplicationSecretsArgs
from components.storage.secret_replicas import ReplicaError
from localcloud.aws.secretsmanager import replicas
from tests.components.recording import KEY, SECRET, Deployment, deploy
from tests.localcloud.aws_harness import HERE, THERE, LocalAws, a_key

ALIAS = "aws:kms/alias:Alias"


def arguments(*names: str, **changes: Any) -> ApplicationSecretsArgs:
    return ApplicationSecretsArgs(
        **{
            "stack": "stack",
            "names": names,
            "deletion_window_days": 9,
            "region": HERE,
            "replica_region": THERE,
            "replica_kms_key_arn": "arn:of-the-vault",
            **changes,
        }
    )


def secrets(*, preview: bool = False, status: str = "InSync", **changes: Any) -> Deployment:
    def program() -> None:
        made = ApplicationSecrets("secrets", arguments("inference", "mail-smtp", **changes))
        pulumi.export("names", list(made.arns))

    replica = {"region": THERE, "kmsKeyId": "arn:of-the-vault", "status": status}
    return deploy(program, preview=preview, answers={SECRET: {"replicas": [replica]}})


@pytest.mark.parametrize("preview", [False, True])
def test_each_secret_is_replicated_and_stays_when_the_stack_is_destroyed(preview: bool) -> None:
    deployment = secrets(preview=preview)
    declared = deployment.all(SECRET)

    assert sorted(it.inputs["name"] for it in declared) == ["botbrains/stack/inference", "botbrains/stack/mail-smtp"]
    assert deployment.outputs["names"] == ["inference", "mail-smtp"]
    for secret in declared:
        assert secret.inputs["replicas"] == [{"region": THERE, "kmsKeyId": "arn:of-the-vault"}]
        assert secret.inputs["forceOverwriteReplicaSecret"] is False
        assert secret.inputs["recoveryWindowInDays"] == 9
    for resource in deployment.custom:
        assert resource.protect, resource.name
        assert resource.retain_on_delete, resource.name
        assert not resource.import_id, resource.name


def test_existing_secrets_and_their_key_are_imported() -> None:
    deployment = secrets(
        existing_key_arn="arn:aws:kms:eu-central-1:123456789012:key/the-key",
        existing_arns={"inference": "arn:of-inference", "mail-smtp": None},
    )
    assert deployment.one(KEY).import_id == "the-key"
    assert deployment.one(ALIAS).import_id == "alias/secrets"
    found = {it.inputs["name"]: it.import_id for it in deployment.all(SECRET)}
    assert found == {"botbrains/stack/inference": "arn:of-inference", "botbrains/stack/mail-smtp": ""}


def test_they_are_encrypted_with_their_own_key() -> None:
    deployment = secrets()
    key = deployment.one(KEY)

    assert key.inputs["deletionWindowInDays"] == 9
    for secret in deployment.all(SECRET):
        assert secret.inputs["kmsKeyId"].endswith(f"key/{key.id}")


def test_no_value_is_declared() -> None:
    """A value would be a separate resource, and in the state."""
    kinds = {it.type for it in secrets().custom}
    assert kinds == {SECRET, KEY, ALIAS}


# -- what the home region says -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def home(aws: LocalAws) -> LocalAws:
    """A region with one secret that replicates and one that cannot: its name is taken in the other region."""
    near = aws.client("secretsmanager")
    aws.client("secretsmanager", THERE).create_secret(Name="botbrains/stack/mail-smtp", SecretString="another")
    for name in ("inference", "mail-smtp"):
        near.create_secret(Name=f"botbrains/stack/{name}", AddReplicaRegions=[{"Region": THERE}])
    return aws


def test_failed_replica_ends_the_update(home: LocalAws) -> None:
    with pytest.raises(ReplicaError) as refusal:
        secrets(status="InProgress")
    said = str(refusal.value)
    assert "replica of botbrains/stack/mail-smtp in eu-west-1 is Failed" in said
    assert "already exists" in said
    assert "replicate-secret-to-regions --region eu-central-1 --secret-id botbrains/stack/mail-smtp" in said


def test_preview_does_not_query_replicas(home: LocalAws) -> None:
    assert secrets(preview=True, status="InProgress").outputs["names"]


def test_slow_replica_is_a_warning(home: LocalAws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secret_replicas, "_PATIENCE_SECONDS", 0)
    monkeypatch.setattr(replicas, "_SETTLE_SECONDS", 60)
    warnings: list[str] = []
    monkeypatch.setattr(pulumi, "warn", warnings.append)
    near = home.client("secretsmanager")
    for name in ("slow-1", "slow-2"):
        near.create_secret(Name=f"botbrains/stack/{name}", AddReplicaRegions=[{"Region": THERE}])

    def program() -> None:
        ApplicationSecrets("secrets", arguments("slow-1", "slow-2"))

    deploy(program, answers={SECRET: {"replicas": [{"region": THERE, "status": "InProgress"}]}})
    assert len(warnings) == 2
    assert "is InProgress" in warnings[0]


def test_retained_resources_are_found_and_unusable_ones_are_refused(home: LocalAws) -> None:
    query, kms, near = RetainedQueries(HERE), home.client("kms"), home.client("secretsmanager")
    assert (query.key("kept"), query.secret("kept"), query.bucket("kept-objects")) == (None, None, None)
    key_arn = a_key(home)
    key = key_arn.rsplit("/", 1)[-1]
    kms.create_alias(AliasName="alias/kept", TargetKeyId=key)
    arn = near.create_secret(Name="kept")["ARN"]
    home.client("s3").create_bucket(Bucket="kept-objects", CreateBucketConfiguration={"LocationConstraint": HERE})
    assert (query.key("kept"), query.secret("kept"), query.bucket("kept-objects")) == (key_arn, arn, "kept-objects")

    kms.schedule_key_deletion(KeyId=key)
    with pytest.raises(RetainedError, match=f"(?s)PendingDeletion.*cancel-key-deletion --key-id {key}.*enable-key"):
        query.key("kept")
    near.delete_secret(SecretId="kept")
    with pytest.raises(RetainedError, match="restore-secret --secret-id kept --region eu-central-1"):
        query.secret("kept")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ((), "names is empty; allowed is a list of one or more"),
        (("one", "two words"), "names[1] is 'two words'; allowed is the name of a secret"),
        (("",), "names[0] is ''"),
        (("a/b",), "names[0] is 'a/b'"),
        (("one", "two", "one"), "names has 'one' twice; allowed is a list of one or more, none of them twice"),
        # Secrets Manager's own advice: it ends a secret's ARN like this.
        (("session-secret",), "names[0] is 'session-secret'; allowed is the name of a secret"),
    ],
)
def test_a_name_that_cannot_be_a_secrets_is_refused(names: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        arguments(*names)


@pytest.mark.parametrize("days", [6, 31])
def test_a_window_that_secrets_manager_refuses_is_refused_here(days: int) -> None:
    with pytest.raises(ValueError, match=f"deletion_window_days is {days}; Secrets Manager accepts 7 to 30"):
        arguments("inference", deletion_window_days=days)
