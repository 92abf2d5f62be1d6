"""The program itself, run for each of its stacks with that stack's own file."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pulumi
import pytest
import yaml
from pulumi.runtime import mocks

import plan
from tests.components.recording import (
    ACCOUNT,
    BACKUP_PLAN,
    BACKUP_REPLICATION,
    BACKUP_VAULT,
    BUCKET,
    BUCKET_REPLICATION,
    DATABASE,
    INGRESS_RULE,
    KEY,
    PRIMARY_IP,
    REPOSITORY,
    ROLE_POLICY,
    ROOT,
    RULESET,
    SECRET,
    SERVER,
    SSH_KEY,
    Deployment,
    Registration,
    configuration,
    deploy_stack,
    strings,
)

if TYPE_CHECKING:
    from tests.localcloud.aws_harness import LocalAws

PROMISED = plan.load()
HOME, RECOVERY = PROMISED.residency.aws.home_region, PROMISED.residency.aws.recovery_region

# The one stack that another may read, by its project's name and its own.
VAULT_STACK = "/".join(
    (
        "organization",
        yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["name"],
        configuration("vault")["botbrains:stack"],
    )
)


POLICY = "aws:iam/policy:Policy"
ACTIONS_VARIABLE = "github:index/actionsVariable:ActionsVariable"
ENVIRONMENT = "github:index/repositoryEnvironment:RepositoryEnvironment"

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


def test_every_resource_is_given_a_provider(deployed: dict[str, Deployment]) -> None:
    for stack, deployment in deployed.items():
        explicit = {it.urn for it in deployment.resources if it.type.startswith("pulumi:providers:")}
        for resource in deployment.custom:
            assert resource.provider.rpartition("::")[0] in explicit, f"{stack}: {resource.name}"
        assert configuration(stack)["pulumi:disable-default-providers"] == '["*"]'


def test_every_resource_has_a_name_of_its_own_that_says_whose_it_is(deployed: dict[str, Deployment]) -> None:
    for stack, deployment in deployed.items():
        names = Counter((resource.type, resource.name) for resource in deployment.custom)
        assert names.most_common(1)[0][1] == 1
        other = {name for _, name in names if not name.startswith(f"botbrains-{stack}")}
        # The vault declares the roles of dr, so that a recovery needs no call to IAM.
        expected = {resource.name for resource in deployment.custom if part_of_recovery(resource)}
        assert other == (expected if stack == "vault" else set())


def part_of_recovery(resource: Registration) -> bool:
    """Whether a resource is a role of the recovery stack, or a policy of one."""
    return resource.type.startswith("aws:iam/role") and resource.name.startswith("botbrains-dr-")


# The longest name that is allowed: with it too, IAM takes every policy.
@pytest.mark.parametrize("configured", [None, f"example-{'x' * 47}"])
def test_roles_and_workflows_use_the_one_bucket_of_the_state(lost: dict[str, Any], configured: str | None) -> None:
    expected = configured or f"botbrains-state-{ACCOUNT}"
    changes = {} if configured is None else {"stateBucket": configured}
    made = deploy_stack("vault", config=configuration("vault", changes))
    policies = [it.inputs["policy"] for kind in (ROLE_POLICY, POLICY) for it in made.all(kind)]
    buckets = set(re.findall(r"arn:aws:s3:::([^/\"]+)/\.pulumi/", " ".join(policies)))
    assert buckets == {expected, f"{expected}-replica"}
    declared = deploy_stack("github", vault={**made.outputs, "database_key_arn": lost["KmsKeyId"]})
    variables = {it.inputs["variableName"]: it.inputs["value"] for it in declared.all(ACTIONS_VARIABLE)}
    assert variables["PULUMI_BACKEND_URL"] == f"s3://{expected}?region={RECOVERY}"


def test_the_vault_outlives_its_own_stack(deployed: dict[str, Deployment]) -> None:
    for resource in deployed["vault"].custom:
        if resource.type == SSH_KEY:
            continue  # a public key, which the plan has: it is created again when its owner changes it
        assert resource.protect, resource.name
        assert resource.retain_on_delete, resource.name


@pytest.mark.parametrize("stack", ["prod", "dr"])
def test_every_role_that_a_deployment_makes_has_the_vaults_limit(
    updated: dict[str, Deployment], vault: dict[str, Any], stack: str
) -> None:
    declaring = updated["vault" if stack == "dr" else stack]
    names = {f"botbrains-{stack}-{purpose}" for purpose in ("hosts", "second-copy")}
    roles = [role for role in declaring.all("aws:iam/role:Role") if role.inputs["name"] in names]
    assert {role.inputs["name"] for role in roles} >= names
    for role in roles:
        assert role.inputs["permissionsBoundary"] == vault["workload_boundary_arn"], role.name
        # Its name lets a deployment create it.
        assert role.inputs["name"].startswith(f"botbrains-{stack}-")


def test_the_vault_is_in_the_recovery_region_alone(deployed: dict[str, Deployment]) -> None:
    vault = deployed["vault"]
    # The policies of roles name both regions. IAM itself is in no region.
    said = {word for word in every_word(vault) if word.startswith('{"Version"')}
    regions = {word for word in every_word(vault) if word in PROMISED.residency.aws.allowed_regions}
    assert regions == {RECOVERY}
    assert [word for word in every_word(vault) if HOME in word and word not in said] == []
    elsewhere = [it for it in vault.custom if any(word in said and HOME in word for word in strings(it.inputs))]
    assert {it.type for it in elsewhere} <= {"aws:iam/policy:Policy", ROLE_POLICY}
    assert vault.stack_references == []


def test_recovery_knows_nothing_of_what_was_lost(deployed: dict[str, Deployment]) -> None:
    recovery = deployed["dr"]
    assert recovery.stack_references == [VAULT_STACK]
    theirs = (HOME, *PROMISED.residency.hetzner.home_locations, "botbrains-prod")
    assert [word for word in every_word(recovery) if any(name in word for name in theirs)] == []
    # The application's secrets keep their names in their replicas, which are in the vault's region.
    for arn in re.findall(r'"([^"]*botbrains/prod[^"]*)"', " ".join(every_word(recovery))):
        assert arn.startswith(f"arn:aws:secretsmanager:{RECOVERY}:")


def test_recovery_asks_nothing_of_the_region_that_was_lost(
    vault: dict[str, Any], aws: LocalAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    answer = type(aws.application).__call__

    def listen(application: Any, environ: dict[str, Any], start_response: Any) -> Any:
        asked.append(environ["HTTP_AUTHORIZATION"].split("Credential=")[1].split("/")[2])
        return answer(application, environ, start_response)

    monkeypatch.setattr(type(aws.application), "__call__", listen)
    deploy_stack("dr", vault=vault, preview=True)
    assert asked
    assert set(asked) == {RECOVERY}


def test_recovery_brings_the_database_back_from_the_replicated_backup(
    deployed: dict[str, Deployment], lost: dict[str, Any]
) -> None:
    instance = deployed["dr"].one(DATABASE)
    assert instance.inputs["restoreToPointInTime"] == {
        "sourceDbInstanceAutomatedBackupsArn": lost["DBInstanceAutomatedBackupsArn"],
        "useLatestRestorableTime": True,
    }
    assert instance.inputs["allocatedStorage"] == 130  # more than is declared, since a restore does not shrink
    assert not {"dbName", "username", "snapshotIdentifier"} & set(instance.inputs)


@pytest.mark.parametrize("preview", [False, True], ids=["up", "preview"])
@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"database.source.instance": "botbrains-prod-databse"}, "botbrains-prod-database of eu-central-1"),
        ({"database.source": None}, "botbrains:database.source is not set"),
    ],
    ids=str,
)
def test_recovery_from_a_wrong_source_registers_nothing(
    vault: dict[str, Any], monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], says: str, preview: bool
) -> None:
    registered: list[str] = []
    register = mocks.MockMonitor.RegisterResource

    def listen(monitor: mocks.MockMonitor, request: Any) -> Any:
        registered.append(request.type)
        return register(monitor, request)  # type: ignore[no-untyped-call]

    monkeypatch.setattr(mocks.MockMonitor, "RegisterResource", listen)
    with pytest.raises(pulumi.RunError, match=says):
        deploy_stack("dr", config=configuration("dr", changes), vault=vault, preview=preview)
    assert set(registered) <= {"pulumi:pulumi:Stack"}


def test_recovery_copies_its_backups_home_once_that_is_there_again(vault: dict[str, Any]) -> None:
    config = configuration("dr", {"database.replicateBackups": True})
    key = f"arn:aws:kms:{HOME}:123456789012:key/return"
    copies = deploy_stack("dr", config=config, vault={**vault, "return_key_arn": key}).one(BACKUP_REPLICATION)
    assert (copies.inputs["region"], copies.inputs["kmsKeyId"]) == (HOME, key)
    assert copies.inputs["retentionPeriod"] == PROMISED.retention.replicated_backup_days
    # Without `failback` the vault has no such key, and nothing is copied with another one.
    with pytest.raises(pulumi.RunError, match="The vault has no key in the home region"):
        deploy_stack("dr", config=config, vault=vault)


def test_recovery_comes_up_in_its_own_places(deployed: dict[str, Deployment]) -> None:
    recovery = deployed["dr"]
    assert recovery.one("pulumi:providers:aws").inputs["region"] == RECOVERY
    locations = {it.inputs["location"] for it in recovery.resources if "location" in it.inputs}
    assert locations == set(PROMISED.residency.hetzner.recovery_locations)


def test_recovery_stands_on_the_vault_and_owns_nothing_of_its_kind(
    deployed: dict[str, Deployment], vault: dict[str, Any]
) -> None:
    recovery = deployed["dr"]
    # The logs of its hosts and of its database are not copies of data.
    assert sorted(key.name for key in recovery.all(KEY)) == ["botbrains-dr-database-logs", "botbrains-dr-hosts-logs"]
    assert recovery.one(DATABASE).inputs["kmsKeyId"] == vault["database_key_arn"]
    assert recovery.outputs["objects_bucket"] == vault["replica_bucket_name"]
    (rule,) = recovery.one(BACKUP_PLAN).inputs["rules"]
    assert rule["targetVaultName"] == vault["backup_vault_name"]
    owned = (BUCKET, BACKUP_VAULT, SECRET, BACKUP_REPLICATION, BUCKET_REPLICATION, REPOSITORY)
    assert [it.name for it in recovery.resources if it.type in owned] == []


def test_production_reads_the_vault_and_copies_to_it(deployed: dict[str, Deployment], vault: dict[str, Any]) -> None:
    production = deployed["prod"]
    assert production.stack_references == [VAULT_STACK]

    backups = production.one(BACKUP_REPLICATION).inputs
    assert (backups["region"], backups["kmsKeyId"]) == (RECOVERY, vault["database_key_arn"])
    there, back = (
        production.one(BUCKET_REPLICATION, f"botbrains-prod-objects-{way}").inputs for way in ("replication", "return")
    )
    destination = there["rules"][0]["destination"]
    assert destination["bucket"] == vault["replica_bucket_arn"]
    assert destination["encryptionConfiguration"] == {"replicaKmsKeyId": vault["objects_key_arn"]}
    assert (back["region"], back["bucket"]) == (RECOVERY, vault["replica_bucket_name"])
    (rule,) = production.one(BACKUP_PLAN).inputs["rules"]
    assert [copy["destinationVaultArn"] for copy in rule["copyActions"]] == [vault["backup_vault_arn"]]
    for secret in production.all(SECRET):
        assert secret.inputs["replicas"] == [{"region": RECOVERY, "kmsKeyId": vault["secrets_key_arn"]}]


def test_production_is_at_home_apart_from_its_copies(deployed: dict[str, Deployment]) -> None:
    production = deployed["prod"]
    assert production.one("pulumi:providers:aws").inputs["region"] == HOME
    away = sorted((it.type, it.name) for it in production.custom if it.inputs.get("region") not in (None, HOME))
    assert away == [
        # S3 measures delays in the region of the destination, and failures in that of the source.
        ("aws:cloudwatch/metricAlarm:MetricAlarm", "botbrains-prod-objects-replication-late"),
        ("aws:cloudwatch/metricAlarm:MetricAlarm", "botbrains-prod-objects-return-failed"),
        (BACKUP_REPLICATION, "botbrains-prod-database"),
        (BUCKET_REPLICATION, "botbrains-prod-objects-return"),
    ]
    locations = {it.inputs["location"] for it in production.resources if "location" in it.inputs}
    assert locations == set(PROMISED.residency.hetzner.home_locations)


def test_the_database_admits_every_host_and_nobody_else(updated: dict[str, Deployment]) -> None:
    for stack in ("prod", "dr"):
        deployment = updated[stack]
        admitted = sorted(rule.inputs["cidrIpv4"] for rule in deployment.all(INGRESS_RULE))
        hosts = {server.name for server in deployment.all(SERVER)}
        made = [f"203.0.113.{address.id}/32" for address in deployment.all(PRIMARY_IP) if address.name in hosts]
        assert admitted == sorted(made)
        assert len(made) == len(hosts) > 0


def test_the_repository_cannot_be_lost_or_changed_by_one_person(deployed: dict[str, Deployment]) -> None:
    declared = deployed["github"]
    repository, ruleset = declared.one(REPOSITORY), declared.one(RULESET)

    assert repository.retain_on_delete
    assert repository.inputs["archiveOnDestroy"] is True
    assert repository.inputs["visibility"] == "private"
    assert ruleset.inputs["enforcement"] == "active"
    rules = ruleset.inputs["rules"]
    assert rules["deletion"] is rules["nonFastForward"] is True
    assert rules["pullRequest"]["requiredApprovingReviewCount"] == 1
    assert rules["pullRequest"]["requireLastPushApproval"] is True
    # Without reviewers of deployments, the approval of the pull request is the only one, and applies to owners too.
    assert not ruleset.inputs.get("bypassActors")
    assert not any(environment.inputs.get("reviewers") for environment in declared.all(ENVIRONMENT))


def test_deployments_have_reviewers_on_the_plan_that_has_them(vault: dict[str, Any]) -> None:
    changes = {"repository.plan": "enterprise", "repository.reviewers": [7, 8], "repository.secretScanning": True}
    declared = deploy_stack("github", config=configuration("github", changes), vault=vault)
    environments = {it.inputs["environment"]: it.inputs for it in declared.all(ENVIRONMENT)}
    assert set(environments) == {"vault", "prod", "github", "dr"}
    for stack, environment in environments.items():
        assert environment["reviewers"] == [{"users": [7, 8]}]
        assert environment["preventSelfReview"] is (stack != "dr")
    assert {actor["bypassMode"] for actor in declared.one(RULESET).inputs["bypassActors"]} == {"pull_request"}
    assert declared.one(REPOSITORY).inputs["securityAndAnalysis"]["secretScanning"] == {"status": "enabled"}


def test_each_stack_exports_what_others_rely_on(updated: dict[str, Deployment]) -> None:
    service = {
        "name",
        "load_balancers",
        "health_check",
        "database_endpoint",
        "database_arn",
        "database_name",
        "database_secret_arn",
        "objects_bucket",
        "replica_bucket",
        "api_hosts",
        "worker_hosts",
    }
    outputs = {stack: set(deployment.outputs) for stack, deployment in updated.items()}
    assert outputs == {
        "vault": {
            "region",
            "zone_name",
            "replica_bucket_name",
            "replica_bucket_arn",
            "backup_vault_name",
            "backup_vault_arn",
            "workload_boundary_arn",
            "break_glass_arn",
            "role_arns",
            "alarm_topic_arn",
            "bundle_bucket_name",
            "state_bucket_name",
            "recovery_host_role_name",
            "recovery_backup_role_arn",
        }
        | {f"{purpose}_key_arn" for purpose in ("database", "objects", "secrets", "copies")},
        "prod": service | {"replicated_backup_arn", "secrets", "alarm_topic_arn"},
        "github": {"repository_url"},
        "dr": service,
    }
    assert all(value is not None for deployment in updated.values() for value in deployment.outputs.values())
    hosts = updated["prod"].outputs["api_hosts"]
    assert [balancer["location"] for balancer in updated["prod"].outputs["load_balancers"]] == list(
        PROMISED.residency.hetzner.home_locations
    )
    assert updated["prod"].outputs["name"] == "api.botbrains.io"
    assert [host["state"] for host in hosts] == ["active"] * PROMISED.redundancy.minimum_active_hosts + [
        "standby"
    ] * PROMISED.redundancy.minimum_standby_hosts
