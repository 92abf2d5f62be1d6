"""Outages: a call that one affects breaks at once and is logged, other calls work, and no data is lost."""

from __future__ import annotations

import http.client
import json
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import httpx
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError, ConnectionClosedError
from githubkit import GitHub
from hcloud import Client as Hetzner
from moto.backends import get_backend
from requests.exceptions import ConnectionError as RequestsConnectionError
from typer.testing import CliRunner

from localcloud.cli import app
from localcloud.faults.outages import Outages, Verb, change, recorded, regions
from localcloud.instance.folder import Folder, LocalCloudError
from localcloud.runtime import process
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


def replicate(cloud: LocalCloud, source: str, region: str, destination: str) -> None:
    rule = {
        "ID": destination,
        "Priority": 1,
        "Status": "Enabled",
        "Filter": {},
        "DeleteMarkerReplication": {"Status": "Enabled"},
        "Destination": {"Bucket": f"arn:aws:s3:::{destination}"},
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


@pytest.fixture(autouse=True)
def nothing_is_cut(request: pytest.FixtureRequest) -> Iterator[None]:
    """Start and end every test without outages and without failing listeners."""
    yield
    if "local_cloud" in request.fixturenames:
        cloud: LocalCloud = request.getfixturevalue("local_cloud")
        restore_all(cloud)
        assert "Traceback" not in cloud.folder.log.read_text()


# -- what breaks, and what goes on ------------------------------------------------------------------------------------


def test_a_region_is_dead_while_the_others_answer(local_cloud: LocalCloud) -> None:
    here, there = client(local_cloud, "kms"), client(local_cloud, "kms", THERE)
    key = here.create_key()["KeyMetadata"]["KeyId"]
    before = len(asked(local_cloud))
    assert f"{HERE} is cut off" in say(local_cloud, "cut", HERE)
    for service, call in (("kms", "list_keys"), ("rds", "describe_db_instances"), ("sts", "get_caller_identity")):
        with pytest.raises(ConnectionClosedError):
            getattr(client(local_cloud, service), call)()
        getattr(client(local_cloud, service, THERE), call)()
    with pytest.raises(ConnectionClosedError):
        here.create_key()
    assert there.list_keys()["Keys"] == []
    Hetzner(local_cloud.env["HCLOUD_TOKEN"], api_endpoint=local_cloud.env["HCLOUD_ENDPOINT"]).servers.get_all()
    lines = asked(local_cloud, before)
    dropped = [line for line in lines if line["status"] is None]
    assert len(dropped) == 4
    assert all(line["cut"] is True and line["region"] == HERE for line in dropped)
    assert dropped[0]["operation"] == "TrentService.ListKeys"
    assert {line["region"] for line in lines if line not in dropped} == {THERE, None}
    assert not any(line.get("cut") for line in lines if line not in dropped)
    assert f"{HERE} answers again" in say(local_cloud, "restore", HERE)
    assert [one["KeyId"] for one in here.list_keys()["Keys"]] == [key]  # and what was cut off was not done


def test_a_bucket_is_dead_with_the_region_that_it_is_in(local_cloud: LocalCloud) -> None:
    here, there = client(local_cloud, "s3"), client(local_cloud, "s3", THERE)
    for name, region in (("in-germany", HERE), ("in-ireland", THERE)):
        client(local_cloud, "s3", region).put_object(Bucket=a_bucket(local_cloud, name, region), Key="k", Body=b"x")
    presigned = {
        name: there.generate_presigned_url("get_object", Params={"Bucket": name, "Key": "k"})
        for name in ("in-germany", "in-ireland")
    }
    signed_here = here.generate_presigned_url("list_buckets")
    control = AWSRequest(
        "GET", f"{local_cloud.env['AWS_ENDPOINT_URL']}/v20180820/tags/arn%3Aaws%3As3%3A%3A%3Ain-germany"
    )
    SigV4Auth(Credentials("LKIATESTTESTTESTTEST", "nothing"), "s3", THERE).add_auth(control)
    before = len(asked(local_cloud))
    change(local_cloud.folder, "cut", [HERE])
    dead: tuple[Callable[[], Any], ...] = (
        lambda: here.head_object(Bucket="in-ireland", Key="k"),
        lambda: there.get_object(Bucket="in-germany", Key="k"),
        lambda: there.put_object(Bucket="in-germany", Key="k", Body=b"changed"),
        lambda: there.copy_object(Bucket="in-ireland", Key="copy", CopySource={"Bucket": "in-germany", "Key": "k"}),
        lambda: here.list_buckets(),
        lambda: client(local_cloud, "s3", "us-east-1").create_bucket(
            Bucket="made-elsewhere", CreateBucketConfiguration={"LocationConstraint": HERE}
        ),
    )
    for call in dead:
        with pytest.raises(ConnectionClosedError):
            call()
    for address in (presigned["in-germany"], signed_here):
        with pytest.raises(BROKEN):
            urllib.request.urlopen(address, timeout=10)
    assert [(line["region"], line["cut"]) for line in asked(local_cloud, before)] == [(HERE, True)] * 8
    assert urllib.request.urlopen(presigned["in-ireland"], timeout=10).read() == b"x"
    assert there.get_object(Bucket="in-ireland", Key="k")["Body"].read() == b"x"
    assert {bucket["Name"] for bucket in there.list_buckets()["Buckets"]} >= {"in-germany", "in-ireland"}
    a_bucket(local_cloud, "made-in-ireland", THERE)
    assert {line["region"] for line in asked(local_cloud, before) if not line.get("cut")} == {THERE}
    with pytest.raises(BROKEN):  # S3 Control, about a bucket
        urllib.request.urlopen(urllib.request.Request(control.url, headers=dict(control.headers)), timeout=10)
    change(local_cloud.folder, "restore", [HERE])
    assert there.get_object(Bucket="in-germany", Key="k")["Body"].read() == b"x"
    for name in ("made-elsewhere", "in-ireland/copy"):
        bucket, _, key = name.partition("/")
        with pytest.raises(ClientError, match="404"):
            there.head_object(Bucket=bucket, Key=key or "k")


@pytest.mark.parametrize(
    ("target", "variable"),
    [("aws", "AWS_ENDPOINT_URL"), ("hetzner", "HCLOUD_ENDPOINT"), ("github", "GITHUB_BASE_URL")],
)
def test_a_connection_that_is_open_already_breaks_without_a_word(
    local_cloud: LocalCloud, target: str, variable: str
) -> None:
    idle, nonsense, waiting = (connection(local_cloud, variable) for _ in range(3))
    change(local_cloud.folder, "cut", [target])
    with pytest.raises(BROKEN):
        idle.request("GET", "/")
        idle.getresponse()
    nonsense.sock.sendall(b"no HTTP at all\r\n\r\n")
    with pytest.raises(ConnectionError):
        nonsense.sock.recv(1)
    waiting.sock.sendall(b"PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n")
    with pytest.raises(ConnectionError):
        waiting.sock.recv(1)
    change(local_cloud.folder, "restore", [target])
    again = connection(local_cloud, variable)
    again.sock.sendall(b"PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n")
    assert again.sock.recv(12) == b"HTTP/1.1 100"


def test_a_call_that_is_under_way_gets_no_answer_either(local_cloud: LocalCloud) -> None:
    s3 = client(local_cloud, "s3")
    address = urlsplit(
        s3.generate_presigned_url("put_object", Params={"Bucket": a_bucket(local_cloud, "slow", HERE), "Key": "large"})
    )
    uploading = connection(local_cloud, "AWS_ENDPOINT_URL")
    uploading.putrequest("PUT", f"{address.path}?{address.query}")
    uploading.putheader("Content-Length", "2")
    uploading.putheader("Expect", "100-continue")
    uploading.endheaders()
    assert uploading.sock.recv(12) == b"HTTP/1.1 100"  # it was let in
    uploading.send(b"x")
    change(local_cloud.folder, "cut", [HERE])
    client(local_cloud, "s3", THERE).list_buckets()  # a stalled upload does not block other calls
    uploading.send(b"x")
    assert uploading.sock.recv(100) == b" Continue\r\n\r\n"
    with pytest.raises(ConnectionError):
        uploading.sock.recv(100)
    assert asked(local_cloud)[-1]["status"] is None
    assert asked(local_cloud)[-1]["region"] == HERE


def test_two_clouds_at_once_break_for_their_own_clients(local_cloud: LocalCloud) -> None:
    hetzner = Hetzner(local_cloud.env["HCLOUD_TOKEN"], api_endpoint=local_cloud.env["HCLOUD_ENDPOINT"])
    github = GitHub(
        local_cloud.env["GITHUB_TOKEN"], base_url=f"{local_cloud.env['GITHUB_BASE_URL']}api/v3/", auto_retry=False
    )
    hetzner.ssh_keys.create(name="kept", public_key=KEY)
    change(local_cloud.folder, "cut", ["hetzner", "github"])
    with pytest.raises(RequestsConnectionError):
        hetzner.ssh_keys.get_all()
    with pytest.raises(Exception, match=r"disconnect|reset|closed") as broken:
        github.rest.repos.list_for_org("anybody")
    assert isinstance(broken.value.__cause__, httpx.TransportError)
    client(local_cloud, "rds").describe_db_instances()
    assert {(line["cloud"], line["status"], line["region"]) for line in asked(local_cloud)[-3:]} == {
        ("hetzner", None, None),
        ("github", None, None),
        ("aws", 200, HERE),
    }
    change(local_cloud.folder, "cut", ["aws"])
    with pytest.raises(ConnectionClosedError):
        client(local_cloud, "rds", THERE).describe_db_instances()
    change(local_cloud.folder, "restore", ["hetzner"])
    assert [key.name for key in hetzner.ssh_keys.get_all()] == ["kept"]
    assert json.loads(localcloud(local_cloud, "status", "--json").stdout)["cut"] == ["aws", "github"]


# -- what the commands say --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["cut", "restore"])
def test_what_cannot_be_cut_is_refused_with_what_can(local_cloud: LocalCloud, tmp_path: Path, verb: Verb) -> None:
    near = {"eu-centrall-1": "did you mean eu-central-1? ", "hetzer": "did you mean hetzner? ", "42": ": "}
    for folder in (local_cloud.folder, Folder(tmp_path)):
        for target, hint in near.items():
            words = f"'{target}' .*{re.escape(hint)}Allowed: aws, hetzner, github, or an AWS region: af-south-1, "
            with pytest.raises(LocalCloudError, match=words):
                change(folder, verb, ["github", target])
        assert recorded(folder) == ()
    said = localcloud(local_cloud, verb, "42")
    assert said.returncode == 1
    assert "'42'" in said.stderr
    assert "Traceback" not in said.stderr


def test_every_region_of_the_local_aws_can_be_cut() -> None:
    for service in ("ec2", "kms", "rds", "secretsmanager", "backup"):
        assert set(get_backend(service)["123456789012"].regions) <= regions()  # type: ignore[call-overload]


def test_twice_is_once(local_cloud: LocalCloud) -> None:
    assert "is not cut off" in say(local_cloud, "restore", HERE)
    say(local_cloud, "cut", HERE)
    assert f"{HERE} is already cut off" in say(local_cloud, "cut", HERE)
    assert f"cut off: {HERE}; " in say(local_cloud, "start")
    assert f"cut off: {HERE}; " in say(local_cloud, "status")
    said = localcloud(local_cloud, "restore")
    assert said.returncode == 1
    assert f"--all; cut off now: {HERE}" in said.stderr
    say(local_cloud, "cut", "aws")
    assert "aws is still cut off as a whole" in say(local_cloud, "restore", HERE)
    assert "aws answers again" in say(local_cloud, "restore", "--all")
    assert "nothing is cut off" in say(local_cloud, "restore", "--all")
    assert "cut off" not in say(local_cloud, "status")


def test_a_cut_outlives_the_local_cloud_and_is_forgotten_with_it(fresh_cloud: LocalCloud) -> None:
    key = client(fresh_cloud, "kms").create_key()["KeyMetadata"]["KeyId"]
    say(fresh_cloud, "cut", HERE)
    process.stop(fresh_cloud.folder)
    assert f"cut off: {HERE}; " in localcloud(fresh_cloud, "status").stderr
    assert "is not running" in say(fresh_cloud, "cut", THERE)
    assert f"cut off: {HERE}, {THERE}; " in say(fresh_cloud, "start")
    assert "already running" in say(fresh_cloud, "start")
    for region in (HERE, THERE):
        with pytest.raises(ConnectionClosedError):
            client(fresh_cloud, "kms", region).list_keys()
    client(fresh_cloud, "kms", FAR).list_keys()
    say(fresh_cloud, "restore", "--all")
    assert [one["KeyId"] for one in client(fresh_cloud, "kms").list_keys()["Keys"]] == [key]
    say(fresh_cloud, "cut", "github")
    process.erase(fresh_cloud.folder)
    assert json.loads(localcloud(fresh_cloud, "status", "--json").stdout)["cut"] == []


def test_who_listens_hears_every_change_when_it_is_in_force(tmp_path: Path) -> None:
    outages = Outages(tmp_path / "cuts.json")
    heard: list[tuple[bool, bool]] = []
    outages.listeners.append(lambda is_dead: heard.append((is_dead(HERE), is_dead(THERE))))
    outages.announce()
    outages.cut(HERE)
    assert outages.cut("aws", HERE) == {"aws"}
    assert outages.restore("aws", "github") == {"aws"}
    assert Outages(tmp_path / "cuts.json").targets() == {HERE}

    def stumble(is_dead: Any) -> None:
        raise RuntimeError("no server")

    outages.listeners.insert(0, stumble)
    with pytest.raises(LocalCloudError, match="RuntimeError: no server"):
        outages.restore(HERE)
    assert heard == [(False, False), (True, False), (True, True), (True, False), (False, False)]
    (tmp_path / "cuts.json").write_text('{"cut": ["eu-moon-1"]}')
    with pytest.raises(LocalCloudError, match=r"cuts\.json: 'eu-moon-1' .* remove it"):
        Outages(tmp_path / "cuts.json")


# -- replication across a cut -----------------------------------------------------------------------------------------


def test_replication_waits_for_a_dead_region_and_catches_up_in_order(fresh_cloud: LocalCloud) -> None:
    here, there = client(fresh_cloud, "s3"), client(fresh_cloud, "s3", THERE)
    source, copy = a_bucket(fresh_cloud, "wait-source", HERE), a_bucket(fresh_cloud, "wait-copy", THERE)
    replicate(fresh_cloud, source, HERE, copy)

    def status(key: str, version: str) -> str:
        return str(here.head_object(Bucket=source, Key=key, VersionId=version)["ReplicationStatus"])

    change(fresh_cloud.folder, "cut", [THERE])
    written = [here.put_object(Bucket=source, Key="k", Body=body, Metadata={"m": "1"}) for body in (b"1", b"2")]
    here.delete_object(Bucket=source, Key="gone")  # moto creates no marker for a missing key
    here.put_object(Bucket=source, Key="gone", Body=b"3", Tagging="t=1")
    here.delete_object(Bucket=source, Key="gone")
    unwanted = here.put_object(Bucket=source, Key="unwanted", Body=b"4")["VersionId"]
    here.delete_object(Bucket=source, Key="unwanted", VersionId=unwanted)
    assert [status("k", one["VersionId"]) for one in written] == ["PENDING", "PENDING"]
    process.stop(fresh_cloud.folder)  # pending replication survives a restart
    process.start(fresh_cloud.folder)
    change(fresh_cloud.folder, "cut", [HERE])
    change(fresh_cloud.folder, "restore", [THERE])
    assert versions(fresh_cloud, copy, THERE) == []  # the other end is dead now
    newer = there.put_object(Bucket=copy, Key="k", Body=b"written where it was alive")["VersionId"]
    change(fresh_cloud.folder, "restore", [HERE])
    assert [status("k", one["VersionId"]) for one in written] == ["COMPLETED", "COMPLETED"]
    found = versions(fresh_cloud, copy, THERE)
    assert set(found) - {("k", newer, False)} == set(versions(fresh_cloud, source, HERE))
    assert [marker for key, _, marker in found if key == "gone"] == [True, False]
    assert there.get_object(Bucket=copy, Key="k")["Body"].read() == b"written where it was alive"
    for one, body in zip(written, (b"1", b"2"), strict=True):
        replica = there.get_object(Bucket=copy, Key="k", VersionId=one["VersionId"])
        assert (replica["Body"].read(), replica["ReplicationStatus"], replica["Metadata"]) == (
            body,
            "REPLICA",
            {"m": "1"},
        )


def test_two_buckets_replicate_each_other_without_a_loop(local_cloud: LocalCloud) -> None:
    sides = {"left": HERE, "right": THERE}
    for name, region in sides.items():
        a_bucket(local_cloud, name, region)
    replicate(local_cloud, "left", HERE, "right")
    replicate(local_cloud, "right", THERE, "left")
    s3 = {name: client(local_cloud, "s3", region) for name, region in sides.items()}
    for name, other in (("left", "right"), ("right", "left")):
        s3[name].put_object(Bucket=name, Key=f"from-{name}", Body=name.encode())
        s3[name].copy_object(Bucket=name, Key=f"copied-{name}", CopySource={"Bucket": name, "Key": f"from-{name}"})
        for key in (f"from-{name}", f"copied-{name}"):
            assert s3[name].head_object(Bucket=name, Key=key)["ReplicationStatus"] == "COMPLETED"
            assert s3[other].head_object(Bucket=other, Key=key)["ReplicationStatus"] == "REPLICA"
    s3["right"].delete_object(Bucket="right", Key="from-left")  # a replica is deleted at its destination
    change(local_cloud.folder, "cut", [HERE])
    s3["right"].put_object(Bucket="right", Key="from-left", Body=b"again")
    s3["right"].delete_object(Bucket="right", Key="from-right")
    change(local_cloud.folder, "restore", [HERE])
    left, right = (versions(local_cloud, name, region) for name, region in sides.items())
    assert sorted(left) == sorted(right)
    assert len(left) == 7
    for name in sides:
        assert s3[name].get_object(Bucket=name, Key="from-left")["Body"].read() == b"again"
        with pytest.raises(ClientError, match="NoSuchKey"):
            s3[name].get_object(Bucket=name, Key="from-right")
