"""Hetzner lists what it has none of: an update goes on with the alternatives, and nothing moves again later."""

from __future__ import annotations

import re
import sys

from tests.conftest import LocalCloud
from tests.scenarios.asking import outputs


def localcloud(cloud: LocalCloud, *arguments: str) -> None:
    assert cloud.run(sys.executable, "-m", "localcloud", *arguments).returncode == 0


def hosts(cloud: LocalCloud) -> dict[str, str]:
    """Where each of prod's hosts is."""
    said = outputs(cloud, "prod")
    return {host["name"]: host["location"] for role in ("api", "worker") for host in said[f"{role}_hosts"]}


def test_an_update_goes_on_with_what_is_declared_for_when_a_server_is_sold_out(local_cloud: LocalCloud) -> None:
    # The first host's own type, and the first two alternatives; the next is in another location, with other addresses.
    for server_type in ("cpx32", "cpx42", "ccx23"):
        localcloud(local_cloud, "sell-out", server_type, "nbg1", "--silently")

    done = local_cloud.run(sys.executable, "-m", "continuity", "up", "--yes", "prod")

    assert done.returncode == 0
    assert re.findall(r"prod: Hetzner lists (\S+) as available, and refuses it", done.stderr) == [
        "cpx32@nbg1",
        "cpx42@nbg1",
        "ccx23@nbg1",
    ]
    assert hosts(local_cloud) == {
        "botbrains-prod-api-1": "fsn1",
        "botbrains-prod-api-2": "hel1",
        "botbrains-prod-api-standby-1": "hel1",
        "botbrains-prod-worker-1": "fsn1",
        "botbrains-prod-worker-2": "hel1",
        "botbrains-prod-worker-standby-1": "hel1",
    }
    # Nobody remembers what was refused, and a host stays where it is.
    localcloud(local_cloud, "restock", "--all")
    again = local_cloud.run(
        "pulumi", "preview", "--expect-no-changes", "--stack", "prod", "--policy-pack", "policy_pack"
    )
    assert again.returncode == 0
