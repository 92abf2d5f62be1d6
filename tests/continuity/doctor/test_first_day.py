"""The first day on an account: `continuity doctor` before it, after each of its steps, and after each fault.

The local cloud enforces IAM here. The operator's settings are in a copy of the project.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from continuity.doctor import aws as aws_checks
from continuity.doctor import limits
from continuity.doctor.check import Clouds
from continuity.doctor.checks import CHECKS
from continuity.errors import MissingError
from localcloud.aws.iam.sessions import totp
from localcloud.engine.provide import Engine
from tests.conftest import LocalCloud
from tests.scenarios.harness import HOME, RECOVERY, aws, configure, github, hetzner, working_copy
from tests.scenarios.harness.access import ACCOUNT, PEOPLE, REPOSITORY, clients, cloud_with_iam, using
from tests.scenarios.harness.people import access_key, confirm_mail, second_factors, take

NAME = f"{REPOSITORY['owner']}/{REPOSITORY['name']}"
SUBJECT = f"repos/{NAME}/actions/oidc/customization/sub"
NOT_SHOWN_HERE = {"addresses", "hetzner-limits", "own-role"}
"""Checks of facts that no API shows, or that a local cloud and its root user do not have."""


@dataclass(frozen=True)
class Day:
    """A cloud and the operator's copy of the project. `before` has the statuses of all checks in the empty account."""

    cloud: LocalCloud
    copy: Path
    before: dict[str, str]
    factors: Mapping[str, tuple[str, str]]

    def run(self, *arguments: str, **variables: str) -> Any:
        env = {name: value for name, value in {**self.cloud.env, **variables}.items() if value}
        command = (str(self.copy / ".venv/bin/python"), "-m", "continuity", *arguments)
        return replace(self.cloud, env=env).run(*command, cwd=self.copy, timeout=600)

    def doctor(self, *ids: str, code: int, **variables: str) -> dict[str, tuple[str, str]]:
        """The status and the sentence of each check. An empty variable is unset."""
        done = self.run("doctor", "--json", *ids, **variables)
        assert done.returncode == code
        return {each["id"]: (each["status"], each["found"]) for each in json.loads(done.stdout)["checks"]}


@pytest.fixture(scope="module")
def day(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Day]:
    """An account after the steps of docs/real-clouds.md."""
    copy = working_copy(tmp_path_factory.mktemp("project"))
    with cloud_with_iam(engine, tmp_path_factory.mktemp("cloud")) as cloud:
        empty = Day(cloud, copy, {}, {})
        made = replace(empty, before={name: found for name, (found, _) in empty.doctor(code=3).items()})
        for stack in ("prod", "dr"):
            configure(
                copy / f"Pulumi.{stack}.yaml", lambda config: config["botbrains:hosts"].update(sshFrom=["8.8.8.8/32"])
            )
        found = github(cloud).rest.repos.create_in_org(REPOSITORY["owner"], name=REPOSITORY["name"], private=True)
        numbers = {"ownerId": found.parsed_data.owner.id, "repositoryId": found.parsed_data.id}
        configure(copy / "Pulumi.vault.yaml", lambda config: config["botbrains:repository"].update(numbers))
        assert made.run("bootstrap", "--yes").returncode == 0
        assert made.run("up", "--yes").returncode == 0
        [command] = [line for line in made.run("up", "--yes", "github").stderr.splitlines() if "pulumi import" in line]
        assert cloud.run(*shlex.split(command), "--yes", cwd=copy).returncode == 0
        assert made.run("up", "--yes", "github").returncode == 0
        confirm_mail(cloud)
        for name in ("inference-providers", "application"):
            aws(cloud, "secretsmanager").put_secret_value(SecretId=f"botbrains/prod/{name}", SecretString="{}")
        with second_factors(cloud) as factors:
            yield replace(made, factors=factors)


def test_empty_account_lacks_each_step(day: Day) -> None:
    by_person = {"ssh-ranges", "state-backend", "vault", "roles", "second-factors", "alarm-recipients", "name-servers"}
    missing = {*by_person, "prod", "secrets", "github-numbers", "github-subject", "github"}
    assert {name for name, status in day.before.items() if status == "missing"} == missing
    assert {name for name, status in day.before.items() if status == "not shown"} == NOT_SHOWN_HERE
    assert list(day.before) == [check.id for check in CHECKS]


def test_nothing_is_missing_after_the_first_day(day: Day) -> None:
    found = day.doctor(code=0)
    assert {name for name, (status, _) in found.items() if status != "right"} == NOT_SHOWN_HERE
    assert found["aws-credentials"][1].startswith(f"account {ACCOUNT}, as ")


def test_everyday_role_may_run_every_check(day: Day) -> None:
    serial, seed = day.factors[PEOPLE[0]]
    with access_key(day.cloud, PEOPLE[0]) as key:
        everyday = take(
            clients(day.cloud, key),
            f"botbrains-person-{PEOPLE[0]}",
            name=PEOPLE[0],
            SerialNumber=serial,
            TokenCode=totp(seed),
        )
        # The key is found as a broken promise, but not by a check of the first day.
        found = replace(day, cloud=using(day.cloud, everyday)).doctor(code=0)
    assert {name for name, (status, _) in found.items() if status != "right"} == NOT_SHOWN_HERE


def test_terminal_shows_the_remedy_below_the_finding(day: Day) -> None:
    def set_plan(plan: str) -> None:
        configure(day.copy / "Pulumi.github.yaml", lambda config: config["botbrains:repository"].update(plan=plan))

    set_plan("enterprise")
    try:
        done = day.run("doctor", "github-plan")
    finally:
        set_plan("team")
    assert done.returncode == 3
    [line, remedy] = done.stdout.splitlines()
    assert line.split()[:2] == ["missing", "github-plan"]
    assert "has the plan team, and the setting is enterprise" in line
    assert "Pulumi.github.yaml" in remedy


