"""The stand-in for `pulumi-resource-aws`: its tables, one file for each service.

connection.py   settings, endpoints, clients        common.py   what all tables share        functions.py   data sources
"""

from __future__ import annotations

from typing import Final

from localcloud.plugins.aws import alarms, functions, logs, rds, secretsmanager, ssm
from localcloud.plugins.aws.backup import vaults
from localcloud.plugins.aws.connection import CONFIGURATION, connect
from localcloud.plugins.aws.ec2 import network
from localcloud.plugins.aws.iam import people, roles
from localcloud.plugins.aws.kms import keys
from localcloud.plugins.aws.s3 import buckets
from localcloud.plugins.table import Plugin

PLUGIN: Final = Plugin(
    name="aws",
    version="7.51.1",
    configuration=CONFIGURATION,
    connect=connect,
    resources=(
        *keys.RESOURCES,
        *buckets.RESOURCES,
        *roles.RESOURCES,
        *people.RESOURCES,
        *alarms.RESOURCES,
        *network.RESOURCES,
        *rds.RESOURCES,
        *vaults.RESOURCES,
        *secretsmanager.RESOURCES,
        *ssm.RESOURCES,
        *logs.RESOURCES,
    ),
    functions=functions.FUNCTIONS,
)
