"""Access with the roles' own sessions, in an AWS that enforces its IAM policies. The real engine deploys."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from localcloud.engine.provide import Engine
from tests.conftest import LocalCloud
from tests.scenarios.harness import CONTINUITY, HOME, PLAN, RECOVERY, aws, github, hetzner, unreachable
from tests.scenarios.harness.access import (
    ACCOUNT,
    PEOPLE,
    REPOSITORY,
    assert_denied,
    assume_role,
    clients,
    cloud_with_iam,
    deploy,
    harmful_changes,
    subject,
    using,
)
from tests.scenarios.harness.people import access_key, confirm_mail, second_factors, signed_in, take

ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
STACKS = ("vault", "prod", "github", "dr")
OBJECTS = f"botbrains-prod-objects-{ACCOUNT}"


@pytest.fixture(scope="module")
def cloud(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """The vault, deployed by a person, and production and GitHub, each deployed by a workflow with its role."""
    with cloud_with_iam(engine, tmp_path_factory.mktemp("access")) as made:
        deploy(made, "vault")
        confirm_mail(made)
        for stack in ("prod", "github"):
            role = assume_role(made, f"botbrains-{stack}-deploy", subject(f"environment:{stack}"))
            deploy(using(made, role), stack)
        yield made


def test_vault_deployment_role_reads_the_whole_vault(cloud: LocalCloud) -> None:
    vault = using(cloud, assume_role(cloud, "botbrains-vault-deploy", subject("environment:vault")))
    deploy(vault, "vault", "--refresh", "--expect-no-changes")


def test_token_with_another_subject_is_refused(cloud: LocalCloud) -> None:
    trusted = {f"botbrains-{stack}-deploy": {subject(f"environment:{stack}")} for stack in STACKS}
    trusted |= {
        f"botbrains-{stack}-preview": {subject("pull_request"), subject("ref:refs/heads/main")} for stack in STACKS
    }
    tried = {
        *(subject(f"environment:{stack}") for stack in (*STACKS, "production")),
        subject("pull_request"),
        subject("ref:refs/heads/main"),
        subject("ref:refs/heads/feature"),
        subject("ref:refs/tags/main"),
        # A new owner of the same name has a different number.
        subject("environment:prod", repositoryId=REPOSITORY["repositoryId"] + 1),
        subject("environment:prod", ownerId=REPOSITORY["ownerId"] + 1),
        subject("environment:prod", name="another"),
        subject("environment:prod", owner="another"),
        "repo:botbrains/continuity:environment:prod",
    }
    accepted = 0
    for role, subjects in trusted.items():
        for sub in tried:
            if sub in subjects:
                assert assume_role(cloud, role, sub)["SessionToken"]
                accepted += 1
            else:
                assert_denied(partial(assume_role, cloud, role, sub))
    assert accepted == 12


@pytest.mark.parametrize("stack", STACKS)
def test_deployment_role_makes_no_harmful_change(cloud: LocalCloud, stack: str) -> None:
    of = clients(cloud, assume_role(cloud, f"botbrains-{stack}-deploy", subject(f"environment:{stack}")))
    for name, change in harmful_changes(of, stack).items():
        print(name)
        assert_denied(change)


def test_preview_role_reads_its_stack_and_changes_nothing(cloud: LocalCloud) -> None:
    for stack in ("vault", "prod"):
        credentials = assume_role(cloud, f"botbrains-{stack}-preview", subject("pull_request"))
        seen = using(cloud, credentials).run("pulumi", "preview", "--refresh", "--expect-no-changes", "--stack", stack)
        assert seen.returncode == 0
        copies = using(cloud, credentials).run(*CONTINUITY, "copies", "--json")
        assert json.loads(copies.stdout)["could_not_look"] == []
        of = clients(cloud, credentials)
        for name, change in harmful_changes(of, stack).items():
            print(name)
            assert_denied(change)
        # The deployment role of the same stack may make these changes.
        for change in (
            lambda of=of: of("kms").create_key(Tags=[{"TagKey": "stack", "TagValue": "prod"}]),
            lambda of=of: of("ec2").create_vpc(CidrBlock="10.0.0.0/16"),
            lambda of=of: of("s3").create_bucket(
                Bucket="botbrains-prod-more", CreateBucketConfiguration={"LocationConstraint": HOME}
            ),
            lambda of=of: of("s3").put_object(Bucket=OBJECTS, Key="x", Body=b""),
            lambda of=of: of("s3").get_object(Bucket=OBJECTS, Key="x"),
            lambda of=of: of("rds").modify_db_instance(
                DBInstanceIdentifier="botbrains-prod-database", BackupRetentionPeriod=1
            ),
            lambda of=of: of("secretsmanager").put_secret_value(
                SecretId="botbrains/prod/application", SecretString="x"
            ),
            lambda of=of: of("ssm").put_parameter(Name="/botbrains/prod/x", Value="x", Type="String"),
        ):
            assert_denied(change)


def test_deployment_role_writes_the_state_of_its_stack_only(cloud: LocalCloud) -> None:
    assert cloud.run(*CONTINUITY, "bootstrap", "--yes").returncode == 0
    deploying = clients(cloud, assume_role(cloud, "botbrains-prod-deploy", subject("environment:prod")))
    looking = clients(cloud, assume_role(cloud, "botbrains-prod-preview", subject("pull_request")))
    own, others = ".pulumi/stacks/botbrains/prod.json", ".pulumi/stacks/botbrains/vault.json"
    lock = ".pulumi/locks/organization/botbrains/prod/1.json"
    for bucket, region in ((f"botbrains-state-{ACCOUNT}", RECOVERY), (f"botbrains-state-{ACCOUNT}-replica", HOME)):
        writes, reads = deploying("s3", region), looking("s3", region)
        version = writes.put_object(Bucket=bucket, Key=own, Body=b"{}")["VersionId"]
        for key in (".pulumi/history/botbrains/prod/1.json", lock):
            writes.put_object(Bucket=bucket, Key=key, Body=b"{}")
        writes.delete_object(Bucket=bucket, Key=lock)
        assert reads.get_object(Bucket=bucket, Key=own)["Body"].read() == b"{}"
        assert_denied(partial(reads.put_object, Bucket=bucket, Key=own, Body=b""))
        assert_denied(partial(writes.put_object, Bucket=bucket, Key=others, Body=b""))
        assert_denied(partial(writes.delete_object, Bucket=bucket, Key=own, VersionId=version))
        assert_denied(partial(writes.put_bucket_policy, Bucket=bucket, Policy="{}"))
    sealed = deploying("kms", RECOVERY).encrypt(KeyId="alias/botbrains-state", Plaintext=b"x")["CiphertextBlob"]
    assert deploying("kms", RECOVERY).decrypt(CiphertextBlob=sealed)["Plaintext"] == b"x"
    # Only S3 decrypts for the role that reads, so it reads the state and no secret in it.
    assert_denied(lambda: looking("kms", RECOVERY).decrypt(CiphertextBlob=sealed))
    assert_denied(lambda: looking("kms", RECOVERY).encrypt(KeyId="alias/botbrains-state", Plaintext=b"x"))
    assert_denied(
        lambda: looking("kms", RECOVERY).decrypt(CiphertextBlob=sealed, KeyId="alias/botbrains-vault-database")
    )


def test_deployment_role_changes_no_other_stack(cloud: LocalCloud) -> None:
    of = clients(cloud, assume_role(cloud, "botbrains-dr-deploy", subject("environment:dr")))
    for change in (
        lambda: of("rds").modify_db_instance(DBInstanceIdentifier="botbrains-prod-database", BackupRetentionPeriod=1),
        lambda: of("s3").put_bucket_versioning(Bucket=OBJECTS, VersioningConfiguration={"Status": "Suspended"}),
        lambda: of("secretsmanager").update_secret(SecretId="botbrains/prod/application", Description="x"),
        lambda: of("iam").delete_role(RoleName="botbrains-prod-hosts"),
        lambda: of("iam").put_role_policy(
            RoleName="botbrains-prod-hosts", PolicyName="x", PolicyDocument='{"Version":"2012-10-17","Statement":[]}'
        ),
    ):
        assert_denied(change)


@contextmanager
def unconfirmed(cloud: LocalCloud, person: str) -> Iterator[None]:
    """A person unsubscribed from the alarm, with the link of a mail, and subscribed again without a confirmation."""
    sns = aws(cloud, "sns", RECOVERY)
    email = next(role.email for role in PLAN.roles if role.person.lower() == person)
    subscription = next(
        each
        for each in sns.list_subscriptions()["Subscriptions"]
        if each["Endpoint"] == email and each["TopicArn"].endswith(":botbrains-vault-access-alarm")
    )
    sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
    deploy(cloud, "vault", "--refresh")
    try:
        yield
    finally:
        confirm_mail(cloud)


def findings(cloud: LocalCloud) -> set[tuple[str, str, str]]:
    """The broken promises that `continuity access` reports: the promise, the system, and the name in the finding."""
    report = cloud.run(*CONTINUITY, "access", "--json")
    assert report.returncode == 3
    names = ("localcloud", "root", "mallory", "intruder", "outsider", "machine", *PEOPLE)
    return {
        (it["promise"], it["system"], next((name for name in names if name in it["found"].lower()), ""))
        for it in json.loads(report.stdout)["findings"]
    }


@contextmanager
def aws_administrator(cloud: LocalCloud, name: str) -> Iterator[None]:
    """An administrator whom the plan does not name."""
    iam = aws(cloud, "iam")
    iam.create_user(UserName=name)
    iam.attach_user_policy(UserName=name, PolicyArn=ADMINISTRATOR)
    try:
        yield
    finally:
        iam.detach_user_policy(UserName=name, PolicyArn=ADMINISTRATOR)
        iam.delete_user(UserName=name)


@contextmanager
def ssh_key_exchanged(cloud: LocalCloud, name: str) -> Iterator[None]:
    """The second person's SSH key at Hetzner is deleted, and an unknown key is there."""
    keys = hetzner(cloud).ssh_keys
    known = next(each for each in keys.get_all() if each.public_key == PLAN.roles[1].ssh_key)
    keys.delete(known)
    public = Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    unknown = keys.create(name=name, public_key=public.decode())
    try:
        yield
    finally:
        keys.delete(unknown)
        deploy(cloud, "vault", "--refresh")


