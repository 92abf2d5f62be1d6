"""The tables that replace `pulumi-resource-aws`: a module or a package for each service.

connection.py   settings, endpoints, clients        common.py   shared by all tables        functions.py   data sources
"""

from __future__ import annotations

from typing import Final

from localcloud.plugins.aws import cloudtrail, cloudwatch, eventbridge, functions, logs, rds, secretsmanager, sns, ssm
from localcloud.plugins.aws.backup import vaults
from localcloud.plugins.aws.connection import CONFIGURATION, connect, inherited
from localcloud.plugins.aws.ec2 import network, route_tables, security_groups
from localcloud.plugins.aws.iam import people, roles
from localcloud.plugins.aws.kms import keys
from localcloud.plugins.aws.s3 import access, buckets, encryption, lifecycle, replication, versioning
from localcloud.plugins.table import Plugin

PLUGIN: Final = Plugin(
    name="aws",
    version="7.51.1",
    configuration=CONFIGURATION,
    connect=connect,
    resources=(
        *keys.RESOURCES,
        *buckets.RESOURCES,
        *versioning.RESOURCES,
        *encryption.RESOURCES,
        *access.RESOURCES,
        *lifecycle.RESOURCES,
        *replication.RESOURCES,
        *roles.RESOURCES,
        *people.RESOURCES,
        *sns.RESOURCES,
        *eventbridge.RESOURCES,
        *cloudtrail.RESOURCES,
        *cloudwatch.RESOURCES,
        *network.RESOURCES,
        *route_tables.RESOURCES,
        *security_groups.RESOURCES,
        *rds.RESOURCES,
        *vaults.RESOURCES,
        *secretsmanager.RESOURCES,
        *ssm.RESOURCES,
        *logs.RESOURCES,
    ),
    functions=functions.FUNCTIONS,
    inherited=inherited,
)
