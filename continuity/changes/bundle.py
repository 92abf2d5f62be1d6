"""The repository in one file, and that file in the bucket in Ireland: what recovery begins with when GitHub is gone.

A bundle is git's own form of a clone without a server. It holds the branch that it was made of with all history, and
`git clone FILE` makes a working copy of it on any machine.
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
from continuity.clouds.aws import Aws, told_apart
from continuity.engine.stacks import PROJECT, Stack, outputs, starting
from continuity.errors import BundleError, UsageError
from continuity.files import writing

KEY: Final = "repository.bundle"
"""The object's name. It is always the latest: the ones before it are its versions, which the bucket keeps and locks."""

_BRANCH: Final = "main"


@dataclass(frozen=True)
class Kept:
    """A bundle in the bucket: of which commit it is, and the checksum of the file."""

    bucket: str
    version: str
    commit: str
    sha256: str
    size: int


def make(file: Path, commit: str = "HEAD", project: Path = PROJECT) -> str:
    """Write a bundle of a commit, as the branch `main`, with all its history; the commit's hash.

    Raises:
        BundleError: git fails, or part of the history is not here, so that nobody could clone it.
    """
    found = _git(project, "rev-parse", "--verify", f"{commit}^{{commit}}")
    if _git(project, "rev-parse", "--is-shallow-repository") == "true":
        raise BundleError("this clone has not all of the history: fetch it (git fetch --unshallow)")
    with tempfile.TemporaryDirectory(prefix="continuity-") as folder:
        # In a repository of its own, so that the branch has its name whatever is checked out here, and nothing here is
        # changed by it.
        bare = Path(folder) / "bare"
        _git(Path(folder), "init", "--quiet", "--bare", f"--initial-branch={_BRANCH}", str(bare))
        objects = _git(project, "rev-parse", "--path-format=absolute", "--git-path", "objects")
        (bare / "objects" / "info" / "alternates").write_text(f"{objects}\n")
        _git(bare, "update-ref", f"refs/heads/{_BRANCH}", found)
        _git(bare, "bundle", "create", "--quiet", str(file.resolve()), "HEAD", f"refs/heads/{_BRANCH}")
    _git(project, "bundle", "verify", "--quiet", str(file.resolve()))
    return found


def push(bucket: str | None = None, commit: str = "HEAD") -> Kept:
    """Make a bundle and put it into the bucket.

    Raises:
        UsageError: nothing says which bucket.
        CloudError: the bucket does not take it.
    """
    bucket = bucket or _bucket()
    with tempfile.TemporaryDirectory(prefix="continuity-") as folder:
        file = Path(folder) / KEY
        made_of = make(file, commit)
        content = file.read_bytes()
        checksum = hashlib.sha256(content).hexdigest()
        answer = Aws().call(
            "s3",
            _region(),
            "put_object",
            Bucket=bucket,
            Key=KEY,
            Body=content,
            Metadata={"commit": made_of, "sha256": checksum},
            ChecksumAlgorithm="SHA256",
        )
    return Kept(bucket, answer.get("VersionId", ""), made_of, checksum, len(content))


def fetch(file: Path, bucket: str | None = None, version: str | None = None) -> Kept:
    """Get the latest bundle, or an older version of it, and look whether it arrived whole.

    Raises:
        CloudError: there is none.
        BundleError: what came is not what was put there.
    """
    bucket = bucket or _bucket()
    which = {"VersionId": version} if version else {}
    region = _region()
    answer = Aws().call("s3", region, "get_object", Bucket=bucket, Key=KEY, **which)
    with told_apart("s3:get_object", region):
        content = answer["Body"].read()
    said = answer.get("Metadata", {})
    checksum = hashlib.sha256(content).hexdigest()
    if said.get("sha256") != checksum:
        raise BundleError(f"the bundle has the checksum {checksum}; {said.get('sha256')} was put there")
    with writing(file):
        file.write_bytes(content)
    return Kept(bucket, answer.get("VersionId", ""), said.get("commit", ""), checksum, len(content))


def _bucket() -> str:
    named = os.environ.get("MIRROR_BUCKET")
    if named:
        return named
    said = (outputs(Stack.VAULT) or {}).get("bundle_bucket_name")
    if said is None:
        raise UsageError("nothing says which bucket the bundle is in: name it, or set MIRROR_BUCKET")
    return str(said)


def _region() -> str:
    return plan.load().residency.aws.recovery_region


def _git(folder: Path, *arguments: str) -> str:
    with starting("git"):
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BundleError(f"`git {' '.join(arguments[:2])}`: {done.stderr.strip()}")
    return done.stdout.strip()
