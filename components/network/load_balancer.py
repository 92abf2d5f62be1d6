"""One public entrance, in one location: takes requests to the hosts that say they are healthy."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_hcloud as hcloud

HTTP_PORT = 80
HTTPS_PORT = 443

# Two bad answers in a row: one may be chance.
_RETRIES = 2
# A host in the same network zone that has not answered after so long is as good as dead.
_TIMEOUT_SECONDS = 2


@dataclass(frozen=True, kw_only=True)
class HealthCheck:
    """How a host is asked whether it can take requests, and how soon it is given up.

    A dead host is out of rotation after at most `interval_seconds` x `retries` + `timeout_seconds`, and is back after
    as many good answers as it took bad ones. This is how redundancy absorbs the loss of a single component.

    Raises:
        ValueError: a number is outside what Hetzner accepts.
    """

    path: str
    """What is asked for. Only the status 200 counts as healthy, so a redirect to a login page does not."""

    interval_seconds: int
    """3 to 60."""

    timeout_seconds: int
    """1 to `interval_seconds`."""

    retries: int
    """0 to 5."""

    @classmethod
    def within(cls, seconds: int, path: str) -> HealthCheck:
        """The check that gives a dead host up within so many seconds.

        Raises:
            ValueError: Hetzner has no check that is as fast or as slow.
        """
        return cls(
            path=path,
            interval_seconds=(seconds - _TIMEOUT_SECONDS) // _RETRIES,
            timeout_seconds=_TIMEOUT_SECONDS,
            retries=_RETRIES,
        )

    def __post_init__(self) -> None:
        if not 3 <= self.interval_seconds <= 60:
            raise ValueError(f"interval_seconds is {self.interval_seconds}; Hetzner accepts 3 to 60")
        if not 1 <= self.timeout_seconds <= self.interval_seconds:
            raise ValueError(f"timeout_seconds is {self.timeout_seconds}; allowed is 1 to {self.interval_seconds}")
        if not 0 <= self.retries <= 5:
            raise ValueError(f"retries is {self.retries}; Hetzner accepts 0 to 5")


@dataclass(frozen=True, kw_only=True)
class LoadBalancerArgs:
    """Where the load balancer is, and what is behind it."""

    location: str
    """The Hetzner location that it lives in. There is no load balancer in two locations."""

    load_balancer_type: str
    """Hetzner's name for its size."""

    subnet_id: pulumi.Input[str]
    """The subnet of the private network that it shares with the servers."""

    private_address: str
    """Its address there: the only ones that the hosts' own firewall admits are those of load balancers."""

    pool: str
    """The pool of the hosts behind it, which their label `pool` names."""

    server_port: int
    """The port that requests reach each host at."""

    certificate_id: pulumi.Input[int]
    """Hetzner's id of the certificate that it speaks TLS with."""

    health_check: HealthCheck
    labels: dict[str, str]


class LoadBalancer(pulumi.ComponentResource):
    """A Hetzner load balancer that ends TLS and reaches its hosts over the private network only.

    The hot standby is a target like every other. It answers its health check with 503 until it is needed, so failing
    over needs no call to Hetzner's API at the bad moment. Hetzner knows no priorities that could do this instead.

    Targets are found by the label that a pool gives its hosts and nothing else. So a host is behind the load balancer
    from its first good answer to its last, whoever made it, and taking it away is its own business: it says that it is
    not healthy, and the load balancer lets it finish.

    Its public addresses are primary IPs of their own, which stay when it is replaced: resolvers keep what they know.
    """

    address: pulumi.Output[str]
    address_v6: pulumi.Output[str]

    def __init__(self, name: str, args: LoadBalancerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("botbrains:network:LoadBalancer", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        guarded = pulumi.ResourceOptions(parent=self, protect=True)

        address, address_v6 = (
            hcloud.PrimaryIp(
                f"{name}-{version}",
                name=f"{name}-{version}",
                type=version,
                location=args.location,
                auto_delete=False,
                delete_protection=True,
                labels=args.labels,
                opts=guarded,
            )
            for version in ("ipv4", "ipv6")
        )
        balancer = hcloud.LoadBalancer(
            name,
            name=name,
            load_balancer_type=args.load_balancer_type,
            location=args.location,
            ipv4_id=address.id.apply(int),
            ipv6_id=address_v6.id.apply(int),
            # The host that has least to do: a slow one gets less instead of a queue.
            algorithm=hcloud.LoadBalancerAlgorithmArgs(type="least_connections"),
            delete_protection=True,
            labels=args.labels,
            # While it is replaced, its location has no entrance.
            opts=guarded,
        )
        attachment = hcloud.LoadBalancerNetwork(
            name,
            load_balancer_id=balancer.id.apply(int),
            subnet_id=args.subnet_id,
            ip=args.private_address,
            enable_public_interface=True,
            opts=child,
        )
        targets = hcloud.LoadBalancerTarget(
            name,
            type="label_selector",
            load_balancer_id=balancer.id.apply(int),
            label_selector=f"pool={args.pool}",
            use_private_ip=True,
            # Hetzner refuses targets by their private addresses before the load balancer is in that network.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[attachment]),
        )
        hcloud.LoadBalancerService(
            name,
            # A string, unlike everywhere else: the provider takes this one as it is.
            load_balancer_id=balancer.id,
            protocol="https",
            listen_port=HTTPS_PORT,
            destination_port=args.server_port,
            # The hosts learn a client's address from X-Forwarded-For, which Hetzner sets; both at once would be two.
            proxyprotocol=False,
            http=hcloud.LoadBalancerServiceHttpArgs(
                certificates=[args.certificate_id],
                # Whoever asks at HTTP_PORT is sent to HTTPS_PORT.
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
            # The entrance opens last, when it knows whom to let in to.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[attachment, targets]),
        )

        self.address = address.ip_address
        self.address_v6 = balancer.ipv6
        self.register_outputs({"address": self.address, "addressV6": self.address_v6})
