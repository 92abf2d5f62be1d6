"""Outages: a call that one affects breaks at once and is logged, other calls work, and no data is lost."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError, ConnectionClosedError
from githubkit import GitHub
from hcloud import Client as Hetzner
from requests.exceptions import ConnectionError as RequestsConnectionError

from localcloud.faults.outages import change
from tests.conftest import LocalCloud
from tests.localcloud.faults.harness import (
    BROKEN,
    HERE,
    KEY,
    THERE,
    a_bucket,
    asked,
    client,
    connection,
    localcloud,
    say,
)


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
def test_open_connection_breaks_without_an_answer(local_cloud: LocalCloud, target: str, variable: str) -> None:
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
    assert uploading.sock.recv(12) == b"HTTP/1.1 100"  # it was admitted
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
