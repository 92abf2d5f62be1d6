"""Harness for tests of outages: commands, clients, buckets and the log of requests."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from typer.testing import CliRunner

from localcloud.cli import app
from localcloud.faults.outages import change, recorded
from tests.conftest import LocalCloud

HERE, THERE, FAR = "eu-central-1", "eu-west-1", "eu-north-1"

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVl"
BROKEN = (ConnectionError, http.client.RemoteDisconnected)


def localcloud(cloud: LocalCloud, *arguments: str) -> subprocess.CompletedProcess[str]:
    return cloud.run(sys.executable, "-m", "localcloud", *arguments)


def say(cloud: LocalCloud, *arguments: str) -> str:
    """Return the output of the command. It runs in this process, which is faster."""
    said = CliRunner().invoke(app, arguments, env=dict(cloud.env))
    assert said.exit_code == 0, said.output
    return said.output


def restore_all(cloud: LocalCloud) -> None:
    change(cloud.folder, "restore", recorded(cloud.folder))


def client(cloud: LocalCloud, service: str, region: str = HERE) -> Any:
    """Use no retries and a short timeout: a call that hangs must fail the test."""
    return boto3.client(
        service,
        region_name=region,
        endpoint_url=cloud.env["AWS_ENDPOINT_URL"],
        aws_access_key_id=cloud.env["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=cloud.env["AWS_SECRET_ACCESS_KEY"],
        config=Config(
            retries={"total_max_attempts": 1},
            connect_timeout=10,
            read_timeout=10,
            signature_version="s3v4" if service == "s3" else None,  # also for presigned addresses
        ),
    )


def asked(cloud: LocalCloud, since: int = 0) -> list[dict[str, Any]]:
    lines = cloud.folder.requests.read_text().splitlines() if cloud.folder.requests.exists() else []
    return [json.loads(line) for line in lines[since:]]


def a_bucket(cloud: LocalCloud, name: str, region: str) -> str:
    s3 = client(cloud, "s3", region)
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": region})
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


def replicate(cloud: LocalCloud, source: str, region: str, destination: str, **settings: Any) -> None:
    rule = {
        "ID": destination,
        "Priority": 1,
        "Status": "Enabled",
        "Filter": {},
        "DeleteMarkerReplication": {"Status": "Enabled"},
        "Destination": {"Bucket": f"arn:aws:s3:::{destination}"},
        **settings,
    }
    client(cloud, "s3", region).put_bucket_replication(
        Bucket=source, ReplicationConfiguration={"Role": "arn:aws:iam::123456789012:role/r", "Rules": [rule]}
    )


def versions(cloud: LocalCloud, bucket: str, region: str) -> list[tuple[str, str, bool]]:
    """Key, version and whether it is a delete marker; for each key the newest first, like in a listing of S3."""
    found = client(cloud, "s3", region).list_object_versions(Bucket=bucket)
    every = [(one, False) for one in found.get("Versions", [])] + [
        (one, True) for one in found.get("DeleteMarkers", [])
    ]
    current = [(one["Key"], one["VersionId"], marker, one["IsLatest"]) for one, marker in every]
    return [one[:3] for one in sorted(current, key=lambda one: (one[0], not one[3], one[1]))]


def connection(cloud: LocalCloud, variable: str) -> http.client.HTTPConnection:
    """A connection that is already open."""
    opened = http.client.HTTPConnection(urlsplit(cloud.env[variable]).netloc, timeout=10)
    opened.connect()
    return opened
