"""Tests of the application's database user, which a worker host creates, with real PostgreSQL and moto's AWS."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import psycopg
import pytest
from moto.server import ThreadedMotoServer

from localcloud.postgres import Cluster, Site, free_address, stop_all
from tests.components.hosts.examples import PROGRAMS

REGION, PORT, DATABASE, MASTER = "eu-central-1", 5432, "botbrains", "botbrains"
SECRET, MASTER_SECRET, PARAMETER = "botbrains/prod/database", "rds!db-of-prod", "/botbrains/prod/database"


@dataclass
class Place:
    """A database, and an AWS that has its settings."""

    cluster: Cluster
    endpoint: str
    output: Path

    def client(self, service: str) -> Any:
        keys = {"aws_access_key_id": "ASIATEST", "aws_secret_access_key": "nothing"}
        return boto3.client(service, REGION, endpoint_url=self.endpoint, **keys)

    def rotate(self, password: str) -> None:
        """Change the master user's password, like RDS."""
        self.cluster.set_password(MASTER, password)
        value = json.dumps({"username": MASTER, "password": password})
        self.client("secretsmanager").put_secret_value(SecretId=MASTER_SECRET, SecretString=value)

    def fetch(self, *more: str) -> subprocess.Popen[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PG"))}
        return subprocess.Popen(
            [
                *(sys.executable, str(PROGRAMS / "fetch_settings.py"), "--stack", "prod", "--region", REGION),
                *("--host-name", "botbrains-prod-worker-1", "--ca-file", "/nowhere", "--output", str(self.output)),
                *more,
            ],
            env={
                **kept,
                "AWS_ENDPOINT_URL": self.endpoint,
                "AWS_ACCESS_KEY_ID": "ASIATEST",
                "AWS_SECRET_ACCESS_KEY": "nothing",
                "PGSSLROOTCERT": str(self.cluster.site.ca),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def worker_host(self) -> dict[str, str]:
        """The variables that a worker host's application gets."""
        fetching = self.fetch("--create-user")
        said, _ = fetching.communicate(timeout=60)
        assert fetching.returncode == 0, said
        variables = dict(line.split("=", 1) for line in self.output.read_text().splitlines())
        assert variables["DATABASE_PASSWORD"] not in said
        return variables

    def connect(self, user: str, password: str) -> psycopg.Connection[Any]:
        return psycopg.connect(
            host=self.cluster.address,
            port=PORT,
            dbname=DATABASE,
            user=user,
            password=password,
            sslrootcert=str(self.cluster.site.ca),
            sslmode="verify-full",
            autocommit=True,
        )

    def application(self, variables: dict[str, str]) -> psycopg.Connection[Any]:
        return self.connect(variables["DATABASE_USER"], variables["DATABASE_PASSWORD"])


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    root = tmp_path_factory.mktemp("user")
    made = Cluster(Site(root / "site"), root / "cluster", free_address(set(), PORT), PORT)
    try:
        made.create(MASTER, "first", DATABASE)
        yield made
    finally:
        stop_all(root)


@pytest.fixture(scope="module")
def place(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        made = Place(
            cluster, "http://{}:{}".format(*server.get_host_and_port()), tmp_path_factory.mktemp("run") / "app.env"
        )
        secrets = made.client("secretsmanager")
        secrets.create_secret(Name=SECRET)
        arn = secrets.create_secret(Name=MASTER_SECRET)["ARN"]
        made.rotate("the first")
        settings = {"host": cluster.address, "port": PORT, "name": DATABASE, "secret_arn": arn}
        made.client("ssm").put_parameter(Name=PARAMETER, Value=json.dumps(settings), Type="String")
        yield made
    finally:
        server.stop()


def test_worker_hosts_create_one_user_together_and_an_api_host_waits_for_it(place: Place) -> None:
    api = place.fetch()
    assert api.stdout is not None
    assert "a worker host" in api.stdout.readline()
    hosts = [place.fetch("--create-user") for _ in range(3)]
    for host in (api, *hosts):
        said, _ = host.communicate(timeout=60)
        assert host.returncode == 0, said
    variables = place.worker_host()
    assert variables["DATABASE_USER"] == "botbrains_app"
    place.application(variables).close()


def test_user_owns_what_it_creates_and_has_no_other_right(place: Place) -> None:
    with place.application(place.worker_host()) as application:
        application.execute("create schema jobs")
        application.execute("create table jobs.queue (id int)")
        role = application.execute(
            "select rolsuper, rolcreaterole, rolcreatedb, pg_has_role('rds_superuser', 'member') from pg_roles"
            " where rolname = current_user"
        ).fetchone()
        assert role == (False, False, False, False)
        with place.connect(MASTER, "the first") as master:
            assert master.execute("select count(*) from jobs.queue").fetchone() == (0,)
            master.execute("create schema owned_by_master")
        for refused in ("drop schema owned_by_master", "create role other", "drop database botbrains"):
            with pytest.raises(psycopg.Error):
                application.execute(refused)


def test_rotated_master_password_does_not_concern_the_application(place: Place) -> None:
    before = place.worker_host()
    place.rotate("the second")
    assert place.worker_host() == before
    place.application(before).close()


def test_restored_database_with_another_password_accepts_the_secret_again(place: Place) -> None:
    variables = place.worker_host()
    with place.connect(MASTER, "the second") as master:
        master.execute("alter role botbrains_app password 'of an earlier moment'")
    assert place.worker_host() == variables
    place.application(variables).close()


def test_unreachable_database_delays_no_start(place: Place) -> None:
    before = place.worker_host()
    place.cluster.stop()
    try:
        assert place.worker_host() == before
    finally:
        place.cluster.start()
