"""The hcloud tables and an emulator behind a port, with the engine's way to use a table."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from werkzeug.serving import make_server

from localcloud.hetzner import Application, create_app
from localcloud.plugins.hcloud import PLUGIN
from localcloud.plugins.hcloud.cloud import Cloud
from localcloud.plugins.table import GoneError, Props

TOKEN = "t" * 64
TABLES = {entry.token.rpartition(":")[2]: entry for entry in PLUGIN.resources}
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVlZWVl"


def make(cloud: Cloud, kind: str, **inputs: Any) -> str:
    """Create an object like the engine."""
    table = TABLES[kind]
    identity = table.create(cloud, inputs)
    if table.settle is not None:
        table.settle(cloud, identity, inputs)
    return identity


def state(cloud: Cloud, kind: str, identity: str, **inputs: Any) -> Props:
    return TABLES[kind].read(cloud, identity, inputs)


def change(cloud: Cloud, kind: str, identity: str, old: Props, new: Props) -> Props:
    """Update an object like the engine."""
    table = TABLES[kind]
    assert table.update is not None
    changed = frozenset(key for key in {*old, *new} if old.get(key) != new.get(key))
    assert not any(table.properties[key].replaces for key in changed)
    table.update(cloud, identity, old, new, changed)
    return table.read(cloud, identity, new)


def covers(found: Props, inputs: Props) -> bool:
    return {key: found.get(key) for key in inputs} == inputs


def delete(cloud: Cloud, kind: str, identity: str, **inputs: Any) -> None:
    table = TABLES[kind]
    table.delete(cloud, identity, {**table.read(cloud, identity, inputs), **inputs})
    with pytest.raises(GoneError):
        table.read(cloud, identity, {})
    with pytest.raises(GoneError):
        table.delete(cloud, identity, inputs)


def made_network(cloud: Cloud) -> tuple[int, str]:
    """Create a network with one subnet. Return the ids of both."""
    made = make(cloud, "Network", name="net", ipRange="10.0.0.0/16")
    subnet = make(
        cloud, "NetworkSubnet", networkId=int(made), type="cloud", networkZone="eu-central", ipRange="10.0.1.0/24"
    )
    return int(made), subnet


SERVER: Props = {"name": "web", "serverType": "cx23", "image": "debian-12", "location": "fsn1"}
BALANCER: Props = {"name": "lb", "loadBalancerType": "lb11", "location": "fsn1"}


def application() -> Application:
    # Long enough that a table that does not wait for an action finds its object busy.
    return create_app(None, token=TOKEN, action_seconds=0.03, choose_address=_lowest)


def _lowest(taken: Collection[str]) -> str:
    """Return the first free loopback address, so that a test knows it in advance."""
    return next(address for n in range(1, 255) if (address := f"127.64.0.{n}") not in taken)


@contextmanager
def serving(app: Application) -> Iterator[str]:
    """Serve the emulator on a port. Yield its endpoint."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.port}/v1"
    server.shutdown()
    thread.join()


def connected(endpoint: str) -> Cloud:
    cloud: Cloud = PLUGIN.connect({"token": TOKEN, "endpoint": endpoint, "pollInterval": "5ms"}, {})
    return cloud
