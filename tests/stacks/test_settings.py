"""Tests of the settings: accepted values, refused values, and the messages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import reduce
from typing import Any, get_args

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

import plan
from components.database.source import New, PointInTime, ReplicatedBackup, Snapshot, Source, VaultCopy
from plan.validation import allowed, field_names
from stacks.settings import model as settings
from stacks.settings.model import ProductionSettings, RecoverySettings, VaultSettings
from stacks.settings.reading import SettingsError
from tests.components.recording import configuration

ABSENT = None
PROMISED = plan.load()


def parse(stack: str, changes: dict[str, Any] | None = None) -> settings.Settings:
    """A stack's own file, with changes."""
    values = {
        key.removeprefix("botbrains:"): value
        for key, value in configuration(stack, changes).items()
        if key.startswith("botbrains:")
    }
    return settings.parse(values, plan=PROMISED, stack=stack)


def test_what_the_plan_states_is_taken_from_the_plan() -> None:
    vault, prod, dr = parse("vault"), parse("prod"), parse("dr")
    assert isinstance(vault, VaultSettings)
    assert isinstance(prod, ProductionSettings)
    assert isinstance(dr, RecoverySettings)

    aws, hetzner = PROMISED.residency.aws, PROMISED.residency.hetzner
    assert (vault.region, prod.region, dr.region) == (aws.recovery_region, aws.home_region, aws.recovery_region)
    assert list(prod.locations) == list(hetzner.home_locations)
    assert list(dr.locations) == list(hetzner.recovery_locations)
    for service in (prod, dr):
        assert service.database.backup_retention_days == PROMISED.retention.database_backup_days
        for pool in (service.hosts.api, service.hosts.worker):
            assert pool.active == PROMISED.redundancy.minimum_active_hosts
            assert pool.standby == PROMISED.redundancy.minimum_standby_hosts


MORNING = datetime(2026, 3, 1, 2, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "means"),
    [
        ({"from": "new"}, New()),
        ({"from": "pointInTime", "instance": "db"}, PointInTime(instance="db", moment=None)),
        (
            {"from": "pointInTime", "instance": "db", "time": "2026-03-01T02:30:00Z"},
            PointInTime(instance="db", moment=MORNING),
        ),
        (
            {"from": "replicatedBackup", "instance": "db", "time": "2026-03-01T03:30:00+01:00"},
            ReplicatedBackup(instance="db", moment=MORNING),
        ),
        (
            {"from": "replicatedBackup", "instance": "db", "time": "latest"},
            ReplicatedBackup(instance="db", moment=None),
        ),
        ({"from": "snapshot", "snapshot": "rds:db-2026"}, Snapshot(snapshot="rds:db-2026")),
        (
            {"from": "snapshot", "snapshot": "arn:aws:rds:eu-west-1:123456789012:snapshot:awsbackup:job-1"},
            Snapshot(snapshot="arn:aws:rds:eu-west-1:123456789012:snapshot:awsbackup:job-1"),
        ),
        (
            {"from": "vaultCopy", "vault": "our_vault", "instance": "db"},
            VaultCopy(vault="our_vault", instance="db", moment=None),
        ),
    ],
    ids=str,
)
def test_each_source_of_a_database_can_be_written_down(written: dict[str, Any], means: Source) -> None:
    for stack in ("prod", "dr"):
        parsed = parse(stack, {"database.source": written})
        assert isinstance(parsed, ProductionSettings | RecoverySettings)
        assert parsed.database.source is not None
        assert parsed.database.source.declared() == means


def test_production_begins_empty_and_recovery_not_without_being_told() -> None:
    prod, dr = parse("prod"), parse("dr", {"database.source": ABSENT})
    assert isinstance(prod, ProductionSettings)
    assert isinstance(dr, RecoverySettings)
    assert prod.database.source.declared() == New()
    assert dr.database.source is None
    assert (prod.database.replicate_backups, dr.database.replicate_backups) == (True, False)


