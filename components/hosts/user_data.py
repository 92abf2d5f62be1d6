"""The user data of a pool's hosts: each host's description, rendered with the host's own activation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from components.hosts.descriptions import HostContext, api_host, worker_host
from components.hosts.identity import HostIdentity
from components.hosts.image.hosts import Enrolment, Host
from components.hosts.image.rendering import fingerprint, render
from components.hosts.placement import PlannedHost
from plan.names import HIDDEN


@dataclass(frozen=True)
class UserData:
    """The user data of one pool's hosts.

    A host's description has a fingerprint. While the fingerprint is the same, the activation is too, and the user data
    is identical to the byte. A changed fingerprint creates a new activation and replaces the host.
    """

    identity: HostIdentity
    context: HostContext
    pool: Sequence[PlannedHost]
    image: str
    """The application's image, by digest."""

    port: int | None
    """The port on which an API host's application listens. `None` for workers."""

    def of(self, host: PlannedHost) -> pulumi.Output[str]:
        """Return a host's user data. It is secret: the activation's code in it allows one registration for a day."""
        description = self._describe(host)
        activation_id, activation_code = self.identity.activation(host.name, fingerprint(description))
        region = self.context.region

        def rendered(known: list[str]) -> str:
            if known[1] == HIDDEN:
                # The preview of a state without secrets. A changed fingerprint replaces the activation, and its code is
                # then unknown. So the user data has not changed, and the state has the same text for it.
                return HIDDEN
            return render(description, Enrolment(activation_id=known[0], activation_code=known[1], region=region))

        return pulumi.Output.secret(pulumi.Output.all(activation_id, activation_code).apply(rendered))

    def _describe(self, host: PlannedHost) -> Host:
        if self.port is None:
            return worker_host(host, self.pool, self.context, image=self.image)
        return api_host(host, self.pool, self.context, image=self.image, port=self.port)
