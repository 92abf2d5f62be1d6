"""The mirror's role, in an AWS that holds everybody to their policies: it adds bundles, and does nothing else."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from continuity.changes.bundle import KEY
from localcloud.engine.provide import Engine
from tests.conftest import ROOT, LocalCloud, a_local_cloud
from tests.scenarios.asking import RECOVERY
from tests.scenarios.test_access import as_, clients, denied, enter, subject, up

ROLE = "botbrains-vault-mirror"
BUCKET = "botbrains-vault-mirror"


@pytest.fixture(scope="module")
def cloud(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("LOCALCLOUD_IAM", "on")
        environment.setenv("LOCALCLOUD_HOSTS", "off")
        with a_local_cloud(engine, tmp_path_factory.mktemp("mirror")) as made:
            up(made, "vault")
            yield made


def test_a_merge_adds_a_bundle_that_its_own_role_can_neither_read_nor_delete(cloud: LocalCloud, tmp_path: Path) -> None:
    credentials = enter(cloud, ROLE, subject("ref:refs/heads/main"))
    workflow = as_(cloud, credentials)
    pushed = workflow.run(sys.executable, "-m", "continuity", "bundle", "push", "--bucket", BUCKET)
    assert pushed.returncode == 0

    s3 = clients(cloud, credentials)("s3", RECOVERY)
    denied(lambda: s3.get_object(Bucket=BUCKET, Key=KEY))
    denied(lambda: s3.delete_object(Bucket=BUCKET, Key=KEY))
    denied(lambda: s3.put_object(Bucket="botbrains-vault-replica", Key=KEY, Body=b""))
    denied(lambda: s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"}))

    # Whoever recovers reads it, and it is the repository.
    file = tmp_path / "repository.bundle"
    assert cloud.run(sys.executable, "-m", "continuity", "bundle", "fetch", str(file)).returncode == 0
    subprocess.run(["git", "clone", "--quiet", str(file), str(tmp_path / "clone")], check=True)
    asked = ["git", "rev-parse", "HEAD"]
    cloned = subprocess.run(asked, cwd=tmp_path / "clone", capture_output=True, text=True, check=True).stdout
    assert cloned == subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert (tmp_path / "clone" / "Pulumi.yaml").is_file()


@pytest.mark.parametrize(
    "sub",
    [
        subject("ref:refs/heads/other"),
        subject("pull_request"),
        subject("environment:prod"),
        subject("ref:refs/heads/main", name="another"),
        subject("ref:refs/heads/main", repositoryId=1),
    ],
)
def test_a_token_of_anything_else_is_refused(cloud: LocalCloud, sub: str) -> None:
    with pytest.raises(ClientError) as refusal:
        enter(cloud, ROLE, sub)
    assert refusal.value.response["Error"]["Code"] == "AccessDenied"
