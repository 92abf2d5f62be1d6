"""Every error of `continuity` is in one tree, and ends a command with one message, without a traceback."""

from __future__ import annotations

import ast
import builtins
import importlib
import inspect
import json
import os
import pkgutil
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import continuity
from continuity import errors
from continuity.clouds.database import Database
from continuity.drills import heartbeat
from continuity.drills.load import jobs
from continuity.errors import ContinuityError, DatabaseError
from localcloud.engine.provide import Engine
from localcloud.github import create_app as create_github
from localcloud.hetzner import create_app as create_hetzner
from tests.conftest import ROOT
from tests.localcloud.aws_harness import local_aws
from tests.localcloud.github_harness import TOKEN, serving

NOWHERE = "http://127.0.0.1:9"
"""Nothing listens on the discard port."""

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(continuity.__path__, prefix="continuity.")
    if not module.ispkg and not module.name.endswith(".__main__")
)


# -- the tree ---------------------------------------------------------------------------------------------------------


def defined() -> dict[str, type[BaseException]]:
    """Every class of exception that a module of continuity defines."""
    return {
        name: found
        for module in MODULES
        for name, found in inspect.getmembers(importlib.import_module(module), inspect.isclass)
        if issubclass(found, BaseException) and found.__module__.startswith("continuity.")
    }


def test_every_error_derives_from_the_root() -> None:
    found = defined()
    assert len(found) > 10
    assert [name for name, each in found.items() if not issubclass(each, ContinuityError)] == []
    assert {each.__module__ for each in found.values()} == {"continuity.errors"}


def test_the_docstring_draws_the_tree() -> None:
    drawn: dict[str, str] = {}
    path: list[str] = []
    for marks, name in re.findall(r"^    ([│├└─ ]*)(\w+Error)\b", str(errors.__doc__), re.MULTILINE):
        path = [*path[: len(marks) // 4], name]
        if len(path) > 1:
            drawn[name] = path[-2]
    assert drawn == {
        name: each.__bases__[0].__name__ for name, each in defined().items() if each is not ContinuityError
    }


@pytest.mark.parametrize("module", MODULES)
def test_nothing_is_raised_from_outside_the_tree(module: str) -> None:
    tree = ast.parse((ROOT / f"{module.replace('.', '/')}.py").read_text())
    known = {name for name, each in vars(builtins).items() if inspect.isclass(each) and issubclass(each, BaseException)}
    raised = {
        node.exc.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and isinstance(node.exc.func, ast.Name)
    }
    assert raised & known == set()
    inside = {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.name.endswith("Error")}
    assert inside <= set(vars(errors))


# -- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the command and the plan, in which tests may break files and create stacks."""
    folder = tmp_path_factory.mktemp("copy")
    for name in ("continuity", "plan"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ROOT.glob("Pulumi*.yaml"):
        shutil.copy2(file, folder)
    return folder


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """No account of a person, no proxy, and no cloud that answers."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {
        **kept,
        "AWS_ENDPOINT_URL": NOWHERE,
        "AWS_ACCESS_KEY_ID": "LKIATESTTESTTESTTEST",
        "AWS_SECRET_ACCESS_KEY": "nothing",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_MAX_ATTEMPTS": "1",
        "HCLOUD_ENDPOINT": f"{NOWHERE}/v1",
        "HCLOUD_TOKEN": "t",
        "GITHUB_BASE_URL": NOWHERE,
        "GITHUB_TOKEN": TOKEN,
        "GITHUB_REPOSITORY": "acme/code",
        "PULUMI_HOME": str(tmp_path / "pulumi"),
        "PULUMI_BACKEND_URL": f"file://{tmp_path}",
        "PULUMI_CONFIG_PASSPHRASE": "p",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "NO_COLOR": "1",
    }


def fails(folder: Path, env: dict[str, str], *arguments: str, code: int = 1) -> str:
    """Run the command, which has to end with a message; all that it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "continuity", *arguments],
        cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    said = done.stdout + done.stderr
    print(said)
    assert done.returncode == code
    assert "Traceback" not in said
    return said


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        pytest.param({}, ": it does not answer", id="no region answers"),
        pytest.param({"AWS_ENDPOINT_URL": "nonsense"}, "configuration for AWS is wrong", id="no URL"),
        pytest.param({"AWS_PROFILE": "none"}, "set AWS_PROFILE to a profile that is logged in", id="no such profile"),
        pytest.param({"AWS_ACCESS_KEY_ID": ""}, "set AWS_PROFILE", id="half of the credentials"),
        pytest.param(
            {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}, "there are no AWS credentials", id="none"
        ),
        pytest.param(
            {
                "AWS_ACCESS_KEY_ID": None,
                "AWS_SECRET_ACCESS_KEY": None,
                "AWS_WEB_IDENTITY_TOKEN_FILE": "/none",
                "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/r",
            },
            "configuration for AWS is wrong",
            id="no file with the token",
        ),
    ],
)
def test_an_aws_that_cannot_be_asked(copy: Path, env: dict[str, str], changed: dict[str, Any], words: str) -> None:
    given = {name: value for name, value in {**env, **changed}.items() if value is not None}
    assert words in fails(copy, given, "bootstrap", "--check")
    assert words in fails(copy, given, "bundle", "fetch", "file", "--bucket", "bundles")


