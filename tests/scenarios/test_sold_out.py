"""Hetzner refuses servers: alternatives replace sold-out types, and no host moves later. A limit is explained."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from localcloud.engine.provide import Engine
from tests.conftest import LocalCloud, a_local_cloud
from tests.scenarios.harness import CONTINUITY, PACK, hetzner, localcloud, outputs


def hosts(cloud: LocalCloud) -> dict[str, str]:
    """The location of each of production's hosts."""
    where = outputs(cloud, "prod")
    return {host["name"]: host["location"] for role in ("api", "worker") for host in where[f"{role}_hosts"]}


def test_update_uses_alternatives_for_sold_out_types(fresh_cloud: LocalCloud) -> None:
    # The first host's type and the first two alternatives. The next alternative is in a different location.
    for server_type in ("cpx32", "cpx42", "ccx23"):
        localcloud(fresh_cloud, "sell-out", server_type, "nbg1", "--silently")

    done = fresh_cloud.run(*CONTINUITY, "up", "--yes", "prod")

    assert done.returncode == 0
    assert re.findall(r"prod: Hetzner lists (\S+) as available, and refuses it", done.stderr) == [
        "cpx32@nbg1",
        "cpx42@nbg1",
        "ccx23@nbg1",
    ]
    assert hosts(fresh_cloud) == {
        "botbrains-prod-api-1": "fsn1",
        "botbrains-prod-api-2": "hel1",
        "botbrains-prod-api-standby-1": "hel1",
        "botbrains-prod-worker-1": "fsn1",
        "botbrains-prod-worker-2": "hel1",
        "botbrains-prod-worker-standby-1": "hel1",
    }
    # The refusals are not stored, and a host stays in its location.
    localcloud(fresh_cloud, "restock", "--all")
    again = fresh_cloud.run("pulumi", "preview", "--expect-no-changes", "--stack", "prod", *PACK)
    assert again.returncode == 0


def test_reached_limit_stops_the_update_with_advice(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCALCLOUD_HETZNER_SERVERS", "5")
    with a_local_cloud(engine, tmp_path) as cloud:
        refused = cloud.run(*CONTINUITY, "up", "--yes", "prod")
        assert refused.returncode != 0
        assert "the account's limit at Hetzner is reached" in refused.stderr
        assert len(hetzner(cloud).servers.get_all()) == 5
