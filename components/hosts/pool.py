"""The hosts of one role: active ones, a hot standby, spread over locations and over machines within each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_hcloud as hcloud

from components.hosts.placement import PlannedHost
from components.hosts.replacement import Rolling
from components.network.addressing import Role

_EVERYWHERE = ("0.0.0.0/0", "::/0")


@dataclass(frozen=True, kw_only=True)
class HostPoolArgs:
    """Which hosts, what they are made of, and who reaches them.

    Raises:
        ValueError: there is no active host.
    """

    role: Role
    """What the hosts do. A label of everything in the pool."""

    hosts: Sequence[PlannedHost]
    """The hosts, as `host_plan.plan_hosts` has planned them."""

    image: str
    """Hetzner's name for the operating system. A new one rolls the hosts."""

    address_ids: Mapping[str, pulumi.Input[int]]
    """Hetzner's id of each host's public address, by the name of the host."""

    subnet_id: pulumi.Input[str]
    """The subnet of the private network that the hosts join."""

    user_data: Callable[[PlannedHost], pulumi.Input[str]]
    """What a host makes itself from at its first boot. Another one rolls the hosts."""

    ssh_keys: Sequence[str]
    """Hetzner's names for the keys of the people who reach the hosts. Others roll the hosts."""

    ssh_from: Sequence[str]
    """The address ranges that SSH is open to. Closed when there are none."""

    labels: dict[str, str]
    """Labels of everything in the pool, beside its role."""

    backups: bool
    """Whether Hetzner keeps daily images of the hosts, in a place of its own. The plan says."""

    keep_serving: bool = True
    """Whether a host is taken down only while the other active ones answer."""

    def __post_init__(self) -> None:
        if not any(host.state == "active" for host in self.hosts):
            raise ValueError("hosts has no active one; at least one has to do the work")


class HostPool(pulumi.ComponentResource):
    """Hosts that survive the loss of one of them, of the machine beneath it, and of its location.

    They are rolled, never changed: what a host is made from stands in its user data, and another user data replaces it.
    That goes one host after another, active ones first, because each depends on the one before it; and before one is
    taken down the others must answer (`replacement.py`), so a new image that does not work stops at its first host.
    Shutting down, a host lets its load balancers send requests elsewhere before it ends (`host_setup`).

    Pulumi does not protect them, since being replaced is how they live and there is nothing on them to lose. Hetzner's
    own protection is on, which neither the provider nor a person deletes through; only the step that rolls a host takes
    it off, when the others answer.

    Each host's public address is its own and stays when the host is rolled (`addresses.py`).
    """

    def __init__(self, name: str, args: HostPoolArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("botbrains:compute:HostPool", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        labels = {**args.labels, "role": args.role, "pool": name}

        firewall = hcloud.Firewall(
            name,
            name=name,
            labels=labels,
            # Inbound, everything that no rule names is dropped. The load balancers need no rule, because they come over
            # the private network, which Hetzner does not filter; there the hosts' own firewall admits them alone.
            # ICMP is open so that path MTU discovery and a plain ping work. Outbound, no rule means no limit.
            rules=[
                hcloud.FirewallRuleArgs(
                    description="ICMP from anywhere", direction="in", protocol="icmp", source_ips=list(_EVERYWHERE)
                ),
                *(
                    [
                        hcloud.FirewallRuleArgs(
                            description="SSH for the co-founders",
                            direction="in",
                            protocol="tcp",
                            port="22",
                            source_ips=list(args.ssh_from),
                        )
                    ]
                    if args.ssh_from
                    else []
                ),
            ],
            opts=child,
        )
        groups = {
            group: hcloud.PlacementGroup(group, name=group, type="spread", labels=labels, opts=child)
            for group in dict.fromkeys(host.group for host in args.hosts)
        }
        rolling = Rolling(
            name,
            serving=[host.name for host in args.hosts if host.state == "active"] if args.role == "api" else [],
            keep_serving=args.keep_serving,
        )
        self._declare(args, labels, firewall, groups, rolling)
        self.register_outputs({"hosts": [host.name for host in args.hosts]})

    def _declare(
        self,
        args: HostPoolArgs,
        labels: dict[str, str],
        firewall: hcloud.Firewall,
        groups: dict[str, hcloud.PlacementGroup],
        rolling: Rolling,
    ) -> None:
        """The servers, each after the one before it."""
        before: list[pulumi.Resource] = []
        for host in args.hosts:
            server = hcloud.Server(
                host.name,
                name=host.name,
                server_type=host.offer.server_type,
                image=args.image,
                location=host.offer.location,
                labels={**labels, "state": host.state},
                placement_group_id=groups[host.group].id.apply(int),
                # Given with the server, not attached to it afterwards: a firewall must be there before the first boot.
                firewall_ids=[firewall.id.apply(int)],
                public_nets=[
                    hcloud.ServerPublicNetArgs(ipv4_enabled=True, ipv4=args.address_ids[host.name], ipv6_enabled=False),
                ],
                # The empty list keeps the provider from detaching and attaching the network on every deployment.
                networks=[hcloud.ServerNetworkArgs(subnet_id=args.subnet_id, ip=host.address, alias_ips=[])],
                ssh_keys=list(args.ssh_keys),
                user_data=args.user_data(host),
                backups=args.backups,
                # Hetzner accepts these two only together.
                delete_protection=True,
                rebuild_protection=True,
                shutdown_before_deletion=True,
                opts=pulumi.ResourceOptions(
                    parent=self,
                    depends_on=before,
                    hooks=rolling.of_servers,
                    # The provider would change these in place, and cut the server's power for it while requests are
                    # under way. Replacing it lets it finish.
                    replace_on_changes=["serverType", "placementGroupId", "publicNets", "networks"],
                    # Neither the name nor an address can belong to the old and the new server at the same time.
                    delete_before_replace=True,
                ),
            )
            before = [server]
