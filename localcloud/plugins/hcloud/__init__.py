"""The tables that replace `pulumi-resource-hcloud`: a module for each subject.

Calls, their order and ids follow the source of the official provider (hetznercloud's Terraform provider, which Pulumi's
provider wraps). In one point the source differs from its documentation: a deletion does not remove a delete protection.
The API refuses the deletion until an update has removed the protection (terraform-provider-hcloud#1206).
"""

from __future__ import annotations

from localcloud.plugins.hcloud.certificates import MANAGED_CERTIFICATE, UPLOADED_CERTIFICATE
from localcloud.plugins.hcloud.cloud import CONFIGURATION, connect
from localcloud.plugins.hcloud.firewalls import FIREWALL
from localcloud.plugins.hcloud.functions import FUNCTIONS
from localcloud.plugins.hcloud.load_balancers.load_balancers import LOAD_BALANCER
from localcloud.plugins.hcloud.load_balancers.parts import LOAD_BALANCER_NETWORK, LOAD_BALANCER_SERVICE
from localcloud.plugins.hcloud.load_balancers.targets import LOAD_BALANCER_TARGET
from localcloud.plugins.hcloud.networks import NETWORK, NETWORK_SUBNET
from localcloud.plugins.hcloud.placement_groups import PLACEMENT_GROUP
from localcloud.plugins.hcloud.primary_ips import PRIMARY_IP
from localcloud.plugins.hcloud.servers import SERVER
from localcloud.plugins.hcloud.ssh_keys import SSH_KEY
from localcloud.plugins.hcloud.zones import ZONE, ZONE_RRSET
from localcloud.plugins.table import Plugin

__all__ = ["PLUGIN"]

PLUGIN = Plugin(
    name="hcloud",
    version="1.43.3",
    configuration=CONFIGURATION,
    connect=connect,
    resources=(
        FIREWALL,
        LOAD_BALANCER,
        LOAD_BALANCER_NETWORK,
        LOAD_BALANCER_SERVICE,
        LOAD_BALANCER_TARGET,
        MANAGED_CERTIFICATE,
        NETWORK,
        NETWORK_SUBNET,
        PLACEMENT_GROUP,
        PRIMARY_IP,
        SERVER,
        SSH_KEY,
        UPLOADED_CERTIFICATE,
        ZONE,
        ZONE_RRSET,
    ),
    functions=FUNCTIONS,
)
