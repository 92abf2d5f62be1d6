"""What comes before a host is taken down: the others answer, and Hetzner's protection of this one is lifted.

Hetzner refuses to delete what is protected, and the provider does not lift the protection, whatever its documentation
says (terraform-provider-hcloud#1206). So a host can only be deleted by way of the step below, which Pulumi runs in an
update, and not in a `pulumi destroy` that does not run the program.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import pulumi

if TYPE_CHECKING:
    from hcloud import Client
    from hcloud.servers import BoundServer

# A host that was just made needs its packages, its image and its settings before it answers.
_PATIENCE: Final = 900.0  # seconds
_LOOK_AGAIN: Final = 1.0  # seconds


class StillNeededError(Exception):
    """A host is not taken down, because others do not answer."""


class Rolling:
    """The step before the deletion of a pool's servers.

    `serving` are the names of the active hosts behind the load balancers; none where nothing is balanced. Workers take
    their jobs from a queue, which waits for them, so they are only rolled one after another.
    """

    def __init__(self, pool: str, *, serving: Sequence[str], keep_serving: bool) -> None:
        self._pool = pool
        self._serving = frozenset(serving)
        self._keep_serving = keep_serving
        self.of_servers = pulumi.ResourceHookBinding(
            before_delete=[pulumi.ResourceHook(f"{pool}-server", self._before_server)]
        )

    async def _before_server(self, args: pulumi.ResourceHookArgs) -> None:
        await asyncio.to_thread(self.make_way, int(args.id))

    def make_way(self, server_id: int, *, patience: float = _PATIENCE) -> None:
        """Wait until the others answer, for at most `patience` seconds, and lift the server's protection.

        Raises:
            StillNeededError: they do not.
        """
        client = hetzner()
        server = _server(client, server_id)
        if server is None:
            return
        if self._serving and self._keep_serving:
            self._wait(client, server, patience)
        server.change_protection(delete=False, rebuild=False).wait_until_finished()

    def _wait(self, client: Client, server: BoundServer, patience: float) -> None:
        deadline, said = time.monotonic() + patience, False
        while True:
            answering = self._answering(client)
            # Without a load balancer nobody sends requests, and a host that does not answer is missed by nobody: an
            # active one that is dead, or a standby that is not needed.
            if answering is None or server.name not in answering:
                return
            silent = sorted(self._serving - {server.name} - answering)
            if not silent:
                return
            if time.monotonic() > deadline:
                raise StillNeededError(
                    f"{server.name} is not taken down: it answers, and {', '.join(silent)} did not within "
                    f"{patience:.0f} s. See what is wrong there (`journalctl -u botbrains-app`), or correct what was "
                    "rolled out, and deploy again. To take it down all the same, set botbrains:hosts keepServing: false"
                )
            if not said:
                pulumi.log.info(f"{server.name} waits until {', '.join(silent)} answers")
                said = True
            time.sleep(_LOOK_AGAIN)

    def _answering(self, client: Client) -> frozenset[str] | None:
        """The hosts of the pool that every load balancer in front of it finds healthy; None without load balancers."""
        selector = f"pool={self._pool}"
        names = {server.id: str(server.name) for server in client.servers.get_all(label_selector=selector)}
        answers: list[set[str]] = []
        for balancer in client.load_balancers.get_all():
            for target in balancer.targets or ():
                if target.label_selector is not None and target.label_selector.selector == selector:
                    healthy = {one.server.id for one in target.targets or () if one.server and _healthy(one)}
                    answers.append({name for number, name in names.items() if number in healthy})
        return frozenset(set.intersection(*answers)) if answers else None


def before_address(owner: str) -> pulumi.ResourceHook:
    """The step before the deletion of an address: Hetzner's protection of it is lifted. `owner` is whose they are."""

    async def step(args: pulumi.ResourceHookArgs) -> None:
        await asyncio.to_thread(_free_address, int(args.id))

    return pulumi.ResourceHook(f"{owner}-address", step)


def _healthy(target: Any) -> bool:
    statuses = target.health_status or ()
    return bool(statuses) and all(status.status == "healthy" for status in statuses)


def _server(client: Client, server_id: int) -> BoundServer | None:
    from hcloud import APIException

    try:
        return client.servers.get_by_id(server_id)
    except APIException as fault:
        if fault.code == "not_found":
            return None
        raise


def _free_address(address_id: int) -> None:
    """Lift an address's protection, if it is there still."""
    from hcloud import APIException

    try:
        hetzner().primary_ips.get_by_id(address_id).change_protection(delete=False).wait_until_finished()
    except APIException as fault:
        if fault.code != "not_found":
            raise


def hetzner() -> Client:
    """Hetzner's own client, told where to go by the same variables as the provider (`stacks/providers.py`)."""
    from hcloud import Client

    return Client(
        os.environ["HCLOUD_TOKEN"],
        api_endpoint=os.environ.get("HCLOUD_ENDPOINT", "https://api.hetzner.cloud/v1"),
        application_name="botbrains-continuity",
    )
