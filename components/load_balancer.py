"""The public entrance: takes requests to the hosts that say they are healthy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi
import pulumi_hcloud as hcloud


@dataclass(frozen=True, kw_only=True)
class HealthCheck:
    """How a host is asked whether it can take requests, and how soon it is given up.

    A dead host is out of rotation after about `interval_seconds` x `retries` + `timeout_seconds`, 8 seconds as it
    stands, and is back after as many good answers as it took bad ones. This is how redundancy absorbs the loss of a
    single component.

    Raises:
        ValueError: a number is outside what Hetzner accepts.
    """

    path: str
    """What is asked for. Only the status 200 counts as healthy, so a redirect to a login page does not."""

    interval_seconds: int = 3
    """3 to 60."""

    timeout_seconds: int = 2
    """1 to `interval_seconds`."""

    retries: int = 2
    """0 to 5."""

    def __post_init__(self) -> None:
        if not 3 <= self.interval_seconds <= 60:
            raise ValueError(f"interval_seconds is {self.interval_seconds}; Hetzner accepts 3 to 60")
        if not 1 <= self.timeout_seconds <= self.interval_seconds:
            raise ValueError(f"timeout_seconds is {self.timeout_seconds}; allowed is 1 to {self.interval_seconds}")
        if not 0 <= self.retries <= 5:
            raise ValueError(f"retries is {self.retries}; Hetzner accepts 0 to 5")


@dataclass(frozen=True, kw_only=True)
class LoadBalancerArgs:
    """Where the load balancer is, and what is behind it.

    Raises:
        ValueError: there is no server behind it.
    """

    location: str
    """The Hetzner location that it lives in. There is no load balancer in two locations."""

    load_balancer_type: str
    """Hetzner's name for its size."""

    subnet_id: pulumi.Input[str]
    """The subnet of the private network that it shares with the servers."""

    servers: Mapping[str, pulumi.Input[int]]
    """The servers behind it, by a name that stays the same when a server is rebuilt."""

    server_port: int
    """The port that the application listens on, on each server."""

    health_check: HealthCheck
    labels: dict[str, str] = field(default_factory=dict)

    listen_port: int = 80
    """The public port."""

    def __post_init__(self) -> None:
        if not self.servers:
            raise ValueError("servers is empty; a load balancer with nothing behind it answers every request with 503")


class LoadBalancer(pulumi.ComponentResource):
    """A Hetzner load balancer that reaches its servers over the private network only.

    The hot standby is a target like every other. It answers its health check with 503 until it is promoted, so failing
    over needs no call to Hetzner's API at the bad moment. Hetzner knows no priorities that could do this instead.

    Each server is a target by its id. A label selector would be one resource instead of many, but whatever somebody
    labels by mistake, a drill's copy for example, would take customers' requests from then on, and a review would not
    show it.

    It speaks HTTP. Certificates need a domain at Hetzner and are not part of this yet; until they are, nothing of a
    customer's may go over it.
    """

    address: pulumi.Output[str]

    def __init__(self, name: str, args: LoadBalancerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("botbrains:network:LoadBalancer", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)

        balancer = hcloud.LoadBalancer(
            name,
            name=name,
            load_balancer_type=args.load_balancer_type,
            location=args.location,
            delete_protection=True,
            labels=args.labels,
            # Its public address goes with it, and every customer's resolver would have to learn a new one.
            opts=pulumi.ResourceOptions(parent=self, protect=True),
        )
        attachment = hcloud.LoadBalancerNetwork(
            name,
            load_balancer_id=balancer.id.apply(int),
            subnet_id=args.subnet_id,
            enable_public_interface=True,
            opts=child,
        )
        targets = [
            hcloud.LoadBalancerTarget(
                server,
                type="server",
                load_balancer_id=balancer.id.apply(int),
                server_id=server_id,
                use_private_ip=True,
                # Hetzner refuses a target by its private address before the load balancer is in that network.
                opts=pulumi.ResourceOptions(parent=self, depends_on=[attachment]),
            )
            for server, server_id in args.servers.items()
        ]
        hcloud.LoadBalancerService(
            name,
            # A string, unlike everywhere else: the provider takes this one as it is.
            load_balancer_id=balancer.id,
            protocol="http",
            listen_port=args.listen_port,
            destination_port=args.server_port,
            health_check=hcloud.LoadBalancerServiceHealthCheckArgs(
                protocol="http",
                port=args.server_port,
                interval=args.health_check.interval_seconds,
                timeout=args.health_check.timeout_seconds,
                retries=args.health_check.retries,
                http=hcloud.LoadBalancerServiceHealthCheckHttpArgs(
                    path=args.health_check.path,
                    status_codes=["200"],
                ),
            ),
            # The entrance opens last, when there is somebody behind it.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[attachment, *targets]),
        )

        self.address = balancer.ipv4
        self.register_outputs({"address": self.address})
