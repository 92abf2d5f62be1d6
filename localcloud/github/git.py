"""Git over HTTP, by git's own server: clones, and pushes that the rulesets of a repository may refuse."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Final

from werkzeug.wrappers import Request, Response

from localcloud.github.call import Record, now

PATH: Final = re.compile(r"/([^/]+)/([^/]+)\.git/(info/refs|git-upload-pack|git-receive-pack)")

# The variable names the references that a push must not change.
_HOOK: Final = """#!/bin/sh
while read -r _ _ ref; do
  case " $PROTECTED " in *" $ref "*)
    echo "error: GH013: Repository rule violations found for $ref." >&2
    echo "- Changes must be made through a pull request." >&2
    exit 1 ;;
  esac
done
"""


def serve(request: Request, record: Record, folder: Path, operation: str) -> Response:
    """Answer a request of git. `folder` contains the repositories."""
    repository = folder / f"{record['id']}.git"
    if not repository.exists():
        _git("init", "--quiet", "--bare", f"--initial-branch={record['default_branch']}", str(repository))
        _git("-C", str(repository), "config", "http.receivepack", "true")
        hook = repository / "hooks" / "pre-receive"
        hook.write_text(_HOOK)
        hook.chmod(0o755)
    environment = {
        "PATH": os.environ["PATH"],
        "GIT_PROJECT_ROOT": str(folder),
        "GIT_HTTP_EXPORT_ALL": "1",
        "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
        "PATH_INFO": f"/{repository.name}/{operation}",
        "REQUEST_METHOD": request.method,
        "QUERY_STRING": request.query_string.decode(),
        "CONTENT_TYPE": request.content_type or "",
        "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
        "REMOTE_USER": "localcloud",
        "PROTECTED": " ".join(_protected(record)),
    }
    command = ["git", "http-backend"]
    done = subprocess.run(command, input=request.get_data(), env=environment, capture_output=True, check=True)
    if operation == "git-receive-pack":
        _follow(record, repository)
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
    return Response(body, headers.pop("Status", "200 OK"), headers)


def _protected(record: Record) -> list[str]:
    """The references that only a pull request changes. A bypass for pushes is not evaluated."""
    special = {"~DEFAULT_BRANCH": [record["default_branch"]], "~ALL": [record["default_branch"], *record["branches"]]}
    return [
        f"refs/heads/{branch.removeprefix('refs/heads/')}"
        for ruleset in record["rulesets"].values()
        if ruleset["enforcement"] == "active" and "pull_request" in {rule["type"] for rule in ruleset["rules"]}
        for name in ruleset["conditions"].get("ref_name", {}).get("include", [])
        for branch in special.get(name, [name])
    ]


def _follow(record: Record, repository: Path) -> None:
    """Take over the branches after a push."""
    listed = _git("-C", str(repository), "for-each-ref", "--format=%(objectname) %(refname:lstrip=2)", "refs/heads")
    branches = {name: sha for sha, _, name in (line.partition(" ") for line in listed.splitlines())}
    for sha in branches.values():
        record["commits"].setdefault(sha, {"message": "", "date": now()})
    record.update(branches=branches, pushed_at=now(), updated_at=now())


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], capture_output=True, text=True, check=True).stdout