@contextmanager
def github_access_changed(cloud: LocalCloud, outsider: str, machine: str) -> Iterator[None]:
    """GitHub has an administrator and a deploy key that the plan does not name, and lacks the second person."""
    owner, name, rest = REPOSITORY["owner"], REPOSITORY["name"], github(cloud).rest
    rest.repos.add_collaborator(owner, name, outsider, permission="admin")
    key = rest.repos.create_deploy_key(owner, name, title=machine, key="ssh-ed25519 AAAA", read_only=False).parsed_data
    rest.orgs.remove_membership_for_user(owner, PLAN.roles[1].github)
    try:
        yield
    finally:
        rest.repos.remove_collaborator(owner, name, outsider)
        rest.repos.delete_deploy_key(owner, name, key.id)
        rest.orgs.set_membership_for_user(owner, PLAN.roles[1].github, role="admin")


# The local GitHub's token belongs to an owner whom the plan does not name, and the numbers in Pulumi.vault.yaml are
# placeholders.
ALWAYS_FOUND = {("roles", "GitHub", "localcloud"), ("roles", "GitHub", "")}


def test_access_command_reports_missing_second_factors(cloud: LocalCloud) -> None:
    assert findings(cloud) == ALWAYS_FOUND | {
        *(("access.mfa_required", "AWS", name) for name in (*PEOPLE, "root")),
        ("access.administrators_minimum", "AWS", ""),
    }
    with second_factors(cloud):
        assert findings(cloud) == ALWAYS_FOUND


