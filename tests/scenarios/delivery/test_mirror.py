"""The role of the mirror, in an AWS that enforces its IAM policies: it adds bundles and does nothing else."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from continuity.changes.bundle import KEY
from localcloud.engine.provide import Engine
from tests.conftest import ROOT, LocalCloud
from tests.scenarios.harness import CONTINUITY, RECOVERY
from tests.scenarios.harness.access import (
    ACCOUNT,
    assert_denied,
    assume_role,
    clients,
    cloud_with_iam,
    deploy,
    subject,
    using,
)

ROLE = "botbrains-vault-mirror"
BUCKET = f"botbrains-vault-mirror-{ACCOUNT}"


@pytest.fixture(scope="module")
def cloud(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """The vault, which has the bucket and the role."""
    with cloud_with_iam(engine, tmp_path_factory.mktemp("mirror")) as made:
        deploy(made, "vault")
        yield made


def test_mirror_role_adds_a_bundle_and_cannot_read_it(cloud: LocalCloud, tmp_path: Path) -> None:
    credentials = assume_role(cloud, ROLE, subject("ref:refs/heads/main"))
    workflow = using(cloud, credentials)
    pushed = workflow.run(*CONTINUITY, "bundle", "push", "--bucket", BUCKET)
    assert pushed.returncode == 0

    s3 = clients(cloud, credentials)("s3", RECOVERY)
    assert_denied(lambda: s3.get_object(Bucket=BUCKET, Key=KEY))
    assert_denied(lambda: s3.delete_object(Bucket=BUCKET, Key=KEY))
    assert_denied(lambda: s3.put_object(Bucket=f"botbrains-vault-replica-{ACCOUNT}", Key=KEY, Body=b""))
    assert_denied(lambda: s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"}))

    # A recovery reads the bundle, which is the repository.
    file = tmp_path / "repository.bundle"
    assert cloud.run(*CONTINUITY, "bundle", "fetch", str(file)).returncode == 0
    subprocess.run(["git", "clone", "--quiet", str(file), str(tmp_path / "clone")], check=True)
    asked = ["git", "rev-parse", "HEAD"]
    cloned = subprocess.run(asked, cwd=tmp_path / "clone", capture_output=True, text=True, check=True).stdout
    assert cloned == subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert (tmp_path / "clone" / "Pulumi.yaml").is_file()


def test_token_of_another_branch_is_refused(cloud: LocalCloud) -> None:
    for sub in (
        subject("ref:refs/heads/other"),
        subject("pull_request"),
        subject("environment:prod"),
        subject("ref:refs/heads/main", name="another"),
        subject("ref:refs/heads/main", repositoryId=1),
    ):
        assert_denied(partial(assume_role, cloud, ROLE, sub))
