"""Tests of the mistakes that stop the program, and of the plan's numbers in its declarations."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pulumi
import pytest

import plan
from components.aws.backup_vault import LONGEST_RETENTION_DAYS
from stacks.settings.reading import SettingsError
from tests.components.recording import (
    BACKUP_PLAN,
    BACKUP_REPLICATION,
    DATABASE,
    KEY,
    NETWORK_SUBNET,
    ROOT,
    SECRET,
    SERVER,
    VAULT_LOCK,
    Deployment,
    configuration,
    deploy_stack,
    strings,
)

if TYPE_CHECKING:
    pass


PROMISED = plan.load()
HOME, RECOVERY = PROMISED.residency.aws.home_region, PROMISED.residency.aws.recovery_region
Deploy = Callable[..., Deployment]


@pytest.fixture(scope="module")
def vault(vault_with_backup: dict[str, Any]) -> dict[str, Any]:
    """The vault whose key the replicated backup is encrypted with."""
    return vault_with_backup


def every_word(deployment: Deployment) -> Iterator[str]:
    """Every text in every input, providers' included, and every name."""
    for resource in deployment.resources:
        yield resource.name
        yield from strings(resource.inputs)


def test_a_vault_that_lacks_an_output_stops_its_readers(vault: dict[str, Any]) -> None:
    incomplete = {name: value for name, value in vault.items() if name != "database_key_arn"}
    with pytest.raises(pulumi.RunError, match="The vault has no output database_key_arn"):
        deploy_stack("dr", vault=incomplete)


def test_what_the_plan_promises_is_what_is_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every figure comes from the plan: with another plan, another figure is declared."""
    other = PROMISED.model_copy(
        update={
            "retention": PROMISED.retention.model_copy(
                update={
                    "database_backup_days": 11,
                    "replicated_backup_days": 12,
                    "object_version_days": 13,
                    "object_lock_days": 6,
                    "vault_copy_days": 15,
                    "vault_lock_cooling_off_days": 5,
                    "key_deletion_window_days": 14,
                }
            ),
            "redundancy": PROMISED.redundancy.model_copy(
                update={"minimum_active_hosts": 4, "minimum_standby_hosts": 3, "database_multi_az": False}
            ),
            "residency": PROMISED.residency.model_copy(
                update={
                    "aws": PROMISED.residency.aws.model_copy(
                        update={
                            "home_region": "eu-north-1",
                            "recovery_region": "eu-west-3",
                            "allowed_regions": ("eu-north-1", "eu-west-3"),
                        }
                    ),
                    "hetzner": PROMISED.residency.hetzner.model_copy(
                        update={
                            "home_locations": ("one", "two"),
                            "allowed_locations": ("one", "two"),
                            "network_zone": "a-zone",
                        }
                    ),
                }
            ),
        }
    )
    monkeypatch.setattr(plan, "load", lambda: other)
    keeper = deploy_stack("vault")
    production = deploy_stack("prod", vault=keeper.outputs)

    database = production.one(DATABASE).inputs
    assert (database["backupRetentionPeriod"], database["multiAz"]) == (11, False)
    copies = production.one(BACKUP_REPLICATION).inputs
    assert (copies["retentionPeriod"], copies["region"]) == (12, "eu-west-3")
    for deployment in (production, keeper):
        for lifecycle in deployment.all("aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"):
            assert lifecycle.inputs["rules"][0]["noncurrentVersionExpiration"]["noncurrentDays"] == 13
        assert {key.inputs["deletionWindowInDays"] for key in deployment.all(KEY)} == {14}
        for locked in deployment.all("aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration"):
            assert locked.inputs["rule"]["defaultRetention"]["days"] == 6
        lock = deployment.one(VAULT_LOCK).inputs
        assert (lock["minRetentionDays"], lock["maxRetentionDays"]) == (15, LONGEST_RETENTION_DAYS)
    assert keeper.one(VAULT_LOCK).inputs["changeableForDays"] == 5
    (rule,) = production.one(BACKUP_PLAN).inputs["rules"]
    assert rule["lifecycle"]["deleteAfter"] == rule["copyActions"][0]["lifecycle"]["deleteAfter"] == 15
    assert {secret.inputs["recoveryWindowInDays"] for secret in production.all(SECRET)} == {14}
    states = Counter((it.inputs["labels"]["role"], it.inputs["labels"]["state"]) for it in production.all(SERVER))
    assert states == {(role, state): n for role in ("api", "worker") for state, n in (("active", 4), ("standby", 3))}
    assert {it.inputs["location"] for it in production.all(SERVER)} == {"one", "two"}
    assert production.one(NETWORK_SUBNET).inputs["networkZone"] == "a-zone"
    assert production.one("pulumi:providers:aws").inputs["region"] == "eu-north-1"
    assert keeper.one("pulumi:providers:aws").inputs["region"] == "eu-west-3"
    # Nothing of the plan that was replaced is left over.
    left = [word for word in (*every_word(production), *every_word(keeper)) if HOME in word]
    assert left == []


@pytest.mark.parametrize("preview", [False, True])
def test_production_without_a_copy_of_its_backups_is_refused_by_the_program_itself(
    vault: dict[str, Any], preview: bool
) -> None:
    config = configuration("prod", {"database.replicateBackups": False})
    with pytest.raises(pulumi.RunError, match=r"database-replicated: .* 'botbrains-prod-database': a replication"):
        deploy_stack("prod", config=config, vault=vault, preview=preview)


def test_one_stacks_file_used_with_another_stack_stops_the_program(vault: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match="botbrains:stack is"):
        deploy_stack("prod", config=configuration("dr"), vault=vault)


def test_a_stack_without_configuration_stops_the_program() -> None:
    with pytest.raises(SettingsError, match="botbrains:kind is not set"):
        deploy_stack("prod", config={"aws:region": HOME})


def test_the_vault_loads_no_provider_that_it_does_not_need() -> None:
    script = (
        "import sys; from tests.components.recording import deploy_stack; deploy_stack('vault');"
        "print([name for name in ('pulumi_github',) if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"hosts.api.active": 21}, "hosts.api.active is 21; allowed is 20 or less for botbrains-prod-api"),
        (
            {"hosts.worker.serverType": "cpx99", "hosts.worker.alternatives": []},
            "Hetzner has none of cpx99 in fsn1 available now",
        ),
    ],
    ids=str,
)
def test_hosts_that_cannot_be_had_register_nothing_and_say_why(
    vault: dict[str, Any], changes: dict[str, Any], says: str
) -> None:
    with pytest.raises(pulumi.RunError, match=says):
        deploy_stack("prod", config=configuration("prod", changes), vault=vault, preview=True)