def test_access_command_reports_each_unplanned_access(cloud: LocalCloud) -> None:
    with (
        # First, because it deploys the vault.
        unconfirmed(cloud, PEOPLE[0]),
        second_factors(cloud),
        access_key(cloud, PEOPLE[0]),
        aws_administrator(cloud, "mallory"),
        ssh_key_exchanged(cloud, "intruder"),
        github_access_changed(cloud, "outsider", "machine"),
    ):
        assert findings(cloud) == ALWAYS_FOUND | {
            ("access.aws_access_keys", "AWS", PEOPLE[0]),
            ("roles", "AWS", "mallory"),
            ("access.mfa_required", "AWS", "mallory"),
            ("roles", "Hetzner", "intruder"),
            ("roles", "Hetzner", PEOPLE[1]),
            ("access.administrators_minimum", "Hetzner", PEOPLE[0]),
            ("roles", "GitHub", "outsider"),
            ("roles", "GitHub", "machine"),
            ("access.administrators_minimum", "GitHub", PEOPLE[0]),
            ("access.administrators_minimum", "AWS", PEOPLE[0]),
        }


def test_access_command_says_what_it_could_not_read(cloud: LocalCloud) -> None:
    with unreachable(cloud, "github"):
        report = cloud.run(*CONTINUITY, "access")
    assert report.returncode == 1
    assert "could not look: GitHub: it does not answer" in report.stdout
    assert "botbrains-break-glass" in report.stdout


