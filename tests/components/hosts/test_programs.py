"""Tests of the programs that a host runs at boot, with moto's AWS: enrolment, settings, secrets and log shipping."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from moto.server import ThreadedMotoServer

from tests.components.hosts.examples import PROGRAMS

REGION, HOST, GROUP = "eu-central-1", "botbrains-prod-api-1", "/botbrains/prod/hosts"
# A value may contain this text, and no message may show it.
PASSWORD = "s3cr=t '\"$ #%"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        yield "http://{}:{}".format(*server.get_host_and_port())
    finally:
        server.stop()


class Aws:
    """An empty AWS, and the environment of a host with credentials for it."""

    def __init__(self, endpoint: str, folder: Path) -> None:
        httpx.post(f"{endpoint}/moto-api/reset").raise_for_status()
        self.credentials = folder / "credentials"
        self.write_credentials()
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PG"))}
        self.env = {**kept, "AWS_ENDPOINT_URL": endpoint, "AWS_SHARED_CREDENTIALS_FILE": str(self.credentials)}
        # The program has no other credentials: Hetzner's hosts have no AWS metadata service.
        self.env["AWS_EC2_METADATA_DISABLED"] = "true"
        self._endpoint = endpoint

    def write_credentials(self) -> None:
        self.credentials.write_text("[default]\naws_access_key_id = ASIATEST\naws_secret_access_key = nothing\n")

    def client(self, service: str) -> Any:
        keys = {"aws_access_key_id": "ASIATEST", "aws_secret_access_key": "nothing"}
        return boto3.client(service, REGION, endpoint_url=self._endpoint, **keys)

    def secret(self, name: str, value: str | None) -> str:
        given = {} if value is None else {"SecretString": value}
        return str(self.client("secretsmanager").create_secret(Name=name, **given)["ARN"])

    def database(self, **other: Any) -> None:
        arn = self.secret("rds!db-of-prod", json.dumps({"username": "master", "password": "of the master user"}))
        place = {"host": "127.64.1.2", "port": 5432, "name": "botbrains", "secret_arn": arn, **other}
        self.client("ssm").put_parameter(Name="/botbrains/prod/database", Value=json.dumps(place), Type="String")


@pytest.fixture
def aws(endpoint: str, tmp_path: Path) -> Aws:
    return Aws(endpoint, tmp_path)


def until(wanted: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not wanted():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.05)


# -- settings ---------------------------------------------------------------------------------------------------------


def fetch(aws: Aws, folder: Path, *more: str, **env: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            *(sys.executable, str(PROGRAMS / "fetch_settings.py"), "--stack", "prod", "--region", REGION),
            *("--host-name", HOST, "--listen", "10.10.0.11:9000"),
            *("--secret", "inference-key", "--secret", "document", "--secret", "certificate", "--secret", "unset"),
            *("--ca-file", str(folder / "ca/database.pem"), "--output", str(folder / "run/app.env"), *more),
        ],
        env={**aws.env, "PGSSLROOTCERT": "/ca.pem", **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def fill(aws: Aws, prefix: str = "botbrains/prod") -> None:
    aws.secret(f"{prefix}/database", json.dumps({"username": "botbrains_app", "password": PASSWORD}))
    aws.secret(f"{prefix}/inference-key", f"{PASSWORD}\n")
    aws.secret(f"{prefix}/document", json.dumps({"a": PASSWORD}, indent=2))
    aws.secret(f"{prefix}/certificate", "-----BEGIN\nprivate-lines\n")
    aws.secret(f"{prefix}/unset", None)


EXPECTED = {
    "HOST_NAME": HOST,
    "LISTEN_ADDRESS": "10.10.0.11",
    "LISTEN_PORT": "9000",
    "DATABASE_HOST": "127.64.1.2",
    "DATABASE_PORT": "5432",
    "DATABASE_NAME": "botbrains",
    "DATABASE_USER": "botbrains_app",
    "DATABASE_PASSWORD": PASSWORD,
    "PGSSLROOTCERT": "/ca.pem",
    "SECRET_INFERENCE_KEY": PASSWORD,
    "SECRET_DOCUMENT": json.dumps({"a": PASSWORD}, separators=(",", ":")),
}


def written(folder: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in (folder / "run/app.env").read_text().splitlines())


def test_application_gets_database_and_secrets(aws: Aws, tmp_path: Path) -> None:
    aws.database()
    fill(aws)
    fetching = fetch(aws, tmp_path)
    said, _ = fetching.communicate(timeout=30)
    assert fetching.returncode == 0, said
    assert written(tmp_path) == EXPECTED
    assert stat.S_IMODE((tmp_path / "run/app.env").stat().st_mode) == 0o600
    # The messages name the missing secrets, and show no value.
    assert "secret unset has no value yet" in said
    assert "secret certificate is left out" in said
    assert "s3cr" not in said
    assert "private-lines" not in said


def test_rebuilt_service_reads_replicated_secrets(aws: Aws, tmp_path: Path) -> None:
    aws.database()
    fill(aws, "botbrains/home")
    assert fetch(aws, tmp_path, "--secrets-stack", "home").wait(30) == 0
    assert written(tmp_path) == EXPECTED


def test_first_boot_waits_for_credentials_and_database(aws: Aws, tmp_path: Path) -> None:
    aws.credentials.unlink()
    fetching = fetch(aws, tmp_path, "--patience-seconds", "0")
    assert fetching.stdout is not None
    assert "credentials" in fetching.stdout.readline()
    aws.write_credentials()
    assert "there is no parameter /botbrains/prod/database" in fetching.stdout.readline()
    fill(aws)
    aws.database()
    said, _ = fetching.communicate(timeout=30)
    assert written(tmp_path) == EXPECTED
    assert "s3cr" not in said


def test_restart_finds_moved_database_without_aws(aws: Aws, tmp_path: Path) -> None:
    aws.database()
    fill(aws)
    assert fetch(aws, tmp_path).wait(30) == 0
    moved = {"host": "127.64.9.9", "port": 5433, "name": "botbrains", "secret_arn": "rds!db-of-prod"}
    ssm = aws.client("ssm")
    ssm.put_parameter(Name="/botbrains/prod/database", Value=json.dumps(moved), Type="String", Overwrite=True)
    assert fetch(aws, tmp_path).wait(30) == 0
    here = {**EXPECTED, "DATABASE_HOST": "127.64.9.9", "DATABASE_PORT": "5433"}
    assert written(tmp_path) == here

    lost = fetch(aws, tmp_path, "--patience-seconds", "1", AWS_ENDPOINT_URL="http://127.0.0.1:1")
    said, _ = lost.communicate(timeout=30)
    assert lost.returncode == 0
    assert "stays as it was" in said
    assert written(tmp_path) == here


@pytest.mark.parametrize(
    ("parameter", "said"),
    [
        ("invalid text", "no JSON"),
        ('{"host": "a", "port": 1}', "parameter /botbrains/prod/database lacks name, secret_arn"),
        ("[]", "lacks host, port, name, secret_arn"),
    ],
)
def test_wrong_parameter_is_reported_and_retried(aws: Aws, tmp_path: Path, parameter: str, said: str) -> None:
    aws.client("ssm").put_parameter(Name="/botbrains/prod/database", Value=parameter, Type="String")
    fetching = fetch(aws, tmp_path)
    assert fetching.stdout is not None
    assert said in fetching.stdout.readline()
    fetching.kill()
    fetching.communicate()
    assert not (tmp_path / "run/app.env").exists()


# -- enrolment --------------------------------------------------------------------------------------------------------

SETUP = """#!/bin/sh
echo "$@" >> {said}
test -e {ready}
"""


def test_host_is_enrolled_once_and_activation_removed(aws: Aws, tmp_path: Path) -> None:
    tools, said, ready = tmp_path / "tools", tmp_path / "said", tmp_path / "ready"
    tools.mkdir()
    (tools / "ssm-setup-cli").write_text(SETUP.format(said=said, ready=ready))
    (tools / "ssm-setup-cli").chmod(0o755)
    file = tmp_path / "enrolment.json"
    file.write_text(json.dumps({"activation_id": "the-id", "activation_code": "the/code=", "region": REGION}))
    command = [sys.executable, str(PROGRAMS / "enrol.py"), "--file", str(file), "--pause-seconds", "0.2"]
    env = {**aws.env, "PATH": f"{tools}:{os.environ['PATH']}"}

    enrolling = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    until(said.exists, 10)
    assert file.exists(), "the attempt failed, so systemd retries"
    ready.touch()
    output, _ = enrolling.communicate(timeout=20)
    assert enrolling.returncode == 0
    assert not file.exists()
    assert "the/code" not in output
    asked = said.read_text().splitlines()
    assert set(asked) == {f"-register -activation-code the/code= -activation-id the-id -region {REGION}"}

    assert subprocess.run(command, env=env, check=False, capture_output=True).returncode == 0
    assert said.read_text().splitlines() == asked, "an enrolled host was enrolled again"


# -- logs -------------------------------------------------------------------------------------------------------------

JOURNAL = """#!{python}
import json, sys, time
entries = json.load(open({entries!r}))
after = [a.split("=", 1)[1] for a in sys.argv if a.startswith("--after-cursor=")]
assert sys.argv[1:4] == ["--follow", "--output=json", "--no-tail"], sys.argv
for entry in entries[int(after[0][1:]) + 1 if after else 0:]:
    print(json.dumps(entry), flush=True)