def test_credentials_that_aws_does_not_take(copy: Path, env: dict[str, str]) -> None:
    with local_aws(enforce_iam=True) as running:
        assert "AWS does not take these credentials (InvalidClientTokenId" in fails(
            copy,
            {**env, "AWS_ENDPOINT_URL": running.endpoint, "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE"},
            "bootstrap",
            "--yes",
        )


def test_an_answer_that_is_not_from_aws_or_github(copy: Path, env: dict[str, str], tmp_path: Path) -> None:
    comment = tmp_path / "comment.md"
    comment.write_text("<!-- continuity preview: here -->\nwords\n")
    with serving(_greeting) as page:  # type: ignore[arg-type]
        led = {**env, "AWS_ENDPOINT_URL": page.base, "GITHUB_BASE_URL": page.base, "HCLOUD_ENDPOINT": page.base}
        assert "is not AWS" in fails(copy, led, "bootstrap", "--check")
        assert "is not GitHub" in fails(copy, led, "ci", "comment", "1", str(comment))
        assert fails(copy, led, "access").count("could not look: ") == 3


def _greeting(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/html"), ("Content-Length", "17")])
    return [b"<h1>Log in</h1>\r\n"]


def test_tokens_that_github_and_hetzner_do_not_take(copy: Path, env: dict[str, str], tmp_path: Path) -> None:
    comment = tmp_path / "comment.md"
    comment.write_text("<!-- continuity preview: here -->\nwords\n")
    with serving(create_github(None, token=TOKEN)) as github, serving(create_hetzner(None, token="right")) as hetzner:  # type: ignore[arg-type]
        led = {**env, "GITHUB_BASE_URL": github.base, "HCLOUD_ENDPOINT": f"{hetzner.base}v1"}
        for token in ("wrong", "“quoted”"):
            wrong = {**led, "GITHUB_TOKEN": token, "HCLOUD_TOKEN": token}
            said = fails(copy, wrong, "ci", "comment", "1", str(comment))
            assert "set GITHUB_TOKEN to a token that is valid" in said or "GitHub: it does not answer" in said
            assert fails(copy, wrong, "access").count("could not look: ") == 3


def test_clouds_that_do_not_answer_are_each_named(copy: Path, env: dict[str, str]) -> None:
    said = fails(copy, env, "access")
    assert [line.split(":")[1].strip() for line in said.splitlines() if line.startswith("could not look")] == [
        "AWS IAM",
        "Hetzner",
        "GitHub",
    ]


def test_a_database_that_does_not_answer(tmp_path: Path) -> None:
    database = Database("127.0.0.1", 9, "app", "user", "password", tmp_path / "ca.pem")
    for use in (heartbeat.Writer, heartbeat.read, lambda found: jobs.Queue(found, "batch")):
        with pytest.raises(DatabaseError, match=r"the database does not answer: .*127\.0\.0\.1"):
            use(database)


@pytest.mark.parametrize(
    "arguments", [("status",), ("preview",), ("up", "--yes"), ("destroy", "dr"), ("drift",), ("ci", "deploy", "prod")]
)
def test_a_machine_without_pulumi(copy: Path, env: dict[str, str], tmp_path: Path, arguments: tuple[str, ...]) -> None:
    assert "`pulumi` is not on PATH" in fails(copy, {**env, "PATH": str(tmp_path)}, *arguments)
    (tmp_path / "pulumi").write_bytes(b"\x7fELF of another machine")
    (tmp_path / "pulumi").chmod(0o755)
    assert "`pulumi` cannot be started" in fails(copy, {**env, "PATH": str(tmp_path)}, *arguments)


def test_a_machine_without_git(copy: Path, env: dict[str, str], tmp_path: Path) -> None:
    assert "`git` cannot be started" in fails(copy, {**env, "PATH": str(tmp_path)}, "bundle", "make", "file")
    assert "not a git repository" in fails(
        copy, {**env, "GIT_CEILING_DIRECTORIES": str(copy.parent)}, "bundle", "make", "f"
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("ci", "comment", "1", "none.md"), "none.md cannot be read: No such file or directory"),
        (("ci", "comment", "1", "."), ". cannot be read: Is a directory"),
        (("ci", "comment", "1", sys.executable), "is not text"),
        (("ci", "comment", "1", "Pulumi.yaml"), "is not a comment of `continuity ci preview`"),
        (("drill", "recovery", "--fault", "'"), "which is not a command"),
    ],
)
def test_a_mistake_in_what_is_asked_for(
    copy: Path, env: dict[str, str], arguments: tuple[str, ...], words: str
) -> None:
    assert words in fails(copy, env, *arguments)


