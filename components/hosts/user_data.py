"""What a host makes itself from: its description rendered, with an activation that is its alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from components.hosts.descriptions import Surroundings, api_host, worker_host
from components.hosts.identity import HostIdentity
from components.hosts.image import Enrolment, Host, fingerprint, render
from components.hosts.placement import PlannedHost


@dataclass(frozen=True)
class UserData:
    """The user data of one pool's hosts.

    A host's description has a fingerprint. While that is the same, so is the activation, and with it the user data to
    the letter; another fingerprint is another activation, and the host is rolled.
    """

    identity: HostIdentity
    surroundings: Surroundings
    pool: Sequence[PlannedHost]
    image: str
    """The application's image, by its digest."""

    port: int | None
    """Where an API host's application listens; None for workers."""

    def of(self, host: PlannedHost) -> pulumi.Output[str]:
        """A secret, because of the activation's code in it, which is good for one registration within a day."""
        described = self._described(host)
        activation_id, activation_code = self.identity.activation(host.name, fingerprint(described))
        region = self.surroundings.region

        def rendered(known: list[str]) -> str:
            return render(described, Enrolment(activation_id=known[0], activation_code=known[1], region=region))

        return pulumi.Output.secret(pulumi.Output.all(activation_id, activation_code).apply(rendered))

    def _described(self, host: PlannedHost) -> Host:
        if self.port is None:
            return worker_host(host, self.pool, self.surroundings, image=self.image)
        return api_host(host, self.pool, self.surroundings, image=self.image, port=self.port)
