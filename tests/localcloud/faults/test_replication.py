"""Replication between buckets while a region is cut off."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from localcloud.faults.outages import change
from localcloud.runtime import process
from tests.conftest import LocalCloud
from tests.localcloud.faults.harness import HERE, THERE, a_bucket, client, replicate, versions


def test_replication_catches_up_in_order_after_outage(fresh_cloud: LocalCloud) -> None:
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


def test_changes_of_a_replica_return_only_with_replica_modifications(local_cloud: LocalCloud) -> None:
    sides = {"home": HERE, "away": THERE}
    for name, region in sides.items():
        a_bucket(local_cloud, name, region)
    replicate(local_cloud, "home", HERE, "away")
    s3 = {name: client(local_cloud, "s3", region) for name, region in sides.items()}
    s3["home"].put_object(Bucket="home", Key="k", Body=b"1")

    def tag(name: str, value: str) -> None:
        s3[name].put_object_tagging(Bucket=name, Key="k", Tagging={"TagSet": [{"Key": "t", "Value": value}]})

    def tags() -> list[str]:
        return [s3[name].get_object_tagging(Bucket=name, Key="k")["TagSet"][0]["Value"] for name in sides]

    tag("home", "one")
    assert tags() == ["one", "one"]
    replicate(local_cloud, "away", THERE, "home")
    tag("away", "two")
    assert tags() == ["one", "two"]
    replicate(
        local_cloud, "away", THERE, "home", SourceSelectionCriteria={"ReplicaModifications": {"Status": "Enabled"}}
    )
    tag("away", "three")
    assert tags() == ["three", "three"]
