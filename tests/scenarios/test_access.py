"""Who may do what, in an AWS that holds everybody to their policies: the real engine deploys with the roles' sessions.

The tests of this module follow one another, in the order in which they stand here.
"""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import boto3
import pytest
import yaml
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from githubkit import GitHub
from hcloud import Client as Hetzner

from localcloud.aws.iam.oidc_tokens import Issuers
from localcloud.aws.iam.sessions import totp
from localcloud.engine.provide import Engine
from tests.conftest import ROOT, LocalCloud, a_local_cloud
from tests.scenarios.asking import HOME, PLAN, RECOVERY, aws

ACCOUNT = "123456789012"
ISSUER = "https://token.actions.githubusercontent.com"
REPOSITORY: dict[str, Any] = yaml.safe_load((ROOT / "Pulumi.vault.yaml").read_text())["config"]["botbrains:repository"]
PACK = ("--policy-pack", "policy_pack")
PEOPLE = [role.person.lower() for role in PLAN.roles]

Clients = Callable[..., Any]
SEEDS: dict[str, tuple[str, str]] = {}
"""Each person's device: its serial number, and what its codes are made of."""


@pytest.fixture(scope="module")
def cloud(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("LOCALCLOUD_IAM", "on")
        environment.setenv("LOCALCLOUD_HOSTS", "off")
        with a_local_cloud(engine, tmp_path_factory.mktemp("access")) as made:
            yield made


def subject(context: str, **changes: Any) -> str:
    it = {**REPOSITORY, **changes}
    return f"repo:{it['owner']}@{it['ownerId']}/{it['name']}@{it['repositoryId']}:{context}"


def token(cloud: LocalCloud, sub: str, **claims: Any) -> str:
    """A token of a workflow's job, as GitHub's issuer would sign it."""
    return Issuers.of(cloud.folder).sign(ISSUER, {"aud": "sts.amazonaws.com", "sub": sub, **claims})


@functools.cache
def gate(cloud_endpoint: str) -> Any:
    """The one client that every token is shown through: making a client takes longer than what it asks."""
    return boto3.client(
        "sts", region_name=RECOVERY, endpoint_url=cloud_endpoint, config=Config(signature_version=UNSIGNED)
    )


def enter(cloud: LocalCloud, role: str, sub: str) -> Mapping[str, str]:
    credentials: Mapping[str, str] = gate(cloud.env["AWS_ENDPOINT_URL"]).assume_role_with_web_identity(
        RoleArn=f"arn:aws:iam::{ACCOUNT}:role/{role}", RoleSessionName="workflow", WebIdentityToken=token(cloud, sub)
    )["Credentials"]
    return credentials


def as_(cloud: LocalCloud, credentials: Mapping[str, str]) -> LocalCloud:
    """The same cloud, for whoever has these credentials."""
    env = {
        **cloud.env,
        "AWS_ACCESS_KEY_ID": credentials["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": credentials["SecretAccessKey"],
        "AWS_SESSION_TOKEN": credentials["SessionToken"],
    }
    return LocalCloud(cloud.folder, cloud.running, env)


def clients(cloud: LocalCloud, credentials: Mapping[str, str]) -> Clients:
    """Clients for whoever has these credentials, by service and region."""
    session = boto3.Session(
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials.get("SessionToken"),
    )

    @functools.cache
    def client(service: str, region: str = HOME) -> Any:
        return session.client(service, region_name=region, endpoint_url=cloud.env["AWS_ENDPOINT_URL"])

    return client


def up(cloud: LocalCloud, stack: str, *options: str) -> None:
    assert cloud.run("pulumi", "up", "--yes", "--skip-preview", "--stack", stack, *PACK, *options).returncode == 0


def denied(call: Callable[[], Any]) -> None:
    with pytest.raises(ClientError) as refusal:
        call()
    assert refusal.value.response["Error"]["Code"] == "AccessDenied", refusal.value


def test_the_first_deployment_is_a_persons_and_every_later_one_a_workflows(cloud: LocalCloud) -> None:
    up(cloud, "vault")
    up(as_(cloud, enter(cloud, "botbrains-prod-deploy", subject("environment:prod"))), "prod")
    # Of the vault, with all that decides on access in it, a workflow's deployment can look at everything.
    vault = as_(cloud, enter(cloud, "botbrains-vault-deploy", subject("environment:vault")))
    up(vault, "vault", "--refresh", "--expect-no-changes")


def test_a_token_of_another_repository_branch_or_environment_is_refused(cloud: LocalCloud) -> None:
    stacks = ("vault", "prod", "dr")
    right = {f"botbrains-{stack}-deploy": {subject(f"environment:{stack}")} for stack in stacks}
    right |= {
        f"botbrains-{stack}-preview": {subject("pull_request"), subject("ref:refs/heads/main")} for stack in stacks
    }
    tried = {
        *(subject(f"environment:{stack}") for stack in (*stacks, "production")),
        subject("pull_request"),
        subject("ref:refs/heads/main"),
        subject("ref:refs/heads/feature"),
        subject("ref:refs/tags/main"),
        # Whoever takes over a name has another number.
        subject("environment:prod", repositoryId=REPOSITORY["repositoryId"] + 1),
        subject("environment:prod", ownerId=REPOSITORY["ownerId"] + 1),
        subject("environment:prod", name="another"),
        subject("environment:prod", owner="another"),
        "repo:botbrains/continuity:environment:prod",
    }
    entered = 0
    for role, subjects in right.items():
        for sub in tried:
            if sub in subjects:
                assert enter(cloud, role, sub)["SessionToken"]
                entered += 1
            else:
                denied(lambda role=role, sub=sub: enter(cloud, role, sub))  # type: ignore[misc]
    assert entered == 9
    print(f"{entered} tokens let in, {len(right) * len(tried) - entered} refused")


def changes(of: Clients, stack: str) -> dict[str, Callable[[], Any]]:
    """Something of everything that could be changed for the worse."""
    role, bucket = f"botbrains-{stack}-deploy", "botbrains-vault-replica"
    iam, s3 = of("iam"), of("s3", RECOVERY)
    limit = f"arn:aws:iam::{ACCOUNT}:policy/botbrains-deploy-boundary"
    everything = json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    )
    trail = "botbrains-vault-access-alarm"
    key = aws_key(of, bucket)
    return {
        "its limit is lifted": lambda: iam.delete_role_permissions_boundary(RoleName=role),
        "its limit is another": lambda: iam.put_role_permissions_boundary(
            RoleName=role, PermissionsBoundary="arn:aws:iam::aws:policy/AdministratorAccess"
        ),
        "its limit says something else": lambda: iam.create_policy_version(
            PolicyArn=limit, PolicyDocument=everything, SetAsDefault=True
        ),
        "its limit is an earlier one": lambda: iam.set_default_policy_version(PolicyArn=limit, VersionId="v1"),
        "its limit is deleted": lambda: iam.delete_policy(PolicyArn=limit),
        "it may do more": lambda: iam.put_role_policy(RoleName=role, PolicyName="more", PolicyDocument=everything),
        "it may do everything": lambda: iam.attach_role_policy(
            RoleName=role, PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess"
        ),
        "others are let in": lambda: iam.update_assume_role_policy(RoleName=role, PolicyDocument=everything),
        "a role without a limit": lambda: iam.create_role(
            RoleName=f"botbrains-{stack}-free", AssumeRolePolicyDocument=everything
        ),
        "a role with a limit of its own": lambda: iam.create_role(
            RoleName=f"botbrains-{stack}-free",
            AssumeRolePolicyDocument=everything,
            PermissionsBoundary="arn:aws:iam::aws:policy/AdministratorAccess",
        ),
        "a role that seems to be another's": lambda: iam.create_role(
            RoleName="botbrains-prod-deploy", AssumeRolePolicyDocument=everything
        ),
        "a user": lambda: iam.create_user(UserName="eve"),
        "a key for a person": lambda: iam.create_access_key(UserName=PEOPLE[0]),
        "a password for a person": lambda: iam.create_login_profile(UserName=PEOPLE[0], Password="x" * 20),
        "a person's second factor": lambda: iam.deactivate_mfa_device(UserName=PEOPLE[0], SerialNumber="arn:aws:iam:x"),
        "another issuer": lambda: iam.create_open_id_connect_provider(Url="https://x.example", ClientIDList=["x"]),
        "the emergency's role": lambda: of("sts", RECOVERY).assume_role(
            RoleArn=f"arn:aws:iam::{ACCOUNT}:role/botbrains-break-glass", RoleSessionName="eve"
        ),
        "the alarm is switched off": lambda: of("events", RECOVERY).disable_rule(Name=f"{trail}-taken"),
        "nobody is told": lambda: of("sns", RECOVERY).delete_topic(
            TopicArn=f"arn:aws:sns:{RECOVERY}:{ACCOUNT}:{trail}"
        ),
        "the trail stops": lambda: of("cloudtrail", RECOVERY).stop_logging(Name=trail),
        "a record": lambda: s3.delete_object(Bucket=f"{trail}-records", Key="x"),
        "the database": lambda: of("rds").delete_db_instance(
            DBInstanceIdentifier="botbrains-prod-database", SkipFinalSnapshot=True
        ),
        "the copies' bucket": lambda: s3.delete_bucket(Bucket=bucket),
        "a version of an object": lambda: s3.delete_object(Bucket=bucket, Key="x", VersionId="y"),
        "a key": lambda: of("kms", RECOVERY).schedule_key_deletion(KeyId=key),
        "the copies' vault": lambda: of("backup", RECOVERY).delete_backup_vault(
            BackupVaultName="botbrains-vault-backups"
        ),
        "a secret": lambda: of("secretsmanager").delete_secret(SecretId="botbrains/prod/application"),
        "a secret's value": lambda: of("secretsmanager").get_secret_value(SecretId="botbrains/prod/application"),
        "something outside the EU": lambda: of("kms", "us-east-1").create_key(
            Tags=[{"TagKey": "stack", "TagValue": stack}]
        ),
    }


def aws_key(of: Clients, bucket: str) -> str:
    found = of("s3", RECOVERY).get_bucket_encryption(Bucket=bucket)
    (rule,) = found["ServerSideEncryptionConfiguration"]["Rules"]
    return str(rule["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"])


@pytest.mark.parametrize("stack", ["vault", "prod", "dr"])
def test_a_deployment_cannot_lift_its_limits_nor_destroy_data_nor_silence_the_alarm(
    cloud: LocalCloud, stack: str
) -> None:
    of = clients(cloud, enter(cloud, f"botbrains-{stack}-deploy", subject(f"environment:{stack}")))
    for what, change in changes(of, stack).items():
        print(what)
        denied(change)


def test_a_preview_reads_what_it_needs_and_changes_nothing(cloud: LocalCloud) -> None:
    for stack in ("vault", "prod"):
        credentials = enter(cloud, f"botbrains-{stack}-preview", subject("pull_request"))
        seen = as_(cloud, credentials).run("pulumi", "preview", "--refresh", "--expect-no-changes", "--stack", stack)
        assert seen.returncode == 0
        of = clients(cloud, credentials)
        for what, change in changes(of, stack).items():
            print(what)
            denied(change)
        # Nor what its stack's deployment may.
        for change in (
            lambda of=of: of("kms").create_key(Tags=[{"TagKey": "stack", "TagValue": "prod"}]),
            lambda of=of: of("ec2").create_vpc(CidrBlock="10.0.0.0/16"),
            lambda of=of: of("s3").create_bucket(
                Bucket="botbrains-prod-more", CreateBucketConfiguration={"LocationConstraint": HOME}
            ),
            lambda of=of: of("s3").put_object(Bucket="botbrains-prod-objects", Key="x", Body=b""),
            lambda of=of: of("s3").get_object(Bucket="botbrains-prod-objects", Key="x"),
            lambda of=of: of("rds").modify_db_instance(
                DBInstanceIdentifier="botbrains-prod-database", BackupRetentionPeriod=1
            ),
            lambda of=of: of("secretsmanager").put_secret_value(
                SecretId="botbrains/prod/application", SecretString="x"
            ),
            lambda of=of: of("ssm").put_parameter(Name="/botbrains/prod/x", Value="x", Type="String"),
        ):
            denied(change)


def test_a_deployment_writes_the_state_of_its_own_stack_alone(cloud: LocalCloud) -> None:
    assert cloud.run(sys.executable, "-m", "continuity", "bootstrap", "--yes").returncode == 0
    deploying = clients(cloud, enter(cloud, "botbrains-prod-deploy", subject("environment:prod")))
    looking = clients(cloud, enter(cloud, "botbrains-prod-preview", subject("pull_request")))
    own, others = ".pulumi/stacks/botbrains/prod.json", ".pulumi/stacks/botbrains/vault.json"
    lock = ".pulumi/locks/organization/botbrains/prod/1.json"
    for bucket, region in ((f"botbrains-state-{ACCOUNT}", RECOVERY), (f"botbrains-state-{ACCOUNT}-replica", HOME)):
        writes, reads = deploying("s3", region), looking("s3", region)
        version = writes.put_object(Bucket=bucket, Key=own, Body=b"{}")["VersionId"]
        for key in (".pulumi/history/botbrains/prod/1.json", lock):
            writes.put_object(Bucket=bucket, Key=key, Body=b"{}")
        writes.delete_object(Bucket=bucket, Key=lock)
        assert reads.get_object(Bucket=bucket, Key=own)["Body"].read() == b"{}"
        denied(partial(reads.put_object, Bucket=bucket, Key=own, Body=b""))
        denied(partial(writes.put_object, Bucket=bucket, Key=others, Body=b""))
        denied(partial(writes.delete_object, Bucket=bucket, Key=own, VersionId=version))
        denied(partial(writes.put_bucket_policy, Bucket=bucket, Policy="{}"))
    sealed = deploying("kms", RECOVERY).encrypt(KeyId="alias/botbrains-state", Plaintext=b"x")["CiphertextBlob"]
    opened = looking("kms", RECOVERY).decrypt(CiphertextBlob=sealed, KeyId="alias/botbrains-state")
    assert opened["Plaintext"] == b"x"
    denied(lambda: looking("kms", RECOVERY).encrypt(KeyId="alias/botbrains-state", Plaintext=b"x"))
    denied(lambda: looking("kms", RECOVERY).decrypt(CiphertextBlob=sealed, KeyId="alias/botbrains-vault-database"))


def test_a_stacks_deployment_leaves_the_others_alone(cloud: LocalCloud) -> None:
    of = clients(cloud, enter(cloud, "botbrains-dr-deploy", subject("environment:dr")))
    for change in (
        lambda: of("rds").modify_db_instance(DBInstanceIdentifier="botbrains-prod-database", BackupRetentionPeriod=1),
        lambda: of("s3").put_bucket_versioning(
            Bucket="botbrains-prod-objects", VersioningConfiguration={"Status": "Suspended"}
        ),
        lambda: of("secretsmanager").update_secret(SecretId="botbrains/prod/application", Description="x"),
        lambda: of("iam").delete_role(RoleName="botbrains-prod-hosts"),
        lambda: of("iam").put_role_policy(
            RoleName="botbrains-prod-hosts", PolicyName="x", PolicyDocument='{"Version":"2012-10-17","Statement":[]}'
        ),
    ):
        denied(change)


def found(cloud: LocalCloud, code: int) -> set[tuple[str, str, str]]:
    """The promises that `continuity access` finds not kept, where, and whom it names."""
    said = cloud.run(sys.executable, "-m", "continuity", "access", "--json")
    assert said.returncode == code
    findings = json.loads(said.stdout)["findings"]
    names = ("localcloud", "root", "mallory", "intruder", "outsider", "machine", *PEOPLE)
    return {
        (it["promise"], it["system"], next((name for name in names if name in it["found"].lower()), ""))
        for it in findings
    }


def give_second_factors(cloud: LocalCloud) -> None:
    iam = aws(cloud, "iam")
    iam.create_virtual_mfa_device(VirtualMFADeviceName="root-account-mfa-device")
    for person in PEOPLE:
        made = iam.create_virtual_mfa_device(VirtualMFADeviceName=person)["VirtualMFADevice"]
        seed = made["Base32StringSeed"].decode()
        iam.enable_mfa_device(
            UserName=person,
            SerialNumber=made["SerialNumber"],
            AuthenticationCode1=totp(seed),
            AuthenticationCode2=totp(seed, 0),
        )
        SEEDS[person] = (made["SerialNumber"], seed)


def test_the_access_command_says_which_promise_is_not_kept(cloud: LocalCloud) -> None:
    # Who has the local GitHub's token is one of its owners, and nobody of the plan's.
    anyhow = {("roles", "GitHub", "localcloud")}
    assert found(cloud, 3) == anyhow | {
        *(("access.mfa_required", "AWS", name) for name in (*PEOPLE, "root")),
        ("access.administrators_minimum", "AWS", ""),
    }
    give_second_factors(cloud)
    assert found(cloud, 3) == anyhow

    iam, hetzner = aws(cloud, "iam"), Hetzner(cloud.env["HCLOUD_TOKEN"], api_endpoint=cloud.env["HCLOUD_ENDPOINT"])
    github = GitHub(cloud.env["GITHUB_TOKEN"], base_url=f"{cloud.env['GITHUB_BASE_URL']}api/v3/")
    key = iam.create_access_key(UserName=PEOPLE[0])["AccessKey"]["AccessKeyId"]
    iam.create_user(UserName="mallory")
    iam.attach_user_policy(UserName="mallory", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    known = next(each for each in hetzner.ssh_keys.get_all() if each.public_key == PLAN.roles[1].ssh_key)
    hetzner.ssh_keys.delete(known)
    stranger = Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    hetzner.ssh_keys.create(name="intruder", public_key=stranger.decode())
    owner, name = REPOSITORY["owner"], REPOSITORY["name"]
    github.rest.repos.add_collaborator(owner, name, "outsider", permission="admin")
    github.rest.repos.create_deploy_key(owner, name, title="machine", key="ssh-ed25519 AAAA", read_only=False)
    github.rest.orgs.remove_membership_for_user(owner, PLAN.roles[1].github)
    assert found(cloud, 3) == anyhow | {
        ("access.aws_access_keys", "AWS", PEOPLE[0]),
        ("roles", "AWS", "mallory"),
        ("access.mfa_required", "AWS", "mallory"),
        ("roles", "Hetzner", "intruder"),
        ("roles", "Hetzner", PEOPLE[1]),
        ("access.administrators_minimum", "Hetzner", PEOPLE[0]),
        ("roles", "GitHub", "outsider"),
        ("roles", "GitHub", "machine"),
        ("access.administrators_minimum", "GitHub", PEOPLE[0]),
    }
    iam.delete_access_key(UserName=PEOPLE[0], AccessKeyId=key)
    iam.detach_user_policy(UserName="mallory", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    iam.delete_user(UserName="mallory")

    # What could not be looked at is not said to be right, and the rest is looked at.
    assert cloud.run(sys.executable, "-m", "localcloud", "cut", "github").returncode == 0
    said = cloud.run(sys.executable, "-m", "continuity", "access")
    assert said.returncode == 1
    assert "could not look: GitHub: it does not answer" in said.stdout
    assert "botbrains-break-glass" in said.stdout
    assert cloud.run(sys.executable, "-m", "localcloud", "restore", "github").returncode == 0


def test_one_person_alone_gets_in_and_both_are_told(cloud: LocalCloud) -> None:
    root, person = aws(cloud, "iam"), PEOPLE[1]
    key = root.create_access_key(UserName=person)["AccessKey"]  # stands for a person who has signed in
    serial, seed = SEEDS[person]
    signed_in = clients(cloud, key)
    assert signed_in("iam").list_mfa_devices(UserName=person)["MFADevices"]
    denied(lambda: signed_in("iam").create_access_key(UserName=person))
    denied(lambda: signed_in("rds").describe_db_instances())

    def take(role: str, region: str = RECOVERY, name: str = person, **factor: str) -> Any:
        return signed_in("sts", region).assume_role(
            RoleArn=f"arn:aws:iam::{ACCOUNT}:role/{role}", RoleSessionName=name, **factor
        )["Credentials"]

    shown = {"SerialNumber": serial, "TokenCode": totp(seed)}
    denied(lambda: take("botbrains-break-glass"))
    denied(lambda: take(f"botbrains-person-{person}"))
    denied(lambda: take(f"botbrains-person-{PEOPLE[0]}", **shown))
    denied(lambda: take("botbrains-break-glass", region=HOME, **shown))
    denied(lambda: take("botbrains-break-glass", name=PEOPLE[0], **shown))
    everyday = take(f"botbrains-person-{person}", **shown)
    day = clients(cloud, everyday)
    asked = as_(cloud, everyday).run(sys.executable, "-m", "continuity", "access", "--json")
    assert json.loads(asked.stdout)["could_not_look"] == []
    assert day("rds").describe_db_instances()["DBInstances"]
    day("secretsmanager").put_secret_value(SecretId="botbrains/prod/application", SecretString="x")
    denied(lambda: day("secretsmanager").get_secret_value(SecretId="botbrains/prod/application"))
    for change in ("a user", "the database", "its limit is lifted", "the emergency's role"):
        denied(changes(day, "prod")[change])

    before = len(letters(cloud))
    credentials = take("botbrains-break-glass", **shown)
    told = letters(cloud)[before:]
    assert {letter["to"] for letter in told} == {role.email for role in PLAN.roles}
    for letter in told:
        assert letter["text"].startswith(f"EMERGENCY ACCESS: arn:aws:iam::{ACCOUNT}:user/{person} took")

    everything = clients(cloud, credentials)
    everything("secretsmanager").get_secret_value(SecretId="botbrains/prod/application")
    # With it one person alone puts access right, which no workflow may, and recovers when Germany is lost.
    up(as_(cloud, credentials), "vault", "--refresh")
    assert cloud.run(sys.executable, "-m", "localcloud", "cut", HOME).returncode == 0
    up(as_(cloud, credentials), "dr")
    assert everything("rds", RECOVERY).describe_db_instances()["DBInstances"]

    before = len(letters(cloud))
    everything("events", RECOVERY).disable_rule(Name="botbrains-vault-access-alarm-taken")
    assert {letter["text"].partition(":")[0] for letter in letters(cloud)[before:]} == {"ALARM CHANGED"}


def letters(cloud: LocalCloud) -> list[dict[str, str]]:
    file = cloud.folder.path / "mail.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
