"""Hosts' activations under the real engine: only a changed configuration creates a new one."""

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


class Project:
    """A Pulumi project of `harness/activations_program.py` in its own folder, deployed to a local cloud."""

    def __init__(self, cloud: LocalCloud, folder: Path) -> None:
        self.folder = folder
        (folder / "Pulumi.yaml").write_text("name: hosts\nruntime: python\n")
        (folder / "__main__.py").write_text("import tests.scenarios.harness.activations_program\n")
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
        """Deploy; the number of resources by operation, without the unchanged ones."""
        self.pulumi("up", "--yes", "--skip-preview", "--refresh", **hosts)
        changes = json.loads(self.pulumi("stack", "history", "--json"))[0]["resourceChanges"]
        return {step: count for step, count in changes.items() if step != "same"}

    def outputs(self) -> dict[str, str]:
        values: dict[str, str] = json.loads(self.pulumi("stack", "output", "--json", "--show-secrets"))
        return values

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


def test_activation_lasts_until_its_host_changes(project: Project) -> None:
    both = {"one": "a" * 64, "two": "b" * 64}
    project.up(**both)
    first = project.outputs()

    # The state contains the activation's code as a secret, never in plain text.
    assert first["one-code"] not in project.pulumi("stack", "export")
    endpoint = project.cloud.env["AWS_ENDPOINT_URL"]
    node = ssm_agent.register(endpoint, HERE, first["one-id"], first["one-code"])
    credentials = ssm_agent.token(node)

    # The activation is used up now. That changes nothing.
    assert project.up(**both) == {}
    assert project.outputs() == first

    changed = project.up(one="c" * 64, two=both["two"])
    assert changed == {"replace": 1}
    second = project.outputs()
    assert (second["two-id"], second["two-code"]) == (first["two-id"], first["two-code"])
    assert second["one-id"] != first["one-id"]
    assert second["one-code"] != first["one-code"]

    # The node of the deleted activation still exists, reads its settings and writes its log.
    assert ssm_agent.token(node)
    node_credentials = {
        "aws_access_key_id": credentials.access_key_id,
        "aws_secret_access_key": credentials.secret_access_key,
        "aws_session_token": credentials.session_token,
    }
    settings = project.client("ssm", **node_credentials).get_parameter(Name="/botbrains/test/database")["Parameter"][
        "Value"
    ]
    assert json.loads(settings)["host"] == "database.example"
    logs = project.client("logs", **node_credentials)
    logs.create_log_stream(logGroupName="/botbrains/test/hosts", logStreamName="one")
    [group] = project.client("logs").describe_log_groups()["logGroups"]
    assert group["retentionInDays"] == 30
    assert group["kmsKeyId"].startswith("arn:aws:kms:")
