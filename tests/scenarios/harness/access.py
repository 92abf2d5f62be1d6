"""An AWS that enforces its IAM policies, and the roles' sessions in it."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from localcloud.aws.iam.oidc_tokens import Issuers
from localcloud.aws.kms.tags import TAG_VARIABLE
from localcloud.engine.provide import Engine
from tests.conftest import ROOT, LocalCloud, a_local_cloud
from tests.scenarios.harness import HOME, PACK, PLAN, RECOVERY

ACCOUNT = "123456789012"
ISSUER = "https://token.actions.githubusercontent.com"
REPOSITORY: dict[str, Any] = yaml.safe_load((ROOT / "Pulumi.vault.yaml").read_text())["config"]["botbrains:repository"]
PEOPLE = [role.person.lower() for role in PLAN.roles]
_EVERYTHING = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})

Clients = Callable[..., Any]


@contextmanager
def cloud_with_iam(engine: Engine, path: Path) -> Iterator[LocalCloud]:
    """An empty local cloud whose AWS enforces its IAM policies."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("LOCALCLOUD_IAM", "on")
        # Long enough for each deployment to use a new key before its tags take effect.
        environment.setenv(TAG_VARIABLE, "20")
        with a_local_cloud(engine, path) as cloud:
            yield cloud


def subject(context: str, **changes: Any) -> str:
    """The subject of a workflow's token, with parts of the repository's identity changed."""
    it = {**REPOSITORY, **changes}
    return f"repo:{it['owner']}@{it['ownerId']}/{it['name']}@{it['repositoryId']}:{context}"


def token(cloud: LocalCloud, sub: str) -> str:
    """A token of a workflow's job, signed like GitHub's issuer signs it."""
    return Issuers.of(cloud.folder).sign(ISSUER, {"aud": "sts.amazonaws.com", "sub": sub})


@functools.cache
def sts_client(endpoint: str) -> Any:
    """The client that exchanges every token: creating a client takes longer than the call."""
    return boto3.client("sts", region_name=RECOVERY, endpoint_url=endpoint, config=Config(signature_version=UNSIGNED))


def assume_role(cloud: LocalCloud, role: str, sub: str) -> Mapping[str, str]:
    """Exchange a workflow's token for a role's credentials."""
    credentials: Mapping[str, str] = sts_client(cloud.env["AWS_ENDPOINT_URL"]).assume_role_with_web_identity(
        RoleArn=f"arn:aws:iam::{ACCOUNT}:role/{role}", RoleSessionName="workflow", WebIdentityToken=token(cloud, sub)
    )["Credentials"]
    return credentials


