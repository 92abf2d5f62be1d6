"""Pulumi's engine with the state backend: either region may fail."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import boto3

from localcloud.engine.provide import Engine
from localcloud.faults.outages import change
from plan.names import STATE_KEY_ALIAS
from tests.conftest import LocalCloud
from tests.continuity.state_backend.support import (
    BUCKET,
    PATHS,
)
from tests.localcloud.aws_harness import HERE, THERE


def command(cloud: LocalCloud, *arguments: str) -> subprocess.CompletedProcess[str]:
    return cloud.run(sys.executable, "-m", "continuity", "bootstrap", *arguments)


def test_state_and_secrets_survive_the_loss_of_either_region(
    local_cloud: LocalCloud, engine: Engine, tmp_path: Path
) -> None:
    missing = command(local_cloud, "--check", "--json")
    assert missing.returncode == 3
    assert len(json.loads(missing.stdout)["findings"]) == 6
    done = command(local_cloud, "--yes", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["bucket"] == BUCKET
    [_, when_lost] = json.loads(done.stdout)["commands"].values()
    assert command(local_cloud, "--check").returncode == 0

    (tmp_path / "Pulumi.yaml").write_text("name: trivial\nruntime: python\n")
    (tmp_path / "__main__.py").write_text(
        "import pulumi\npulumi.export('password', pulumi.Config().require_secret('password'))\n"
    )
    kept = {key: value for key, value in local_cloud.env.items() if not key.startswith("PULUMI_")}
    env = {**kept, "PULUMI_HOME": str(tmp_path / "home"), "PULUMI_SKIP_UPDATE_CHECK": "true"}

    def pulumi(*arguments: str) -> str:
        ran = subprocess.run(
            [engine.pulumi, *arguments, "--non-interactive"],
            cwd=tmp_path, env=env, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout.strip()

    pulumi("login", f"s3://{BUCKET}?region={THERE}&{PATHS}")
    pulumi("stack", "init", "x", "--secrets-provider", f"awskms://{STATE_KEY_ALIAS}?region={THERE}")
    pulumi("config", "set", "--secret", "password", "correct horse", "--stack", "x")
    assert "correct horse" not in (tmp_path / "Pulumi.x.yaml").read_text()
    pulumi("up", "--yes", "--skip-preview", "--stack", "x")

    try:
        change(local_cloud.folder, "cut", [HERE])
        broken = boto3.client(
            "kms",
            region_name=THERE,
            endpoint_url=local_cloud.env["AWS_ENDPOINT_URL"],
            aws_access_key_id=local_cloud.env["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=local_cloud.env["AWS_SECRET_ACCESS_KEY"],
        )
        key = broken.describe_key(KeyId=STATE_KEY_ALIAS)["KeyMetadata"]["KeyId"]
        broken.disable_key_rotation(KeyId=key)
        cut = command(local_cloud, "--check", "--json")
        said = json.loads(cut.stdout)
        assert cut.returncode == 1
        assert [finding["property"] for finding in said["findings"]] == ["rotation"]
        assert len(said["could_not_look"]) == 1
        assert said["could_not_look"][0].startswith(f"{HERE}: ")
        refused = command(local_cloud, "--yes")
        assert refused.returncode == 1
        assert HERE in refused.stderr
        change(local_cloud.folder, "restore", [HERE])
        assert command(local_cloud, "--yes").returncode == 0

        change(local_cloud.folder, "cut", [THERE])
        # Exactly what the command says to type, but for the address of the local S3, which has no bucket's own names.
        for line in when_lost:
            words = shlex.split(line.replace("STACK", "x").replace(f"region={HERE}'", f"region={HERE}&{PATHS}'"))
            if words[0] == "pulumi":
                pulumi(*words[1:])
            else:
                subprocess.run(words, cwd=tmp_path, check=True)
        assert pulumi("config", "get", "password", "--stack", "x") == "correct horse"
        assert pulumi("stack", "output", "password", "--show-secrets", "--stack", "x") == "correct horse"
    finally:
        change(local_cloud.folder, "restore", [HERE, THERE])