@pytest.mark.parametrize(
    "changes",
    [
        {"database.backupRetentionDays": 1},
        {"database.backupRetentionDays": 0},
        {"database.replicateBackups": False},
        {"locations": ["ash"]},
        {"locations": ["fsn1"]},
        {"region": "us-east-1"},
        {"region": "eu-west-2"},
        {"hosts.api.active": 1, "hosts.api.standby": 0},
    ],
    ids=str,
)
def test_what_only_the_policy_pack_may_judge_gets_past_the_settings(changes: dict[str, Any]) -> None:
    parsed = parse("prod", changes)
    for path, value in changes.items():
        *_, name = path.split(".")
        assert json.dumps(value) in parsed.model_dump_json(by_alias=True).replace(",", ", "), name


@pytest.mark.parametrize(
    ("stack", "changes", "names", "allows"),
    [
        # the stack and its kind
        ("prod", {"kind": ABSENT}, "botbrains:kind is not set", "vault, production, github, recovery"),
        ("prod", {"kind": "dr"}, 'botbrains:kind is "dr"', "vault, production, github, recovery"),
        ("prod", {"stack": "dr"}, 'botbrains:stack is "dr"', "'prod'"),
        ("prod", {"stack": ABSENT}, "botbrains:stack is not set", "lowercase letters"),
        # what a kind of stack does not have
        (
            "vault",
            {"hosts": {}},
            "botbrains:hosts is",
            "one of the keys failback, kind, region, repository, stack, stateBucket, zone",
        ),
        ("dr", {"repository": {"name": "x"}}, "botbrains:repository is", "one of the keys database, hosts"),
        # unknown keys, at each depth
        ("prod", {"colour": "red"}, 'botbrains:colour is "red"', "one of the keys database, hosts"),
        ("prod", {"hosts.cron": {}}, "botbrains:hosts.cron is {}", "one of the keys api, keepServing, sshFrom, worker"),
        (
            "prod",
            {"hosts.worker.port": 80},
            "botbrains:hosts.worker.port is 80",
            "one of the keys active, alternatives, app",
        ),
        (
            "prod",
            {"database.backup_retention_days": 35},
            "botbrains:database.backup_retention_days",
            "one of the keys backup",
        ),
        # missing sections and values
        (
            "prod",
            {"database": ABSENT},
            "botbrains:database is not set",
            "a mapping with the keys identifier",
        ),
        ("prod", {"hosts.api.image": ABSENT}, "botbrains:hosts.api.image is not set", "lowercase letters"),
        # wrong types: nothing is converted
        ("prod", {"hosts": "many"}, 'botbrains:hosts is "many"', "a mapping with the keys api, worker, sshFrom"),
        ("prod", {"hosts.keepServing": "no"}, 'botbrains:hosts.keepServing is "no"', "true or false"),
        ("prod", {"hosts.api.app": "api:latest"}, 'botbrains:hosts.api.app is "api:latest"', "an image by its digest"),
        ("prod", {"hosts.api.alternatives": ["cpx42 hel1"]}, "alternatives[0] is", "such as cpx42@hel1"),
        ("prod", {"hosts.api.alternatives": "cpx42"}, "alternatives is", "a list, each of them a server type"),
        ("prod", {"hosts.sshFrom": ["192.0.2.10/8"]}, 'botbrains:hosts.sshFrom[0] is "192.0.2.10/8"', "CIDR notation"),
        (
            "prod",
            {"loadBalancer.names": []},
            "botbrains:loadBalancer.names is []",
            "one or more, none of them twice, each of them a name",
        ),
        (
            "vault",
            {"repository": ABSENT},
            "botbrains:repository is not set",
            "with the keys owner, ownerId, name",
        ),
        ("vault", {"repository.ownerId": 0}, "botbrains:repository.ownerId is 0", "GitHub's id of the organisation"),
        (
            "vault",
            {"repository.repositoryId": "5"},
            'botbrains:repository.repositoryId is "5"',
            "GitHub's id of the repository",
        ),
        ("vault", {"zone": "botbrains"}, 'botbrains:zone is "botbrains"', "a domain, such as"),
        ("prod", {"hosts.api.active": "2"}, 'botbrains:hosts.api.active is "2"', "a whole number"),
        ("prod", {"hosts.api.active": 2.5}, "botbrains:hosts.api.active is 2.5", "a whole number"),
        ("prod", {"hosts.api.active": True}, "botbrains:hosts.api.active is true", "a whole number"),
        ("prod", {"database.engineVersion": 17.1}, "botbrains:database.engineVersion is 17.1", "quotation marks"),
        ("prod", {"locations": "fsn1"}, 'botbrains:locations is "fsn1"', "a list"),
        ("prod", {"locations": [1]}, "botbrains:locations[0] is 1", "the name of a Hetzner location"),
        # wrong shapes
        ("prod", {"region": "Frankfurt"}, 'botbrains:region is "Frankfurt"', "AWS region"),
        ("prod", {"region": "eu-central-1a"}, 'botbrains:region is "eu-central-1a"', "AWS region"),
        ("prod", {"region": ""}, 'botbrains:region is ""', "AWS region"),
        ("prod", {"locations": []}, "botbrains:locations is []", "one or more"),
        ("prod", {"locations": ["fsn1", "fsn1"]}, "botbrains:locations is", "none of them twice"),
        ("prod", {"locations": ["fsn1-dc14"]}, "botbrains:locations[0]", "three lowercase letters"),
        ("prod", {"network.ipRange": "8.8.0.0/16"}, "botbrains:network.ipRange", "private IPv4 range"),
        ("prod", {"network.ipRange": "10.10.0.1/16"}, "botbrains:network.ipRange", "private IPv4 range"),
        ("prod", {"network.ipRange": "10.10.0.0/23"}, "botbrains:network.ipRange", "/16 to /22"),
        ("prod", {"hosts.api.healthPath": "healthz"}, "botbrains:hosts.api.healthPath", "begins with a slash"),
        ("prod", {"database.instanceClass": "m7g.large"}, "botbrains:database.instanceClass", "db.m7g.large"),
        # where the database comes from
        ("vault", {"failback": 1}, "botbrains:failback is 1", "true or false"),
        (
            "vault",
            {"stateBucket": "botbrains-prod-x"},
            'botbrains:stateBucket is "botbrains-prod-x"',
            "not begin with botbrains-",
        ),
        ("vault", {"stateBucket": "a.b"}, 'botbrains:stateBucket is "a.b"', "3 to 55 lowercase letters"),
        ("dr", {"database.identifier": "Two"}, 'botbrains:database.identifier is "Two"', "the name of an RDS instance"),
        ("dr", {"database.identifier": "a" * 64}, "botbrains:database.identifier", "at most 63"),
        ("dr", {"database.source": "new"}, 'botbrains:database.source is "new"', "a mapping with the key from"),
        ("dr", {"database.source": {}}, "botbrains:database.source.from is not set", "one of new, pointInTime, "),
        ("dr", {"database.source.from": "backup"}, 'source.from is "backup"', "replicatedBackup, snapshot, vaultCopy"),
        ("dr", {"database.source.from": 1}, "botbrains:database.source.from is 1", "one of new, pointInTime"),
        ("dr", {"database.source.from": "new"}, "botbrains:database.source.instance is", "the key from"),
        ("dr", {"database.source.from": "snapshot", "database.source.instance": ABSENT}, "snapshot is not set", "ARN"),
        ("dr", {"database.source.instance": ABSENT}, "source.instance is not set", "the name of an RDS instance"),
        ("dr", {"database.source.instance": "a--b"}, 'source.instance is "a--b"', "single hyphens"),
        ("dr", {"database.source.vault": "v"}, 'source.vault is "v"', "one of the keys from, instance, time"),
        ("dr", {"database.source.time": "now"}, 'source.time is "now"', "latest, or a time in ISO 8601"),
        ("dr", {"database.source.time": "2026-03-01T02:30:00"}, "source.time is", "with its time zone"),
        ("dr", {"database.source.time": "2026-03-01"}, "botbrains:database.source.time is", "with its time zone"),
        ("dr", {"database.source.time": "2026-03-01T02:30:00.5Z"}, "source.time is", "in whole seconds"),
        ("dr", {"database.source.time": 5}, "botbrains:database.source.time is 5", "latest, or a time"),
        ("prod", {"database.source": {"from": "snapshot", "snapshot": "!"}}, 'snapshot is "!"', "name or the ARN"),
        (
            "prod",
            {"database.source": {"from": "vaultCopy", "vault": "a b", "instance": "x"}},
            'botbrains:database.source.vault is "a b"',
            "the name of a vault",
        ),
        # wrong numbers
        ("prod", {"hosts.api.active": 0}, "botbrains:hosts.api.active is 0", "1 or more"),
        ("prod", {"hosts.worker.standby": -1}, "botbrains:hosts.worker.standby is -1", "0 or more"),
        ("prod", {"hosts.api.port": 65536}, "botbrains:hosts.api.port is 65536", "1024 to 65535"),
        ("prod", {"database.backupRetentionDays": 36}, "botbrains:database.backupRetentionDays is 36", "0 (no"),
        ("prod", {"database.backupRetentionDays": -1}, "botbrains:database.backupRetentionDays is -1", "0 (no"),
        ("prod", {"database.storageGib": 19}, "botbrains:database.storageGib is 19", "20 to 65536"),
        ("prod", {"database.maxStorageGib": 109}, "botbrains:database.maxStorageGib is 109", "a tenth more"),
        ("github", {"repository.requiredApprovals": 0}, "botbrains:repository.requiredApprovals is 0", "1 to 10"),
        ("github", {"repository.plan": "free"}, 'botbrains:repository.plan is "free"', "team or enterprise"),
        ("github", {"repository.reviewers": [7, 8]}, "repository.reviewers is [7, 8]", "none with plan team"),
        ("github", {"repository.plan": "enterprise"}, "repository.reviewers is []", "two numbers or more"),
        (
            "github",
            {"repository.plan": "enterprise", "repository.reviewers": [7, 7]},
            "repository.reviewers is [7, 7]",
            "two numbers or more",
        ),
        (
            "github",
            {"repository.actions": ["a/b@v1"]},
            'botbrains:repository.actions[0] is "a/b@v1"',
            "actions/checkout@*",
        ),
    ],
    ids=str,
)
def test_a_wrong_setting_is_refused_with_its_key_its_value_and_what_is_allowed(
    stack: str, changes: dict[str, Any], names: str, allows: str
) -> None:
    with pytest.raises(SettingsError) as refusal:
        parse(stack, changes)
    message = str(refusal.value)
    assert "has 1 mistake." in message
    found, allowed, advice = message.split("\n\n")[1].splitlines()
    assert names in found
    assert allows in allowed
    assert advice.strip()


