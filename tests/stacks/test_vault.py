"""The vault: what outlives production, for how long, under which keys, and how others read it."""

from __future__ import annotations

import re
from typing import Any

import pulumi
import pytest

from components.aws.backup_vault import LONGEST_RETENTION_DAYS, VaultLockArgs
from components.backup.recovery_vault import RecoveryVault, RecoveryVaultArgs
from stacks.vault_reference import VaultReference
from tests.components.recording import BUCKET, KEY, Deployment, deploy

BACKUP_VAULT = "aws:backup/vault:Vault"
VAULT_LOCK = "aws:backup/vaultLockConfiguration:VaultLockConfiguration"
PURPOSES = ("database", "objects", "secrets", "copies")


def vault(home_region: str | None = None) -> Deployment:
    def program() -> None:
        made = RecoveryVault(
            "vault",
            RecoveryVaultArgs(
                key_deletion_window_days=9,
                object_version_days=21,
                object_lock_days=5,
                vault_copy_days=17,
                vault_lock_cooling_off_days=4,
                home_region=home_region,
            ),
        )
        for purpose in PURPOSES:
            pulumi.export(purpose, getattr(made, f"{purpose}_key_arn"))
        pulumi.export("return", made.return_key_arn)

    return deploy(program)


def key_arn(deployment: Deployment, purpose: str, region: str = "no-region") -> str:
    return f"arn:aws:kms:{region}:123456789012:key/{deployment.one(KEY, f'vault-{purpose}').id}"


@pytest.mark.parametrize("home_region", [None, "xx-home-1"])
def test_it_outlives_its_own_stack(home_region: str | None) -> None:
    for resource in vault(home_region).custom:
        assert resource.protect, resource.name
        assert resource.retain_on_delete, resource.name


def test_each_kind_of_copy_has_a_key_of_its_own() -> None:
    deployment = vault()
    arns = {purpose: key_arn(deployment, purpose) for purpose in PURPOSES}

    assert len(deployment.all(KEY)) == len(set(arns.values())) == len(PURPOSES)
    assert {purpose: deployment.outputs[purpose] for purpose in PURPOSES} == arns
    for key in deployment.all(KEY):
        assert (key.inputs["deletionWindowInDays"], key.inputs["enableKeyRotation"]) == (9, True)
    assert deployment.one(BACKUP_VAULT).inputs["kmsKeyArn"] == arns["copies"]
    encryption = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
    (rule,) = deployment.one(encryption).inputs["rules"]
    assert rule["applyServerSideEncryptionByDefault"]["kmsMasterKeyId"] == arns["objects"]


def test_nobody_takes_a_copy_away_before_its_time() -> None:
    deployment = vault()
    backups, lock = deployment.one(BACKUP_VAULT), deployment.one(VAULT_LOCK)

    assert backups.inputs["forceDestroy"] is False
    assert lock.inputs["backupVaultName"] == backups.inputs["name"]
    # With a date from which it is final, the lock is in compliance mode; what it makes final is one retention.
    assert lock.inputs["changeableForDays"] == 4
    assert (lock.inputs["minRetentionDays"], lock.inputs["maxRetentionDays"]) == (17, LONGEST_RETENTION_DAYS)
    assert deployment.one(BUCKET).inputs["objectLockEnabled"] is True
    objects = deployment.one("aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration").inputs["rule"]
    assert objects == {"defaultRetention": {"mode": "GOVERNANCE", "days": 5}}


def test_it_needs_the_home_region_only_for_the_way_back() -> None:
    assert [it.name for it in vault().custom if "region" in it.inputs] == []

    returning = vault("xx-home-1")
    assert sorted((it.type, it.name) for it in returning.custom if "region" in it.inputs) == [
        ("aws:kms/alias:Alias", "vault-return"),
        (KEY, "vault-return"),
    ]
    assert {it.inputs["region"] for it in returning.custom if "region" in it.inputs} == {"xx-home-1"}
    assert returning.outputs["return"] == key_arn(returning, "return", "xx-home-1")
    # The existing resources stay as they were.
    there, before = ({(it.type, it.name) for it in it.custom} for it in (returning, vault()))
    assert there - before == {("aws:kms/alias:Alias", "vault-return"), (KEY, "vault-return")}
    assert before <= there


@pytest.mark.parametrize(
    ("lock", "message"),
    [
        ((0, 17, None), "min_retention_days is 0; AWS Backup accepts 1 to 36500"),
        ((17, 36501, None), "max_retention_days is 36501; AWS Backup accepts 1 to 36500"),
        ((18, 17, None), "min_retention_days is 18, above max_retention_days, which is 17"),
        ((17, 17, 2), "cooling_off_days is 2; AWS Backup accepts 3 to 36500"),
    ],
)
def test_a_lock_that_aws_refuses_is_refused_here(lock: tuple[int, int, int | None], message: str) -> None:
    least, most, cooling_off = lock
    with pytest.raises(ValueError, match=re.escape(message)):
        VaultLockArgs(min_retention_days=least, max_retention_days=most, cooling_off_days=cooling_off)


def read(name: str, outputs: dict[str, Any], *, preview: bool = False) -> Deployment:
    return deploy(lambda: pulumi.export("read", getattr(VaultReference(), name)), vault=outputs, preview=preview)


def test_the_way_back_waits_for_its_key() -> None:
    assert read("return_key_arn", {"return_key_arn": "arn:of-a-key"}).outputs == {"read": "arn:of-a-key"}
    assert read("return_key_arn", {"return_key_arn": "arn:of-a-key"}, preview=True).outputs == {"read": "arn:of-a-key"}
    # Not known yet, so that nothing is made of it: a preview can come before the update of the vault.
    made_of_it: list[str] = []
    deploy(lambda: _use(VaultReference().return_key_arn, made_of_it), vault={}, preview=True)
    assert made_of_it == []
    with pytest.raises(pulumi.RunError, match=r"no key in the home region yet.*Pulumi\.vault\.yaml"):
        read("return_key_arn", {})


def test_what_the_vault_lacks_stops_only_those_who_ask_for_it() -> None:
    assert read("copies_key_arn", {"copies_key_arn": "arn:of-a-key"}).outputs == {"read": "arn:of-a-key"}
    with pytest.raises(pulumi.RunError, match="The vault has no output backup_vault_arn"):
        read("backup_vault_arn", {"copies_key_arn": "arn:of-a-key"})


@pytest.mark.parametrize("outputs", [{}, {"role_arns": {"preview": "arn:of-a-role"}}])
def test_missing_role_is_unknown_in_a_preview_and_an_error_in_an_update(outputs: dict[str, Any]) -> None:
    def program() -> None:
        pulumi.export("read", VaultReference().role_arn("deploy"))

    assert deploy(program, vault=outputs, preview=True).outputs == {"read": None}
    with pytest.raises(pulumi.RunError, match="The vault has no role deploy"):
        deploy(program, vault=outputs)


def _use(value: pulumi.Output[str], seen: list[str]) -> None:
    value.apply(seen.append)
