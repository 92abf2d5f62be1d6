"""One load balancer, in one location: forwards requests to the hosts that answer their health check."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_hcloud as hcloud

HTTPS_PORT = 443

# Two failed checks in a row: a single one may be chance.
_RETRIES = 2
# A host in the same network zone that has not answered after this time counts as dead.
_TIMEOUT_SECONDS = 2


@dataclass(frozen=True, kw_only=True)
class HealthCheck:
    """The health check of a host, and the time after which a dead host gets no more requests.

    A dead host is out of rotation after at most `interval_seconds` x `retries` + `timeout_seconds`. It is back after
    as many successful checks as there were failed ones. This is how redundancy absorbs the loss of a single component.

    Raises:
        ValueError: Hetzner does not accept a number.
    """

    path: str
    """The path of the request. Only status 200 counts as healthy, so a redirect to a login page does not."""

    interval_seconds: int
    """3 to 60."""

    timeout_seconds: int
    """1 to `interval_seconds`."""

    retries: int
    """0 to 5."""

    @classmethod
    def within(cls, seconds: int, path: str) -> HealthCheck:
        """Return the check that takes a dead host out of rotation within `seconds`.

        Raises:
            ValueError: Hetzner has no check with this duration.
        """
        return cls(
            path=path,
            interval_seconds=(seconds - _TIMEOUT_SECONDS) // _RETRIES,
            timeout_seconds=_TIMEOUT_SECONDS,
            retries=_RETRIES,
        )

    def __post_init__(self) -> None:
        if not 3 <= self.interval_seconds <= 60:
            raise ValueError(f"interval_seconds is {self.interval_seconds}; allowed is 3 to 60, as Hetzner documents")
        if not 1 <= self.timeout_seconds <= self.interval_seconds:
            raise ValueError(f"timeout_seconds is {self.timeout_seconds}; allowed is 1 to {self.interval_seconds}")
        if not 0 <= self.retries <= 5:
            raise ValueError(f"retries is {self.retries}; allowed is 0 to 5, as Hetzner documents")


@dataclass(frozen=True, kw_only=True)
class LoadBalancerArgs:
    """The load balancer's location, addresses and hosts."""

    location: str
    """The Hetzner location. A load balancer is in exactly one location."""

    load_balancer_type: str
    """Hetzner's name for the size."""

    subnet_id: pulumi.Input[str]
    """The subnet of the private network that the load balancer shares with the hosts."""

    private_address: str
    """The address in that subnet. The hosts' own firewall admits only the load balancers' addresses."""

    pool: str
    """The pool of hosts behind the load balancer: the value of their label `pool`."""

    server_port: int
    """The port of each host that receives requests."""

    certificate_id: pulumi.Input[int]
    """Hetzner's id of the TLS certificate."""

    health_check: HealthCheck
    labels: dict[str, str]


class LoadBalancer(pulumi.ComponentResource):
    """A Hetzner load balancer that terminates TLS and reaches its hosts over the private network only.

    The hot standby is a target like every other host. It answers its health check with 503 until it is needed, so a
    failover needs no call to Hetzner's API during an outage. Hetzner has no target priorities that could replace this.

    Targets are selected by the pool's label alone. So a host receives requests from its first successful check to its
    last, and a host drains itself: it fails its health check, and the load balancer lets open requests finish.

    The public addresses are separate primary IPs, which stay when the load balancer is replaced. So the addresses that
    resolvers have cached stay valid.
    """

    address: pulumi.Output[str]
    address_v6: pulumi.Output[str]

    def __init__(self, name: str, args: LoadBalancerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("botbrains:network:LoadBalancer", name, {}, opts)
        guarded = pulumi.ResourceOptions(parent=self, protect=True)
        address, address_v6 = (self._address(name, args, version) for version in ("ipv4", "ipv6"))
        balancer = hcloud.LoadBalancer(
            name,
            name=name,
            load_balancer_type=args.load_balancer_type,
            location=args.location,
            ipv4_id=address.id.apply(int),
            ipv6_id=address_v6.id.apply(int),
            # The host with the fewest connections: a slow host gets fewer requests instead of a queue.
            algorithm=hcloud.LoadBalancerAlgorithmArgs(type="least_connections"),
            delete_protection=True,
            labels=args.labels,
            # During a replacement, the location has no load balancer.
            opts=guarded,
        )
        self._serve(name, args, balancer)

        self.address = address.ip_address
        self.address_v6 = balancer.ipv6
        self.register_outputs({"address": self.address, "addressV6": self.address_v6})

    def _address(self, name: str, args: LoadBalancerArgs, version: str) -> hcloud.PrimaryIp:
        return hcloud.PrimaryIp(
            f"{name}-{version}",
            name=f"{name}-{version}",
            type=version,
            location=args.location,
            auto_delete=False,
            delete_protection=True,
            labels=args.labels,
            opts=pulumi.ResourceOptions(parent=self, protect=True),
        )

    def _serve(self, name: str, args: LoadBalancerArgs, balancer: hcloud.LoadBalancer) -> None:
        """Attach the load balancer to the private network, add its targets, and open it last."""
        attachment = hcloud.LoadBalancerNetwork(
            name,
            load_balancer_id=balancer.id.apply(int),
            subnet_id=args.subnet_id,
            ip=args.private_address,
            enable_public_interface=True,
            opts=pulumi.ResourceOptions(parent=self),
        )
        targets = hcloud.LoadBalancerTarget(
            name,
            type="label_selector",
            load_balancer_id=balancer.id.apply(int),
            label_selector=f"pool={args.pool}",
            use_private_ip=True,
            # Hetzner refuses private targets until the load balancer is in their network.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[attachment]),
        )
        hcloud.LoadBalancerService(
            name,
            # A string, unlike the ids of other resources: the provider does not convert it.
            load_balancer_id=balancer.id,
            protocol="https",
            listen_port=HTTPS_PORT,
            destination_port=args.server_port,
            # Hosts get a client's address from X-Forwarded-For, which Hetzner sets. With the PROXY protocol as well,
            # they would get it twice.
            proxyprotocol=False,
            http=hcloud.LoadBalancerServiceHttpArgs(
                certificates=[args.certificate_id],
                # Redirect requests from port 80 to HTTPS_PORT.
                redirect_http=True,
            ),
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
            # The service opens last, when the load balancer has targets.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[attachment, targets]),
        )