def test_all_mistakes_are_named_at_once() -> None:
    with pytest.raises(SettingsError) as refusal:
        parse("prod", {"region": "Frankfurt", "colour": "red", "network": ABSENT, "stack": "dr", "hosts.api.active": 0})
    message = str(refusal.value)
    assert "has 5 mistakes." in message
    for key in ("region", "colour", "network", "stack", "hosts.api.active"):
        assert f"botbrains:{key} is" in message


def test_a_secret_is_not_shown_in_a_message() -> None:
    values = {"kind": "vault", "stack": "vault", "password": "hunter2"}
    with pytest.raises(SettingsError) as refusal:
        settings.parse(values, plan=PROMISED, stack="vault", secrets={"password"})
    assert "botbrains:password" in str(refusal.value)
    assert "hunter2" not in str(refusal.value)


def test_settings_cannot_be_changed_afterwards() -> None:
    parsed = parse("vault")
    with pytest.raises(ValueError, match="frozen"):
        parsed.stack = "other"


def every_setting(model: type[BaseModel], path: str) -> Iterator[tuple[str, FieldInfo]]:
    for name, field in field_names(model).items():
        yield f"{path}.{name}", field
        for section in models_in(field.annotation):
            yield from every_setting(section, f"{path}.{name}")


def models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in models_in(part)]


def test_every_setting_says_what_it_is_and_what_it_allows_and_knows_its_place_in_the_plan() -> None:
    checked = 0
    for kind, model in settings.KINDS.items():
        for path, field in every_setting(model, kind):
            assert field.description, path
            assert allowed(field.annotation, field.metadata), path
            if isinstance(field.json_schema_extra, dict) and "fromPlan" in field.json_schema_extra:
                assert reduce(getattr, str(field.json_schema_extra["fromPlan"]).split("."), PROMISED) is not None, path
                checked += 1
    assert checked > 0
