"""The application's secrets: declared, encrypted and copied, and their values nowhere."""

from __future__ import annotations

import re

import pulumi
import pytest

from components.storage.application_secrets import ApplicationSecrets, ApplicationSecretsArgs
from tests.components.recording import KEY, Deployment, deploy

SECRET = "aws:secretsmanager/secret:Secret"


def arguments(*names: str, deletion_window_days: int = 9) -> ApplicationSecretsArgs:
    return ApplicationSecretsArgs(
        stack="stack",
        names=names,
        deletion_window_days=deletion_window_days,
        replica_region="xx-far-1",
        replica_kms_key_arn="arn:of-the-vault",
    )


def secrets(*, preview: bool = False) -> Deployment:
    def program() -> None:
        made = ApplicationSecrets("secrets", arguments("inference", "mail-smtp"))
        pulumi.export("names", list(made.arns))

    return deploy(program, preview=preview)


@pytest.mark.parametrize("preview", [False, True])
def test_each_secret_is_copied_and_cannot_be_deleted_at_once(preview: bool) -> None:
    deployment = secrets(preview=preview)
    declared = deployment.all(SECRET)

    assert sorted(it.inputs["name"] for it in declared) == ["botbrains/stack/inference", "botbrains/stack/mail-smtp"]
    assert deployment.outputs["names"] == ["inference", "mail-smtp"]
    for secret in declared:
        assert secret.inputs["replicas"] == [{"region": "xx-far-1", "kmsKeyId": "arn:of-the-vault"}]
        assert secret.inputs["forceOverwriteReplicaSecret"] is False
        assert secret.inputs["recoveryWindowInDays"] == 9
    for resource in deployment.custom:
        assert resource.protect, resource.name


def test_they_are_encrypted_with_a_key_of_their_own() -> None:
    deployment = secrets()
    key = deployment.one(KEY)

    assert key.inputs["deletionWindowInDays"] == 9
    for secret in deployment.all(SECRET):
        assert secret.inputs["kmsKeyId"].endswith(f"key/{key.id}")


def test_no_value_is_declared() -> None:
    """A value would be a resource of its own, and in the state."""
    kinds = {it.type for it in secrets().custom}
    assert kinds == {SECRET, KEY, "aws:kms/alias:Alias"}


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
