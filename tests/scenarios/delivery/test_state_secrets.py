"""The secrets in Pulumi's state, with the state where it is for real: in S3, under a key of KMS, with IAM enforced."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest

from localcloud.engine.provide import Engine
from plan.names import STATE_KEY_ALIAS
from tests.conftest import LocalCloud
from tests.continuity.state_backend.support import PATHS
from tests.scenarios.harness import CONTINUITY, RECOVERY, working_copy
from tests.scenarios.harness.access import (
    ACCOUNT,
    assert_denied,
    assume_role,
    clients,
    cloud_with_iam,
    subject,
    using,
)

STACKS = ("vault", "prod", "github")
# The mark of a secret in a deployment, from the engine's protocol.
SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
SECRET: Final = "1b47061264138c4ac30d75fd1eb44270"


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working copy: `pulumi stack init` writes the key's name into the stacks' files."""
    folder = tmp_path_factory.mktemp("copy") / "continuity"
    folder.mkdir()
    return working_copy(folder)


@pytest.fixture(scope="module")
def cloud(engine: Engine, tmp_path_factory: pytest.TempPathFactory, copy: Path) -> Iterator[LocalCloud]:
    """The vault, production and GitHub, deployed as docs/real-clouds.md says, without the local `pulumi`."""
    with cloud_with_iam(engine, tmp_path_factory.mktemp("state")) as made:
        assert made.run(*CONTINUITY, "bootstrap", "--yes").returncode == 0
        path = os.pathsep.join((str(engine.pulumi.parent), made.env["PATH"]))
        backend = f"s3://botbrains-state-{ACCOUNT}?region={RECOVERY}&{PATHS}"
        # The state is written once for each update, and not after each step.
        fewer_writes = {"PULUMI_EXPERIMENTAL": "true", "PULUMI_SKIP_CHECKPOINTS": "true"}
        real = replace(made, env={**made.env, "PATH": path, "PULUMI_BACKEND_URL": backend, **fewer_writes})
        for stack in (*STACKS, "dr"):
            key = f"awskms://{STATE_KEY_ALIAS}?region={RECOVERY}"
            assert real.run("pulumi", "stack", "init", stack, "--secrets-provider", key, cwd=copy).returncode == 0
        for stack in STACKS:
            up = ("pulumi", "up", "--yes", "--skip-preview", "--stack", stack)
            assert real.run(*up, cwd=copy, timeout=900).returncode == 0
        yield real


def export(cloud: LocalCloud, copy: Path, stack: str) -> dict[str, Any]:
    """A stack's state, decrypted."""
    done = cloud.run("pulumi", "stack", "export", "--show-secrets", "--stack", stack, cwd=copy)
    assert done.returncode == 0
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def secrets_in(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Each secret of a decrypted state, with its path."""
    if isinstance(value, dict):
        if value.get(SIGNATURE) == SECRET:
            yield path, value["plaintext"]
        else:
            for key, each in value.items():
                yield from secrets_in(each, (*path, key))
    elif isinstance(value, list):
        for each in value:
            yield from secrets_in(each, path)


def credentials_in(cloud: LocalCloud, state: dict[str, Any]) -> set[str]:
    """The credentials of the environment that a state has anywhere, and private keys."""
    names = ("GITHUB_TOKEN", "HCLOUD_TOKEN", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    text = json.dumps(state)
    return {name for name in names if cloud.env[name] in text} | {word for word in ("PRIVATE KEY",) if word in text}


@pytest.mark.parametrize("stack", STACKS)
def test_state_has_no_credentials(cloud: LocalCloud, copy: Path, stack: str) -> None:
    state = export(cloud, copy, stack)
    assert credentials_in(cloud, state) == set()
    found = {
        (resource["type"], path[-1])
        for resource in state["deployment"]["resources"]
        for path, _ in secrets_in(resource)
    }
    # The code of an activation registers one host within a day. A host gets it in its user data. The parameter is the
    # address of the database: the provider marks each parameter's value as secret.
    activations = {("aws:ssm/activation:Activation", "activationCode"), ("hcloud:index/server:Server", "userData")}
    assert found == (activations | {("aws:ssm/parameter:Parameter", "value")} if stack == "prod" else set())


def test_planted_credentials_are_found(cloud: LocalCloud, copy: Path, tmp_path: Path) -> None:
    state = export(cloud, copy, "prod")
    planted = json.dumps(cloud.env["HCLOUD_TOKEN"])
    provider = next(one for one in state["deployment"]["resources"] if one["type"] == "pulumi:providers:hcloud")
    provider["inputs"]["token"] = {SIGNATURE: SECRET, "plaintext": planted}
    (tmp_path / "state.json").write_text(json.dumps(state))
    importing = ("pulumi", "stack", "import", "--stack", "prod", "--file")
    assert cloud.run(*importing, str(tmp_path / "state.json"), cwd=copy).returncode == 0
    found = export(cloud, copy, "prod")
    del provider["inputs"]["token"]
    (tmp_path / "state.json").write_text(json.dumps(state))
    assert cloud.run(*importing, str(tmp_path / "state.json"), cwd=copy).returncode == 0
    assert credentials_in(cloud, found) == {"HCLOUD_TOKEN"}
    assert planted in {plaintext for _, plaintext in secrets_in(found)}


def test_preview_role_previews_without_decrypting_a_secret(cloud: LocalCloud, copy: Path) -> None:
    credentials = assume_role(cloud, "botbrains-prod-preview", subject("pull_request"))
    looking = using(cloud, credentials)
    previewed = looking.run(*CONTINUITY, "ci", "preview", cwd=copy)
    assert previewed.returncode == 0
    for stack in STACKS:
        assert f"#### `{stack}`: no change" in previewed.stdout
    drifted = looking.run(*CONTINUITY, "drift", cwd=copy)
    assert drifted.stdout.splitlines() == [*(f"{stack}: as declared" for stack in STACKS), "dr: does not exist"]
    assert drifted.returncode == 0

    assert looking.run("pulumi", "stack", "export", "--show-secrets", "--stack", "prod", cwd=copy).returncode != 0
    owner = {"AccessKeyId": cloud.env["AWS_ACCESS_KEY_ID"], "SecretAccessKey": cloud.env["AWS_SECRET_ACCESS_KEY"]}
    sealed = clients(cloud, owner)("kms", RECOVERY).encrypt(KeyId=STATE_KEY_ALIAS, Plaintext=b"x")["CiphertextBlob"]
    kms = clients(cloud, credentials)("kms", RECOVERY)
    assert_denied(partial(kms.decrypt, KeyId=STATE_KEY_ALIAS, CiphertextBlob=sealed))
    assert_denied(partial(kms.decrypt, CiphertextBlob=sealed))


def test_preview_of_a_changed_host_shows_its_replacement(cloud: LocalCloud, copy: Path) -> None:
    file = copy / "Pulumi.prod.yaml"
    before = file.read_text()
    file.write_text(before.replace("ghcr.io/botbrains/worker@sha256:afe0", "ghcr.io/botbrains/worker@sha256:0000"))
    try:
        looking = using(cloud, assume_role(cloud, "botbrains-prod-preview", subject("pull_request")))
        said = looking.run(*CONTINUITY, "ci", "preview", "prod", cwd=copy).stdout
    finally:
        file.write_text(before)
    # A host is replaced in this role, and none in the other one.
    assert re.search(r"replace +hcloud:index:Server botbrains-prod-worker-1", said)
    assert "botbrains-prod-api-1" not in said
