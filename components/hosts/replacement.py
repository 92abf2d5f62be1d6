"""Hooks that run before a host is deleted: the others must answer, and Hetzner's protection of the host is removed.

Hetzner refuses to delete a protected server, and the provider does not remove the protection, although its
documentation says so (terraform-provider-hcloud#1206). So a host can be deleted only through the hook below. Pulumi
runs it in an update, but not in a `pulumi destroy` that does not run the program.
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

# A new host needs its packages, its image and its settings before it answers.
_PATIENCE_SECONDS: Final = 900.0
_POLL_SECONDS: Final = 1.0


class StillNeededError(Exception):
    """A host is not deleted, because other hosts do not answer."""


class Replacement:
    """The hook before the deletion of a pool's servers.

    `serving` names the active hosts behind the load balancers. It is empty for workers: they take jobs from a queue,
    which waits for them, so workers are only replaced one after the other.
    """

    def __init__(self, pool: str, *, serving: Sequence[str], keep_serving: bool) -> None:
        self._pool = pool
        self._serving = frozenset(serving)
        self._keep_serving = keep_serving
        self.server_hooks = pulumi.ResourceHookBinding(
            before_delete=[pulumi.ResourceHook(f"{pool}-server", self._before_server)]
        )

    async def _before_server(self, args: pulumi.ResourceHookArgs) -> None:
        await asyncio.to_thread(self.drain_first, int(args.id))

    def drain_first(self, server_id: int, *, patience_seconds: float = _PATIENCE_SECONDS) -> None:
        """Wait until the other hosts answer, then remove the server's protection, so that it can be shut down.

        The shutdown itself drains the host: its load balancers stop sending requests before the application ends.

        Raises:
            StillNeededError: the other hosts did not answer within `patience_seconds`.
        """
        client = hetzner_client()
        server = _server(client, server_id)
        if server is None:
            return
        if self._serving and self._keep_serving:
            self._wait_for_others(client, server, patience_seconds)
        server.change_protection(delete=False, rebuild=False).wait_until_finished()

    def _wait_for_others(self, client: Client, server: BoundServer, patience_seconds: float) -> None:
        deadline, logged = time.monotonic() + patience_seconds, False
        while True:
            answering = self._answering(client)
            # Without a load balancer there are no requests. A host that does not answer serves none either: it is a
            # dead active host, or a standby that is not needed.
            if answering is None or server.name not in answering:
                return
            silent = sorted(self._serving - {server.name} - answering)
            if not silent:
                return
            if time.monotonic() > deadline:
                raise StillNeededError(
                    f"{server.name} is not deleted: it serves requests, and {', '.join(silent)} did not become healthy"
                    f" within {patience_seconds:.0f} s. Allowed is a deletion while all other active hosts are healthy."
                    f" Find the cause on {', '.join(silent)} (`journalctl -u botbrains-app`), or correct the change,"
                    " and deploy again. To delete the host nevertheless, set botbrains:hosts.keepServing to false in"
                    " Pulumi.<stack>.yaml"
                )
            if not logged:
                pulumi.log.info(f"{server.name} waits until {', '.join(silent)} answers")
                logged = True
            time.sleep(_POLL_SECONDS)

    def _answering(self, client: Client) -> frozenset[str] | None:
        """The hosts that every load balancer of the pool finds healthy. `None` without load balancers."""
        selector = f"pool={self._pool}"
        names = {server.id: str(server.name) for server in client.servers.get_all(label_selector=selector)}
        answers: list[set[str]] = []
        for balancer in client.load_balancers.get_all():
            for target in balancer.targets or ():
                if target.label_selector is not None and target.label_selector.selector == selector:
                    healthy = {one.server.id for one in target.targets or () if one.server and _healthy(one)}
                    answers.append({name for number, name in names.items() if number in healthy})
        return frozenset(set.intersection(*answers)) if answers else None


def address_deletion_hook(owner: str) -> pulumi.ResourceHook:
    """The hook before the deletion of an address: it removes Hetzner's protection. `owner` names the component."""

    async def unprotect(args: pulumi.ResourceHookArgs) -> None:
        await asyncio.to_thread(_unprotect_address, int(args.id))

    return pulumi.ResourceHook(f"{owner}-address", unprotect)


def _healthy(target: Any) -> bool:
    statuses = target.health_status or ()
    return bool(statuses) and all(status.status == "healthy" for status in statuses)


def _server(client: Client, server_id: int) -> BoundServer | None:
    from hcloud import APIException

    try:
        return client.servers.get_by_id(server_id)
    except APIException as error:
        if error.code == "not_found":
            return None
        raise


def _unprotect_address(address_id: int) -> None:
    """Remove an address's protection, if the address still exists."""
    from hcloud import APIException

    try:
        hetzner_client().primary_ips.get_by_id(address_id).change_protection(delete=False).wait_until_finished()
    except APIException as error:
        if error.code != "not_found":
            raise


def hetzner_client() -> Client:
    """Hetzner's Python client, configured by the same variables as the provider (`stacks/providers.py`)."""
    from hcloud import Client

    return Client(
        os.environ["HCLOUD_TOKEN"],
        api_endpoint=os.environ.get("HCLOUD_ENDPOINT", "https://api.hetzner.cloud/v1"),
        application_name="botbrains-continuity",
    )
