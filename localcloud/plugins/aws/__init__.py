"""The stand-in for `pulumi-resource-aws`: its tables, one file for each service.

connection.py   settings, endpoints, clients        common.py   what all tables share        functions.py   data sources
"""

from __future__ import annotations

from typing import Final

from localcloud.plugins.aws import (
    alarms,
    backup,
    ec2,
    functions,
    iam,
    iam_people,
    kms,
    logs,
    rds,
    s3,
    secretsmanager,
    ssm,
)
from localcloud.plugins.aws.connection import CONFIGURATION, connect
from localcloud.plugins.table import Plugin

PLUGIN: Final = Plugin(
    name="aws",
    version="7.51.1",
    configuration=CONFIGURATION,
    connect=connect,
    resources=(
        *kms.RESOURCES,
        *s3.RESOURCES,
        *iam.RESOURCES,
        *iam_people.RESOURCES,
        *alarms.RESOURCES,
        *ec2.RESOURCES,
        *rds.RESOURCES,
        *backup.RESOURCES,
        *secretsmanager.RESOURCES,
        *ssm.RESOURCES,
        *logs.RESOURCES,
    ),
    functions=functions.FUNCTIONS,
)
