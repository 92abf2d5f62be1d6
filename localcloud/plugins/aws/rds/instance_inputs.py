"""The inputs of an RDS instance: their names in the API and their properties."""

from __future__ import annotations

from typing import Any, Final

from localcloud.plugins.aws.common import REGION, TAGS, same_lower, same_set
from localcloud.plugins.table import Property

# The inputs of both CreateDBInstance and ModifyDBInstance, with their API names.
_BOTH: Final = {
    "instanceClass": "DBInstanceClass",
    "allocatedStorage": "AllocatedStorage",
    "maxAllocatedStorage": "MaxAllocatedStorage",
    "storageType": "StorageType",
    "iops": "Iops",
    "storageThroughput": "StorageThroughput",
    "dedicatedLogVolume": "DedicatedLogVolume",
    "engineVersion": "EngineVersion",
    "engineLifecycleSupport": "EngineLifecycleSupport",
    "licenseModel": "LicenseModel",
    "autoMinorVersionUpgrade": "AutoMinorVersionUpgrade",
    "multiAz": "MultiAZ",
    "publiclyAccessible": "PubliclyAccessible",
    "networkType": "NetworkType",
    "dbSubnetGroupName": "DBSubnetGroupName",
    "vpcSecurityGroupIds": "VpcSecurityGroupIds",
    "parameterGroupName": "DBParameterGroupName",
    "optionGroupName": "OptionGroupName",
    "caCertIdentifier": "CACertificateIdentifier",
    "backupRetentionPeriod": "BackupRetentionPeriod",
    "backupWindow": "PreferredBackupWindow",
    "maintenanceWindow": "PreferredMaintenanceWindow",
    "copyTagsToSnapshot": "CopyTagsToSnapshot",
    "deletionProtection": "DeletionProtection",
    "iamDatabaseAuthenticationEnabled": "EnableIAMDatabaseAuthentication",
    "monitoringInterval": "MonitoringInterval",
    "monitoringRoleArn": "MonitoringRoleArn",
    "databaseInsightsMode": "DatabaseInsightsMode",
    "performanceInsightsEnabled": "EnablePerformanceInsights",
    "performanceInsightsKmsKeyId": "PerformanceInsightsKMSKeyId",
    "performanceInsightsRetentionPeriod": "PerformanceInsightsRetentionPeriod",
    "manageMasterUserPassword": "ManageMasterUserPassword",
    "masterUserSecretKmsKeyId": "MasterUserSecretKmsKeyId",
    "password": "MasterUserPassword",
}
CREATE: Final = {
    **_BOTH,
    "engine": "Engine",
    "dbName": "DBName",
    "username": "MasterUsername",
    "port": "Port",
    "availabilityZone": "AvailabilityZone",
    "backupTarget": "BackupTarget",
    "storageEncrypted": "StorageEncrypted",
    "kmsKeyId": "KmsKeyId",
    "characterSetName": "CharacterSetName",
    "enabledCloudwatchLogsExports": "EnableCloudwatchLogsExports",
}
MODIFY: Final = {**_BOTH, "port": "DBPortNumber"}

PROPERTIES: Final[dict[str, Property]] = {
    "region": REGION,
    "identifier": Property(generated_name=True, replaces=True, same=same_lower),
    "instanceClass": Property(required=True),
    "engine": Property(replaces=True, same=same_lower),
    "engineVersion": Property(),
    "engineLifecycleSupport": Property(
        replaces=True,
        choices=("open-source-rds-extended-support", "open-source-rds-extended-support-disabled"),
    ),
    "licenseModel": Property(),
    "dbName": Property(replaces=True),
    "username": Property(replaces=True),
    "password": Property(secret=True, write_only=True),
    # A changed value alone has no effect: a changed `passwordWoVersion` sends it.
    "passwordWo": Property(secret=True, write_only=True, same=lambda one, other: True),
    "passwordWoVersion": Property(write_only=True),
    "manageMasterUserPassword": Property(default=False),
    "masterUserSecretKmsKeyId": Property(),
    "allocatedStorage": Property(),
    "maxAllocatedStorage": Property(default=0),
    "storageType": Property(choices=("standard", "gp2", "gp3", "io1", "io2")),
    "iops": Property(),
    "storageThroughput": Property(),
    "storageEncrypted": Property(default=False, replaces=True),
    "kmsKeyId": Property(replaces=True),
    "dedicatedLogVolume": Property(default=False),
    "multiAz": Property(default=False),
    "availabilityZone": Property(replaces=True),
    "publiclyAccessible": Property(default=False),
    "networkType": Property(choices=("IPV4", "DUAL")),
    "port": Property(),
    "dbSubnetGroupName": Property(same=same_lower),
    "vpcSecurityGroupIds": Property(same=same_set),
    "parameterGroupName": Property(same=same_lower),
    "optionGroupName": Property(),
    "caCertIdentifier": Property(),
    "characterSetName": Property(replaces=True),
    "autoMinorVersionUpgrade": Property(default=True),
    # Without a default: a restored instance keeps its source's value, and a new one is created with 0.
    "backupRetentionPeriod": Property(),
    "backupWindow": Property(),
    "backupTarget": Property(replaces=True, choices=("region", "outposts")),
    "maintenanceWindow": Property(same=same_lower),
    "copyTagsToSnapshot": Property(default=False),
    "deletionProtection": Property(default=False),
    "iamDatabaseAuthenticationEnabled": Property(default=False),
    "monitoringInterval": Property(default=0, choices=(0, 1, 5, 10, 15, 30, 60)),
    "monitoringRoleArn": Property(),
    "databaseInsightsMode": Property(choices=("standard", "advanced")),
    "performanceInsightsEnabled": Property(default=False),
    "performanceInsightsKmsKeyId": Property(),
    "performanceInsightsRetentionPeriod": Property(),
    "enabledCloudwatchLogsExports": Property(default=[], same=same_set),
    "tags": TAGS,
    # The source of a restored instance, which RDS does not return.
    "restoreToPointInTime": Property(replaces=True, write_only=True),
    "snapshotIdentifier": Property(replaces=True, write_only=True),
    # Options of changes and deletions, which RDS does not store.
    "applyImmediately": Property(default=False, write_only=True),
    "allowMajorVersionUpgrade": Property(default=False, write_only=True),
    "skipFinalSnapshot": Property(default=False, write_only=True),
    "finalSnapshotIdentifier": Property(write_only=True),
    "deleteAutomatedBackups": Property(default=True, write_only=True),
}


def same(key: str, declared: Any, found: Any) -> bool:
    """Whether RDS has the declared input."""
    rule = PROPERTIES[key].same
    return bool(declared == found if rule is None else rule(declared, found))