def using(cloud: LocalCloud, credentials: Mapping[str, str]) -> LocalCloud:
    """The same cloud, for commands that use these credentials."""
    env = {
        **cloud.env,
        "AWS_ACCESS_KEY_ID": credentials["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": credentials["SecretAccessKey"],
        "AWS_SESSION_TOKEN": credentials["SessionToken"],
    }
    return replace(cloud, env=env)


def clients(cloud: LocalCloud, credentials: Mapping[str, str]) -> Clients:
    """Clients that use these credentials, by service and region."""
    session = boto3.Session(
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials.get("SessionToken"),
    )

    @functools.cache
    def client(service: str, region: str = HOME) -> Any:
        return session.client(service, region_name=region, endpoint_url=cloud.env["AWS_ENDPOINT_URL"])

    return client


def deploy(cloud: LocalCloud, stack: str, *options: str) -> None:
    """Deploy a stack with the policy pack in force."""
    assert cloud.run("pulumi", "up", "--yes", "--skip-preview", "--stack", stack, *PACK, *options).returncode == 0


def assert_denied(call: Callable[[], Any]) -> None:
    with pytest.raises(ClientError) as refusal:
        call()
    assert refusal.value.response["Error"]["Code"] == "AccessDenied", refusal.value


def harmful_changes(of: Clients, stack: str) -> dict[str, Callable[[], Any]]:
    """Calls that lift limits, destroy data, silence the alarm or read secrets: one for each kind of harm."""
    return _changes_of_permissions(of, stack) | _changes_of_resources(of, stack)


def _changes_of_permissions(of: Clients, stack: str) -> dict[str, Callable[[], Any]]:
    role, iam = f"botbrains-{stack}-deploy", of("iam")
    limit = f"arn:aws:iam::{ACCOUNT}:policy/botbrains-deploy-boundary"
    return {
        "remove its permissions boundary": lambda: iam.delete_role_permissions_boundary(RoleName=role),
        "replace its permissions boundary": lambda: iam.put_role_permissions_boundary(
            RoleName=role, PermissionsBoundary="arn:aws:iam::aws:policy/AdministratorAccess"
        ),
        "rewrite its permissions boundary": lambda: iam.create_policy_version(
            PolicyArn=limit, PolicyDocument=_EVERYTHING, SetAsDefault=True
        ),
        "return to an earlier boundary": lambda: iam.set_default_policy_version(PolicyArn=limit, VersionId="v1"),
        "delete its permissions boundary": lambda: iam.delete_policy(PolicyArn=limit),
        "add an inline policy": lambda: iam.put_role_policy(
            RoleName=role, PolicyName="more", PolicyDocument=_EVERYTHING
        ),
        "attach AdministratorAccess": lambda: iam.attach_role_policy(
            RoleName=role, PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess"
        ),
        "rewrite its trust policy": lambda: iam.update_assume_role_policy(RoleName=role, PolicyDocument=_EVERYTHING),
        "create a role without a boundary": lambda: iam.create_role(
            RoleName=f"botbrains-{stack}-free", AssumeRolePolicyDocument=_EVERYTHING
        ),
        "create a role with a different boundary": lambda: iam.create_role(
            RoleName=f"botbrains-{stack}-free",
            AssumeRolePolicyDocument=_EVERYTHING,
            PermissionsBoundary="arn:aws:iam::aws:policy/AdministratorAccess",
        ),
        "create a role with the name of a stack's role": lambda: iam.create_role(
            RoleName="botbrains-prod-deploy", AssumeRolePolicyDocument=_EVERYTHING
        ),
        "create a user": lambda: iam.create_user(UserName="eve"),
        "create an access key for a person": lambda: iam.create_access_key(UserName=PEOPLE[0]),
        "create a password for a person": lambda: iam.create_login_profile(UserName=PEOPLE[0], Password="x" * 20),
        "deactivate a person's second factor": lambda: iam.deactivate_mfa_device(
            UserName=PEOPLE[0], SerialNumber="arn:aws:iam:x"
        ),
        "add an identity provider": lambda: iam.create_open_id_connect_provider(
            Url="https://x.example", ClientIDList=["x"]
        ),
    }


def _changes_of_resources(of: Clients, stack: str) -> dict[str, Callable[[], Any]]:
    bucket, s3 = f"botbrains-vault-replica-{ACCOUNT}", of("s3", RECOVERY)
    trail = "botbrains-vault-access-alarm"
    key = encryption_key(of, bucket, RECOVERY)
    key_region = HOME if stack == "vault" else RECOVERY
    key_of_another = encryption_key(of, f"botbrains-prod-objects-{ACCOUNT}", HOME) if stack == "vault" else key
    return {
        "assume the emergency role": lambda: of("sts", RECOVERY).assume_role(
            RoleArn=f"arn:aws:iam::{ACCOUNT}:role/botbrains-break-glass", RoleSessionName="eve"
        ),
        "disable the alarm": lambda: of("events", RECOVERY).disable_rule(Name=f"{trail}-taken"),
        "delete the alarm's topic": lambda: of("sns", RECOVERY).delete_topic(
            TopicArn=f"arn:aws:sns:{RECOVERY}:{ACCOUNT}:{trail}"
        ),
        "stop the trail": lambda: of("cloudtrail", RECOVERY).stop_logging(Name=trail),
        "delete a record of the trail": lambda: s3.delete_object(Bucket=f"{trail}-records-{ACCOUNT}", Key="x"),
        "delete the database": lambda: of("rds").delete_db_instance(
            DBInstanceIdentifier="botbrains-prod-database", SkipFinalSnapshot=True
        ),
        "delete the replica bucket": lambda: s3.delete_bucket(Bucket=bucket),
        "delete a version of an object": lambda: s3.delete_object(Bucket=bucket, Key="x", VersionId="y"),
        "delete a key": lambda: of("kms", RECOVERY).schedule_key_deletion(KeyId=key),
        "delete the backup vault": lambda: of("backup", RECOVERY).delete_backup_vault(
            BackupVaultName="botbrains-vault-backups"
        ),
        "take over a key of another stack": lambda: of("kms", key_region).tag_resource(
            KeyId=key_of_another, Tags=[{"TagKey": "stack", "TagValue": stack}]
        ),
        "stop the copies of the database's backups": lambda: of(
            "rds", RECOVERY
        ).stop_db_instance_automated_backups_replication(SourceDBInstanceArn=f"arn:aws:rds:{HOME}:{ACCOUNT}:db:x"),
        "delete the replica of a secret": lambda: of("secretsmanager").remove_regions_from_replication(
            SecretId="botbrains/prod/application", RemoveReplicaRegions=[RECOVERY]
        ),
        "give others a secret": lambda: of("secretsmanager").put_resource_policy(
            SecretId="botbrains/prod/application", ResourcePolicy=_EVERYTHING
        ),
        "delete a secret": lambda: of("secretsmanager").delete_secret(SecretId="botbrains/prod/application"),
        "read a secret": lambda: of("secretsmanager").get_secret_value(SecretId="botbrains/prod/application"),
        "create a key outside the EU": lambda: of("kms", "us-east-1").create_key(
            Tags=[{"TagKey": "stack", "TagValue": stack}]
        ),
    }


def encryption_key(of: Clients, bucket: str, region: str) -> str:
    """The key that encrypts a bucket's objects."""
    found = of("s3", region).get_bucket_encryption(Bucket=bucket)
    (rule,) = found["ServerSideEncryptionConfiguration"]["Rules"]
    return str(rule["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"])
