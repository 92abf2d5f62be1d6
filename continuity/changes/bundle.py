"""Git bundles of this repository in a bucket in Ireland: the start of a recovery without GitHub.

A git bundle is one file that contains a branch with its whole history. `git clone FILE` creates a working copy from it
on any machine.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import plan
from continuity.clouds.aws import Aws, translate_errors
from continuity.engine.pulumi_cli import read_outputs
from continuity.engine.stacks import PROJECT, Stack
from continuity.errors import BundleError, UsageError
from continuity.files import writing
from continuity.programs import starting

KEY: Final = "repository.bundle"
"""The object's name. Older bundles are its versions, which the bucket keeps and locks."""

_BRANCH: Final = "main"


@dataclass(frozen=True)
class StoredBundle:
    """A bundle in the bucket: its commit, and the checksum of the file."""

    bucket: str
    version: str
    commit: str
    sha256: str
    size: int


def make_bundle(file: Path, commit: str = "HEAD", project: Path = PROJECT) -> str:
    """Write a bundle of a commit, as the branch `main`, with its whole history. Return the commit's hash.

    Raises:
        BundleError: git fails, or this clone is shallow, so the bundle could not be cloned.
    """
    found = _git(project, "rev-parse", "--verify", f"{commit}^{{commit}}")
    if _git(project, "rev-parse", "--is-shallow-repository") == "true":
        raise BundleError("this clone has only part of the history: fetch the rest with `git fetch --unshallow`")
    with tempfile.TemporaryDirectory(prefix="continuity-") as folder:
        # A separate repository gives the branch its name regardless of the checked-out branch, and changes nothing
        # in this clone.
        bare = Path(folder) / "bare"
        _git(Path(folder), "init", "--quiet", "--bare", f"--initial-branch={_BRANCH}", str(bare))
        objects = _git(project, "rev-parse", "--path-format=absolute", "--git-path", "objects")
        (bare / "objects" / "info" / "alternates").write_text(f"{objects}\n")
        _git(bare, "update-ref", f"refs/heads/{_BRANCH}", found)
        _git(bare, "bundle", "create", "--quiet", str(file.resolve()), "HEAD", f"refs/heads/{_BRANCH}")
    _git(project, "bundle", "verify", "--quiet", str(file.resolve()))
    return found


def push_bundle(bucket: str | None = None, commit: str = "HEAD") -> StoredBundle:
    """Create a bundle and upload it to the bucket.

    Raises:
        UsageError: no bucket is named.
        CloudError: the bucket refuses it.
    """
    bucket = bucket or _bucket()
    with tempfile.TemporaryDirectory(prefix="continuity-") as folder:
        file = Path(folder) / KEY
        bundled = make_bundle(file, commit)
        content = file.read_bytes()
        checksum = hashlib.sha256(content).hexdigest()
        answer = Aws().call(
            "s3",
            _region(),
            "put_object",
            Bucket=bucket,
            Key=KEY,
            Body=content,
            Metadata={"commit": bundled, "sha256": checksum},
            ChecksumAlgorithm="SHA256",
        )
    return StoredBundle(bucket, answer.get("VersionId", ""), bundled, checksum, len(content))


def fetch_bundle(file: Path, bucket: str | None = None, version: str | None = None) -> StoredBundle:
    """Download the latest bundle, or an older version, and compare its checksum.

    Raises:
        CloudError: the bucket has no bundle, or no such version.
        BundleError: the file does not have the checksum that was stored with it.
    """
    bucket = bucket or _bucket()
    which = {"VersionId": version} if version else {}
    region = _region()
    answer = Aws().call("s3", region, "get_object", Bucket=bucket, Key=KEY, **which)
    with translate_errors("s3:get_object", region):
        content = answer["Body"].read()
    metadata = answer.get("Metadata", {})
    checksum = hashlib.sha256(content).hexdigest()
    if metadata.get("sha256") != checksum:
        raise BundleError(
            f"the bundle has the checksum {checksum}; the uploaded one had "
            f"{metadata.get('sha256')}. Fetch an older one with --version"
        )
    with writing(file):
        file.write_bytes(content)
    return StoredBundle(bucket, answer.get("VersionId", ""), metadata.get("commit", ""), checksum, len(content))


def _bucket() -> str:
    named = os.environ.get("MIRROR_BUCKET")
    if named:
        return named
    bucket = (read_outputs(Stack.VAULT) or {}).get("bundle_bucket_name")
    if bucket is None:
        raise UsageError("the vault stack names no bucket for bundles: name it with --bucket, or set MIRROR_BUCKET")
    return str(bucket)


def _region() -> str:
    return plan.load().residency.aws.recovery_region


def _git(folder: Path, *arguments: str) -> str:
    with starting("git"):
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BundleError(f"`git {' '.join(arguments[:2])}`: {done.stderr.strip()}")
    return done.stdout.strip()
