"""The hosts of one role: active hosts and hot standbys, spread over locations and over machines in each location."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_hcloud as hcloud

from components.hosts.placement import PlannedHost
from components.hosts.replacement import Replacement
from components.network.addressing import Role

_EVERYWHERE = ("0.0.0.0/0", "::/0")


@dataclass(frozen=True, kw_only=True)
class HostPoolArgs:
    """The hosts, their configuration, and the access to them.

    Raises:
        ValueError: there is no active host.
    """

    role: Role
    """The role of the hosts. It is also a label of every resource of the pool."""

    hosts: Sequence[PlannedHost]
    """The hosts, as planned by `placement.plan_hosts`."""

    image: str
    """Hetzner's name for the operating system. Changing it replaces the hosts."""

    address_ids: Mapping[str, pulumi.Input[int]]
    """Hetzner's id of each host's public address, by the host's name."""

    subnet_id: pulumi.Input[str]
    """The subnet of the private network that the hosts join."""

    user_data: Callable[[PlannedHost], pulumi.Input[str]]
    """The cloud-config that configures a host at its first boot. Changing it replaces the host."""

    ssh_keys: Sequence[str]
    """Hetzner's names for the SSH keys of the operators. Changing them replaces the hosts."""

    ssh_from: Sequence[str]
    """The address ranges that SSH is open to. Without one, SSH is closed."""

    labels: dict[str, str]
    """The labels of every resource of the pool, in addition to its role."""

    backups: bool
    """Whether Hetzner keeps daily images of the hosts, stored separately from them. The plan decides."""

    keep_serving: bool = True
    """Whether a host is deleted only while the other active hosts answer."""

    def __post_init__(self) -> None:
        if not any(host.state == "active" for host in self.hosts):
            raise ValueError(
                f"hosts has no active host; allowed is one active host or more. Set botbrains:hosts.{self.role}.active"
                " to at least 1"
            )


class HostPool(pulumi.ComponentResource):
    """Hosts that survive the loss of one host, of the machine beneath it, and of a location.

    A host is replaced and never changed: it is built from its user data, and changing the user data replaces it.
    Pulumi replaces one host after the other, active hosts first, because each depends on the one before it. Before a
    host is deleted, the others must answer (`replacement.py`), so a rollout of a broken image stops at the first host.
    During its shutdown, a host waits until its load balancers send requests to others (`image/`).

    Pulumi does not protect the hosts: they are replaced routinely, and hold no data. Hetzner's own protection is on.
    It stops the provider and people from deleting a host. Only the deletion hook removes it, when the others answer.

    Each host has its own public address, which stays when the host is replaced (`addresses.py`).
    """

    def __init__(self, name: str, args: HostPoolArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("botbrains:compute:HostPool", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        labels = {**args.labels, "role": args.role, "pool": name}

        firewall = hcloud.Firewall(
            name,
            name=name,
            labels=labels,
            # Inbound traffic without a rule is dropped. The load balancers need no rule, because they use the private
            # network, which Hetzner does not filter; there, the hosts' own firewall admits only the load balancers.
            # ICMP is open so that path MTU discovery and ping work. Outbound traffic without a rule is not limited.
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
        replacement = Replacement(
            name,
            serving=[host.name for host in args.hosts if host.state == "active"] if args.role == "api" else [],
            keep_serving=args.keep_serving,
        )
        self._declare(args, labels, firewall, groups, replacement)
        self.register_outputs({"hosts": [host.name for host in args.hosts]})

    def _declare(
        self,
        args: HostPoolArgs,
        labels: dict[str, str],
        firewall: hcloud.Firewall,
        groups: dict[str, hcloud.PlacementGroup],
        replacement: Replacement,
    ) -> None:
        """Declare the servers, each depending on the one before it."""
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
                # Set when the server is created, not attached later: the firewall must be active at the first boot.
                firewall_ids=[firewall.id.apply(int)],
                public_nets=[
                    hcloud.ServerPublicNetArgs(ipv4_enabled=True, ipv4=args.address_ids[host.name], ipv6_enabled=False),
                ],
                # Without the empty list, the provider detaches and attaches the network in every deployment.
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
                    hooks=replacement.server_hooks,
                    # The provider would change these in place, and cut the server's power to do so, while the server
                    # handles requests. A replacement lets the server finish them.
                    replace_on_changes=["serverType", "placementGroupId", "publicNets", "networks"],
                    # The old and the new server cannot have the same name or the same address at the same time.
                    delete_before_replace=True,
                ),
            )
            before = [server]