@pytest.fixture
def broken(copy: Path) -> Iterator[Path]:
    """The copy with a plan that may be broken."""
    plan = copy / "plan" / "plan.yaml"
    right = plan.read_text()
    yield plan
    plan.write_text(right)


@pytest.mark.parametrize("text", ["roles: [", "", "severities: 3\n", "\0"])
def test_a_broken_plan(broken: Path, env: dict[str, str], text: str) -> None:
    broken.write_text(text)
    for arguments in (["plan"], ["access"], ["bootstrap", "--check"]):
        assert "plan.yaml" in fails(broken.parent.parent, env, *arguments)


def test_a_repository_that_is_not_configured(copy: Path, env: dict[str, str], tmp_path: Path) -> None:
    del env["GITHUB_REPOSITORY"]
    settings = copy / "Pulumi.github.yaml"
    right = settings.read_text()
    try:
        settings.write_text("config: {}\n")
        assert "Pulumi.github.yaml names no repository" in fails(copy, env, "access")
        settings.write_text("config: [")
        assert "Pulumi.github.yaml cannot be read as a stack's configuration" in fails(copy, env, "access")
    finally:
        settings.write_text(right)


# -- the engine -------------------------------------------------------------------------------------------------------


INSTANCE = "urn:pulumi:prod::botbrains::aws:rds/instance:Instance::database"
SELECTION = "urn:pulumi:prod::botbrains::aws:backup/selection:Selection::copies"


def resource(urn: str, **more: Any) -> dict[str, Any]:
    return {"urn": urn, "custom": True, "type": urn.split("::")[2], "id": "plan|selection", **more}


def test_a_database_is_not_set_aside_while_aws_does_not_answer(engine: Engine, copy: Path, env: dict[str, str]) -> None:
    led = {**env, "PATH": f"{engine.pulumi.parent}{os.pathsep}{env['PATH']}"}

    def pulumi(*arguments: str, **more: Any) -> str:
        done = subprocess.run(
            [engine.pulumi, *arguments, "--non-interactive"],
            cwd=copy,
            env=led,
            capture_output=True,
            text=True,
            check=False,
            **more,
        )
        assert done.returncode == 0, done.stderr
        return str(done.stdout)

    def state(outputs: dict[str, str]) -> None:
        exported = json.loads(pulumi("stack", "export", "--stack", "prod"))
        exported["deployment"]["resources"] = [
            resource(INSTANCE, outputs=outputs),
            resource(SELECTION, outputs={"region": "eu-central-1", "planId": "plan"}, dependencies=[INSTANCE]),
        ]
        pulumi("stack", "import", "--stack", "prod", input=json.dumps(exported))

    assert "prod has 0 databases" in fails(copy, led, "set-aside", "prod", "--yes")
    pulumi("stack", "init", "prod")
    state({})
    assert "has no identifier" in fails(copy, led, "set-aside", "prod", "--yes")
    state({"identifier": "database"})
    said = fails(copy, led, "set-aside", "prod", "--yes")
    assert "continuity: eu-central-1: it does not answer" in said
    assert SELECTION in pulumi("stack", "export", "--stack", "prod")


def test_a_state_that_cannot_be_reached(engine: Engine, copy: Path, env: dict[str, str]) -> None:
    led = {**env, "PATH": f"{engine.pulumi.parent}{os.pathsep}{env['PATH']}"}
    for backend in ("file:///none/at/all", "nonsense://x"):
        for command in (["status"], ["set-aside", "prod"], ["drill", "failover", "--lose", "host"]):
            assert "continuity: " in fails(copy, {**led, "PULUMI_BACKEND_URL": backend}, *command)