print("no entry", flush=True)
time.sleep(60)
"""


def entry(number: int, message: Any = None, age: float = 0.0) -> dict[str, Any]:
    return {
        "__REALTIME_TIMESTAMP": str(int((time.time() - 10 - age) * 1_000_000) + number),
        "__CURSOR": f"c{number}",
        "_SYSTEMD_UNIT": "botbrains-app.service",
        "PRIORITY": "6",
        "MESSAGE": f"line {number}" if message is None else message,
    }


def test_journal_arrives_in_order_and_resumes(aws: Aws, tmp_path: Path) -> None:
    entries = [
        *(entry(number) for number in range(5)),
        entry(5, list(b"bytes \xff\xfe")),
        entry(6, "x" * 300_000),
        entry(7, age=20 * 24 * 3600),
        entry(8),
    ]
    listed, journal = tmp_path / "entries.json", tmp_path / "journalctl"
    listed.write_text(json.dumps(entries))
    journal.write_text(JOURNAL.format(python=sys.executable, entries=str(listed)))
    journal.chmod(0o755)
    logs = aws.client("logs")

    def ship() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [
                *(sys.executable, str(PROGRAMS / "ship_logs.py"), "--region", REGION, "--group", GROUP),
                *("--stream", HOST, "--cursor", str(tmp_path / "cursor"), "--journal", str(journal)),
            ],
            env=aws.env,
        )

    def arrived() -> list[dict[str, str]]:
        try:
            found = logs.get_log_events(logGroupName=GROUP, logStreamName=HOST, startFromHead=True)["events"]
        except logs.exceptions.ResourceNotFoundException:
            return []
        return [json.loads(event["message"]) for event in found]

    shipping = ship()
    # The stack creates the log group, perhaps later.
    time.sleep(3)
    logs.create_log_group(logGroupName=GROUP)
    until(lambda: len(arrived()) == 8, 20)
    shipping.send_signal(signal.SIGTERM)
    assert shipping.wait(10) == 0
    texts = [one["message"] for one in arrived()]
    assert texts[:6] == [*(f"line {number}" for number in range(5)), "bytes \ufffd\ufffd"]
    assert len(texts[6]) == 200_000
    assert arrived()[0] == {"unit": "botbrains-app.service", "priority": "6", "message": "line 0"}

    listed.write_text(json.dumps([*entries, entry(9), entry(10)]))
    again = ship()
    until(lambda: len(arrived()) >= 10, 20)
    # The program sends the remaining entries before it stops.
    again.send_signal(signal.SIGTERM)
    assert again.wait(10) == 0
    assert [one["message"] for one in arrived()][8:] == ["line 9", "line 10"]
