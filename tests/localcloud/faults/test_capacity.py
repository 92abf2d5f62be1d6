"""Capacity of the local Hetzner: no server of a sold-out type is created until it is restocked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hcloud import APIException
from hcloud import Client as Hetzner
from hcloud.images import Image
from hcloud.locations import Location
from hcloud.server_types import ServerType
from typer.testing import CliRunner

from localcloud.cli import app
from localcloud.faults.capacity import Shortage, Shortages, recorded, restock, sell_out
from localcloud.instance.folder import Folder, LocalCloudError
from localcloud.runtime import process
from tests.conftest import LocalCloud

CX23 = Shortage("cx23", "hel1")


def say(folder: Folder, *arguments: str) -> str:
    said = CliRunner().invoke(app, arguments, env={"LOCALCLOUD_FOLDER": str(folder.path)})
    if said.exception is not None and not isinstance(said.exception, SystemExit):
        raise said.exception
    return said.output


def hetzner(cloud: LocalCloud) -> Any:
    """Return `Any`: the official client's types allow None for every field."""
    token, endpoint = cloud.env["HCLOUD_TOKEN"], cloud.env["HCLOUD_ENDPOINT"]
    return Hetzner(token, api_endpoint=endpoint, poll_interval=0.02)


def test_shortage_refuses_servers_and_survives_restart(local_cloud: LocalCloud) -> None:
    client, folder = hetzner(local_cloud), local_cloud.folder

    def make(name: str, location: str) -> None:
        made = client.servers.create(
            name, ServerType(name="cx23"), Image(name="debian-12"), location=Location(name=location)
        )
        made.action.wait_until_finished()

    def offered() -> dict[str, bool]:
        locations = client.server_types.get_by_name("cx23").locations
        return {place.location.name: place.available for place in locations}

    make("before", "hel1")
    assert "is sold out, until" in say(folder, "sell-out", "cx23", "hel1")
    assert "already" in say(folder, "sell-out", "cx23", "hel1")
    assert offered() == {"fsn1": True, "nbg1": True, "hel1": False}
    process.stop(folder)
    assert "cx23 in hel1" in say(folder, "status")
    assert sell_out(folder, CX23, "silently") == (True, False)  # of another kind, for the next start
    process.start(folder)
    with pytest.raises(APIException, match="error during placement") as refused:
        make("after", "hel1")
    assert refused.value.code == "resource_unavailable"
    # Now the list is wrong: it offers a type that is not available.
    assert all(offered().values())
    make("elsewhere", "nbg1")
    # Existing servers are not affected.
    before = client.servers.get_by_name("before")
    before.power_off().wait_until_finished()
    before.power_on().wait_until_finished()
    assert "is available again" in say(folder, "restock", "--all")
    assert "nothing is sold out" in say(folder, "restock", "--all")
    make("again", "hel1")


def test_without_a_local_cloud_it_is_noted(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "folder")
    assert restock(folder, [CX23]) == (frozenset(), False)
    assert not folder.path.exists()
    assert "when the local cloud starts" in say(folder, "sell-out", "cx23", "hel1", "--silently")
    assert recorded(folder) == {CX23: "silently"}
    assert "is not sold out" in say(folder, "restock", "cx33", "hel1")
    assert "when the local cloud starts" in say(folder, "restock", "cx23", "hel1")
    assert recorded(folder) == {}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("sell-out", "ccx32", "hel1"), "did you mean c"),
        (("sell-out", "cx23", "ash"), "fsn1, nbg1, hel1"),
        (("restock", "cx24", "hel1"), "not a server type"),
        (("restock",), "give either a type and a location"),
        (("restock", "cx23"), "give either a type and a location"),
        (("restock", "cx23", "hel1", "--all"), "give either"),
    ],
)
def test_what_is_not_offered_cannot_be_sold_out(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    with pytest.raises(LocalCloudError, match=said):
        say(Folder(tmp_path / "folder"), *arguments)
    assert not (tmp_path / "folder").exists()


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "shortages.json").write_text('{"sold_out": [{"type": "cx23"}]}')
    with pytest.raises(LocalCloudError, match=r"shortages\.json cannot be read"):
        Shortages(tmp_path / "shortages.json")
