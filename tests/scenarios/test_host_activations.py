"""Hosts' activations under the real engine: what makes a new one, and what does not."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import boto3
import pytest

from localcloud.hosts.machine import ssm_agent
from tests.conftest import ROOT, LocalCloud

HERE = "eu-central-1"

PROGRAM = """
import json, os
import pulumi, pulumi_aws as aws
from components import providers
from components.host_identity import DatabaseAccessArgs, HostIdentity, HostIdentityArgs, account_of

at_aws = pulumi.ResourceOptions(providers=[providers.aws(region="eu-central-1", tags={"app": "botbrains"})])
alone = pulumi.ResourceOptions(provider=at_aws.providers[0])
key = aws.kms.Key("key", opts=alone)  # without a single input: that is no reason to replace it later
secret = aws.secretsmanager.Secret("database", name="database", kms_key_id=key.arn, opts=alone)
identity = HostIdentity(
    "hosts",
    HostIdentityArgs(
        stack="test",
        region="eu-central-1",
        account_id=account_of(key.arn),
        secret_names=("botbrains/test/inference",),
        secrets_key_arn=key.arn,
        database=DatabaseAccessArgs(
            endpoint="database.example:5432", name="botbrains", secret_arn=secret.arn, secret_key_arn=key.arn
        ),
        log_retention_days=30,
        key_deletion_window_days=7,
    ),
    opts=at_aws,
)
for host, roll in json.loads(os.environ["HOSTS"]).items():
    name, code = identity.activation(host, roll)
    pulumi.export(f"{host}-id", name)
    pulumi.export(f"{host}-code", code)
"""


class Project:
    """A program of hosts alone, in a folder of its own, on a local cloud."""

    def __init__(self, cloud: LocalCloud, folder: Path) -> None:
        self.folder = folder
        (folder / "Pulumi.yaml").write_text("name: hosts\nruntime: python\n")
        (folder / "__main__.py").write_text(PROGRAM)
        path = f"{Path(sys.executable).parent}:{cloud.env['PATH']}"
        self.cloud = LocalCloud(
            cloud.folder, cloud.running, {**cloud.env, "PYTHONPATH": str(ROOT), "PATH": path, "HOSTS": "{}"}
        )
        self.pulumi("stack", "init")

    def pulumi(self, *command: str, **hosts: str) -> str:
        env = {**self.cloud.env, "HOSTS": json.dumps(hosts)}
        cloud = LocalCloud(self.cloud.folder, self.cloud.running, env)
        done = cloud.run("pulumi", *command, "--stack=test", "--non-interactive", cwd=self.folder)
        assert done.returncode == 0
        return done.stdout

    def up(self, **hosts: str) -> dict[str, int]:
        """What the update did, without what it left as it was."""
        self.pulumi("up", "--yes", "--skip-preview", "--refresh", **hosts)
        changes = json.loads(self.pulumi("stack", "history", "--json"))[0]["resourceChanges"]
        return {step: count for step, count in changes.items() if step != "same"}

    def outputs(self) -> dict[str, str]:
        told: dict[str, str] = json.loads(self.pulumi("stack", "output", "--json", "--show-secrets"))
        return told

    def client(self, service: str, **credentials: str) -> Any:
        env = self.cloud.env
        return boto3.client(
            service,
            region_name=HERE,
            endpoint_url=env["AWS_ENDPOINT_URL"],
            **(
                credentials
                or {
                    "aws_access_key_id": env["AWS_ACCESS_KEY_ID"],
                    "aws_secret_access_key": env["AWS_SECRET_ACCESS_KEY"],
                }
            ),
        )


@pytest.fixture
def project(fresh_cloud: LocalCloud, tmp_path: Path) -> Project:
    folder = tmp_path / "project"
    folder.mkdir()
    return Project(fresh_cloud, folder)


def test_an_activation_lasts_until_its_hosts_configuration_changes(project: Project) -> None:
    both = {"one": "a" * 64, "two": "b" * 64}
    project.up(**both)
    first = project.outputs()

    # What the code opens stands in the state as a secret, and nowhere in the clear.
    assert first["one-code"] not in project.pulumi("stack", "export")
    endpoint = project.cloud.env["AWS_ENDPOINT_URL"]
    node = ssm_agent.register(endpoint, HERE, first["one-id"], first["one-code"])
    credentials = ssm_agent.token(node)

    # It is used up now, which is nothing to change anything for.
    assert project.up(**both) == {}
    assert project.outputs() == first

    changed = project.up(one="c" * 64, two=both["two"])
    assert changed == {"replace": 1}
    second = project.outputs()
    assert (second["two-id"], second["two-code"]) == (first["two-id"], first["two-code"])
    assert second["one-id"] != first["one-id"]
    assert second["one-code"] != first["one-code"]

    # The node of the activation that went is still one, reads its settings and logs.
    assert ssm_agent.token(node)
    its = {
        "aws_access_key_id": credentials.access_key_id,
        "aws_secret_access_key": credentials.secret_access_key,
        "aws_session_token": credentials.session_token,
    }
    told = project.client("ssm", **its).get_parameter(Name="/botbrains/test/database")["Parameter"]["Value"]
    assert json.loads(told)["host"] == "database.example"
    logs = project.client("logs", **its)
    logs.create_log_stream(logGroupName="/botbrains/test/hosts", logStreamName="one")
    [group] = project.client("logs").describe_log_groups()["logGroups"]
    assert group["retentionInDays"] == 30
    assert group["kmsKeyId"].startswith("arn:aws:kms:")