@pytest.mark.parametrize(
    ("id_", "variables", "code", "status"),
    [
        ("addresses", {"AWS_ENDPOINT_URL": "", "HCLOUD_ENDPOINT": "", "GITHUB_BASE_URL": ""}, 0, "right"),
        ("pulumi", {"PATH": "/nowhere"}, 1, "could not look"),
        ("aws-credentials", {"AWS_ACCESS_KEY_ID": "AKIAWRONG"}, 1, "could not look"),
        ("hetzner-token", {"HCLOUD_TOKEN": "wrong"}, 1, "could not look"),
        ("github-token", {"GITHUB_REPOSITORY": "-none-/continuity"}, 3, "missing"),
    ],
)
def test_wrong_environment_is_named(day: Day, id_: str, variables: dict[str, str], code: int, status: str) -> None:
    assert day.doctor(id_, code=code, **variables)[id_][0] == status


def test_unknown_check_is_refused(day: Day) -> None:
    done = day.run("doctor", "quotas")
    assert done.returncode == 1
    assert "there is no check quotas; there are addresses, " in done.stderr


# -- faults of a finished account ------------------------------------------------------------------------------------


@contextmanager
def foreign_network(day: Day) -> Iterator[None]:
    networks = hetzner(day.cloud).networks
    network = networks.create(name="office", ip_range="10.99.0.0/16")
    try:
        yield
    finally:
        networks.delete(network)


@contextmanager
def undelegated_zone(day: Day) -> Iterator[None]:
    zones = hetzner(day.cloud).zones
    zone = zones.create(name="botbrains.invalid", mode="primary").zone
    configure(day.copy / "Pulumi.vault.yaml", lambda config: config.update({"botbrains:zone": "botbrains.invalid"}))
    try:
        yield
    finally:
        configure(day.copy / "Pulumi.vault.yaml", lambda config: config.update({"botbrains:zone": "botbrains.io"}))
        zones.delete(zone)


@contextmanager
def subject_of_names(day: Day) -> Iterator[None]:
    api = github(day.cloud)
    api.request("PUT", f"/{SUBJECT}", json={"use_default": True, "use_immutable_subject": False})
    try:
        yield
    finally:
        api.request("PUT", f"/{SUBJECT}", json={"use_default": True, "use_immutable_subject": True})


@contextmanager
def customised_subject(day: Day) -> Iterator[None]:
    api = github(day.cloud)
    api.request("PUT", f"/{SUBJECT}", json={"use_default": False, "include_claim_keys": ["actor"]})
    try:
        yield
    finally:
        api.request("PUT", f"/{SUBJECT}", json={"use_default": True})


@pytest.mark.parametrize(
    ("fault", "id_", "sentence"),
    [
        (foreign_network, "hetzner-project", "did not create: office"),
        (
            undelegated_zone,
            "name-servers",
            "the delegation of botbrains.invalid is unregistered: its parent names none",
        ),
        (subject_of_names, "github-subject", f"name repo:{NAME}, and"),
        (customised_subject, "github-subject", "name a customised subject"),
    ],
)
def test_fault_is_named(day: Day, fault: Callable[[Day], Any], id_: str, sentence: str) -> None:
    with fault(day):
        status, found = day.doctor(id_, code=3)[id_]
    assert status == "missing"
    assert sentence in found
    assert day.doctor(id_, code=0)[id_][0] == "right"


def test_person_without_second_factor_cannot_take_a_role(day: Day) -> None:
    iam, role = aws(day.cloud, "iam"), f"botbrains-person-{PEOPLE[0]}"
    trust = iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]
    open_trust = {
        **trust,
        "Statement": [{k: v for k, v in one.items() if k != "Condition"} for one in trust["Statement"]],
    }
    with access_key(day.cloud, PEOPLE[0]) as key:
        mine = replace(day, cloud=using(day.cloud, {**key, "SessionToken": ""}))
        assert mine.doctor("own-role", code=3)["own-role"][0] == "missing"
        iam.update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps(open_trust))
        try:
            assert mine.doctor("own-role", code=0)["own-role"][0] == "right"
        finally:
            iam.update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps(trust))


@pytest.fixture
def clouds(day: Day, monkeypatch: pytest.MonkeyPatch) -> Clouds:
    for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, day.cloud.env[name])
    return Clouds(day.cloud.env)


def test_region_that_is_not_enabled_is_named(clouds: Clouds) -> None:
    clouds.home = "eu-south-2"  # in the EU, and not enabled in a new account
    with pytest.raises(MissingError, match="not enabled in this account: eu-south-2"):
        aws_checks.regions(clouds)


@pytest.mark.parametrize(("what", "place"), [("database instances", HOME), ("VPCs", RECOVERY), ("KMS keys", RECOVERY)])
def test_quota_that_is_too_low_is_named(clouds: Clouds, monkeypatch: pytest.MonkeyPatch, what: str, place: str) -> None:
    grown = [
        each.model_copy(update={"needed": dict.fromkeys(each.needed, 1_000_000)}) if each.what == what else each
        for each in limits.load_limits()
    ]
    monkeypatch.setattr(aws_checks, "load_limits", lambda: grown)
    with pytest.raises(MissingError, match=f"{what} in {place}: [0-9]+ needed, "):
        aws_checks.quotas(clouds)