def test_access_command_says_how_workflow_tokens_name_the_repository(cloud: LocalCloud) -> None:
    path = "/repos/{owner}/{name}/actions/oidc/customization/sub".format_map(REPOSITORY)
    accepted = subject("").removesuffix(":")
    for immutable, remedy in ((False, "-F use_immutable_subject=true"), (True, "set ownerId and repositoryId")):
        github(cloud).request("PUT", path, json={"use_default": True, "use_immutable_subject": immutable})
        named = github(cloud).request("GET", path).json()["sub_claim_prefix"]
        assert ("@" in named) is immutable
        report = json.loads(cloud.run(*CONTINUITY, "access", "--json").stdout)
        [found] = [it for it in report["findings"] if "workflows" in it["found"]]
        assert named in found["found"]
        assert accepted in found["found"]
        assert remedy in found["remedy"]


def test_person_has_everyday_access_only_with_second_factor(cloud: LocalCloud) -> None:
    person = PEOPLE[1]
    with signed_in(cloud, person) as (own, factor):
        assert own("iam").list_mfa_devices(UserName=person)["MFADevices"]
        assert_denied(lambda: own("iam").create_access_key(UserName=person))
        assert_denied(lambda: own("rds").describe_db_instances())
        assert_denied(lambda: take(own, f"botbrains-person-{person}"))
        assert_denied(lambda: take(own, f"botbrains-person-{PEOPLE[0]}", **factor))

        everyday = take(own, f"botbrains-person-{person}", **factor)
        report = using(cloud, everyday).run(*CONTINUITY, "access", "--json")
        assert json.loads(report.stdout)["could_not_look"] == []
        of = clients(cloud, everyday)
        assert of("rds").describe_db_instances()["DBInstances"]
        of("secretsmanager").put_secret_value(SecretId="botbrains/prod/application", SecretString="x")
        assert_denied(lambda: of("secretsmanager").get_secret_value(SecretId="botbrains/prod/application"))
        harmful = harmful_changes(of, "prod")
        for change in (
            "create a user",
            "delete the database",
            "remove its permissions boundary",
            "assume the emergency role",
        ):
            assert_denied(harmful[change])


def test_emergency_role_lets_one_person_recover(cloud: LocalCloud) -> None:
    person, emergency = PEOPLE[1], "botbrains-break-glass"
    with signed_in(cloud, person) as (own, factor):
        assert_denied(lambda: take(own, emergency))
        assert_denied(lambda: take(own, emergency, region=HOME, **factor))
        assert_denied(lambda: take(own, emergency, name=PEOPLE[0], **factor))
        credentials = take(own, emergency, **factor)

        of = clients(cloud, credentials)
        secrets = of("secretsmanager")
        secrets.put_secret_value(SecretId="botbrains/prod/application", SecretString="x")
        assert secrets.get_secret_value(SecretId="botbrains/prod/application")["SecretString"] == "x"
        # With this role one person repairs access, which no workflow may, and recovers when Germany is lost.
        deploy(using(cloud, credentials), "vault", "--refresh")
        # The recovery stack stays: no test of this module reads it.
        with unreachable(cloud, HOME):
            deploy(using(cloud, credentials), "dr")
            assert of("rds", RECOVERY).describe_db_instances()["DBInstances"]
